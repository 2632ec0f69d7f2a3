import SIPMessage
import Structures

/// A globally routable user agent URI that this registrar gave out (RFC 5627 §3.1): which bindings of which user it means.
///
/// Who looks for the targets of a request first reads its Request-URI, whose host is known to be one of our domains:
///
///     switch GRUU.read(uri, in: text, hashing: hashing) {
///     case .none: …                        // no GRUU: the address of record that the URI names
///     case .invalid: …                     // 404 (RFC 5627 §6.1)
///     case .gruu(let gruu):
///       gruu.appendKey(domain: domain.name.span, to: &key)        // looked up like any other address of record
///     }
///
/// and of the bindings found takes those that it ``matches(_:)``. When none is left, ``statusWithoutBinding(in:isKnownUser:)`` is the answer.
/// Other parameters of the URI don't count; a target gets the contact as Request-URI, without `gr`.
///
/// A public GRUU is the address of record with the instance as the value of `gr`. The user part of a temporary one is base64url of one octet
/// naming the secret, then sealed: kind (1: 0x20, which no flow token begins with), random (8), era of the instance (8), length of the user
/// part (1), the user part, and zeros up to the next multiple of 32 octets, so that its length says nothing of most users. A binding holds
/// the era of its instance (``Binding/gruuEra``): all temporary GRUUs of one era end together, and nothing else is remembered of them.
struct GRUU: Sendable, Equatable {
  /// What a URI turned out to be.
  enum Reading: Sendable, Equatable {
    /// No GRUU.
    case none
    /// A GRUU that isn't ours.
    case invalid
    /// One of ours, or one that could be.
    case gruu(GRUU)

    /// Whether it is one to be looked up.
    var isOurs: Bool { if case .gruu = self { true } else { false } }
  }

  /// Which bindings of the user are meant.
  enum Scope: Sendable, Equatable {
    /// Those of an instance, in the form of ``InstanceIdentity``: a public GRUU.
    case instance([UInt8])
    /// Those of an era: a temporary GRUU.
    case era(UInt64)
  }

  private static let kind: UInt8 = 0x20
  private static let secret: UInt8 = 1
  private static let headLength = 18
  private static let padding = 32

  /// The user part of the address of record, with escapes undone.
  let user: [UInt8]
  /// Which of the user's bindings.
  let scope: Scope

  /// Reads a URI of one of our domains.
  static func read(_ uri: SIPURI, in text: Span<UInt8>, hashing: any Hashing) -> Reading {
    guard !uri.parameters.isEmpty, let value = uri.parameter("gr", in: text) else { return .none }
    guard let name = uri.user else { return .invalid }
    if value.isEmpty { return open(text.extracting(name.positions), hashing).map { .gruu($0) } ?? .invalid }
    var (user, plain, instance): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
    text.appendUnescaped(name, to: &user)
    text.appendUnescaped(value, to: &plain)
    InstanceIdentity.append(canonical: plain.span, to: &instance)
    return .gruu(GRUU(user: user, scope: .instance(instance)))
  }

  /// Appends the key of the address of record: `user@domain`. `domain` is the canonical name in small letters.
  func appendKey(domain: Span<UInt8>, to key: inout [UInt8]) {
    key += user
    key.append(UInt8(ascii: "@"))
    key.append(domain)
  }

  /// Whether a binding of the address of record is one of those meant.
  func matches(_ binding: Binding) -> Bool {
    switch scope {
    case .instance(let name): binding.instance == name
    case .era(let era): binding.instance != nil && binding.gruuEra == era
    }
  }

  /// What to answer when no binding of what was found matches: 480 while the GRUU is valid, else 404 (RFC 5627 §6.1). A temporary one ends
  /// with its instance's registration, a public one lives as long as its user (RFC 5627 §5.3).
  func statusWithoutBinding(in found: BindingSet?, isKnownUser: Bool) -> Int {
    switch scope {
    case .instance: isKnownUser ? 480 : 404
    case .era: found?.lapsed.contains(where: matches) == true ? 480 : 404
    }
  }

  private static func open(_ text: Span<UInt8>, _ hashing: any Hashing) -> GRUU? {
    var (sealed, plain): ([UInt8], [UInt8]) = ([], [])
    guard sealed.append(decodingBase64URL: text), sealed.count > 1, sealed[0] == secret,
      hashing.open(sealed.span.extracting(1..<sealed.count), to: &plain)
    else { return nil }
    let octets = plain.span
    guard octets.count > headLength, octets[0] == kind else { return nil }
    let end = headLength + Int(octets[headLength - 1])
    guard octets.count >= end else { return nil }
    return GRUU(user: Array(plain[headLength..<end]), scope: .era(octets.bigEndian(9, 8)))
  }
}

extension GRUU {
  /// Appends `;pub-gruu="…";temp-gruu="…"` for a binding that has an instance, nothing for another (RFC 5627 §5.2). The temporary one is new
  /// each time. `aor` is the key of the address of record, `user@domain`.
  static func appendParameters(
    of binding: Binding, aor: Span<UInt8>, hashing: any Hashing, to output: inout [UInt8]
  ) {
    guard let instance = binding.instance, let at = lastAt(aor) else { return }
    let (user, domain) = (aor.extracting(0..<at), aor.extracting(at + 1..<aor.count))
    // RFC 5630 §5.2.1: the scheme is that of the contact.
    let uri = binding.uri
    let isSecure = SIPURI.isSIPS(uri.span)
    output.append(isSecure ? ";pub-gruu=\"sips:" : ";pub-gruu=\"sip:")
    append(escaping: user, allowing: "-_.!~*'()&=+$,;?/", to: &output)
    output.append("@")
    output.append(domain)
    output.append(";gr=")
    append(escaping: instance.span, allowing: "-_.!~*'()[]/:&+$", to: &output)
    output.append("\"")
    guard user.count <= UInt8.max else { return }
    output.append(isSecure ? ";temp-gruu=\"sips:" : ";temp-gruu=\"sip:")
    appendTemporary(user, era: binding.gruuEra, hashing, to: &output)
    output.append("@")
    output.append(domain)
    output.append(";gr\"")
  }

  private static func appendTemporary(
    _ user: Span<UInt8>, era: UInt64, _ hashing: any Hashing, to output: inout [UInt8]
  ) {
    var plain: [UInt8] = []
    plain.reserveCapacity(headLength + user.count + padding)
    plain.append(kind)
    plain.append(bigEndian: hashing.randomWord(), 8)
    plain.append(bigEndian: era, 8)
    plain.append(UInt8(truncatingIfNeeded: user.count))
    plain.append(user)
    while (plain.count - headLength) % padding != 0 || plain.count == headLength { plain.append(0) }
    var sealed: [UInt8] = [secret]
    hashing.seal(plain.span, to: &sealed)
    output.append(base64URL: sealed.span)
  }

  /// Where the domain's `@` is: a user part may have others, a domain has none.
  private static func lastAt(_ aor: Span<UInt8>) -> Int? {
    aor.indices.last { aor[$0] == UInt8(ascii: "@") }
  }

  /// Appends octets with escapes for all but letters, digits and `others` (RFC 3261 §25.1).
  private static func append(escaping octets: Span<UInt8>, allowing others: StaticString, to output: inout [UInt8]) {
    for index in octets.indices {
      let octet = octets[index]
      let isLetter = octet.lowercased >= 0x61 && octet.lowercased <= 0x7A
      if isLetter || octet.decimalDigit != nil || others.withUTF8Buffer({ $0.contains(octet) }) {
        output.append(octet)
      } else {
        output.append(UInt8(ascii: "%"))
        output.append(hexadecimal: [octet].span)
      }
    }
  }
}

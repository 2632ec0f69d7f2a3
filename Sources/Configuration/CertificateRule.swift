/// What certificates of a kind prove: one entry of `identity.certificates`. Only certificates count that were verified.
public struct CertificateRule: Sendable, Equatable {
  /// Which certificates are meant.
  public let match: Match
  /// Whom they prove.
  public let proof: Proof

  /// Which certificates are meant.
  public enum Match: Sendable, Equatable {
    /// Those with a subject alternative name that is the SIP or SIPS URI of a user: nothing but scheme, user and host.
    case user(scheme: String, name: NamePattern, host: NamePattern)
    /// Those with a subject alternative name that is the SIP URI of a domain (RFC 5922 §7.1).
    case domain(scheme: String, host: NamePattern)
    /// Those with another URI as subject alternative name.
    case uri(NamePattern)
    /// Those with a DNS name as subject alternative name.
    case dnsName(NamePattern)
    /// Those whose subject has this as its last common name.
    case commonName(NamePattern)
    /// The one whose SHA-256 has these 32 octets.
    case fingerprint([UInt8])
  }

  /// Whom a certificate proves.
  public enum Proof: Sendable, Equatable {
    /// The user whom the name that matched names.
    case namedUser
    /// All users of the domain that the name that matched names.
    case namedDomain
    /// A peer of our trust domain, as an address in `identity.trusted` does.
    case trusted
    /// This user; its escapes are undone, and the domain has its own name.
    case user([UInt8], domain: String)
    /// All users of this domain.
    case domain(String)
  }

  /// A rule from its parts.
  public init(_ match: Match, _ proof: Proof) {
    self.match = match
    self.proof = proof
  }
}

extension CertificateRule.Match {
  /// Reads `uri:…`, `dns:…`, `cn:…` or `sha256:…`; nil when the text is none of them.
  init?(_ text: String) {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    let rest = String(text[text.index(after: colon)...])
    switch text[..<colon].lowercased() {
    case "uri": self.init(uri: rest)
    case "dns":
      guard Self.isHostPattern(rest) else { return nil }
      self = .dnsName(.host(rest))
    case "cn":
      guard NamePattern.exact(rest).isSound else { return nil }
      self = .commonName(.exact(rest))
    case "sha256":
      guard let octets = Self.octets(rest) else { return nil }
      self = .fingerprint(octets)
    default: return nil
    }
  }

  private init?(uri: String) {
    let scheme = uri.prefix { $0 != ":" }.lowercased()
    guard scheme == "sip" || scheme == "sips" else {
      guard !scheme.isEmpty, !scheme.contains("*"), scheme.utf8.count < uri.utf8.count,
        NamePattern.exact(uri).isSound
      else { return nil }
      self = .uri(.exact(uri))
      return
    }
    let rest = uri.dropFirst(scheme.count + 1)
    guard let at = rest.lastIndex(of: "@") else {
      guard Self.isHostPattern(String(rest)) else { return nil }
      self = .domain(scheme: scheme, host: .host(String(rest)))
      return
    }
    let (user, host) = (NamePattern.exact(String(rest[..<at])), String(rest[rest.index(after: at)...]))
    guard user.isSound, Self.isHostPattern(host) else { return nil }
    self = .user(scheme: scheme, name: user, host: .host(host))
  }

  /// The name of a host, with stars in it or without.
  private static func isHostPattern(_ text: String) -> Bool {
    NamePattern.host(text).isSound && TextRule.isHostName(text.replacing("*", with: "x"))
  }

  /// 32 octets in hexadecimal, with or without colons between them.
  private static func octets(_ text: String) -> [UInt8]? {
    var octets: [UInt8] = []
    var digits = text.utf8.filter { $0 != UInt8(ascii: ":") }[...]
    while let first = digits.popFirst() {
      guard let high = first.hexadecimalDigit, let low = digits.popFirst()?.hexadecimalDigit else { return nil }
      octets.append(high << 4 | low)
    }
    return octets.count == 32 ? octets : nil
  }

  /// Whether what matches names a user.
  var namesUser: Bool {
    switch self {
    case .user, .commonName: true
    case .domain, .uri, .dnsName, .fingerprint: false
    }
  }

  /// Whether what matches names a domain.
  var namesDomain: Bool {
    switch self {
    case .domain, .dnsName, .commonName: true
    case .user, .uri, .fingerprint: false
    }
  }

  /// Whether every certificate of a kind is meant, whoever's it is.
  var isAnybody: Bool {
    switch self {
    case .uri(let name), .dnsName(let name), .commonName(let name): name.isAnything
    case .domain(_, let host): host.isAnything
    case .user(_, let name, let host): name.isAnything && host.isAnything
    case .fingerprint: false
    }
  }
}

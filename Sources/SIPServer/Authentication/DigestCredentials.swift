import SIPMessage
import Structures

/// One Authorization or Proxy-Authorization value of the Digest scheme (RFC 3261 §20.7, §22.4, RFC 8760 §2). Ranges are positions in
/// the message that it was read from, quotes left out, escapes left in.
public struct DigestCredentials: Sendable, Equatable {
  /// What the client applied its digest to.
  public enum Quality: Sendable, Equatable {
    /// No `qop`: the digest of RFC 2069 (RFC 2617 §3.2.2.1).
    case none
    /// `qop=auth`
    case auth
    /// Any other: not offered.
    case unsupported
  }

  /// The user's name.
  public private(set) var username = ByteRange(0, 0)
  /// The realm.
  public private(set) var realm = ByteRange(0, 0)
  /// The nonce; empty when the client has none yet (RFC 8760 §2.7).
  public private(set) var nonce = ByteRange(0, 0)
  /// The URI that the digest covers.
  public private(set) var uri = ByteRange(0, 0)
  /// The digest in hexadecimal.
  public private(set) var response = ByteRange(0, 0)
  /// The algorithm, MD5 when none is given (RFC 7616 §3.3); nil for one that we don't have, the `-sess` forms among them.
  public private(set) var algorithm: HashAlgorithm? = .md5
  /// What `qop` says.
  public private(set) var quality = Quality.none
  /// `qop` as written.
  public private(set) var qop = ByteRange(0, 0)
  /// `nc` as written; empty when there is none.
  public private(set) var nonceCount = ByteRange(0, 0)
  /// The number that `nc` is; 0 when there is none.
  public private(set) var count: UInt32 = 0
  /// The client's nonce; empty when there is none.
  public private(set) var cnonce = ByteRange(0, 0)
  /// What the challenge gave as `opaque`; nil when the client sent none.
  public private(set) var opaque: ByteRange?

  /// Raw values are bits of what was seen.
  private enum Name: UInt8 {
    case username, realm, nonce, uri, response, algorithm, qop, nonceCount, cnonce, opaque, other
  }

  /// Reads the value that fills `range` of `text`; nil when the scheme is another, a parameter is malformed, given twice or
  /// missing.
  public init?(_ text: Span<UInt8>, _ range: ByteRange) {
    var scanner = Scanner(position: Int(range.start), end: Int(range.end))
    guard let scheme = scanner.token(text), text.extracting(scheme.positions).equalsIgnoringCase("digest") else {
      return nil
    }
    var seen: UInt16 = 0
    repeat {
      // Empty elements of a list mean nothing.
      if scanner.isAtSeparator(text) { continue }
      guard let word = scanner.token(text), scanner.skip(UInt8(ascii: "="), text), let value = scanner.value(text)
      else { return nil }
      let name = Self.name(text.extracting(word.positions))
      if name != .other {
        guard seen & 1 << UInt16(name.rawValue) == 0 else { return nil }
        seen |= 1 << UInt16(name.rawValue)
      }
      guard keep(name, value, text) else { return nil }
    } while scanner.skip(UInt8(ascii: ","), text)
    // The first five names are always needed; RFC 7616 §3.4: with `qop`, `nc` and `cnonce` as well.
    let needed: UInt16 = quality == .auth ? 0b1_1001_1111 : 0b1_1111
    guard scanner.isAtEnd(text), seen & needed == needed else { return nil }
  }

  private mutating func keep(_ name: Name, _ value: ByteRange, _ text: Span<UInt8>) -> Bool {
    switch name {
    case .username: username = value
    case .realm: realm = value
    case .nonce: nonce = value
    case .uri: uri = value
    case .response: response = value
    case .cnonce: cnonce = value
    case .opaque: opaque = value
    case .algorithm:
      let word = text.extracting(value.positions)
      algorithm = HashAlgorithm.allCases.first { word.equals(token: $0.token) }
    case .qop:
      qop = value
      quality = text.extracting(value.positions).equalsIgnoringCase("auth") ? .auth : .unsupported
    case .nonceCount:
      nonceCount = value
      guard let number = Self.hexadecimal(text.extracting(value.positions)) else { return false }
      count = number
    case .other: break
    }
    return true
  }

  private static func name(_ word: Span<UInt8>) -> Name {
    switch word.count {
    case 2 where word.equalsIgnoringCase("nc"): .nonceCount
    case 3 where word.equalsIgnoringCase("uri"): .uri
    case 3 where word.equalsIgnoringCase("qop"): .qop
    case 5 where word.equalsIgnoringCase("realm"): .realm
    case 5 where word.equalsIgnoringCase("nonce"): .nonce
    case 6 where word.equalsIgnoringCase("cnonce"): .cnonce
    case 6 where word.equalsIgnoringCase("opaque"): .opaque
    case 8 where word.equalsIgnoringCase("username"): .username
    case 8 where word.equalsIgnoringCase("response"): .response
    case 9 where word.equalsIgnoringCase("algorithm"): .algorithm
    default: .other
    }
  }

  /// Up to eight hexadecimal digits; nil when the text is anything else.
  private static func hexadecimal(_ text: Span<UInt8>) -> UInt32? {
    guard text.count >= 1, text.count <= 8 else { return nil }
    var number: UInt32 = 0
    for index in text.indices {
      guard let digit = text[index].hexadecimalDigit else { return nil }
      number = number << 4 | UInt32(digit)
    }
    return number
  }
}

/// Walks `name=value, name="value"`.
private struct Scanner {
  var position: Int
  let end: Int

  mutating func skipSpace(_ text: Span<UInt8>) {
    while position < end, text[position] <= 0x20 { position += 1 }
  }

  mutating func isAtEnd(_ text: Span<UInt8>) -> Bool {
    skipSpace(text)
    return position == end
  }

  mutating func isAtSeparator(_ text: Span<UInt8>) -> Bool {
    isAtEnd(text) || text[position] == UInt8(ascii: ",")
  }

  mutating func skip(_ octet: UInt8, _ text: Span<UInt8>) -> Bool {
    guard !isAtEnd(text), text[position] == octet else { return false }
    position += 1
    return true
  }

  mutating func token(_ text: Span<UInt8>) -> ByteRange? {
    skipSpace(text)
    let start = position
    while position < end, Self.isWord(text[position]), text[position] != UInt8(ascii: "=") { position += 1 }
    return position > start ? ByteRange(start, position) : nil
  }

  /// A quoted string without its quotes, or a run of other octets: some clients quote what needs no quotes, and leave them
  /// out where they are needed.
  mutating func value(_ text: Span<UInt8>) -> ByteRange? {
    guard !isAtEnd(text) else { return nil }
    let start = position
    if text[start] != UInt8(ascii: "\"") {
      while position < end, Self.isWord(text[position]) { position += 1 }
      return position > start ? ByteRange(start, position) : nil
    }
    position += 1
    while position < end {
      switch text[position] {
      case UInt8(ascii: "\""):
        position += 1
        return ByteRange(start + 1, position - 1)
      case UInt8(ascii: "\\"): position += 2
      default: position += 1
      }
    }
    return nil
  }

  private static func isWord(_ octet: UInt8) -> Bool {
    octet > 0x20 && octet != UInt8(ascii: ",") && octet != UInt8(ascii: "\"")
  }
}

extension Span where Element == UInt8 {
  /// Whether the octets are those of an algorithm's token, letters compared without case.
  fileprivate func equals(token: StaticString) -> Bool {
    guard count == token.utf8CodeUnitCount else { return false }
    return token.withUTF8Buffer { other in
      for index in indices where self[index].lowercased != other[index].lowercased { return false }
      return true
    }
  }

  /// Whether the range, its escapes undone, holds the octets of `other`.
  func equalsUnquoted(_ range: ByteRange, _ other: Span<UInt8>) -> Bool {
    var matched = 0
    var index = Int(range.start)
    while index < Int(range.end) {
      if self[index] == UInt8(ascii: "\\"), index + 1 < Int(range.end) { index += 1 }
      guard matched < other.count, self[index] == other[matched] else { return false }
      matched += 1
      index += 1
    }
    return matched == other.count
  }

  /// Appends the range with its escapes undone (`unq` of RFC 7616 §3.3).
  func appendUnquoted(_ range: ByteRange, to output: inout [UInt8]) {
    var index = Int(range.start)
    while index < Int(range.end) {
      if self[index] == UInt8(ascii: "\\"), index + 1 < Int(range.end) { index += 1 }
      output.append(self[index])
      index += 1
    }
  }
}

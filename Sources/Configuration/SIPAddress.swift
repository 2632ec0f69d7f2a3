internal import Structures

/// A SIP or SIPS URI as settings may hold one: user, host, port and parameters, no password and no header part (RFC 3261 §19.1.1).
struct SIPAddress: Equatable {
  /// The whole URI.
  let text: String
  /// The user part with escapes undone; nil when there is none.
  let user: [UInt8]?
  /// The host in small letters, IPv6 in brackets.
  let host: String
  /// The port; nil when none is given.
  let port: UInt16?
  /// The parameters with their values, in small letters.
  let parameters: [String: String]

  /// Reads a URI; nil when the text is none of this form.
  init?(_ text: String) {
    let scheme = text.lowercased().hasPrefix("sips:") ? "sips:" : "sip:"
    guard text.lowercased().hasPrefix(scheme) else { return nil }
    self.text = text
    let rest = text.dropFirst(scheme.count)
    let at = rest.firstIndex(of: "@")
    if let at {
      let name = rest[..<at]
      guard !name.isEmpty, let user = Self.unescaped(name, allowing: "-_.!~*'()&=+$,;?/") else { return nil }
      self.user = user
    } else {
      user = nil
    }
    let tail = at.map { rest[rest.index(after: $0)...] } ?? rest
    let parts = tail.split(separator: ";", omittingEmptySubsequences: false)
    guard let place = parts.first.map(String.init), let (host, port) = TextRule.readHostAndPort(place),
      !host.hasPrefix("[") || place.hasPrefix("["), let parameters = Self.parameters(parts.dropFirst())
    else { return nil }
    (self.host, self.port, self.parameters) = (host, port, parameters)
  }

  private static func parameters(_ parts: ArraySlice<Substring>) -> [String: String]? {
    var found: [String: String] = [:]
    for part in parts {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      for side in sides where side.isEmpty || unescaped(side, allowing: "-_.!~*'()[]/:&+$") == nil { return nil }
      guard let name = sides.first?.lowercased() else { return nil }
      guard found.updateValue(sides.count > 1 ? sides[1].lowercased() : "", forKey: name) == nil else { return nil }
    }
    return found
  }

  /// The octets of a part with escapes undone; nil when it has an octet that isn't a letter, a digit or one of `others`.
  private static func unescaped(_ part: Substring, allowing others: String) -> [UInt8]? {
    var octets: [UInt8] = []
    var rest = part.utf8[...]
    while let octet = rest.popFirst() {
      if octet == UInt8(ascii: "%") {
        guard let high = rest.popFirst()?.hexadecimalDigit, let low = rest.popFirst()?.hexadecimalDigit else {
          return nil
        }
        octets.append(high << 4 | low)
      } else {
        let isLetter = octet.lowercased >= 0x61 && octet.lowercased <= 0x7A
        guard isLetter || octet.decimalDigit != nil || others.utf8.contains(octet) else { return nil }
        octets.append(octet)
      }
    }
    return octets
  }
}

extension TextRule {
  /// A preference in thousandths from `0`, `0.5`, `0.25` or `1` (RFC 3261 §25.1); nil when the text is none.
  static func readPreference(_ text: String) -> UInt16? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, whole == "0" || whole == "1" else { return nil }
    let fraction = parts.count > 1 ? parts[1] : "0"
    guard (1...3).contains(fraction.utf8.count), fraction.utf8.allSatisfy({ $0.decimalDigit != nil }),
      let number = UInt16(fraction + String(repeating: "0", count: 3 - fraction.utf8.count))
    else { return nil }
    let q = (whole == "1" ? 1_000 : 0) + number
    return q <= 1_000 ? q : nil
  }
}

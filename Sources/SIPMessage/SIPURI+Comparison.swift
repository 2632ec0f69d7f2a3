import Structures

extension SIPURI {
  /// Parameters and header fields of a URI that are compared each with each; no one needs so many, and the work grows with their square.
  private static let mostCompared = 64

  /// Whether two SIP or SIPS URIs are equivalent (RFC 3261 §19.1.4, RFC 5954 §4.2). URIs of other schemes, and those with more than 64 parameters
  /// and header fields, are compared octet by octet.
  public static func areEquivalent(
    _ left: SIPURI, in leftText: Span<UInt8>, _ right: SIPURI, in rightText: Span<UInt8>
  ) -> Bool {
    guard left.scheme == right.scheme else { return false }
    guard left.isSIP, left.isComparedInParts(leftText), right.isComparedInParts(rightText) else {
      return leftText.extracting(left.range.positions).equals(rightText.extracting(right.range.positions))
    }
    guard equalParts(left.user, leftText, right.user, rightText, caseSensitive: true),
      equalParts(left.password, leftText, right.password, rightText, caseSensitive: true),
      left.port == right.port, equalHosts(left, leftText, right, rightText)
    else { return false }
    return parametersMatch(left, leftText, right, rightText) && parametersMatch(right, rightText, left, leftText)
      && headersMatch(left, leftText, right, rightText) && headersMatch(right, rightText, left, leftText)
  }

  private func isComparedInParts(_ text: Span<UInt8>) -> Bool {
    guard parameters.count + headers.count > 2 * Self.mostCompared else { return true }
    var parts = 0
    for index in parameters.positions where text[index] == UInt8(ascii: ";") { parts += 1 }
    for index in headers.positions where text[index] == UInt8(ascii: "&") { parts += 1 }
    return parts <= Self.mostCompared
  }

  private static func equalParts(
    _ left: ByteRange?, _ leftText: Span<UInt8>, _ right: ByteRange?, _ rightText: Span<UInt8>, caseSensitive: Bool
  ) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return leftText.equalsUnescaped(left, rightText, right, caseSensitive: caseSensitive)
  }

  private static func equalHosts(
    _ left: SIPURI, _ leftText: Span<UInt8>, _ right: SIPURI, _ rightText: Span<UInt8>
  ) -> Bool {
    // RFC 5954 §4.2: IPv6 addresses are compared as addresses, however they are written.
    if let leftAddress = left.address(in: leftText), let rightAddress = right.address(in: rightText) {
      return leftAddress == rightAddress
    }
    return leftText.extracting(left.host.positions).equalsIgnoringCase(rightText.extracting(right.host.positions))
  }

  /// Whether each parameter of `left` that counts is in `right` with the same value.
  private static func parametersMatch(
    _ left: SIPURI, _ leftText: Span<UInt8>, _ right: SIPURI, _ rightText: Span<UInt8>
  ) -> Bool {
    var iterator = ParameterIterator(left.parameters)
    while let (name, value) = iterator.next(leftText) {
      var found = false
      var others = ParameterIterator(right.parameters)
      while let (otherName, otherValue) = others.next(rightText) {
        guard leftText.equalsUnescaped(name, rightText, otherName, caseSensitive: false) else { continue }
        found = true
        guard equalParts(value, leftText, otherValue, rightText, caseSensitive: false) else { return false }
      }
      if !found, mustBeInBoth(leftText.extracting(name.positions)) { return false }
    }
    return true
  }

  /// Parameters that make a difference when only one URI has them.
  private static func mustBeInBoth(_ name: Span<UInt8>) -> Bool {
    name.equalsIgnoringCase("transport") || name.equalsIgnoringCase("user") || name.equalsIgnoringCase("ttl")
      || name.equalsIgnoringCase("method") || name.equalsIgnoringCase("maddr")
  }

  private static func headersMatch(
    _ left: SIPURI, _ leftText: Span<UInt8>, _ right: SIPURI, _ rightText: Span<UInt8>
  ) -> Bool {
    var position = Int(left.headers.start) + 1
    while position <= Int(left.headers.end), !left.headers.isEmpty {
      let end = leftText.first(UInt8(ascii: "&"), in: position..<Int(left.headers.end)) ?? Int(left.headers.end)
      guard hasHeader(leftText, ByteRange(position, end), right, rightText) else { return false }
      position = end + 1
    }
    return true
  }

  private static func hasHeader(
    _ text: Span<UInt8>, _ header: ByteRange, _ other: SIPURI, _ otherText: Span<UInt8>
  ) -> Bool {
    var position = Int(other.headers.start) + 1
    while position <= Int(other.headers.end), !other.headers.isEmpty {
      let end = otherText.first(UInt8(ascii: "&"), in: position..<Int(other.headers.end)) ?? Int(other.headers.end)
      if text.equalsUnescaped(header, otherText, ByteRange(position, end), caseSensitive: false) { return true }
      position = end + 1
    }
    return false
  }

  /// Appends what names the user at a domain: the user part with escapes undone and the host in small letters, `user@host`
  /// (RFC 3261 §10.3 step 5). Password, port and parameters are left out.
  public func appendAddressOfRecord(_ text: Span<UInt8>, to key: inout [UInt8]) {
    if let user { text.appendUnescaped(user, to: &key) }
    key.append(UInt8(ascii: "@"))
    for index in host.positions { key.append(text[index].lowercased) }
  }
}

extension Span where Element == UInt8 {
  /// The octet that stands at a position, an escape undone when its octet isn't reserved (RFC 3261 §19.1.4), and how long it is written.
  private func unescaped(at index: Int, _ end: Int) -> (octet: UInt8, length: Int, isReserved: Bool) {
    guard self[index] == UInt8(ascii: "%"), index + 2 < end, let high = self[index + 1].hexadecimalDigit,
      let low = self[index + 2].hexadecimalDigit
    else { return (self[index], 1, false) }
    let octet = high << 4 | low
    return (octet, 3, !OctetClass.unreserved.contains(octet))
  }

  /// Whether two ranges are the same once escapes of unreserved octets are undone.
  func equalsUnescaped(_ range: ByteRange, _ other: Span<UInt8>, _ otherRange: ByteRange, caseSensitive: Bool) -> Bool {
    var (left, right) = (Int(range.start), Int(otherRange.start))
    while left < Int(range.end), right < Int(otherRange.end) {
      let mine = unescaped(at: left, Int(range.end))
      let theirs = other.unescaped(at: right, Int(otherRange.end))
      guard mine.isReserved == theirs.isReserved,
        caseSensitive ? mine.octet == theirs.octet : mine.octet.lowercased == theirs.octet.lowercased
      else { return false }
      left += mine.length
      right += theirs.length
    }
    return left == Int(range.end) && right == Int(otherRange.end)
  }

  /// Whether a parameter's name is `name`, given in small letters; escapes make no difference (RFC 3261 §19.1.4).
  func names(_ range: ByteRange, _ name: StaticString) -> Bool {
    if extracting(range.positions).equalsIgnoringCase(name) { return true }
    guard range.count > name.utf8CodeUnitCount, let plain = unescapedName(range) else { return false }
    return plain.span.equalsIgnoringCase(name)
  }

  /// The same for a name of at most eight octets.
  @inline(__always)
  func names(_ range: ByteRange, word name: OctetWord) -> Bool {
    if matches(name, Int(range.start), Int(range.end)) { return true }
    guard range.count > name.count, let plain = unescapedName(range) else { return false }
    return plain.span.matches(name, 0, plain.count)
  }

  /// The octets of a name that has escapes; nil when it has none.
  private func unescapedName(_ range: ByteRange) -> [UInt8]? {
    if first(UInt8(ascii: "%"), in: range.positions) == nil { return nil }
    var plain: [UInt8] = []
    appendUnescaped(range, to: &plain)
    return plain
  }

  /// Appends the range with all escapes undone.
  public func appendUnescaped(_ range: ByteRange, to output: inout [UInt8]) {
    var index = Int(range.start)
    while index < Int(range.end) {
      let octet = unescaped(at: index, Int(range.end))
      output.append(octet.octet)
      index += octet.length
    }
  }
}

extension [UInt8] {
  /// Appends a name as the user part of a URI, with escapes for what can't stand there (RFC 3261 §25.1).
  public mutating func append(escapingUser name: Span<UInt8>) {
    for index in name.indices {
      if OctetClass.user.contains(name[index]) {
        append(name[index])
      } else {
        append(UInt8(ascii: "%"))
        append(hexadecimal: name.extracting(index..<index + 1))
      }
    }
  }
}

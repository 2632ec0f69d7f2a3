import Structures

/// Where the parts of a URI are in a message (RFC 3261 §19.1.1). Ranges are positions in the octets that it was read from.
public struct SIPURI: Sendable, Equatable {
  /// The schemes that the server knows.
  public enum Scheme: UInt8, Sendable {
    case sip, sips, tel
    /// Any other: the URI is kept as its octets.
    case other
  }

  /// What stands as host.
  public enum HostKind: Sendable {
    case name, v4, v6
  }

  /// The scheme.
  public internal(set) var scheme = Scheme.other
  /// The whole URI.
  public internal(set) var range: ByteRange
  /// The user part as written, escapes and all; nil when there is no `@`.
  public internal(set) var user: ByteRange?
  /// The password; nil when there is none.
  public internal(set) var password: ByteRange?
  /// The host; an IPv6 address with its brackets. Empty when the scheme has none.
  public internal(set) var host = ByteRange(0, 0)
  /// What the host is.
  public internal(set) var hostKind = HostKind.name
  /// The port; nil when none is given.
  public internal(set) var port: UInt16?
  /// The parameters, beginning with their first semicolon; empty when there are none.
  public internal(set) var parameters = ByteRange(0, 0)
  /// The header part, beginning with its question mark; empty when there is none.
  public internal(set) var headers = ByteRange(0, 0)

  /// Reads the URI that fills `range` of `text`.
  ///
  /// Throws ``ParseError/Problem/uri`` with the position when it is not a URI at all or a malformed `sip` or `sips` URI. A URI of another scheme is checked for its octets only.
  public init(_ text: Span<UInt8>, _ range: ByteRange) throws(ParseError) {
    self.range = range
    let (start, end) = (Int(range.start), Int(range.end))
    guard start < end, (text[start] | 0x20) >= 0x61, (text[start] | 0x20) <= 0x7A else {
      throw ParseError(.uri, at: start)
    }
    let colon = text.run(start, end, of: .scheme)
    guard colon < end, text[colon] == UInt8(ascii: ":") else { throw ParseError(.uri, at: colon) }
    if text.matches("sip", start, colon) {
      scheme = .sip
    } else if text.matches("sips", start, colon) {
      scheme = .sips
    } else {
      scheme = text.matches("tel", start, colon) ? .tel : .other
      guard colon + 1 < end, text.allEscaped(colon + 1..<end, in: .uric) else { throw ParseError(.uri, at: colon) }
      return
    }
    let hostStart = try readUser(text, colon + 1, end)
    let hostEnd = try readHost(text, hostStart, end)
    try readTail(text, hostEnd, end)
  }

  /// Whether octets begin like a SIPS URI, without reading it.
  public static func isSIPS(_ octets: Span<UInt8>) -> Bool {
    octets.count > 5 && octets.extracting(0..<5).equalsIgnoringCase("sips:")
  }

  /// A SIPS URI with `sip` as its scheme, the rest as it is; anything else unchanged.
  public static func asSIP(_ octets: [UInt8]) -> [UInt8] {
    guard isSIPS(octets.span) else { return octets }
    var other = octets
    other.remove(at: 3)
    return other
  }

  /// Whether the scheme is `sip` or `sips`.
  public var isSIP: Bool { scheme == .sip || scheme == .sips }

  /// The value of a parameter (empty range for one without value); nil when the URI doesn't have it. `name` is in small letters.
  public func parameter(_ name: StaticString, in text: Span<UInt8>) -> ByteRange? {
    var iterator = ParameterIterator(parameters)
    while let (found, value) = iterator.next(text) {
      if text.names(found, name) {
        return value ?? ByteRange(Int(found.end), Int(found.end))
      }
    }
    return nil
  }

  /// The address that the host is; nil for a name.
  public func address(in text: Span<UInt8>) -> IPAddress? {
    switch hostKind {
    case .name: nil
    case .v4: IPAddress(text.extracting(host.positions))
    case .v6: text.v6(Int(host.start) + 1, Int(host.end) - 1)
    }
  }

  /// Whether the URI has what a Request-URI may not have: header fields, or a `method` (RFC 3261 §19.1.1).
  public func isMoreThanRequestURI(_ text: Span<UInt8>) -> Bool {
    !headers.isEmpty || parameter("method", in: text) != nil
  }

  /// Appends the URI without what a Request-URI may not have (RFC 3261 §16.6 step 2).
  public func appendRequestURI(_ text: Span<UInt8>, to output: inout [UInt8]) {
    var position = Int(range.start)
    var iterator = ParameterIterator(parameters)
    while let (name, value) = iterator.next(text) {
      guard text.names(name, "method") else { continue }
      output.append(text.extracting(position..<Int(name.start) - 1))
      position = Int((value ?? name).end)
    }
    output.append(text.extracting(position..<(headers.isEmpty ? Int(range.end) : Int(headers.start))))
  }

  @inline(__always)
  private mutating func readUser(_ text: Span<UInt8>, _ start: Int, _ end: Int) throws(ParseError) -> Int {
    let userEnd = text.run(escaped: start, end, of: .user)
    if userEnd == end { return start }
    var at = userEnd
    if text[userEnd] != UInt8(ascii: "@") {
      guard let found = text.first(UInt8(ascii: "@"), in: userEnd..<end) else { return start }
      guard text[userEnd] == UInt8(ascii: ":"), text.allEscaped(userEnd + 1..<found, in: .password) else {
        throw ParseError(.uri, at: userEnd)
      }
      password = ByteRange(userEnd + 1, found)
      at = found
    }
    guard userEnd > start else { throw ParseError(.uri, at: start) }
    user = ByteRange(start, userEnd)
    return at + 1
  }

  @inline(__always)
  private mutating func readHost(_ text: Span<UInt8>, _ start: Int, _ end: Int) throws(ParseError) -> Int {
    guard let (kind, hostEnd) = text.host(start, end) else { throw ParseError(.uri, at: start) }
    host = ByteRange(start, hostEnd)
    hostKind = kind
    guard hostEnd < end, text[hostEnd] == UInt8(ascii: ":") else { return hostEnd }
    guard let (number, portEnd) = text.number(hostEnd + 1, end, below: 65_536) else {
      throw ParseError(.uri, at: hostEnd)
    }
    port = UInt16(truncatingIfNeeded: number)
    return portEnd
  }

  @inline(__always)
  private mutating func readTail(_ text: Span<UInt8>, _ start: Int, _ end: Int) throws(ParseError) {
    var position = start
    while position < end, text[position] == UInt8(ascii: ";") {
      let nameEnd = text.run(escaped: position + 1, end, of: .parameter)
      guard nameEnd > position + 1 else { throw ParseError(.uri, at: position) }
      position = nameEnd
      if position < end, text[position] == UInt8(ascii: "=") {
        position = text.run(escaped: nameEnd + 1, end, of: .parameter)
        guard position > nameEnd + 1 else { throw ParseError(.uri, at: nameEnd) }
      }
    }
    parameters = ByteRange(start, position)
    headers = ByteRange(position, end)
    if position < end {
      guard text[position] == UInt8(ascii: "?"), text.allEscaped(position + 1..<end, in: .header) else {
        throw ParseError(.uri, at: position)
      }
    }
  }
}

extension Span where Element == UInt8 {
  /// The kind and end of the host that begins at a position; nil when none does.
  @inline(__always)
  func host(_ start: Int, _ end: Int) -> (SIPURI.HostKind, Int)? {
    guard start < end else { return nil }
    if self[start] == UInt8(ascii: "[") {
      guard let close = first(UInt8(ascii: "]"), in: start..<end) else { return nil }
      return v6(start + 1, close) != nil ? (.v6, close + 1) : nil
    }
    let hostEnd = run(start, end, of: .host)
    guard hostEnd > start, self[start] != UInt8(ascii: ".") else { return nil }
    if self[start].decimalDigit != nil, IPAddress(extracting(start..<hostEnd)) != nil { return (.v4, hostEnd) }
    return (.name, hostEnd)
  }

  /// The IPv6 address that fills a range; nil when none does. RFC 5118 §4.10: three colons, which the grammar of RFC 3261 led some to
  /// write, are understood as two.
  func v6(_ start: Int, _ end: Int) -> IPAddress? {
    if let address = IPAddress(extracting(start..<end)) { return address.family == .v6 ? address : nil }
    guard end - start <= 46 else { return nil }
    var mended: [UInt8] = []
    for index in start..<end {
      let isThird =
        index >= start + 2 && self[index] == 0x3A && self[index - 1] == 0x3A && self[index - 2] == 0x3A
      if !isThird { mended.append(self[index]) }
    }
    guard mended.count == end - start - 1, let address = IPAddress(mended.span) else { return nil }
    return address.family == .v6 ? address : nil
  }
}

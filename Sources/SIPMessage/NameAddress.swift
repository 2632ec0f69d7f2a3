import Structures

/// A value of the form `"Display" <URI>;parameters` or `URI;parameters`: From, To, Contact, Route and their like
/// (RFC 3261 §20.10, §25.1).
public struct NameAddress: Sendable, Equatable {
  /// The whole value, parameters included.
  public let range: ByteRange
  /// The display name as written, quotes and all; empty when there is none.
  public let displayName: ByteRange
  /// The URI.
  public let uri: SIPURI
  /// Whether the URI stands in angle brackets.
  public let isBracketed: Bool
  /// The header parameters, beginning with their first semicolon; empty when there are none.
  public let parameters: ByteRange
  /// The value of the header parameter `tag`, empty for one without a value; nil when there is none.
  public private(set) var tag: ByteRange?

  /// Reads the one value that fills `range` of `text`. Throws ``ParseError/Problem/uri`` with the position of what is wrong.
  public init(_ text: Span<UInt8>, _ range: ByteRange) throws(ParseError) {
    self.range = range
    let (start, end) = (Int(range.start), Int(range.end))
    guard let (open, quotedEnd) = Self.openingBracket(text, start, end) else {
      // RFC 3261 §20.10: without brackets the parameters belong to the header field, and the URI has neither comma,
      // question mark nor semicolon.
      var uriEnd = start
      while uriEnd < end, text[uriEnd] != UInt8(ascii: ";"), !text[uriEnd].isLinearSpace { uriEnd += 1 }
      guard text.first(UInt8(ascii: "?"), in: start..<uriEnd) == nil,
        text.first(UInt8(ascii: ","), in: start..<uriEnd) == nil
      else { throw ParseError(.uri, at: start) }
      displayName = ByteRange(start, start)
      isBracketed = false
      uri = try SIPURI(text, ByteRange(start, uriEnd))
      parameters = ByteRange(text.skipSpace(uriEnd, end), end)
      try readParameters(text)
      return
    }
    let nameEnd = text.trimSpace(start, open)
    displayName = ByteRange(start, nameEnd)
    try Self.checkDisplayName(text, start, nameEnd, quotedEnd)
    guard let close = text.first(UInt8(ascii: ">"), in: open..<end) else { throw ParseError(.uri, at: open) }
    isBracketed = true
    uri = try SIPURI(text, ByteRange(open + 1, close))
    parameters = ByteRange(text.skipSpace(close + 1, end), end)
    try readParameters(text)
  }

  /// The value of a header parameter (empty range for one without value); nil when there is none. `name` is in small letters.
  public func parameter(_ name: StaticString, in text: Span<UInt8>) -> ByteRange? {
    var iterator = ParameterIterator(parameters)
    while let (found, value) = iterator.advance(text) {
      if text.names(found, name) {
        return value ?? ByteRange(Int(found.end), Int(found.end))
      }
    }
    return nil
  }

  /// The first opening bracket that isn't quoted, and the end of the quoted string that the value begins with, if it does.
  @inline(__always)
  private static func openingBracket(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> (Int, quotedEnd: Int)? {
    var (index, quotedEnd) = (start, start)
    while index < end {
      if text[index] == UInt8(ascii: "<") { return (index, quotedEnd) }
      if text[index] == UInt8(ascii: "\"") {
        guard let behind = text.endOfQuoted(index, end) else { return nil }
        if index == start { quotedEnd = behind }
        index = behind
      } else {
        guard let found = text.first(UInt8(ascii: "<"), or: UInt8(ascii: "\""), in: index..<end) else { return nil }
        index = found
      }
    }
    return nil
  }

  /// One quoted string, or tokens with white space between them.
  @inline(__always)
  private static func checkDisplayName(
    _ text: Span<UInt8>, _ start: Int, _ end: Int, _ quotedEnd: Int
  ) throws(ParseError) {
    if start == end { return }
    if quotedEnd > start {
      guard quotedEnd == end else { throw ParseError(.uri, at: start) }
      return
    }
    for index in start..<end {
      // Octets beyond ASCII are no token, but phones send names in UTF-8 without quotes, and nothing depends on them.
      guard OctetClass.token.contains(text[index]) || text[index].isLinearSpace || text[index] >= 0x80 else {
        throw ParseError(.uri, at: index)
      }
    }
  }

  @inline(__always)
  private mutating func readParameters(_ text: Span<UInt8>) throws(ParseError) {
    if parameters.isEmpty { return }
    var iterator = ParameterIterator(parameters)
    while let (name, value) = iterator.advance(text) {
      if tag == nil, text.names(name, word: "tag") { tag = value ?? ByteRange(Int(name.end), Int(name.end)) }
    }
    guard iterator.isAtEnd(text) else { throw ParseError(.uri, at: Int(parameters.start)) }
  }
}

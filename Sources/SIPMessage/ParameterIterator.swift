import Structures

/// Walks `;name=value;name…`, in a URI or behind a header value. White space around the separators is skipped; a quoted value is one value.
public struct ParameterIterator: Sendable {
  private var position: Int
  private let end: Int

  /// An iterator over a range that begins with a semicolon (or is empty).
  public init(_ range: ByteRange) {
    position = Int(range.start)
    end = Int(range.end)
  }

  /// The next name and value (nil for a parameter without one); nil at the end, or where what follows is no parameter.
  public mutating func next(_ text: Span<UInt8>) -> (name: ByteRange, value: ByteRange?)? { advance(text) }

  /// ``next(_:)`` for where all messages pass.
  @inline(__always)
  mutating func advance(_ text: Span<UInt8>) -> (name: ByteRange, value: ByteRange?)? {
    var start = text.skipSpace(position, end)
    guard start < end, text[start] == UInt8(ascii: ";") else { return nil }
    start = text.skipSpace(start + 1, end)
    let nameEnd = text.run(start, end, of: .parameter | .percent)
    guard nameEnd > start else { return nil }
    let name = ByteRange(start, nameEnd)
    let equals = text.skipSpace(nameEnd, end)
    guard equals < end, text[equals] == UInt8(ascii: "=") else {
      position = nameEnd
      return (name, nil)
    }
    let valueStart = text.skipSpace(equals + 1, end)
    guard let valueEnd = endOfValue(text, valueStart) else { return nil }
    position = valueEnd
    return (name, ByteRange(valueStart, valueEnd))
  }

  /// Whether nothing but white space is left.
  public func isAtEnd(_ text: Span<UInt8>) -> Bool {
    text.skipSpace(position, end) == end
  }

  /// RFC 5118 §4.5: colons and brackets of an IPv6 address may stand in a value.
  @inline(__always)
  private func endOfValue(_ text: Span<UInt8>, _ start: Int) -> Int? {
    if start < end, text[start] == UInt8(ascii: "\"") { return text.endOfQuoted(start, end) }
    let valueEnd = text.run(start, end, of: .parameter | .token)
    return valueEnd > start ? valueEnd : nil
  }
}

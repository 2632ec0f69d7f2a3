import Structures

/// Walks the values of a header field that may hold several, separated by commas, over all lines of the message that have its name
/// (RFC 3261 §7.3.1).
public struct ValueIterator: Sendable {
  private let name: HeaderName
  private let fields: [Message.Field]
  private var field: Int
  /// Position behind the last field to look at.
  private let end: Int
  private var position: Int

  /// An iterator over all values of a header field.
  public init(_ name: HeaderName, in message: Message) {
    self = message.values(of: name)
  }

  /// An iterator over the values of one line, given by its position in `fields`.
  public init(lineAt index: Int, in message: Message) {
    self.init(message.fields[index].name, in: message.fields, from: index, isOnly: true)
  }

  /// `isOnly` says that no field behind the first one has the name.
  init(_ name: HeaderName, in fields: [Message.Field], from first: Int?, isOnly: Bool) {
    self.name = name
    self.fields = fields
    field = first ?? fields.count
    end = isOnly ? min(field + 1, fields.count) : fields.count
    position = field < end ? Int(fields[field].value.start) : 0
  }

  /// The next value without the white space around it, and the position in `fields` of its line; nil at the end. An empty value between commas is given as an empty range.
  public mutating func next(_ text: Span<UInt8>) -> (value: ByteRange, field: Int)? {
    while field < end {
      let valueEnd = Int(fields[field].value.end)
      if position <= valueEnd, fields[field].name == name {
        let start = text.skipSpace(position, valueEnd)
        let comma = text.comma(start, valueEnd) ?? valueEnd
        let found = (ByteRange(start, text.trimSpace(start, comma)), field)
        position = comma + 1
        return found
      }
      field += 1
      if field < end { position = Int(fields[field].value.start) }
    }
    return nil
  }
}

extension Span where Element == UInt8 {
  /// The first comma of the range that is outside quotes and angle brackets; nil when there is none.
  func comma(_ start: Int, _ end: Int) -> Int? {
    // Most values have none at all.
    guard first(UInt8(ascii: ","), in: start..<end) != nil else { return nil }
    var index = start
    while index < end {
      switch self[index] {
      case UInt8(ascii: ","): return index
      case UInt8(ascii: "\""):
        guard let behind = endOfQuoted(index, end) else { return nil }
        index = behind
      case UInt8(ascii: "<"):
        guard let close = first(UInt8(ascii: ">"), in: index..<end) else { return nil }
        index = close + 1
      default: index += 1
      }
    }
    return nil
  }
}

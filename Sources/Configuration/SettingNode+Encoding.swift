/// The tree in octets: one tag, the place, then the contents, counts before what they count.
extension SettingNode {
  private enum Tag {
    static let plain: UInt8 = 1
    static let quoted: UInt8 = 2
    static let sequence: UInt8 = 3
    static let mapping: UInt8 = 4
  }

  /// Deeper trees are not read: nothing in the settings comes near it, and reading recurses.
  static let maximumDepth = 32

  /// The tree as octets, to be read by ``init(decoding:)``.
  public func encode() -> [UInt8] {
    var writer = OctetWriter()
    encode(to: &writer)
    return writer.octets
  }

  /// Reads what ``encode()`` wrote; nil for anything else, never a trap.
  public init?(decoding octets: [UInt8]) {
    var reader = OctetReader(octets)
    guard let node = Self.decode(from: &reader), reader.remaining == 0 else { return nil }
    self = node
  }

  func encode(to writer: inout OctetWriter) {
    switch self {
    case .scalar(let text, let wasQuoted, let position):
      writer.write(octet: wasQuoted ? Tag.quoted : Tag.plain)
      writer.write(position: position)
      writer.write(text: text)
    case .sequence(let items, let position):
      writer.write(octet: Tag.sequence)
      writer.write(position: position)
      writer.write(count: items.count)
      for item in items { item.encode(to: &writer) }
    case .mapping(let pairs, let position):
      writer.write(octet: Tag.mapping)
      writer.write(position: position)
      writer.write(count: pairs.count)
      for pair in pairs {
        writer.write(text: pair.key)
        writer.write(position: pair.position)
        pair.value.encode(to: &writer)
      }
    }
  }

  static func decode(from reader: inout OctetReader, depth: Int = 0) -> SettingNode? {
    guard depth <= maximumDepth, let tag = reader.readOctet(), let position = reader.readPosition() else { return nil }
    switch tag {
    case Tag.plain, Tag.quoted:
      guard let text = reader.readText() else { return nil }
      return .scalar(text: text, wasQuoted: tag == Tag.quoted, position)
    case Tag.sequence:
      // The smallest node is a scalar without text: tag, place, count.
      guard let count = reader.readCount(ofElementsWith: 13) else { return nil }
      var items: [SettingNode] = []
      for _ in 0..<count {
        guard let item = decode(from: &reader, depth: depth + 1) else { return nil }
        items.append(item)
      }
      return .sequence(items, position)
    case Tag.mapping:
      guard let count = reader.readCount(ofElementsWith: 25) else { return nil }
      var pairs: [Pair] = []
      for _ in 0..<count {
        guard let key = reader.readText(), let place = reader.readPosition(),
          let value = decode(from: &reader, depth: depth + 1)
        else { return nil }
        pairs.append(Pair(key: key, position: place, value: value))
      }
      return .mapping(pairs, position)
    default:
      return nil
    }
  }
}

extension OctetWriter {
  fileprivate mutating func write(position: Position) {
    write(count: position.line)
    write(count: position.column)
  }
}

extension OctetReader {
  fileprivate mutating func readPosition() -> Position? {
    guard let line = readCount(), let column = readCount() else { return nil }
    return Position(line: line, column: column)
  }
}

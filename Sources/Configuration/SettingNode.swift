/// A place in a file; both count from 1.
public struct Position: Sendable, Hashable {
  /// The line.
  public let line: Int
  /// The column, in characters.
  public let column: Int

  /// A place.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// The first character of a file: where what is missing is reported.
  public static let start = Position(line: 1, column: 1)
}

/// A settings file as a tree, every part with its place in the file, before any key or value is understood.
///
/// The supervisor makes it from YAML; workers get the same tree in octets (``ConfigurationBundle``).
public indirect enum SettingNode: Sendable, Equatable {
  /// A word or text; `wasQuoted` tells `"off"` from `off`.
  case scalar(text: String, wasQuoted: Bool, Position)
  /// A list.
  case sequence([SettingNode], Position)
  /// Keys with values, in the order of the file. A key may stand there twice: the reader reports it.
  case mapping([Pair], Position)

  /// One key of a mapping with its value.
  public struct Pair: Sendable, Equatable {
    /// The key.
    public let key: String
    /// Where the key stands.
    public let position: Position
    /// What it is set to.
    public let value: SettingNode

    /// A key with a value.
    public init(key: String, position: Position, value: SettingNode) {
      self.key = key
      self.position = position
      self.value = value
    }
  }

  /// Where the node starts.
  public var position: Position {
    switch self {
    case .scalar(_, _, let position), .sequence(_, let position), .mapping(_, let position): position
    }
  }

  /// What stands at a path of keys and indices, such as `["listen", "0"]`; nil when nothing does.
  public subscript(path: [String]) -> SettingNode? {
    guard let first = path.first else { return self }
    let rest = Array(path.dropFirst())
    switch self {
    case .scalar: return nil
    case .sequence(let items, _):
      guard let index = Int(first), items.indices.contains(index) else { return nil }
      return items[index][rest]
    case .mapping(let pairs, _): return pairs.first { $0.key == first }?.value[rest]
    }
  }

  /// Whether nothing was written: no value after the key, `~` or `null` without quotes.
  public var isNull: Bool {
    guard case .scalar(let text, false, _) = self else { return false }
    return text.isEmpty || text == "~" || text == "null" || text == "Null" || text == "NULL"
  }

  /// What the node is, as an error calls it.
  var kind: String {
    switch self {
    case .scalar: isNull ? "nothing" : "a value"
    case .sequence: "a list"
    case .mapping: "a map"
    }
  }
}

extension SettingNode: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
  /// A plain scalar without a place.
  public init(stringLiteral text: String) {
    self = .scalar(text: text, wasQuoted: false, .start)
  }

  /// A list without a place.
  public init(arrayLiteral elements: SettingNode...) {
    self = .sequence(elements, .start)
  }

  /// A mapping without a place, in the order written.
  public init(dictionaryLiteral elements: (String, SettingNode)...) {
    self = .mapping(elements.map { Pair(key: $0.0, position: .start, value: $0.1) }, .start)
  }
}

/// A value of JSON (RFC 8259), with the members of objects in their order.
public indirect enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A whole number.
  case integer(Int64)
  /// Any other number.
  case decimal(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// A name with its value.
  public struct Member: Sendable, Equatable {
    /// The name.
    public let name: String
    /// The value.
    public let value: JSONValue

    /// A member from its parts.
    public init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// A whole number; cut to what 64 bits hold.
  public static func count(_ number: some BinaryInteger) -> JSONValue { .integer(Int64(clamping: number)) }

  /// A text, or null.
  public static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

  /// The member of an object with this name; nil when there is none, or this is no object.
  public subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The text of a string; nil for others.
  public var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// A whole number; nil for others.
  public var integer: Int64? {
    if case .integer(let number) = self { number } else { nil }
  }

  /// The value as text without line breaks.
  public var octets: [UInt8] {
    var output: [UInt8] = []
    append(to: &output)
    return output
  }

  /// Appends the value as text without line breaks.
  public func append(to output: inout [UInt8]) {
    switch self {
    case .null: output += Array("null".utf8)
    case .bool(let value): output += Array((value ? "true" : "false").utf8)
    case .integer(let value): output += Array(String(value).utf8)
    case .decimal(let value): output += Array((value.isFinite ? "\(value)" : "null").utf8)
    case .string(let text): Self.append(quoted: text, to: &output)
    case .array(let items):
      output.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { output.append(UInt8(ascii: ",")) }
        item.append(to: &output)
      }
      output.append(UInt8(ascii: "]"))
    case .object(let members):
      output.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { output.append(UInt8(ascii: ",")) }
        Self.append(quoted: member.name, to: &output)
        output.append(UInt8(ascii: ":"))
        member.value.append(to: &output)
      }
      output.append(UInt8(ascii: "}"))
    }
  }

  private static func append(quoted text: String, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for octet in text.utf8 {
      switch octet {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): output += [UInt8(ascii: "\\"), octet]
      case 0x0A: output += Array("\\n".utf8)
      case 0x0D: output += Array("\\r".utf8)
      case 0x09: output += Array("\\t".utf8)
      // DEL is no control character to JSON, but it is to a terminal.
      case 0..<0x20, 0x7F: output += Array("\\u00".utf8) + [hexadecimal(octet >> 4), hexadecimal(octet & 15)]
      default: output.append(octet)
      }
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func hexadecimal(_ digit: UInt8) -> UInt8 { digit < 10 ? digit + 0x30 : digit + 0x57 }
}

extension JSONValue: ExpressibleByStringLiteral {
  /// A string.
  public init(stringLiteral text: String) { self = .string(text) }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
  /// An object, its members in the order in which they are written.
  public init(dictionaryLiteral members: (String, JSONValue)...) { self = .object(members.map { Member($0, $1) }) }
}

extension JSONValue: ExpressibleByArrayLiteral {
  /// An array.
  public init(arrayLiteral items: JSONValue...) { self = .array(items) }
}

extension JSONValue: ExpressibleByIntegerLiteral {
  /// A whole number.
  public init(integerLiteral number: Int64) { self = .integer(number) }
}

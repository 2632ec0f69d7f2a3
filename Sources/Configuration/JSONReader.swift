extension JSONValue {
  /// Reads a text that is one value and nothing else; nil when it isn't, or is nested too deeply.
  public init?(reading octets: [UInt8]) {
    var reader = JSONReader(octets)
    guard let value = reader.value(depth: 0), reader.isAtEnd() else { return nil }
    self = value
  }
}

/// Takes a JSON text apart (RFC 8259). Nothing that it is given makes it trap.
private struct JSONReader {
  /// Deeper nesting is refused: no text of ours comes near it.
  private static let maximumDepth = 16

  private let octets: [UInt8]
  private var position = 0

  init(_ octets: [UInt8]) { self.octets = octets }

  mutating func isAtEnd() -> Bool {
    skipSpace()
    return position == octets.count
  }

  mutating func value(depth: Int) -> JSONValue? {
    guard depth < Self.maximumDepth else { return nil }
    skipSpace()
    switch peek() {
    case UInt8(ascii: "{"): return object(depth)
    case UInt8(ascii: "["): return array(depth)
    case UInt8(ascii: "\""): return string().map { .string($0) }
    case UInt8(ascii: "t"): return word("true").map { .bool(true) }
    case UInt8(ascii: "f"): return word("false").map { .bool(false) }
    case UInt8(ascii: "n"): return word("null").map { .null }
    default: return number()
    }
  }

  private mutating func object(_ depth: Int) -> JSONValue? {
    position += 1
    var members: [JSONValue.Member] = []
    if take(UInt8(ascii: "}")) { return .object([]) }
    repeat {
      skipSpace()
      guard peek() == UInt8(ascii: "\""), let name = string(), take(UInt8(ascii: ":")),
        let value = value(depth: depth + 1)
      else { return nil }
      members.append(JSONValue.Member(name, value))
    } while take(UInt8(ascii: ","))
    return take(UInt8(ascii: "}")) ? .object(members) : nil
  }

  private mutating func array(_ depth: Int) -> JSONValue? {
    position += 1
    var items: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return .array([]) }
    repeat {
      guard let item = value(depth: depth + 1) else { return nil }
      items.append(item)
    } while take(UInt8(ascii: ","))
    return take(UInt8(ascii: "]")) ? .array(items) : nil
  }

  private mutating func string() -> String? {
    position += 1
    var text: [UInt8] = []
    while let octet = peek() {
      position += 1
      switch octet {
      case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let scalar = escape() else { return nil }
        text += Array(String(scalar).utf8)
      case 0..<0x20: return nil
      default: text.append(octet)
      }
    }
    return nil
  }

  private mutating func escape() -> Unicode.Scalar? {
    guard let octet = peek() else { return nil }
    position += 1
    switch octet {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(octet)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      guard let first = unit() else { return nil }
      guard first & 0xFC00 == 0xD800 else { return Unicode.Scalar(first) }
      guard word("\\u") != nil, let second = unit(), second & 0xFC00 == 0xDC00 else { return nil }
      return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF)
    default: return nil
    }
  }

  private mutating func unit() -> UInt32? {
    guard position + 4 <= octets.count else { return nil }
    var value: UInt32 = 0
    for octet in octets[position..<position + 4] {
      switch octet {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(octet - 0x30)
      case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
        value = value << 4 | UInt32(octet & 0xDF - 0x37)
      default: return nil
      }
    }
    position += 4
    return value
  }

  private mutating func number() -> JSONValue? {
    let start = position
    let isPart: (UInt8) -> Bool = { octet in
      switch octet {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
        UInt8(ascii: "e"), UInt8(ascii: "E"):
        true
      default: false
      }
    }
    while let octet = peek(), isPart(octet) { position += 1 }
    // No number that anybody means is longer.
    guard position > start, position - start <= 64, octets[start] != UInt8(ascii: "+") else { return nil }
    let text = String(decoding: octets[start..<position], as: UTF8.self)
    if let whole = Int64(text) { return .integer(whole) }
    return Double(text).flatMap { $0.isFinite ? .decimal($0) : nil }
  }

  private mutating func word(_ word: StaticString) -> Void? {
    let expected = Array(word.description.utf8)
    guard position + expected.count <= octets.count,
      Array(octets[position..<position + expected.count]) == expected
    else { return nil }
    position += expected.count
    return ()
  }

  private func peek() -> UInt8? { position < octets.count ? octets[position] : nil }

  private mutating func take(_ octet: UInt8) -> Bool {
    skipSpace()
    guard peek() == octet else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let octet = peek(), octet == 0x20 || octet == 0x09 || octet == 0x0A || octet == 0x0D { position += 1 }
  }
}

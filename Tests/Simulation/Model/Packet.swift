/// A message as the user agents see it: read without any of the server's code. It knows what our agents write and nothing more: long header
/// names, no folded lines.
struct Packet {
  let octets: [UInt8]
  /// The first line.
  let start: String
  /// The header lines.
  let fields: [(name: String, value: String)]

  /// A message from its octets.
  init(_ octets: [UInt8]) {
    self.octets = octets
    var start = ""
    var fields: [(name: String, value: String)] = []
    octets.withUnsafeBufferPointer { text in
      var line = 0
      var isFirst = true
      var position = 0
      while position + 1 < text.count {
        guard text[position] == 13, text[position + 1] == 10 else {
          position += 1
          continue
        }
        if position == line { break }
        if isFirst {
          start = String(decoding: text[line..<position], as: UTF8.self)
          isFirst = false
        } else if let colon = text[line..<position].firstIndex(of: UInt8(ascii: ":")) {
          var value = colon + 1
          while value < position, text[value] == 32 { value += 1 }
          fields.append(
            (
              String(decoding: text[line..<colon], as: UTF8.self),
              String(decoding: text[value..<position], as: UTF8.self)
            ))
        }
        position += 2
        line = position
      }
    }
    self.start = start
    self.fields = fields
  }

  /// A message from its lines, without a body.
  init(_ start: String, _ fields: [(name: String, value: String)]) {
    self.start = start
    self.fields = fields + [("Content-Length", "0")]
    var text = start + "\r\n"
    for (name, value) in self.fields { text += "\(name): \(value)\r\n" }
    text += "\r\n"
    octets = Array(text.utf8)
  }

  var isResponse: Bool { start.hasPrefix("SIP/2.0 ") }
  /// The status code of a response; 0 for a request.
  var status: Int { isResponse ? Int(start.dropFirst(8).prefix(3)) ?? 0 : 0 }
  /// The method: of the request, or that which CSeq of a response names.
  var method: String {
    if !isResponse { return String(start.prefix { $0 != " " }) }
    return String(value("CSeq").drop { $0 != " " }.dropFirst())
  }
  /// The Request-URI.
  var uri: String { String(start.drop { $0 != " " }.dropFirst().prefix { $0 != " " }) }
  /// The number in CSeq.
  var cseq: Int { Int(value("CSeq").prefix { $0 != " " }) ?? 0 }
  var callID: String { value("Call-ID") }
  var fromTag: String { Self.parameter("tag", of: value("From")) }
  var toTag: String { Self.parameter("tag", of: value("To")) }
  /// The branch of the topmost Via.
  var branch: String { Self.parameter("branch", of: value("Via")) }
  /// The user part of From or To.
  func user(_ name: String) -> String { Self.user(value(name)) }

  /// The first value of a header; empty when there is none.
  func value(_ name: String) -> String { fields.first { $0.name == name }?.value ?? "" }

  /// All values of a header, lists taken apart at their commas: our agents and the server write none within a value.
  func values(_ name: String) -> [String] {
    var found: [String] = []
    for field in fields where field.name == name {
      if field.value.utf8.contains(UInt8(ascii: ",")) {
        for part in field.value.split(separator: ",") { found.append(String(part.drop { $0 == " " })) }
      } else {
        found.append(field.value)
      }
    }
    return found
  }

  /// The branches of all Via values, topmost first.
  var branches: [String] { values("Via").map { Self.parameter("branch", of: $0) } }

  /// A parameter of a header value; empty when it has none of that name.
  static func parameter(_ name: String, of value: String) -> String {
    let text = Array(value.utf8)
    let wanted = Array(";\(name)=".utf8)
    var position = 0
    while position + wanted.count <= text.count {
      if text[position..<position + wanted.count].elementsEqual(wanted) {
        let rest = text[(position + wanted.count)...].prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: ">") }
        return String(decoding: rest, as: UTF8.self)
      }
      position += 1
    }
    return ""
  }

  /// The user part of the URI in a header value.
  static func user(_ value: String) -> String {
    let text = value.utf8
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { return "" }
    return String(decoding: text[text.index(after: colon)...].prefix { $0 != UInt8(ascii: "@") }, as: UTF8.self)
  }

  /// The URI between the angle brackets of a header value.
  static func uri(_ value: String) -> String {
    let text = value.utf8
    guard let open = text.firstIndex(of: UInt8(ascii: "<")) else { return value }
    return String(decoding: text[text.index(after: open)...].prefix { $0 != UInt8(ascii: ">") }, as: UTF8.self)
  }
}

import Testing

@testable import Configuration

@Suite("JSON (RFC 8259 §2)")
struct JSONValueTests {
  private static let values: [JSONValue] = [
    .null, .bool(true), .bool(false), .integer(0), .integer(.min), .integer(.max), .decimal(0.5), .decimal(-1.25e300),
    .string(""), .string("a \"quoted\" \\ text\n\r\t\u{1}\u{7F} Zürich 🐦"), .array([]), .object([]),
    ["a": [.integer(1), "b", .null], "c": ["nested": [.bool(true)]]],
  ]

  @Test("a value is the same once written and read, members in their order", arguments: values)
  func roundTrip(_ value: JSONValue) {
    let octets = value.octets
    #expect(JSONValue(reading: octets) == value)
    #expect(!octets.contains(0x0A) && !octets.contains(0x0D))
    #expect(JSONValue(reading: [0x20, 0x0A] + octets + [0x09]) == value)
    for count in octets.indices.dropFirst() where value != .integer(.min) && value != .integer(.max) {
      let part = Array(octets[..<count])
      #expect(JSONValue(reading: part) != value)
    }
  }

  @Test(
    "reads what others write",
    arguments: [
      (#"{"a" : [1, 2.5e1, -3], "b":"\u00e9\ud83d\udc26\/\b\f"}"#, #"{"a":[1,25.0,-3],"b":"é🐦/\u0008\u000c"}"#),
      ("true", "true"), (" [ ] ", "[]"), ("{ }", "{}"),
    ])
  func reading(_ text: String, _ written: String) throws {
    let value = try #require(JSONValue(reading: Array(text.utf8)))
    #expect(String(decoding: value.octets, as: UTF8.self) == written)
  }

  @Test(
    "refuses what is no JSON",
    arguments: [
      "", "tru", "nul", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
      "\"\\ud800\\u0041\"",
      "1 2", "[1", "+1", "--", "1e999", "\"a\nb\"", "]", "{\"a\":1,}",
    ])
  func refused(_ text: String) {
    #expect(JSONValue(reading: Array(text.utf8)) == nil)
  }

  @Test("refuses octets that are no UTF-8, and nesting that is too deep")
  func hostile() {
    #expect(JSONValue(reading: [0x22, 0xFF, 0x22]) == nil)
    let deep = Array(String(repeating: "[", count: 15).utf8) + Array(String(repeating: "]", count: 15).utf8)
    #expect(JSONValue(reading: deep) != nil)
    #expect(JSONValue(reading: Array(String(repeating: "[", count: 100_000).utf8)) == nil)
    let deeper = Array(String(repeating: "[", count: 17).utf8) + Array(String(repeating: "]", count: 17).utf8)
    #expect(JSONValue(reading: deeper) == nil)
  }
}

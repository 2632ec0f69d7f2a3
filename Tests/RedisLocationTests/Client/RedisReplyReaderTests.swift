import RedisLocation
import Structures
import Testing

@Suite("Replies of a Redis server")
struct RedisReplyReaderTests {
  @Test(
    "each kind of reply becomes its value",
    arguments: [
      ("+OK\r\n", RedisReply.text(octets("OK"))),
      ("+\r\n", .text([])),
      ("-ERR no such thing\r\n", .error(octets("ERR no such thing"))),
      (":0\r\n", .integer(0)),
      (":-9223372036854775808\r\n", .integer(.min)),
      ("$5\r\na\r\nbc\r\n", .bulk(octets("a\r\nbc"))),
      ("$0\r\n\r\n", .bulk([])),
      ("$-1\r\n", .bulk(nil)),
      ("*0\r\n", .array([])),
      ("*-1\r\n", .array(nil)),
      (
        "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n+y\r\n",
        .array([.integer(1), .array([.bulk(octets("x")), .bulk(nil)]), .text(octets("y"))])
      ),
    ])
  func kinds(wire: String, expected: RedisReply) throws {
    #expect(try replies(of: wire) == [expected])
  }

  @Test("replies are the same wherever their octets are cut")
  func cuts() throws {
    let wire = "*2\r\n$3\r\nabc\r\n*1\r\n:7\r\n+OK\r\n$-1\r\n$2\r\n\r\n\r\n-ERR x\r\n"
    let whole = try replies(of: wire)
    #expect(whole.count == 5)
    for size in 1...wire.utf8.count { #expect(try replies(of: wire, piece: size) == whole, "pieces of \(size)") }
  }

  @Test("a thousand replies that come at once are all there, in order")
  func many() throws {
    let wire = (0..<1_000).map { "$100\r\n\(String(repeating: "x", count: 96))\(String($0 + 1_000))\r\n" }.joined()
    let found = try replies(of: wire)
    let expected = (0..<1_000).map { RedisReply.bulk(octets(String(repeating: "x", count: 96) + String($0 + 1_000))) }
    #expect(found == expected)
  }

  @Test(
    "octets that are no reply are an error, and stay one",
    arguments: [
      "x", "HTTP/1.1 400 Bad Request\r\n", "$x\r\n", "$-2\r\n", "*-2\r\n", "*9999999999\r\n", ":12a\r\n", ":\r\n",
      "%1\r\n+a\r\n+b\r\n", "*1\r\n?\r\n", "\r\n",
    ])
  func malformed(wire: String) {
    var reader = RedisReplyReader()
    #expect(throws: RedisProtocolError.malformed) { try feed(&reader, wire) }
    #expect(throws: RedisProtocolError.malformed) { try feed(&reader, "+OK\r\n") }
  }

  @Test(
    "a reply that passes a limit is an error",
    arguments: [
      // One array too deep, one value too many, and octets: of one string, of several, and of a string that is not complete.
      "*1\r\n*1\r\n*1\r\n:1\r\n", "*9\r\n", "*4\r\n:1\r\n:2\r\n*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
      "$101\r\n\(String(repeating: "x", count: 101))\r\n",
      "*3\r\n$40\r\n\(String(repeating: "x", count: 40))\r\n$40\r\n\(String(repeating: "x", count: 40))\r\n$40\r\n\(String(repeating: "x", count: 40))\r\n",
      "$9223372036854775807\r\n\(String(repeating: "x", count: 100))", "+\(String(repeating: "x", count: 101))",
    ])
  func limits(wire: String) {
    var reader = RedisReplyReader(limits: RedisReplyLimits(depth: 2, values: 7, bytes: 100))
    #expect(throws: RedisProtocolError.tooLarge) { try feed(&reader, wire, piece: 10) }
  }

  @Test("a reply as large as the limits allow is read, again and again")
  func largest() throws {
    var reader = RedisReplyReader(limits: RedisReplyLimits(depth: 2, values: 7, bytes: 200_000))
    let string = String(repeating: "x", count: 100_000)
    let wire = "*2\r\n*1\r\n$100000\r\n\(string)\r\n$100000\r\n\(string)\r\n"
    for _ in 0..<3 {
      let found = try feed(&reader, wire)
      #expect(found == [.array([.array([.bulk(octets(string))]), .bulk(octets(string))])])
    }
  }

  @Test(
    "an error is known by its first word",
    arguments: [
      ("LOADING Redis is loading the dataset in memory", RedisErrorCode.loading),
      ("READONLY You can't write against a read only replica.", .readOnly),
      ("MASTERDOWN Link with MASTER is down", .masterDown),
      ("NOAUTH Authentication required.", .authenticationNeeded),
      ("WRONGPASS invalid username-password pair", .wrongPassword),
      ("NOPERM this user has no permissions", .notPermitted),
      ("MOVED 3999 127.0.0.1:6381", .moved),
      ("NOSCRIPT No matching script.", .noScript),
      ("BUSY Redis is busy running a script.", .busy),
      ("OOM command not allowed", .outOfMemory),
      ("MISCONF Redis is configured to save RDB snapshots", .writesRefused),
      ("ERR unknown command", .other), ("LOADINGS", .other), ("", .other),
    ])
  func errorCodes(line: String, code: RedisErrorCode) {
    #expect(RedisReply.error(octets(line)).errorCode == code)
    #expect(RedisReply.text(octets(line)).errorCode == nil)
  }

  @Test("only the text OK is OK")
  func isOK() {
    #expect(RedisReply.text(octets("OK")).isOK)
    #expect(!RedisReply.bulk(octets("OK")).isOK)
    #expect(!RedisReply.text(octets("QUEUED")).isOK)
  }
}

func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

/// All replies in `wire`, which comes in pieces.
private func replies(of wire: String, piece: Int = .max) throws -> [RedisReply] {
  var reader = RedisReplyReader()
  return try feed(&reader, wire, piece: piece)
}

@discardableResult
private func feed(_ reader: inout RedisReplyReader, _ wire: String, piece: Int = .max) throws -> [RedisReply] {
  var found: [RedisReply] = []
  var rest = octets(wire)[...]
  while !rest.isEmpty {
    let next = Array(rest.prefix(piece))
    rest = rest.dropFirst(next.count)
    var position = 0
    while let reply = try reader.next(from: next.span, at: &position) { found.append(reply) }
    #expect(position == next.count)
  }
  return found
}

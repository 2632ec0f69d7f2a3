import Testing

@testable import Admin

@Suite("HTTP of the admin process")
struct HTTPTests {
  @Test(
    "takes an http URL apart",
    arguments: [
      ("http://ocsp.example.test", "ocsp.example.test", 80, "ocsp.example.test", "/"),
      ("HTTP://a.test:8080/x/y?z#f", "a.test", 8080, "a.test:8080", "/x/y?z"),
      ("http://[::1]:99?q", "::1", 99, "[::1]:99", "/?q"),
      ("http://[2001:db8::1]/", "2001:db8::1", 80, "[2001:db8::1]", "/"),
    ] as [(String, String, UInt16, String, String)])
  func addresses(_ url: String, _ host: String, _ port: UInt16, _ authority: String, _ target: String) throws {
    let address = try #require(HTTPAddress(url))
    #expect(address.host == host && address.port == port)
    #expect(address.authority == authority && address.target == target)
  }

  @Test(
    "refuses what it can't fetch, and what could add a line to a request",
    arguments: [
      "", "https://a.test/", "ldap://a.test", "http://", "http:///x", "http://a.test:0/", "http://a.test:99999/",
      "http://user@a.test/", "http://a.test/ x", "http://a.test/\r\nHost: b", "http://a.test/\u{e9}",
    ])
  func refused(_ url: String) { #expect(HTTPAddress(url) == nil) }

  private static func read(_ text: String, maximumBody: Int = 20, pieces: Int = 1) -> HTTPResponseReader.Outcome {
    var reader = HTTPResponseReader(maximumBody: maximumBody)
    let octets = Array(text.utf8)
    let size = max(1, octets.count / pieces)
    for start in stride(from: 0, to: octets.count, by: size) {
      if let outcome = reader.receive(octets[start..<min(start + size, octets.count)]) { return outcome }
    }
    return reader.end()
  }

  @Test("reads a body to its length or to the end, however it comes", arguments: [1, 2, 7, 1_000])
  func bodies(_ pieces: Int) {
    let body = HTTPResponseReader.Outcome.body(Array("answer".utf8))
    #expect(Self.read("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nanswer and more", pieces: pieces) == body)
    #expect(Self.read("HTTP/1.1 200 OK\r\ncontent-length:6\r\n\r\nanswer", pieces: pieces) == body)
    #expect(Self.read("HTTP/1.0 200 OK\nContent-type: x\n\nanswer", pieces: pieces) == body)
    #expect(Self.read("HTTP/1.0 200 \r\nContent-Length: 0\r\n\r\n", pieces: pieces) == .body([]))
  }

  @Test("says what is wrong", arguments: [1, 3])
  func failures(_ pieces: Int) {
    func check(_ text: String, _ reason: String) { #expect(Self.read(text, pieces: pieces) == .failure(reason)) }
    check("", "the connection ended before a response")
    check("HTTP/1.0 200 OK\r\n", "the connection ended before a response")
    check("HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nanswer", "the connection ended within the body")
    check("HTTP/1.0 404 Not Found\r\n\r\n", "status 404")
    check("SIP/2.0 200 OK\r\n\r\n", "it is no HTTP")
    check("HTTP/1.0 200 OK\r\nContent-Length: 21\r\n\r\n", "its body is too long")
    check("HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "its body is too long")
    check("HTTP/1.0 200 OK\r\n\r\n\(String(repeating: "x", count: 21))", "its body is too long")
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "its body is coded: chunked")
    check(String(repeating: "x", count: HTTPResponseReader.maximumHead + 1), "its header has no end")
  }
}

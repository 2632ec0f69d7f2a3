import Structures
import Testing

@testable import LoadGenerator

@Suite("Reading what a server sends")
struct WireReaderTests {
  static let response = """
    SIP/2.0 200 OK\r
    Via: SIP/2.0/TLS 127.0.0.1:4000;branch=z9hG4bKabc;rport=4000\r
    Record-Route: <sip:a.example.test;lr>\r
    f: <sip:u1@example.test>;tag=1\r
    To: "A, B" <sip:u2@example.test>;tag=2\r
    Call-ID: xyz\r
    CSEQ : 7 INVITE\r
    Contact: <sip:u2@127.0.0.1:4001;transport=tls>\r
    l: 4\r
    \r
    body
    """
  static let request = """
    MESSAGE sip:u2@127.0.0.1:4001 SIP/2.0\r
    Via: SIP/2.0/TLS p.example.test;branch=z9hG4bK1, SIP/2.0/TLS 127.0.0.1:4000;branch=z9hG4bK2\r
    v: SIP/2.0/UDP 10.0.0.1;x="a,b"\r
    Subject: folded\r
     line\r
    Content-Length: 0\r
    \r

    """

  @Test("finds every field of a response, compact and odd names included")
  func fields() {
    let octets = Array(Self.response.utf8)
    let reader = WireReader()
    #expect(reader.read(octets.span, from: 0) == .message(end: octets.count))
    #expect(!reader.isRequest && reader.status == 200 && reader.method == .invite)
    #expect(octets[reader.from.range].elementsEqual("<sip:u1@example.test>;tag=1".utf8))
    #expect(octets[reader.sequence.range].elementsEqual("7 INVITE".utf8))
    #expect(octets[reader.body.range].elementsEqual("body".utf8))
    #expect(reader.viaCount == 1 && reader.recordRouteCount == 1)
  }

  @Test("counts Via values, not lines, and no commas within quotes")
  func vias() {
    let octets = Array(Self.request.utf8)
    let reader = WireReader()
    #expect(reader.read(octets.span, from: 0) == .message(end: octets.count))
    #expect(reader.isRequest && reader.method == .message)
    #expect(reader.viaLineCount == 2 && reader.viaCount == 3)
    #expect(octets[reader.requestURI.range].elementsEqual("sip:u2@127.0.0.1:4001".utf8))
  }

  @Test("a message cut anywhere is incomplete, and whole with its last octet")
  func cuts() {
    let octets = Array(Self.response.utf8)
    let reader = WireReader()
    for length in 0..<octets.count {
      #expect(reader.read(octets.span.extracting(0..<length), from: 0) == .incomplete, "cut at \(length)")
    }
    #expect(reader.read(octets.span, from: 0) == .message(end: octets.count))
  }

  @Test("messages and keep-alives behind one another are told apart")
  func several() {
    let octets = Array((Self.response + "\r\n" + Self.request + Self.response).utf8)
    let reader = WireReader()
    var (position, found) = (0, [String]())
    while position < octets.count {
      switch reader.read(octets.span, from: position) {
      case .message(let end):
        found.append(reader.isRequest ? "request" : "response")
        position = end
      case .pong(let end):
        found.append("pong")
        position = end
      case .incomplete, .malformed:
        found.append("wrong")
        position = octets.count
      }
    }
    #expect(found == ["response", "pong", "request", "response"])
  }

  @Test(
    "what can't be framed is malformed",
    arguments: [
      "SIP/2.0 200 OK\r\nVia: x\r\n\r\n", "SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n",
      "SIP/2.0 200 OK\r\nContent-Length: 1\r\nl: 2\r\n\r\n", "SIP/2.0 999 OK\r\nl: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nl: 0\r\n\r\n", "SIP/2.0 200 OK\r\nno colon\r\nl: 0\r\n\r\n",
      "SIP/2.0 200 OK\nl: 0\n\n", "\rX", "SIP/2.0 200 OK\r\nl: 70000\r\n\r\n",
    ])
  func malformed(_ text: String) {
    let octets = Array(text.utf8)
    #expect(WireReader().read(octets.span, from: 0) == .malformed)
  }
}

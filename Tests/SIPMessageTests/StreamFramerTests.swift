import SIPMessage
import Structures
import Testing

@Suite("Stream framing, RFC 3261 §18.3, RFC 5626 §4.4.1")
struct StreamFramerTests {
  private static let options = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS c\r\nl: 5\r\nX: y\r\n\r\nhello"
  private static let message = "MESSAGE sip:a@b SIP/2.0\r\nContent-Length :  0 \r\nCall-ID: 1\r\n\r\n"

  @Test("finds the same messages wherever the stream is cut")
  func everyCut() {
    let stream = Array(("\r\n\r\n" + Self.options + "\r\n" + Self.message + Self.options).utf8)
    let lengths = [Self.options.utf8.count, Self.message.utf8.count, Self.options.utf8.count]
    for cut in 1..<stream.count {
      var framer = StreamFramer(maximumHead: 1_000, maximumMessage: 2_000)
      var (start, found, pings) = (0, [Int](), 0)
      for end in [cut, stream.count] {
        scan: while true {
          switch framer.next(stream.span.extracting(start..<end)) {
          case .incomplete: break scan
          case .keepAlive(let length, let isPing):
            start += length
            pings += isPing ? 1 : 0
          case .message(let length):
            found.append(length)
            start += length
          case .broken(let error, _):
            Issue.record("broken: \(error) at cut \(cut)")
            break scan
          }
        }
      }
      #expect(found == lengths, "cut at \(cut)")
      #expect(pings == 1)
    }
  }

  @Test("finds the line feed behind a long line that comes octet by octet")
  func longLine() {
    let octets = Array("OPTIONS sip:a@b SIP/2.0\r\nX: \(String(repeating: "x", count: 500))\r\nl: 1\r\n\r\na".utf8)
    var framer = StreamFramer(maximumHead: 1_000, maximumMessage: 2_000)
    for _ in 0..<2 {
      for end in 1..<octets.count { #expect(framer.next(octets.span.extracting(0..<end)) == .incomplete) }
      #expect(framer.next(octets.span) == .message(length: octets.count))
    }
  }

  @Test(
    "finds a length on a folded line (RFC 3261 §7.3.1)",
    arguments: ["Content-Length:\r\n 5", "l:\r\n\t5 ", "Content-Length : \r\n  \r\n 5"])
  func foldedLength(_ line: String) {
    let octets = Array("OPTIONS sip:a@b SIP/2.0\r\n\(line)\r\nX: y\r\n\r\nhello".utf8)
    var framer = StreamFramer(maximumHead: 1_000, maximumMessage: 2_000)
    for end in 1..<octets.count { #expect(framer.next(octets.span.extracting(0..<end)) == .incomplete) }
    #expect(framer.next(octets.span) == .message(length: octets.count))
  }

  @Test(
    "takes no other line for a length",
    arguments: ["Content-Length:\r\nX: 5", "Content-Length:", "l:\r\n x", "l:\r\n 5\r\nl: 5", "X:\r\n 5"])
  func noLength(_ line: String) {
    let octets = Array("OPTIONS sip:a@b SIP/2.0\r\n\(line)\r\n\r\nhello".utf8)
    var framer = StreamFramer(maximumHead: 1_000, maximumMessage: 2_000)
    if case .broken = framer.next(octets.span) { return }
    Issue.record("\(line)")
  }

  @Test(
    "refuses what has no end",
    arguments: [
      ("OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n", FramingError.missingContentLength),
      ("OPTIONS sip:a@b SIP/2.0\r\nl: five\r\n\r\n", .badContentLength),
      ("OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n", .badContentLength),
      ("OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\na", .badContentLength),
      ("OPTIONS sip:a@b SIP/2.0\r\nl: 99999\r\n\r\n", .messageTooLarge),
      ("OPTIONS sip:a@b SIP/2.0\r\nl: 99999999999999999999999\r\n\r\n", .badContentLength),
      ("OPTIONS sip:a@b SIP/2.0\nl: 0\n\n", .malformedStart),
      ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStart),
      ("\u{16}\u{3}\u{1}\u{2}", .malformedStart),
      ("\rx", .malformedStart),
      ("OPTIONS sip:a@b SIP/2.0\r\nX: " + String(repeating: "x", count: 1_000) + "\r\n", .headTooLarge),
      ("OPTIONS sip:a@b SIP/2.0\r\nX: " + String(repeating: "x", count: 1_000), .headTooLarge),
      (String(repeating: "x", count: 1_001), .headTooLarge),
    ])
  func broken(stream: String, expected: FramingError) {
    var framer = StreamFramer(maximumHead: 1_000, maximumMessage: 2_000)
    let bytes = Array(stream.utf8)
    guard case .broken(let error, let head) = framer.next(bytes.span) else {
      Issue.record("not refused")
      return
    }
    #expect(error == expected)
    #expect(head <= bytes.count)
  }
}

/// The messages that the micro benchmarks work on.
struct Messages {
  /// An INVITE with SDP as a desk phone sends it, 1.4 kB in 24 header fields.
  let invite = Self.text(Self.inviteLines)
  /// The same within a dialog: what is forwarded without a new Record-Route.
  let reinvite = Self.text(Self.inviteLines.map { $0.hasPrefix("To:") ? $0 + ";tag=314159" : $0 })

  private static let inviteLines = [
    "INVITE sip:bob@example.test SIP/2.0",
    "Via: SIP/2.0/TLS 192.0.2.10:49152;rport;branch=z9hG4bK-524287-1---7d0e9c1b3a5f;alias",
    "Max-Forwards: 70",
    "Contact: <sip:alice@192.0.2.10:49152;transport=tls;ob>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"",
    "To: \"Bob Example\" <sip:bob@example.test>",
    "From: \"Alice Example\" <sip:alice@example.test>;tag=9fxced76sl",
    "Call-ID: 3848276298220188511@192.0.2.10",
    "CSeq: 2 INVITE",
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO",
    "Supported: replaces, 100rel, timer, norefersub, outbound, path, gruu",
    "User-Agent: Example Phone 7.41.2 (build 20260101)",
    "Session-Expires: 1800",
    "Min-SE: 90",
    "Allow-Events: presence, message-summary, refer, dialog",
    "Accept: application/sdp, application/dtmf-relay, text/plain",
    "Accept-Language: en",
    "P-Preferred-Identity: <sip:alice@example.test>",
    "P-Early-Media: supported",
    "Privacy: none",
    "Date: Mon, 23 Nov 2026 20:00:00 GMT",
    "Subject: A call",
    "X-Trace: 01HF3Z6A7Q",
    "Content-Disposition: session",
    "Content-Type: application/sdp",
    "Content-Length: 238",
    "",
    "v=0",
    "o=alice 2890844526 2890844526 IN IP4 192.0.2.10",
    "s=-",
    "c=IN IP4 192.0.2.10",
    "t=0 0",
    "m=audio 49170 RTP/AVP 0 8 96 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:96 opus/48000/2",
    "a=rtpmap:101 telephone-event/8000",
    "a=sendrecv",
    "",
  ]

  /// A MESSAGE without credentials.
  var message = Self.text([
    "MESSAGE sip:bob@example.test SIP/2.0",
    "Via: SIP/2.0/TLS 192.0.2.10:49152;branch=z9hG4bK00000000;rport",
    "Max-Forwards: 70",
    "From: <sip:alice@example.test>;tag=9fxced76sl",
    "To: <sip:bob@example.test>",
    "Call-ID: 3848276298220188511",
    "CSeq: 2 MESSAGE",
    "Content-Type: text/plain",
    "Content-Length: 18",
    "",
    "Watson, come here.",
  ])

  /// The Request-URI for the forwarded INVITE.
  let target = Array("sip:bob@192.0.2.99:5061;transport=tls".utf8)

  /// The 200 to the last forwarded request.
  private(set) var response: [UInt8] = []

  /// Writes a number into the branch of a request, so that it makes a transaction of its own.
  mutating func number(_ number: Int) {
    if start == 0 { start = message.firstRange(of: "z9hG4bK".utf8)?.upperBound ?? 0 }
    var rest = number
    for index in 0..<8 {
      message[start + 7 - index] = UInt8(0x30 + rest % 10)
      rest /= 10
    }
  }

  private var start = 0

  /// Makes the 200 to a request, without allocating once the buffer is large enough: its lines but the first, without the body.
  mutating func makeResponse(_ request: Span<UInt8>) {
    response.removeAll(keepingCapacity: true)
    response.append("SIP/2.0 200 OK")
    var index = 0
    while index < request.count, request[index] != 0x0D { index += 1 }
    response.append(request.extracting(index..<request.count))
  }

  private static func text(_ lines: [String]) -> [UInt8] {
    Array(lines.joined(separator: "\r\n").utf8)
  }
}

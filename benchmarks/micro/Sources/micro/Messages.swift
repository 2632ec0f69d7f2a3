/// The messages that the micro benchmarks work on.
enum Messages {
  /// An INVITE with SDP as a desk phone sends it, 1,3 kB in 24 header fields.
  static let invite = text([
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
    "Content-Length: 243",
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
  ])

  /// A MESSAGE without credentials.
  static let message = text([
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

  private static func text(_ lines: [String]) -> [UInt8] {
    Array(lines.joined(separator: "\r\n").utf8)
  }
}

import Structures

/// Pieces of messages that are the same throughout a run.
struct PreparedText {
  let runWord: UInt32
  let domain: [UInt8]
  /// `sip:` and the domain: the target of REGISTER, and of OPTIONS to the server.
  let serverURI: [UInt8]
  /// What follows the first sixteen octets of a MESSAGE's body.
  let filler: [UInt8]
  /// From `Content-Type` to the empty line of a MESSAGE.
  let messageTail: [UInt8]
  let sessionDescription: [UInt8]
  let contactTransport: [UInt8]
  let expires: UInt64

  init(_ plan: LoadPlan, runWord: UInt32) {
    self.runWord = runWord
    domain = Array(plan.domain.utf8)
    serverURI = Array("sip:".utf8) + domain
    let size = max(32, plan.bodySize)
    filler = (16..<size).map { UInt8(truncatingIfNeeded: 0x20 + ($0 * 7) % 95) }
    messageTail = Array("Content-Type: text/plain\r\nContent-Length: \(size)\r\n\r\n".utf8)
    sessionDescription = Array(
      """
      v=0\r
      o=apus 1 1 IN IP4 127.0.0.1\r
      s=-\r
      c=IN IP4 127.0.0.1\r
      t=0 0\r
      m=audio 40000 RTP/AVP 0 8 101\r
      a=rtpmap:0 PCMU/8000\r
      a=rtpmap:8 PCMA/8000\r
      a=rtpmap:101 telephone-event/8000\r
      a=sendrecv\r

      """.utf8)
    contactTransport = Array(";transport=\(plan.transport.rawValue)".utf8)
    expires = UInt64(plan.expires)
  }
}

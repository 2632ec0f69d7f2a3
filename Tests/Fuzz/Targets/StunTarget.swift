import Structures

// The fuzzer's build has the one pure file of Transport among the targets; the build of the package has the module.
#if canImport(Transport)
  @testable import Transport
#endif

/// A datagram to the STUN server, from a peer with IPv4 or IPv6: at most one answer, of bounded length, that belongs to the request.
enum StunTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    for peer in [3, 4] {
      let source = Peers.flow(peer).remote
      var answer: [UInt8] = [1, 2, 3]
      let outcome = StunBinding.answer(input.span, from: source, to: &answer)
      guard outcome == .answered else {
        try Complaint.unless(answer.isEmpty, "an answer to what has none")
        continue
      }
      try Complaint.unless(
        answer.count >= 20 && answer.count <= StunBinding.longestAnswer && answer.count % 4 == 0,
        "an answer of \(answer.count) octets")
      // RFC 5389 §6: the length is that of the attributes; cookie and transaction id are those of the request.
      try Complaint.unless(answer.span.bigEndian(2, 2) == UInt64(answer.count - 20), "a wrong length")
      try Complaint.unless(Array(answer[4..<20]) == Array(input[4..<20]), "the answer to another request")
      try walk(answer)
      // An answer has no answer, so that two servers can't be set on each other.
      var second: [UInt8] = []
      try Complaint.unless(
        StunBinding.answer(answer.span, from: source, to: &second) == .ignored, "an answer to an answer")
    }
  }

  /// Attributes fill the answer to its end.
  private static func walk(_ answer: [UInt8]) throws(Complaint) {
    var position = 20
    while position + 4 <= answer.count {
      position += 4 + (Int(answer.span.bigEndian(position + 2, 2)) + 3) / 4 * 4
    }
    try Complaint.unless(position == answer.count, "attributes end at \(position) of \(answer.count)")
  }
}

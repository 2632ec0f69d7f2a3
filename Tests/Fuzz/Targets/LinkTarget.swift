import Structures

// The fuzzer's build has the pure files of Cluster among the targets; the build of the package has the module.
#if canImport(Cluster)
  @testable import Cluster
#endif

/// A packet from another worker: the frames in it lie one behind the other, and each says the same when it is written again.
enum LinkTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    var reader = LinkReader()
    var steps = 0
    var end = 0
    while true {
      steps += 1
      try Complaint.unless(steps <= input.count / 4 + 1, "a reader without an end")
      switch reader.next(input.span) {
      case .frame(let frame, let octets):
        try Complaint.unless(octets.lowerBound >= end && octets.upperBound <= input.count, "octets at \(octets)")
        end = octets.upperBound
        try check(frame, Array(input[octets]))
      case .unknown: continue
      case .end, .broken: return
      }
    }
  }

  private static func check(_ frame: LinkFrame, _ octets: [UInt8]) throws(Complaint) {
    var packet: [UInt8] = []
    frame.append(octets.span, to: &packet)
    try Complaint.unless(packet.count <= LinkFrame.longestHead + octets.count, "a head of \(packet.count) octets")
    var reader = LinkReader()
    guard case .frame(let again, let range) = reader.next(packet.span) else {
      throw Complaint("a frame that can't be read again")
    }
    try Complaint.unless(again == frame && Array(packet[range]) == octets, "\(frame) became \(again)")
    try Complaint.unless(reader.next(packet.span) == .end, "something behind a frame")
  }
}

import Glibc
import SIPMessage
import SIPServer
import Structures

/// Work grows with the length of a message, not with its square: a message in which a part stands eight times as often may not cost
/// many times eight times the processor's time.
///
/// The first octet says who looks at it; then, each ended by octet 255, what stands before the repeated part, the part, and what stands behind.
enum GrowthTarget {
  /// Repetitions fill about so many octets; the greater is what a message may have.
  private static let (small, large) = (3_500, 28_000)
  /// Eight times the octets: a line would be 8, a square 64.
  private static let steepest = 30.0
  /// Below this nothing can be measured, and nobody is harmed.
  private static let least = 2_000_000

  static func run(_ input: [UInt8]) throws(Complaint) {
    var reader = InputReader(input)
    let kind = reader.octet()
    let parts = reader.rest.split(separator: 255, maxSplits: 2, omittingEmptySubsequences: false).map { Array($0) }
    guard parts.count == 3, !parts[1].isEmpty, parts[0].count + parts[2].count < 2_000 else { return }
    func octets(_ size: Int) -> [UInt8] {
      let times = max(1, size / parts[1].count)
      return parts[0] + repeatElement(parts[1], count: times).joined() + parts[2]
    }
    let (short, long) = (octets(small), octets(large))
    var (cheap, dear) = (cost(kind, short), cost(kind, long))
    guard dear >= least, Double(dear) > steepest * Double(max(cheap, 1)) else { return }
    // Chance may have disturbed the one or the other.
    for _ in 0..<5 { (cheap, dear) = (max(cheap, cost(kind, short)), min(dear, cost(kind, long))) }
    try Complaint.unless(
      dear < least || Double(dear) <= steepest * Double(max(cheap, 1)),
      "\(short.count) octets take \(cheap / 1_000) µs, \(long.count) take \(dear / 1_000) µs")
  }

  /// Nanoseconds of this thread.
  private static func cost(_ kind: UInt8, _ octets: [UInt8]) -> Int {
    let work = prepare(kind, octets)
    var (before, after) = (timespec(), timespec())
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before)
    work()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after)
    return (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec
  }

  private static func prepare(_ kind: UInt8, _ octets: [UInt8]) -> () -> Void {
    switch kind {
    case UInt8(ascii: "u"):
      return {
        guard let uri = try? SIPURI(octets.span, ByteRange(0, octets.count)) else { return }
        let other = octets + []
        _ = SIPURI.areEquivalent(uri, in: octets.span, uri, in: other.span)
      }
    case UInt8(ascii: "f"):
      return {
        var framer = StreamFramer(maximumHead: 65_535, maximumMessage: 65_535)
        // Whatever it finds, nothing more is asked: a message would be taken away, and a broken stream closed.
        for end in stride(from: 1, to: octets.count, by: 16) {
          guard case .incomplete = framer.next(octets.span.extracting(0..<end)) else { return }
        }
      }
    case UInt8(ascii: "m"):
      return {
        let message = Message()
        message.load(octets.span, limits: ParserLimits())
        _ = message.check()
      }
    default:
      let story = ServerStory(isChallenging: kind == UInt8(ascii: "c"))
      // What was registered before is compared with what comes.
      if kind == UInt8(ascii: "r") { story.send(octets, from: 0) }
      return { story.send(octets, from: 0) }
    }
  }
}

import Structures
import Testing

@testable import Cluster

@Suite("What waits for a link")
struct LinkQueueTests {
  private static func frame(_ number: Int) -> LinkFrame { .failed(tag: UInt64(number), generation: 1) }

  private func add(_ number: Int, _ payload: [UInt8], _ queue: inout LinkQueue, limit: Int = .max, isTaken: Bool = true)
  {
    let result = queue.append(Self.frame(number), payload.span, limit: limit)
    #expect(result == isTaken)
  }

  /// The frames of packets, in order.
  private static func tags(_ packets: [[UInt8]]) -> [UInt64] {
    packets.flatMap { LinkFrameTests.read($0).frames }.compactMap { frame in
      if case .failed(let tag, _) = frame.0 { tag } else { nil }
    }
  }

  @Test("frames of a turn go together, and are cut into packets between frames")
  func packets() {
    var queue = LinkQueue()
    let payload = [UInt8](repeating: 7, count: 1_000)
    for number in 0..<200 { add(number, payload, &queue) }
    var packets: [[UInt8]] = []
    queue.flush { packet in
      packets.append((0..<packet.count).map { packet[$0] })
      return true
    }
    #expect(packets.count == 4)
    #expect(packets.allSatisfy { $0.count <= LinkQueue.packetSize && LinkFrameTests.read($0).isWhole })
    #expect(Self.tags(packets) == (0..<200).map { UInt64($0) })
    #expect(queue.isEmpty)
  }

  @Test("a frame longer than a packet should be goes alone")
  func large() {
    var queue = LinkQueue()
    let payload = [UInt8](repeating: 7, count: LinkFrame.maximumOctets)
    for number in 0..<3 { add(number, payload, &queue) }
    var packets: [[UInt8]] = []
    queue.flush { packet in
      packets.append((0..<packet.count).map { packet[$0] })
      return true
    }
    #expect(packets.count == 3 && Self.tags(packets) == [0, 1, 2])
  }

  @Test("what is not taken waits, in order, however often it is tried and whatever is added between")
  func refusals() {
    var queue = LinkQueue()
    var random: UInt64 = 5
    func next() -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1
      return Int(random >> 33)
    }
    var packets: [[UInt8]] = []
    var added = 0
    for _ in 0..<200 {
      for _ in 0..<next() % 30 {
        let payload = [UInt8](repeating: 1, count: next() % 5_000)
        add(added, payload, &queue)
        added += 1
      }
      var room = next() % 3
      queue.flush { packet in
        if room == 0 { return false }
        room -= 1
        packets.append((0..<packet.count).map { packet[$0] })
        return true
      }
    }
    queue.flush { packet in
      packets.append((0..<packet.count).map { packet[$0] })
      return true
    }
    #expect(queue.isEmpty && Self.tags(packets) == (0..<added).map { UInt64($0) })
  }

  @Test("no more than the limit waits, but for the first frame")
  func limit() {
    var queue = LinkQueue()
    let payload = [UInt8](repeating: 1, count: 1_000)
    add(0, payload, &queue, limit: 10)
    add(1, payload, &queue, limit: 2_000, isTaken: false)
    add(1, payload, &queue, limit: 3_000)
    add(2, payload, &queue, limit: 3_000, isTaken: false)
    queue.flush { _ in true }
    add(2, payload, &queue, limit: 3_000)
  }
}

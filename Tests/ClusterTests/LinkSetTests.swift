import CLinux
import Reactor
import Structures
import Testing

@testable import Cluster

@Suite("Links between workers", .timeLimit(.minutes(1)))
struct LinkSetTests {
  private static let flow = StreamFlow(node: 7, slot: 1, epoch: 9, connection: 1 << 48 | 1)

  private func write(_ packet: [UInt8], _ number: Int32) {
    let result = Socket.send(number, packet.span)
    #expect(result == .octets(packet.count))
  }

  private static func hasEnded(_ number: Int32) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 64)
    return Socket.read(number, into: &buffer) == .endOfFile
  }

  @Test("workers that begin at different times find each other, and each hears once that the other is there")
  func start() throws {
    let bench = try LinkBench(slots: 3)
    let first = try bench.start(0)
    bench.turn(for: .milliseconds(30))
    #expect(!first.links.hasPeers && first.links.state(of: 1) == .unknown)
    #expect(first.send(.closed(Self.flow), to: 1) == .down)
    let (second, third) = (try bench.start(1), try bench.start(2, generation: 4))
    let all = [first, second, third]
    #expect(bench.turn { all.allSatisfy(\.links.isComplete) })
    #expect(first.ups.map(\.slot).sorted() == [1, 2] && third.ups.count == 2)
    #expect(first.links.state(of: 2) == .up(generation: 4))
    for end in all { end.links.closeAll() }
  }

  @Test("a connection to a listener whose worker is dead is not taken for a link; the next worker takes it")
  func heldListener() throws {
    let bench = try LinkBench(slots: 2)
    let end = try bench.start(0)
    bench.turn(for: .milliseconds(50))
    #expect(end.links.state(of: 1) == .unknown && end.ups.isEmpty)
    let late = try bench.start(1, generation: 3)
    #expect(bench.turn { end.links.state(of: 1) == .up(generation: 3) })
    for end in [end, late] { end.links.closeAll() }
  }

  @Test("what a turn sends to a slot comes in one packet, in order, with the sender's name")
  func batches() throws {
    let bench = try LinkBench(slots: 2)
    let (left, right) = try bench.pair()
    for tag in 1...50 {
      let payload = [UInt8](repeating: UInt8(tag), count: tag * 10)
      #expect(
        left.send(.sendOnFlow(Self.flow, tag: UInt64(tag), generation: 1), payload, to: 1) == .queued)
    }
    #expect(bench.turn { right.frames.count == 50 })
    #expect(
      right.frames == (1...50).map { .sendOnFlow(Self.flow, tag: UInt64($0), generation: 1) })
    #expect(right.payloads[49] == [UInt8](repeating: 50, count: 500))
    #expect(right.senders.allSatisfy { $0 == left.links.identity })
    #expect(left.links.counters.packetsSent == 1 && left.links.counters.framesSent == 50)
    for end in [left, right] { end.links.closeAll() }
  }

  @Test("messages of 65,535 octets come whole")
  func large() throws {
    let bench = try LinkBench(slots: 2)
    let (left, right) = try bench.pair()
    let payload = (0..<65_535).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    for _ in 0..<10 {
      #expect(left.send(.messageFromFlow(LinkFrameTests.flow(.tls)), payload, to: 1) == .queued)
    }
    #expect(bench.turn { right.frames.count == 10 })
    #expect(right.payloads.allSatisfy { $0 == payload })
    let longest = [UInt8](repeating: 2, count: LinkFrame.maximumOctets)
    #expect(left.send(.messageFromFlow(LinkFrameTests.flow(.tls)), longest, to: 1) == .queued)
    #expect(left.send(.messageFromFlow(LinkFrameTests.flow(.tls)), longest + [1], to: 1) == .full)
    #expect(bench.turn { right.payloads.last == longest })
    for end in [left, right] { end.links.closeAll() }
  }

  @Test("a worker has ended when the supervisor says so, not when its link ends; its successor is connected to")
  func loss() throws {
    let bench = try LinkBench(slots: 2)
    let (left, right) = try bench.pair()
    right.links.closeAll()
    #expect(bench.turn { left.downs == [1] })
    #expect(left.losses.isEmpty && left.links.state(of: 1) == .unknown)
    left.links.ended(1, generation: 1)
    left.links.ended(1, generation: 1)
    left.links.ended(0, generation: 1)
    #expect(left.losses.map(\.slot) == [1] && left.losses.map(\.generation) == [1])
    #expect(left.links.state(of: 1) == .lost(generation: 1) && left.send(.closed(Self.flow), to: 1) == .down)
    bench.turn(for: .milliseconds(100))
    let next = try bench.start(1, generation: 2)
    #expect(bench.turn { left.links.isComplete && next.links.isComplete })
    #expect(left.links.state(of: 1) == .up(generation: 2) && left.losses.count == 1)
    #expect(left.send(.closed(Self.flow), to: 1) == .queued)
    #expect(bench.turn { next.frames == [.closed(Self.flow)] })
    for end in [left, next] { end.links.closeAll() }
  }

  @Test("what a worker sent before its end is heard before the end is")
  func lastWords() throws {
    let bench = try LinkBench(slots: 2)
    let (left, right) = try bench.pair()
    for _ in 0..<100 { #expect(left.send(.closed(Self.flow), [UInt8](repeating: 1, count: 1_000), to: 1) == .queued) }
    left.links.closeAll()
    right.links.ended(0, generation: 1)
    #expect(right.frames.count == 100 && right.losses.map(\.slot) == [0])
    #expect(right.send(.closed(Self.flow), to: 0) == .down && right.links.state(of: 0) == .lost(generation: 1))
    right.links.closeAll()
  }

  @Test("what a worker is asked before its own link stands is answered when it does, and all else fails meanwhile")
  func early() throws {
    let bench = try LinkBench(slots: 2)
    let end = try bench.start(0)
    let asker = clinux_unix_connect("\(bench.directory)/0", clinux_seqpacket)
    try #require(asker >= 0)
    defer { clinux_close(asker) }
    var hello: [UInt8] = []
    LinkFrame.hello(LinkIdentity(node: 7, epoch: 9, slot: 1, generation: 5)).append(to: &hello)
    write(hello, asker)
    #expect(bench.turn { end.links.isLinkedFrom(1) })
    #expect(end.send(.failed(tag: 3, generation: 5), to: 1) == .queued)
    #expect(end.send(.closed(Self.flow), to: 1) == .down)
    // Its connection waits at the listener of the other slot.
    let number = try #require(bench.accept(1))
    defer { clinux_close(number) }
    write(hello, number)
    var packet = [UInt8](repeating: 0, count: 1_000)
    var frames: [LinkFrame] = []
    #expect(
      bench.turn {
        guard case .octets(let count) = Socket.read(number, into: &packet) else { return false }
        var reader = LinkReader()
        while case .frame(let frame, _) = reader.next(packet.span.extracting(..<count)) { frames.append(frame) }
        return frames.contains(.failed(tag: 3, generation: 5))
      })
    end.links.closeAll()
  }

  @Test("a process whose link alone has ended is up again when it says hello")
  func linkEnds() throws {
    let bench = try LinkBench(slots: 2)
    let end = try bench.start(0)
    var hello: [UInt8] = []
    LinkFrame.hello(LinkIdentity(node: 7, epoch: 9, slot: 1, generation: 5)).append(to: &hello)
    for round in 1...3 {
      let number = try #require(bench.accept(1))
      write(hello, number)
      #expect(bench.turn { end.links.state(of: 1) == .up(generation: 5) })
      clinux_close(number)
      #expect(bench.turn { end.downs.count == round })
      #expect(end.losses.isEmpty && end.links.state(of: 1) == .unknown)
    }
    end.links.closeAll()
  }

  @Test("a full link refuses, what must pass has a reserve, and both are bounded")
  func full() throws {
    let bench = try LinkBench(slots: 2)
    let (left, right) = try bench.pair(limit: 100_000, reserve: 50_000)
    let payload = [UInt8](repeating: 1, count: 1_000)
    var (taken, urgent) = (0, 0)
    while left.send(.sendOnFlow(Self.flow, tag: 1, generation: 1), payload, to: 1, isUrgent: false) == .queued {
      taken += 1
    }
    while left.send(.sendOnFlow(Self.flow, tag: 2, generation: 1), payload, to: 1) == .queued { urgent += 1 }
    #expect((80...100).contains(taken) && (40...50).contains(urgent))
    #expect(left.links.counters.refused == 2)
    #expect(bench.turn { right.frames.count == taken + urgent })
    #expect(
      left.send(.sendOnFlow(Self.flow, tag: 1, generation: 1), payload, to: 1, isUrgent: false) == .queued)
    for end in [left, right] { end.links.closeAll() }
  }

  @Test("two full links facing each other go on: both sides read whatever waits to be written")
  func deadlock() throws {
    let bench = try LinkBench(slots: 2)
    let (left, right) = try bench.pair(limit: 4 << 20, reserve: 4 << 20)
    let payload = [UInt8](repeating: 1, count: 60_000)
    var sent = 0
    // Far more than the kernel takes for one link.
    for _ in 0..<60 {
      let results = [(left, 1), (right, 0)].map { end, slot in
        end.send(.messageFromFlow(LinkFrameTests.flow(.tcp)), payload, to: UInt16(slot))
      }
      #expect(results == [.queued, .queued])
      sent += 1
    }
    // Each answers all that it hears, as long as it can.
    var refused = 0
    for (end, slot) in [(left, UInt16(1)), (right, UInt16(0))] {
      end.answer = { frame, end in
        guard case .messageFromFlow = frame else { return }
        if end.send(.failed(tag: 1, generation: 1), payload, to: slot) == .full { refused += 1 }
      }
    }
    #expect(
      bench.turn {
        left.frames.count + right.frames.count + refused == 4 * sent && left.payloads.allSatisfy { $0 == payload }
      })
    for end in [left, right] { end.links.closeAll() }
  }

  @Test("who is of another epoch or node, or of no slot, or breaks the format, is shut out")
  func strangers() throws {
    let bench = try LinkBench(slots: 3)
    let end = try bench.start(0)
    let other = try bench.start(1, epoch: 10)
    bench.turn(for: .milliseconds(100))
    #expect(!end.links.hasPeers && !other.links.hasPeers)
    other.links.closeAll()
    let noise = try LinkSocket.connect(to: "\(bench.directory)/0")
    write([10, 0, 0, 9, 1], noise.number)
    #expect(bench.turn { Self.hasEnded(noise.number) })
    #expect(end.links.counters.broken == 1 && end.frames.isEmpty)
    // A frame before the hello.
    let early = try LinkSocket.connect(to: "\(bench.directory)/0")
    var packet: [UInt8] = []
    LinkFrame.closed(Self.flow).append(to: &packet)
    write(packet, early.number)
    #expect(bench.turn { Self.hasEnded(early.number) })
    #expect(end.frames.isEmpty)
    let good = try bench.start(2)
    #expect(bench.turn { good.links.state(of: 0) == .up(generation: 1) })
    for end in [end, good] { end.links.closeAll() }
  }

  @Test("kinds of a later version are skipped on a link that stays up")
  func laterKinds() throws {
    let bench = try LinkBench(slots: 2)
    let end = try bench.start(0)
    let raw = try LinkSocket.connect(to: "\(bench.directory)/0")
    var packet: [UInt8] = []
    LinkFrame.hello(LinkIdentity(node: 7, epoch: 9, slot: 1, generation: 1)).append(to: &packet)
    packet += [99, 0, 0, 2, 1, 2]
    LinkFrame.closed(Self.flow).append(to: &packet)
    write(packet, raw.number)
    #expect(bench.turn { end.frames == [.closed(Self.flow)] })
    end.links.closeAll()
  }
}

import CLinux
import Glibc
import Reactor
import Structures
import Testing

@testable import Cluster

/// One process's end of a hand-over, with what it heard.
private final class HandOverEnd: HandOverDelegate {
  var link: HandOverLink?
  var messages: [HandOverMessage] = []
  var octets: [[UInt8]] = []
  var passed: [Int32] = []
  var frames: [(LinkFrame, [UInt8])] = []
  var rooms = 0
  var isEnded = false

  init(_ number: Int32, _ loop: EventLoop) throws {
    link = try HandOverLink(Descriptor(owning: number), loop: loop, delegate: self)
  }

  func handOver(received message: HandOverMessage, _ octets: Span<UInt8>, _ passed: consuming Descriptor?) {
    messages.append(message)
    self.octets.append(octets.withUnsafeBufferPointer(Array.init))
    if let descriptor = passed.take() { self.passed.append(descriptor.release()) }
  }

  func handOver(received frame: LinkFrame, _ octets: Span<UInt8>) {
    frames.append((frame, octets.withUnsafeBufferPointer(Array.init)))
  }

  func handOverHasRoom() { rooms += 1 }
  func handOverEnded() { isEnded = true }
}

@Suite("What two processes of a slot tell each other")
struct HandOverTests {
  private let loop: EventLoop
  private let old: HandOverEnd
  private let new: HandOverEnd

  init() throws {
    System.ignoreBrokenPipes()
    loop = try EventLoop()
    var ends: [Int32] = [-1, -1]
    try #require(clinux_socket_pair(clinux_seqpacket, &ends) == 0)
    old = try HandOverEnd(ends[0], loop)
    new = try HandOverEnd(ends[1], loop)
  }

  private func turn(until condition: () -> Bool) -> Bool {
    let end = System.monotonicNow + .seconds(30)
    while System.monotonicNow < end, !condition() { try? loop.runOnce(until: System.monotonicNow + .milliseconds(2)) }
    return condition()
  }

  private static func read(_ packet: [UInt8]) -> (HandOverMessage, rest: Int)? { HandOverMessage.read(packet.span) }

  private static func isMessage(_ packet: [UInt8]) -> Bool { HandOverMessage.isMessage(packet.span) }

  @Test("every message is read as it was written, and nothing else is one")
  func coding() {
    let all: [HandOverMessage] = [
      .connection, .arrived(1 << 48 | 5), .refused(.max), .goOn(0), .records, .listeners(65_535), .complete,
    ]
    for message in all {
      var packet: [UInt8] = []
      message.append(to: &packet)
      let length = packet.count
      packet += [1, 2, 3]
      let read = Self.read(packet)
      #expect(read?.0 == message && read?.rest == length)
      #expect(Self.isMessage(packet))
      if length > 1 { #expect(Self.read(Array(packet[..<(length - 1)])) == nil) }
    }
    #expect(Self.read([0x80]) == nil && Self.read([0xFF]) == nil && Self.read([]) == nil)
    for frame in LinkFrameTests.samples {
      var packet: [UInt8] = []
      frame.append(to: &packet)
      #expect(!Self.isMessage(packet))
    }
  }

  @Test("messages, frames and descriptors arrive in the order in which they were sent")
  func order() throws {
    var expected: [(LinkFrame, [UInt8])] = []
    for number in 0..<200 {
      let payload = [UInt8](repeating: UInt8(number), count: number * 7)
      old.link?.send(.failed(tag: UInt64(number), generation: 1), payload.span)
      expected.append((.failed(tag: UInt64(number), generation: 1), payload))
      if number % 50 == 49 { old.link?.send(.goOn(UInt64(number))) }
    }
    var packet: [UInt8] = []
    HandOverMessage.connection.append(to: &packet)
    packet += [9, 9]
    #expect(old.link?.send(packet: packet.span, passing: 0) == true)
    #expect(turn { new.messages.count == 5 })
    #expect(new.messages == [.goOn(49), .goOn(99), .goOn(149), .goOn(199), .connection])
    #expect(new.octets[4] == [9, 9] && new.passed.count == 1)
    #expect(new.frames.map(\.0) == expected.map(\.0) && new.frames.map(\.1) == expected.map(\.1))
    new.passed.forEach { close($0) }
  }

  @Test("what the socket has no room for waits; a descriptor isn't sent then, and there is word when it can be")
  func full() {
    let payload = [UInt8](repeating: 7, count: 60_000)
    var packet: [UInt8] = []
    HandOverMessage.connection.append(to: &packet)
    packet += payload
    var sent = 0
    while old.link?.send(packet: packet.span, passing: 0) == true, sent < 10_000 { sent += 1 }
    #expect(sent > 0 && sent < 10_000)
    old.link?.send(.complete)
    #expect(old.link?.send(packet: packet.span, passing: 0) == false)
    #expect(turn { new.messages.last == .complete && old.rooms > 0 })
    #expect(new.messages.count == sent + 1)
    #expect(old.link?.queuedBytes == 0)
    new.passed.forEach { close($0) }
  }

  @Test("what waits is bounded, and nothing waits for a process that is gone")
  func bounds() {
    let payload = [UInt8](repeating: 7, count: 60_000)
    var sent = 0
    while old.link?.send(.failed(tag: 1, generation: 1), payload.span) == true, sent < 10_000 { sent += 1 }
    #expect(sent > 16 && sent < 10_000)
    #expect((old.link?.queuedBytes ?? 0) <= 16 << 20)
    #expect(turn { new.frames.count == sent })
    #expect(old.link?.queuedBytes == 0)
    new.link?.close()
    #expect(turn { old.isEnded })
    #expect(old.link?.send(.failed(tag: 1, generation: 1), payload.span) == false)
    old.link?.send(.complete)
    #expect(old.link?.queuedBytes == 0)
  }

  @Test("the end of the other is heard after all that it said")
  func end() {
    old.link?.send(.goOn(1))
    old.link?.close()
    #expect(turn { new.isEnded })
    #expect(new.messages == [.goOn(1)])
  }
}

@Suite("Links to a slot whose process is followed by another")
struct FollowingTests {
  @Test("go to the next process without a loss, with what waited; the end of the one before is none")
  func follow() throws {
    let bench = try LinkBench(slots: 2)
    let (other, old) = (try bench.start(0), try bench.start(1))
    #expect(bench.turn { other.links.isComplete && old.links.isComplete })
    let new = try bench.start(1, generation: 2, listens: false)
    #expect(bench.turn { new.links.canSend })
    #expect(other.links.state(of: 1) == .up(generation: 1))
    old.links.stopListening()
    try new.links.listen()
    _ = new.send(.succeeds, to: 0)
    #expect(bench.turn { other.frames == [.succeeds] })
    #expect(other.send(.whereIs(question: 1, generation: 1), [1], to: 1) == .queued)
    other.links.follow(new.links.identity)
    #expect(other.send(.whereIs(question: 2, generation: 1), [2], to: 1) == .queued)
    #expect(bench.turn { other.links.state(of: 1) == .up(generation: 2) })
    #expect(other.send(.whereIs(question: 3, generation: 1), [3], to: 1) == .queued)
    #expect(bench.turn { old.payloads + new.payloads == [[1], [2], [3]] })
    #expect(new.payloads.last == [3])
    old.links.closeAll()
    #expect(other.send(.whereIs(question: 4, generation: 1), [4], to: 1) == .queued)
    #expect(bench.turn { new.payloads.last == [4] })
    #expect(other.losses.isEmpty && new.losses.isEmpty)
    new.links.closeAll()
    #expect(bench.turn { other.downs == [1] })
  }

  @Test(
    "the end of either of two processes of a slot leads to the other",
    arguments: [true, false])
  func oneOfTwo(_ oldEnds: Bool) throws {
    let bench = try LinkBench(slots: 2)
    let (other, old) = (try bench.start(0), try bench.start(1))
    #expect(bench.turn { other.links.isComplete && old.links.isComplete })
    let new = try bench.start(1, generation: 2, listens: false)
    #expect(bench.turn { new.links.canSend })
    if oldEnds {
      old.links.closeAll()
      #expect(bench.turn { other.links.state(of: 1) == .unknown })
      try new.links.listen()
      #expect(bench.turn { other.links.state(of: 1) == .up(generation: 2) })
    } else {
      old.links.stopListening()
      try new.links.listen()
      other.links.follow(new.links.identity)
      #expect(bench.turn { other.links.state(of: 1) == .up(generation: 2) })
      new.links.closeAll()
      try old.links.listen()
      #expect(bench.turn { other.links.state(of: 1) == .up(generation: 1) })
    }
    #expect(other.losses.isEmpty && other.send(.whereIs(question: 1, generation: 1), to: 1) == .queued)
    (oldEnds ? new : old).links.closeAll()
    #expect(bench.turn { other.links.state(of: 1) == .unknown })
  }

  @Test("stay with the process that goes on when the next one never listens")
  func abandoned() throws {
    let bench = try LinkBench(slots: 2)
    let (other, old) = (try bench.start(0), try bench.start(1))
    #expect(bench.turn { other.links.isComplete && old.links.isComplete })
    other.links.follow(LinkIdentity(node: 7, epoch: 9, slot: 1, generation: 2))
    #expect(other.send(.whereIs(question: 1, generation: 1), [1], to: 1) == .queued)
    #expect(bench.turn { old.payloads == [[1]] })
    #expect(other.links.state(of: 1) == .up(generation: 1) && other.losses.isEmpty)
  }
}

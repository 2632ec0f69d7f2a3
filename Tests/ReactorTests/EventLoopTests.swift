import Glibc
import Structures
import Testing

@testable import Reactor

/// Does what the test says when its descriptor is ready.
private final class Probe: EventHandler, DeadlineOwner {
  var seen: [Events] = []
  var passed: [DeadlineID] = []
  var whenReady: (Events) -> Void = { _ in }

  func ready(_ events: Events) {
    seen.append(events)
    whenReady(events)
  }

  func deadlinePassed(_ deadline: DeadlineID) { passed.append(deadline) }
}

/// A connected pair of non-blocking stream sockets.
private struct Pair: ~Copyable {
  let near: Descriptor
  let farNumber: Int32
  var far: Descriptor?

  init() {
    var numbers: [Int32] = [0, 0]
    let result = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &numbers)
    precondition(result == 0)
    near = Descriptor(owning: numbers[0])
    farNumber = numbers[1]
    far = Descriptor(owning: numbers[1])
  }

  func write(_ text: StaticString) {
    var bytes: [UInt8] = []
    bytes.append(text)
    #expect(Socket.send(farNumber, bytes.span) == .octets(bytes.count))
  }
}

@Suite("Event loop")
struct EventLoopTests {
  @Test("reports a readable descriptor until its octets are read")
  func levelTriggered() throws {
    let loop = try EventLoop()
    let pair = Pair()
    let probe = Probe()
    try loop.register(pair.near.number, .readable, handler: probe)
    pair.write("x")
    for _ in 0..<2 { try loop.runOnce(until: loop.now + .seconds(1)) }
    #expect(probe.seen == [.readable, .readable])
    var buffer = [UInt8](repeating: 0, count: 8)
    #expect(Socket.read(pair.near.number, into: &buffer) == .octets(1))
    try loop.runOnce(until: System.monotonicNow + .milliseconds(1))
    #expect(probe.seen.count == 2)
    loop.unregister(pair.near.number)
  }

  @Test("reports end of file and a peer's close, and nothing after unregistering")
  func hangup() throws {
    let loop = try EventLoop()
    var pair = Pair()
    let probe = Probe()
    try loop.register(pair.near.number, .readable, handler: probe)
    pair.far = nil
    try loop.runOnce(until: System.monotonicNow + .seconds(1))
    #expect(probe.seen.first?.contains([.readable, .hangup]) == true)
    var buffer = [UInt8](repeating: 0, count: 8)
    #expect(Socket.read(pair.near.number, into: &buffer) == .endOfFile)
    loop.unregister(pair.near.number)
    try loop.runOnce(until: System.monotonicNow + .milliseconds(1))
    #expect(probe.seen.count == 1)
    #expect(loop.counters.descriptors == 0)
  }

  @Test("drops an event fetched for a descriptor that was closed and opened anew in the same turn")
  func staleEvents() throws {
    let loop = try EventLoop()
    let first = Pair()
    let second = Pair()
    let (one, two, fresh) = (Probe(), Probe(), Probe())
    try loop.register(first.near.number, .readable, handler: one)
    try loop.register(second.near.number, .readable, handler: two)
    first.write("x")
    second.write("x")
    // Whoever comes first takes the other's descriptor away and puts a new handler in its place.
    func replace(_ victim: Int32, _ events: Events) {
      loop.unregister(victim)
      try? loop.register(victim, [], handler: fresh)
    }
    let (firstNumber, secondNumber) = (first.near.number, second.near.number)
    one.whenReady = { replace(secondNumber, $0) }
    two.whenReady = { replace(firstNumber, $0) }
    try loop.runOnce(until: System.monotonicNow + .seconds(1))
    #expect(one.seen.count + two.seen.count == 1)
    #expect(fresh.seen.isEmpty)
    #expect(loop.counters.staleEvents == 1)
    loop.unregister(first.near.number)
    loop.unregister(second.near.number)
  }

  @Test("reports what was written only while the handler wants to hear of it")
  func interest() throws {
    let loop = try EventLoop()
    let pair = Pair()
    let probe = Probe()
    try loop.register(pair.near.number, [], handler: probe)
    pair.write("x")
    try loop.runOnce(until: System.monotonicNow + .milliseconds(1))
    #expect(probe.seen.isEmpty)
    loop.modify(pair.near.number, [.readable, .writable])
    try loop.runOnce(until: System.monotonicNow + .seconds(1))
    #expect(probe.seen == [[.readable, .writable]])
    loop.unregister(pair.near.number)
  }

  @Test("runs the deciding hooks before the flushing ones, whichever was added first")
  func hooks() throws {
    let loop = try EventLoop()
    var order: [String] = []
    loop.addHook(.flush) { order.append("flush") }
    loop.addHook(.decide) { order.append("decide") }
    try loop.runOnce(until: loop.now)
    #expect(order == ["decide", "flush", "decide", "flush"])
  }

  @Test("doesn't wait in the turn after one that left work")
  func turnAgain() throws {
    let loop = try EventLoop()
    loop.turnAgain()
    let start = System.monotonicNow
    try loop.runOnce(until: start + .seconds(30))
    #expect(System.monotonicNow - start < .seconds(10))
  }
}

@Suite("Deadlines of the loop")
struct DeadlineTests {
  @Test("reports a deadline at its time, once, and wakes up for it")
  func fires() throws {
    let loop = try EventLoop()
    let probe = Probe()
    let deadline = loop.addDeadline(probe)
    let due = loop.now + .milliseconds(20)
    loop.schedule(deadline, at: due)
    let limit = loop.now + .seconds(10)
    while probe.passed.isEmpty, loop.now < limit { try loop.runOnce(until: limit) }
    #expect(probe.passed == [deadline])
    #expect(loop.now >= due)
    #expect(loop.now - due < .seconds(5))
    try loop.runOnce(until: System.monotonicNow + .milliseconds(10))
    #expect(probe.passed.count == 1)
    loop.removeDeadline(deadline)
    #expect(loop.counters.deadlines == 0)
  }

  @Test("reports neither a cancelled deadline nor one whose owner gave it up")
  func cancelled() throws {
    let loop = try EventLoop()
    let (probe, heir) = (Probe(), Probe())
    let (first, second) = (loop.addDeadline(probe), loop.addDeadline(probe))
    loop.schedule(first, at: loop.now + .milliseconds(5))
    loop.schedule(second, at: loop.now + .milliseconds(5))
    loop.cancel(first)
    loop.removeDeadline(second)
    #expect(loop.addDeadline(heir) == second)
    let end = loop.now + .milliseconds(30)
    while loop.now < end { try loop.runOnce(until: end) }
    #expect(probe.passed.isEmpty)
    #expect(heir.passed.isEmpty)
  }
}

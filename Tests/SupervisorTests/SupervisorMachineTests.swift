import Configuration
import Structures
import Testing

@testable import Supervisor

/// A machine with a clock that the test moves; keeps the orders since it was last asked.
private struct Stage {
  var machine: SupervisorMachine
  var now = Instant(nanoseconds: 1_000_000_000)
  private var actions: [SupervisorMachine.Action] = []

  init(slots: Int = 1) {
    machine = SupervisorMachine(slots: slots)
  }

  /// Runs one input and returns its orders.
  mutating func input(
    _ body: (inout SupervisorMachine, Instant, inout [SupervisorMachine.Action]) -> Void
  ) -> [SupervisorMachine.Action] {
    actions.removeAll()
    body(&machine, now, &actions)
    return actions
  }

  mutating func start() -> [SupervisorMachine.Action] { input { $0.start($1, into: &$2) } }

  mutating func says(_ message: ControlMessage, _ generation: UInt16, slot: Int = 0) -> [SupervisorMachine.Action] {
    input { $0.received(message, slot: slot, generation: generation, $1, into: &$2) }
  }

  mutating func ends(
    _ generation: UInt16, _ end: SupervisorMachine.WorkerEnd = .signalled(11), slot: Int = 0
  ) -> [SupervisorMachine.Action] {
    input { $0.ended(end, slot: slot, generation: generation, $1, into: &$2) }
  }

  /// Lets time pass and reaches the deadline of the machine if it lies in it.
  mutating func wait(_ duration: Duration) -> [SupervisorMachine.Action] {
    let end = now + duration
    var all: [SupervisorMachine.Action] = []
    while let deadline = machine.nextDeadline, deadline <= end {
      now = max(now, deadline)
      all += input { $0.deadlineReached($1, into: &$2) }
    }
    now = end
    return all
  }

  /// Serves for so long, with a heartbeat every second.
  mutating func serve(_ generation: UInt16, seconds: Int) -> [SupervisorMachine.Action] {
    (0..<seconds).flatMap { _ in wait(.seconds(1)) + says(.heartbeat, generation) }
  }
}

@Suite("The supervisor's decisions")
struct SupervisorMachineTests {
  private static func serving() -> Stage {
    var stage = Stage()
    _ = stage.start()
    _ = stage.says(.ready, 1)
    return stage
  }

  @Test("starts one worker for each slot and announces the node when all serve")
  func starts() {
    var stage = Stage(slots: 2)
    #expect(stage.start() == [.spawn(slot: 0, generation: 1), .spawn(slot: 1, generation: 1)])
    #expect(stage.says(.ready, 1, slot: 1) == [.report(.started(slot: 1, generation: 1))])
    #expect(stage.says(.ready, 1) == [.report(.started(slot: 0, generation: 1)), .announceReady])
  }

  @Test("a worker that ends before the node ever served ends the node with 1")
  func failsAtFirstStart() {
    var stage = Stage()
    _ = stage.start()
    #expect(stage.ends(1, .exited(3)) == [.report(.neverReady(slot: 0, .exited(3))), .finish(status: 1)])
    #expect(stage.machine.nextDeadline == nil)
  }

  @Test("when one of two never gets ready, the other is stopped before the node ends")
  func failsAtFirstStartWithOthers() {
    var stage = Stage(slots: 2)
    _ = stage.start()
    _ = stage.says(.ready, 1, slot: 1)
    let failure = SupervisorMachine.WorkerEnd.notStarted("no such file")
    #expect(stage.ends(1, failure) == [.report(.neverReady(slot: 0, failure)), .send(slot: 1, .stop)])
    #expect(stage.ends(1, .exited(0), slot: 1) == [.finish(status: 1)])
  }

  @Test("a crash is answered at once, with the next generation")
  func replaces() {
    var stage = Self.serving()
    #expect(
      stage.ends(1, .signalled(11)) == [
        .report(.ended(slot: 0, generation: 1, .signalled(11), whileStarting: false)),
        .tellOthers(than: 0, .slotEnded(slot: 0, generation: 1)), .report(.startsAgain(slot: 0, after: .zero)),
        .spawn(slot: 0, generation: 2),
      ])
  }

  @Test("a worker that leaves without being asked is replaced like one that crashed")
  func replacesAfterExit() {
    var stage = Self.serving()
    #expect(stage.ends(1, .exited(0)).last == .spawn(slot: 0, generation: 2))
  }

  @Test("ends in a row are answered after 100 ms, doubled up to 5 s; a second of service begins a new row")
  func backsOff() {
    var stage = Self.serving()
    var delays: [Duration] = []
    var generation: UInt16 = 1
    for _ in 0..<9 {
      for case .report(.startsAgain(_, let delay)) in stage.ends(generation) { delays.append(delay) }
      let waited = delays.last ?? .zero
      let before = stage.wait(waited - .milliseconds(1))
      #expect(before.isEmpty || waited == .zero)
      if waited > .zero { #expect(stage.wait(.milliseconds(1)) == [.spawn(slot: 0, generation: generation + 1)]) }
      generation += 1
      _ = stage.says(.ready, generation)
    }
    #expect(
      delays == [
        .zero, .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1600),
        .milliseconds(3200), .seconds(5), .seconds(5),
      ])
    #expect(stage.serve(generation, seconds: 1).isEmpty)
    #expect(stage.ends(generation).last == .spawn(slot: 0, generation: generation + 1))
  }

  @Test("a replacement that ends before it is ready is tried again, later each time")
  func replacementFails() {
    var stage = Self.serving()
    _ = stage.ends(1)
    #expect(
      stage.ends(2, .exited(1)) == [
        .report(.ended(slot: 0, generation: 2, .exited(1), whileStarting: true)),
        .tellOthers(than: 0, .slotEnded(slot: 0, generation: 2)),
        .report(.startsAgain(slot: 0, after: .milliseconds(100))),
      ])
    #expect(stage.wait(.milliseconds(100)) == [.spawn(slot: 0, generation: 3)])
  }

  @Test("a slot that fails at every start never ends a node that has served; the other slot is left alone")
  func failsForEver() {
    var stage = Stage(slots: 2)
    _ = stage.start()
    _ = stage.says(.ready, 1)
    _ = stage.says(.ready, 1, slot: 1)
    for generation in 1...UInt16(200) {
      var actions = stage.ends(generation, .exited(1), slot: 1)
      for _ in 0..<5 { actions += stage.wait(.seconds(1)) + stage.says(.heartbeat, 1) }
      let spawns = actions.filter { if case .spawn = $0 { true } else { false } }
      #expect(spawns == [.spawn(slot: 1, generation: generation + 1)])
      #expect(!actions.contains { if case .finish = $0 { true } else { false } })
      #expect(!actions.contains(.kill(slot: 0)))
    }
  }

  @Test("three seconds without a heartbeat are a hang: killed, then replaced")
  func hangs() {
    var stage = Self.serving()
    #expect(stage.serve(1, seconds: 5).isEmpty)
    #expect(stage.wait(.milliseconds(2_999)).isEmpty)
    #expect(stage.wait(.milliseconds(1)) == [.report(.hangs(slot: 0, generation: 1)), .kill(slot: 0)])
    #expect(stage.wait(.seconds(60)).isEmpty)
    #expect(stage.ends(1, .signalled(9)).last == .spawn(slot: 0, generation: 2))
  }

  @Test("a worker that is not ready after ten seconds is killed; at the first start that ends the node")
  func slowStart() {
    var stage = Stage()
    _ = stage.start()
    #expect(stage.wait(.milliseconds(9_999)).isEmpty)
    #expect(stage.says(.heartbeat, 1).isEmpty)
    #expect(stage.wait(.milliseconds(1)) == [.report(.slowToStart(slot: 0, generation: 1)), .kill(slot: 0)])
    #expect(stage.ends(1, .signalled(9)).last == .finish(status: 1))
  }

  @Test("what an old generation says or how it ends is not taken for the present one's")
  func oldGeneration() {
    var stage = Self.serving()
    _ = stage.ends(1)
    #expect(stage.says(.ready, 1).isEmpty)
    #expect(stage.machine.state(of: 0) == .starting(deadline: stage.now + .seconds(10)))
    #expect(stage.ends(1).isEmpty)
  }

  @Test("asked to drain, it tells the workers and ends with 0 when they are gone")
  func drains() {
    var stage = Self.serving()
    #expect(stage.input { $0.drainAsked($1, into: &$2) } == [.send(slot: 0, .drain)])
    #expect(stage.wait(.seconds(4)).isEmpty)
    #expect(stage.ends(1, .exited(0)) == [.finish(status: 0)])
  }

  @Test("workers that do not end in five seconds are killed")
  func cutsShort() {
    var stage = Self.serving()
    _ = stage.input { $0.drainAsked($1, into: &$2) }
    #expect(stage.wait(.seconds(5)) == [.report(.cutShort(slot: 0)), .kill(slot: 0)])
    #expect(stage.ends(1, .signalled(9)) == [.finish(status: 0)])
  }

  @Test("asked to drain again, it stops; but two wishes within a second are one")
  func drainsTwice() {
    var stage = Self.serving()
    _ = stage.input { $0.drainAsked($1, into: &$2) }
    #expect(stage.input { $0.drainAsked($1, into: &$2) }.isEmpty)
    _ = stage.wait(.seconds(1))
    #expect(stage.input { $0.drainAsked($1, into: &$2) } == [.send(slot: 0, .stop)])
    #expect(stage.wait(.seconds(1)) == [.report(.cutShort(slot: 0)), .kill(slot: 0)])
  }

  @Test("asked to stop, it gives the workers one second")
  func stops() {
    var stage = Self.serving()
    #expect(stage.input { $0.stopAsked($1, into: &$2) } == [.send(slot: 0, .stop)])
    #expect(stage.wait(.seconds(1)) == [.report(.cutShort(slot: 0)), .kill(slot: 0)])
  }

  @Test("a worker that crashes while the node ends is not replaced")
  func crashWhileStopping() {
    var stage = Self.serving()
    _ = stage.input { $0.drainAsked($1, into: &$2) }
    #expect(stage.ends(1, .signalled(11)) == [.finish(status: 0)])
  }

  @Test("a slot that waits for its next start ends with the node")
  func stopsWhileWaiting() {
    var stage = Self.serving()
    _ = stage.ends(1)
    _ = stage.ends(2)
    #expect(stage.input { $0.stopAsked($1, into: &$2) } == [.finish(status: 0)])
    #expect(stage.wait(.seconds(10)).isEmpty)
  }

  @Test("the generation after 65,535 is 1")
  func generationsWrap() {
    var stage = Self.serving()
    for generation in 1...UInt16.max {
      _ = stage.ends(generation)
      _ = stage.wait(.seconds(5))
    }

    #expect(stage.says(.ready, 1) == [.report(.started(slot: 0, generation: 1))])
  }
}

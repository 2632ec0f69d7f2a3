import Configuration
import Structures
import Testing

@testable import Supervisor

@Suite("Replacing workers one by one")
struct ReplacementTests {
  private var machine = SupervisorMachine(slots: 3)
  private let start = Instant(nanoseconds: 1_000_000_000)

  /// A machine whose three workers serve.
  private static func serving() -> ReplacementTests {
    var test = ReplacementTests()
    _ = test.orders { $0.start($1, into: &$2) }
    for slot in 0..<3 { _ = test.ready(slot, 1) }
    return test
  }

  private mutating func orders(
    after wait: Duration = .zero, _ input: (inout SupervisorMachine, Instant, inout [SupervisorMachine.Action]) -> Void
  ) -> [SupervisorMachine.Action] {
    var actions: [SupervisorMachine.Action] = []
    input(&machine, start + wait, &actions)
    return actions.filter { if case .report = $0 { false } else { true } }
  }

  private mutating func ready(_ slot: Int, _ generation: UInt16) -> [SupervisorMachine.Action] {
    orders { $0.received(.ready, slot: slot, generation: generation, $1, into: &$2) }
  }

  private mutating func ends(_ slot: Int, _ generation: UInt16) -> [SupervisorMachine.Action] {
    orders { $0.ended(.exited(0), slot: slot, generation: generation, $1, into: &$2) }
  }

  private mutating func restart(_ slots: [Int]) -> [SupervisorMachine.Action] {
    orders { $0.restartAsked(slots, $1, into: &$2) }
  }

  @Test("each leaves when the one before has a successor that serves")
  func oneByOne() {
    var test = Self.serving()
    #expect(test.restart([0, 2]) == [.send(slot: 0, .drain)])
    #expect(test.machine.stateName(of: 2) == "to be replaced")
    #expect(test.machine.readySlots == [1, 2])
    #expect(test.ends(0, 1) == [.spawn(slot: 0, generation: 2)])
    #expect(test.ready(0, 2) == [.send(slot: 2, .drain)])
    #expect(test.ends(2, 1) == [.spawn(slot: 2, generation: 2)])
    #expect(test.ready(2, 2).isEmpty)
    #expect((0..<3).map { test.machine.stateName(of: $0) } == ["ready", "ready", "ready"])
  }

  @Test("asked again for the same, it does it once")
  func askedTwice() {
    var test = Self.serving()
    #expect(test.restart([1]) == [.send(slot: 1, .drain)])
    #expect(test.restart([1, 1]).isEmpty)
    #expect(test.ends(1, 1) == [.spawn(slot: 1, generation: 2)])
    #expect(test.ready(1, 2).isEmpty)
    #expect(test.restart([1]) == [.send(slot: 1, .drain)])
  }

  @Test("a worker that doesn't leave in five seconds is killed, then replaced")
  func slow() {
    var test = Self.serving()
    _ = test.restart([1])
    // The others say that they live.
    for slot in [0, 2] {
      _ = test.orders(after: .seconds(4)) { $0.received(.heartbeat, slot: slot, generation: 1, $1, into: &$2) }
    }
    #expect(test.machine.nextDeadline == test.start + .seconds(5))
    #expect(test.orders(after: .seconds(5)) { $0.deadlineReached($1, into: &$2) } == [.kill(slot: 1)])
    #expect(test.ends(1, 1) == [.spawn(slot: 1, generation: 2)])
  }

  @Test("while a successor doesn't serve, the next stays; one that crashes is tried again")
  func gated() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    _ = test.ends(0, 1)
    #expect(test.ends(0, 2) == [.spawn(slot: 0, generation: 3)])
    #expect(test.machine.readySlots == [1, 2])
    #expect(test.ready(0, 3) == [.send(slot: 1, .drain)])
  }

  @Test("one that crashes while it waits for its turn is replaced by that")
  func crashMeanwhile() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    #expect(test.ends(1, 1) == [.spawn(slot: 1, generation: 2)])
    #expect(test.ends(0, 1) == [.spawn(slot: 0, generation: 2)])
    #expect(test.ready(0, 2).isEmpty)
    #expect(test.ready(1, 2).isEmpty)
    #expect(test.machine.stateName(of: 1) == "ready")
  }

  @Test("when the node ends, nobody is replaced any more")
  func stopping() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    #expect(test.orders { $0.stopAsked($1, into: &$2) } == (0..<3).map { .send(slot: $0, .stop) })
    #expect(test.ends(0, 1).isEmpty)
    #expect(test.restart([2]).isEmpty)
  }
}

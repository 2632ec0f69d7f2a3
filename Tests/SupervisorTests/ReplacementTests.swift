import Configuration
import Structures
import Testing

@testable import Supervisor

@Suite("Replacing workers one by one, each by a process that takes over from it")
struct ReplacementTests {
  private var machine = SupervisorMachine(slots: 3)
  private var now = Instant(nanoseconds: 1_000_000_000)

  /// A machine whose three workers serve.
  private static func serving() -> ReplacementTests {
    var test = ReplacementTests()
    _ = test.orders { $0.start($1, into: &$2) }
    for slot in 0..<3 { _ = test.says(.ready, slot, 1) }
    return test
  }

  /// That others hear of the end of a slot.
  private static func lost(_ slot: Int, _ generation: UInt16) -> SupervisorMachine.Action {
    .tellOthers(than: slot, .slotEnded(slot: UInt16(slot), generation: generation))
  }

  private mutating func orders(
    _ input: (inout SupervisorMachine, Instant, inout [SupervisorMachine.Action]) -> Void
  ) -> [SupervisorMachine.Action] {
    var actions: [SupervisorMachine.Action] = []
    input(&machine, now, &actions)
    return actions.filter { if case .report = $0 { false } else { true } }
  }

  private mutating func says(_ message: ControlMessage, _ slot: Int, _ generation: UInt16) -> [SupervisorMachine.Action]
  {
    orders { $0.received(message, slot: slot, generation: generation, $1, into: &$2) }
  }

  private mutating func ends(_ slot: Int, _ generation: UInt16) -> [SupervisorMachine.Action] {
    orders { $0.ended(.exited(0), slot: slot, generation: generation, $1, into: &$2) }
  }

  private mutating func restart(_ slots: [Int]) -> [SupervisorMachine.Action] {
    orders { $0.restartAsked(slots, $1, into: &$2) }
  }

  /// Time goes on; workers say that they live.
  private mutating func wait(_ duration: Duration) -> [SupervisorMachine.Action] {
    now = now + duration
    for slot in 0..<3 {
      for generation in UInt16(1)...9 { _ = says(.heartbeat, slot, generation) }
    }
    return orders { $0.deadlineReached($1, into: &$2) }
  }

  private var states: [String] { (0..<3).map { machine.stateName(of: $0) } }

  @Test("the worker serves until the next process has taken over; only then is it the turn of the next slot")
  func oneByOne() {
    var test = Self.serving()
    #expect(test.restart([0, 2]) == [.spawnSuccessor(slot: 0, generation: 2)])
    #expect(test.states == ["hands over", "ready", "to be replaced"])
    #expect(test.machine.readySlots == [0, 1, 2])
    #expect(test.says(.ready, 0, 2) == [.handOver(slot: 0)])
    #expect(test.says(.ready, 0, 2).isEmpty)
    #expect(test.says(.tookOver, 0, 2) == [.promote(slot: 0), .spawnSuccessor(slot: 2, generation: 2)])
    #expect(test.ends(0, 1).isEmpty)
    #expect(test.says(.ready, 2, 2) == [.handOver(slot: 2)])
    #expect(test.says(.tookOver, 2, 2) == [.promote(slot: 2)])
    #expect(test.states == ["ready", "ready", "ready"])
  }

  @Test("asked again for the same, it does it once")
  func askedTwice() {
    var test = Self.serving()
    #expect(test.restart([1]) == [.spawnSuccessor(slot: 1, generation: 2)])
    #expect(test.restart([1, 1]).isEmpty)
    _ = test.says(.ready, 1, 2)
    #expect(test.says(.tookOver, 1, 2) == [.promote(slot: 1)])
    #expect(test.restart([1]) == [.spawnSuccessor(slot: 1, generation: 3)])
  }

  @Test("a process that ends before it has taken anything leaves the node as it was, and no other slot is tried")
  func failsToStart() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    #expect(test.ends(0, 2).isEmpty)
    #expect(test.states == ["ready", "ready", "ready"])
    #expect(test.wait(.seconds(20)).isEmpty)
    #expect(test.restart([0]) == [.spawnSuccessor(slot: 0, generation: 3)])
  }

  @Test("one that isn't ready in ten seconds is killed")
  func slow() {
    var test = Self.serving()
    _ = test.restart([0])
    #expect(test.wait(.seconds(2)).isEmpty)
    for _ in 0..<3 { #expect(test.wait(.seconds(2)).isEmpty) }
    #expect(test.wait(.seconds(2)) == [.killOther(slot: 0, generation: 2)])
    #expect(test.ends(0, 2).isEmpty)
    #expect(test.states == ["ready", "ready", "ready"])
  }

  @Test("when one ends while it takes over, the worker is told to go on, and only then")
  func failsWhileTaking() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    _ = test.says(.ready, 0, 2)
    #expect(test.ends(0, 2) == [.send(slot: 0, .goOn)])
    #expect(test.states == ["ready", "ready", "ready"])
    // What the next process had accepted ends with the one that goes on, if not before.
    #expect(test.ends(0, 1) == [Self.lost(0, 2), .spawn(slot: 0, generation: 3)])
  }

  @Test("when the worker ends while it hands over, the next process has the slot")
  func oldEnds() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    _ = test.says(.ready, 0, 2)
    #expect(test.ends(0, 1) == [.promote(slot: 0), .spawnSuccessor(slot: 1, generation: 2)])
    #expect(test.says(.tookOver, 0, 2).isEmpty)
    #expect(test.machine.readySlots == [0, 1, 2])
  }

  @Test("when the worker ends before it was told to hand over, the slot is started anew")
  func oldEndsEarly() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    #expect(test.ends(0, 1) == [.killOther(slot: 0, generation: 2), Self.lost(0, 2), .spawn(slot: 0, generation: 3)])
    #expect(test.ends(0, 2).isEmpty)
    #expect(test.says(.ready, 0, 3) == [.spawnSuccessor(slot: 1, generation: 2)])
  }

  @Test(
    "two earlier processes of a slot may live; the third waits for the end of one, which comes in 200 seconds at most")
  func retired() {
    var test = Self.serving()
    for generation in UInt16(2)...3 {
      #expect(test.restart([0]) == [.spawnSuccessor(slot: 0, generation: generation)])
      _ = test.says(.ready, 0, generation)
      _ = test.says(.tookOver, 0, generation)
      _ = test.wait(.seconds(1))
    }
    #expect(test.restart([0]).isEmpty)
    #expect(test.states[0] == "to be replaced")
    var orders: [SupervisorMachine.Action] = []
    for _ in 0..<100 where orders.isEmpty { orders = test.wait(.seconds(2)) }
    #expect(orders == [.killOther(slot: 0, generation: 1)])
    #expect(test.ends(0, 1) == [.spawnSuccessor(slot: 0, generation: 4)])
  }

  @Test("one that crashes while it waits for its turn is replaced by that")
  func crashMeanwhile() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    #expect(test.ends(1, 1) == [Self.lost(1, 1), .spawn(slot: 1, generation: 2)])
    _ = test.says(.ready, 0, 2)
    #expect(test.says(.tookOver, 0, 2) == [.promote(slot: 0)])
    #expect(test.says(.ready, 1, 2).isEmpty)
    #expect(test.states[1] == "ready")
  }

  @Test("none begins while settings are being reloaded")
  func held() {
    var test = Self.serving()
    #expect(test.orders { $0.hold(true, $1, into: &$2) }.isEmpty)
    #expect(test.restart([0]).isEmpty)
    #expect(test.orders { $0.hold(false, $1, into: &$2) } == [.spawnSuccessor(slot: 0, generation: 2)])
  }

  @Test("when the node ends, so does everybody, and it waits for them")
  func stopping() {
    var test = Self.serving()
    _ = test.restart([0, 1])
    _ = test.says(.ready, 0, 2)
    _ = test.says(.tookOver, 0, 2)
    #expect(
      test.orders { $0.stopAsked($1, into: &$2) } == [
        .send(slot: 0, .stop), .sendOther(slot: 0, generation: 1, .stop), .send(slot: 1, .stop),
        .killOther(slot: 1, generation: 2), .send(slot: 2, .stop),
      ])
    for (slot, generation) in [(0, UInt16(2)), (1, 1), (2, 1), (1, 2)] { #expect(test.ends(slot, generation).isEmpty) }
    #expect(test.restart([2]).isEmpty)
    #expect(test.ends(0, 1) == [.finish(status: 0)])
  }
}

import Structures
import Testing

@testable import Supervisor

@Suite("A new configuration gets into force everywhere or nowhere")
struct ReloadMachineTests {
  private var machine = ReloadMachine()
  private var now = Instant(nanoseconds: 1_000_000_000)

  private mutating func begin(ready: [Int] = [0, 1], starting: [Int] = []) -> [ReloadMachine.Action] {
    var actions: [ReloadMachine.Action] = []
    machine.begin(ready: ready, starting: starting, now, into: &actions)
    return actions
  }

  private mutating func input(
    _ body: (inout ReloadMachine, inout [ReloadMachine.Action]) -> Void
  ) -> [ReloadMachine.Action] {
    var actions: [ReloadMachine.Action] = []
    body(&machine, &actions)
    return actions
  }

  private mutating func prepared(_ slot: Int, _ version: UInt64 = 1) -> [ReloadMachine.Action] {
    input { $0.prepared(slot: slot, version: version, into: &$1) }
  }

  @Test("only when all have prepared it is it adopted, and then committed to all")
  mutating func commits() {
    #expect(begin() == [.prepare(slot: 0, version: 1), .prepare(slot: 1, version: 1)])
    #expect(prepared(1).isEmpty)
    #expect(prepared(1).isEmpty)
    #expect(prepared(0) == [.adopt(version: 1), .commit(slot: 0, version: 1), .commit(slot: 1, version: 1)])
    #expect(!machine.isUnderWay)
    #expect(machine.nextDeadline == nil)
  }

  @Test("one refusal aborts it in all, also in those that had prepared it")
  mutating func refusal() {
    _ = begin()
    _ = prepared(0)
    let actions = input { $0.refused(slot: 1, version: 1, "no such cipher", into: &$1) }
    #expect(
      actions == [
        .abort(slot: 0, version: 1), .abort(slot: 1, version: 1), .refuse(.refused(slot: 1, "no such cipher")),
      ])
    #expect(prepared(1).isEmpty)
  }

  @Test("the end of a worker aborts it in the others")
  mutating func death() {
    _ = begin()
    #expect(input { $0.gone(slot: 0, into: &$1) } == [.abort(slot: 1, version: 1), .refuse(.gone(slot: 0))])
    #expect(input { $0.gone(slot: 1, into: &$1) }.isEmpty)
  }

  @Test("workers that say nothing for ten seconds abort it")
  mutating func silence() {
    _ = begin()
    _ = prepared(0)
    #expect(machine.nextDeadline == now + .seconds(10))
    let (early, late) = (now + .milliseconds(9_999), now + .seconds(10))
    #expect(input { $0.deadlineReached(early, into: &$1) }.isEmpty)
    #expect(
      input { $0.deadlineReached(late, into: &$1) } == [
        .abort(slot: 0, version: 1), .abort(slot: 1, version: 1), .refuse(.silent(slot: 1)),
      ])
  }

  @Test("a worker that starts meanwhile is asked when it serves, and waited for")
  mutating func startsMeanwhile() {
    _ = begin(ready: [0], starting: [2])
    machine.started(slot: 1)
    #expect(prepared(0).isEmpty)
    #expect(input { $0.ready(slot: 1, into: &$1) } == [.prepare(slot: 1, version: 1)])
    #expect(input { $0.ready(slot: 1, into: &$1) }.isEmpty)
    #expect(prepared(1).isEmpty)
    #expect(input { $0.ready(slot: 2, into: &$1) } == [.prepare(slot: 2, version: 1)])
    #expect(prepared(2).first == .adopt(version: 1))
  }

  @Test("what was said of an earlier configuration does not count for the present one")
  mutating func oldVersion() {
    _ = begin()
    _ = input { $0.gone(slot: 0, into: &$1) }
    #expect(begin() == [.prepare(slot: 0, version: 2), .prepare(slot: 1, version: 2)])
    #expect(prepared(0).isEmpty && prepared(1).isEmpty)
    #expect(input { $0.refused(slot: 1, version: 1, "late", into: &$1) }.isEmpty)
    #expect(prepared(0, 2).isEmpty)
    #expect(prepared(1, 2).first == .adopt(version: 2))
  }

  @Test("a second one does not begin before the first is decided; a node that ends decides it")
  mutating func oneAtATime() {
    _ = begin()
    #expect(begin().isEmpty)
    let ends = input { $0.stopAsked(into: &$1) }
    #expect(ends == [.abort(slot: 0, version: 1), .abort(slot: 1, version: 1), .refuse(.ends)])
    #expect(input { $0.stopAsked(into: &$1) }.isEmpty)
  }

  @Test("without any worker it holds at once, for those to come")
  mutating func nobody() {
    #expect(begin(ready: []) == [.adopt(version: 1)])
  }
}

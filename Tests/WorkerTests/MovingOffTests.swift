import Configuration
import Structures
import Testing

@testable import Worker

@Suite("Moving clients off a worker", .timeLimit(.minutes(1)))
struct MovingOffTests {
  @Test("closes connections, those with requests under way last, and turns others away, until it is undone")
  func movesOff() throws {
    let bench = try Bench()
    let phones = try (0..<6).map { try bench.phone("p\($0)") }
    for phone in phones { #expect(bench.register(phone)) }
    let (alice, bob) = (phones[0], phones[1])
    func isSeen(by phone: Phone, _ condition: (Phone) -> Bool) -> Bool {
      bench.turn {
        phone.receive()
        return condition(phone)
      }
    }
    alice.send("INVITE", "sip:p1@example.test")
    #expect(isSeen(by: bob) { $0.methods == ["INVITE"] })
    bench.node.obey(.moveOff(seconds: 8, refuses: true))
    #expect(bench.turn { bench.node.transport.counters.connections == 2 })
    bob.answer(try #require(bob.texts.last), "486 Busy Here")
    #expect(isSeen(by: alice) { $0.statuses.last == 486 })
    let asker = try bench.datagramPhone("asker")
    asker.send("OPTIONS", "sip:example.test")
    #expect(isSeen(by: asker) { $0.statuses == [503] })
    #expect(bench.turn { bench.node.transport.counters.connections == 0 })
    let refused = bench.node.transport.counters.refusedConnections
    _ = try bench.phone("late")
    #expect(bench.turn { bench.node.transport.counters.refusedConnections == refused + 1 })
    bench.node.obey(.stay)
    #expect(bench.register(try bench.phone("p0")))
    asker.send("OPTIONS", "sip:example.test")
    #expect(isSeen(by: asker) { $0.statuses == [503, 200] })
  }
}

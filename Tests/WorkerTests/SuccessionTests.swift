import Configuration
import Glibc
import Reactor
import SIPServer
import Structures
import Testing

@testable import Worker

@Suite("Three processes of a slot, one after the other, from socket to socket", .timeLimit(.minutes(2)))
struct SuccessionTests {
  /// The processes of one slot in one process, each with its loop.
  private final class Slot {
    let location = SharedLocation()
    private let memory: Descriptor
    private let pages: SharedPages
    private(set) var desks: [SharedLocation.Desk] = []
    private(set) var benches: [Bench] = []

    init() throws {
      memory = try SharedPages.makeMemory(slots: 1)
      pages = try SharedPages(mapping: memory.number, slots: 1)
      try start()
    }

    /// What stands in the page of the slot.
    func count(_ name: String) -> UInt64? {
      CounterTable.position(of: name).map { pages.value(slot: 0, position: $0) }
    }

    private func start() throws {
      desks.append(SharedLocation.Desk(location))
      benches.append(
        try Bench(
          page: dup(memory.number), generation: UInt16(benches.count + 1), takesOver: !benches.isEmpty,
          location: desks.last))
    }

    /// The next process takes over from the last; whether it has all connections in the end.
    func roll() throws -> Bool {
      let old = try #require(benches.last)
      try start()
      let new = try #require(benches.last)
      var numbers: [Int32] = [-1, -1]
      let kind = Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
      try #require(socketpair(AF_UNIX, kind, 0, &numbers) == 0)
      let count = old.node.transport.counters.connections
      try new.node.arrive(Descriptor(owning: numbers[0])) {}
      old.node.obey(.handOver(Descriptor(owning: numbers[1])))
      return turn { old.node.transport.counters.connections == 0 && new.node.transport.counters.connections == count }
    }

    func turn(until condition: () -> Bool) -> Bool {
      let limit = System.monotonicNow + .seconds(10)
      while System.monotonicNow < limit {
        if condition() { return true }
        for bench in benches { try? bench.loop.runOnce(until: System.monotonicNow + .milliseconds(1)) }
      }
      return condition()
    }

    func wait(_ phone: Phone, _ condition: (Phone) -> Bool) -> Bool {
      turn {
        phone.receive()
        return condition(phone)
      }
    }

    /// Whether no connection was taken for lost.
    var isWhole: Bool { desks.allSatisfy { $0.goneFlows.isEmpty } }
  }

  /// A call that rings at bob, begun in the first process, with all connections in the third.
  private func ringing() throws -> (Slot, alice: Phone, bob: Phone, invite: String) {
    let slot = try Slot()
    let (alice, bob) = (try slot.benches[0].phone("alice"), try slot.benches[0].phone("bob"))
    #expect(slot.benches[0].register(alice) && slot.benches[0].register(bob))
    alice.send("INVITE", "sip:bob@example.test")
    #expect(slot.wait(bob) { $0.methods == ["INVITE"] })
    let invite = try #require(bob.texts.last)
    bob.answer(invite, "180 Ringing")
    #expect(slot.wait(alice) { $0.statuses.last == 180 })
    try #require(try slot.roll())
    try #require(try slot.roll())
    return (slot, alice, bob, invite)
  }

  @Test("what the first has begun is finished through both others, and its connections stay what they are")
  func answered() throws {
    let (slot, alice, bob, invite) = try ringing()
    bob.answer(invite, "486 Busy Here")
    #expect(slot.wait(alice) { $0.statuses.last == 486 })
    #expect(slot.wait(bob) { $0.methods == ["INVITE", "ACK"] })
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(slot.wait(bob) { $0.methods.last == "MESSAGE" })
    #expect(slot.isWhole)
  }

  @Test("counts go on from process to process")
  func counts() throws {
    let slot = try Slot()
    var phones: [Phone] = []
    for name in ["alice", "bob", "carol"] {
      let bench = try #require(slot.benches.last)
      phones.append(try bench.phone(name))
      #expect(bench.register(phones[phones.count - 1]))
      #expect(try slot.roll())
    }
    #expect(slot.turn { slot.count("registrar.accepted") == 3 })
    #expect(slot.turn { slot.count("tcp.connections") == UInt64(phones.count) })
  }

  @Test("a CANCEL that comes to the third finds the call of the first")
  func cancelled() throws {
    let (slot, alice, bob, _) = try ringing()
    alice.cancel("sip:bob@example.test")
    #expect(slot.wait(bob) { $0.methods == ["INVITE", "CANCEL"] })
    #expect(slot.wait(alice) { $0.statuses.last == 200 })
    #expect(slot.isWhole)
  }
}

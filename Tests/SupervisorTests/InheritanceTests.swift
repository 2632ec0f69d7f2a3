import Configuration
import Reactor
import Structures
import Testing

@testable import Supervisor

@Suite("What a supervisor leaves to the program that goes on")
struct InheritanceTests {
  private static let sample = Inheritance(
    program: "/usr/bin/apus", previous: 50, epoch: .max, startedAt: 1_795_000_000_000, configuration: 51, lock: 3,
    control: 4, pages: 5, ended: [("sip.requests", .max), ("sip.responses", 7)], links: [6, 7],
    listeners: [[8, 9], [10, 11]],
    workers: [
      .init(slot: 0, generation: 65_535, process: 4_711, channel: 12, rest: 65_535),
      .init(slot: 1, generation: 2, process: 4_712, channel: 13, rest: 3),
    ],
    retired: [.init(slot: 1, generation: 1, process: 4_700, channel: 14, rest: 188_000)],
    redis: .init(process: 4_600, descriptors: [15, 16]), admin: nil)

  @Test("is the same after it was written and read, with all descriptors that go along")
  func roundTrip() throws {
    let json = try #require(JSONValue(reading: Self.sample.json.octets))
    let read = try #require(Inheritance(json))
    #expect(read.json == Self.sample.json && !read.isReturned)
    var returned = Self.sample
    returned.isReturned = true
    #expect(Inheritance(returned.json)?.isReturned == true)
    #expect(read.workers == Self.sample.workers && read.retired == Self.sample.retired)
    #expect(read.redis == Self.sample.redis && read.admin == nil && read.epoch == .max)
    #expect(Set(read.descriptors) == Set(Int32(3)...16).union([50, 51]))
  }

  @Test("may have more of a later version, but lacks nothing, and every slot has its worker")
  func others() throws {
    guard case .object(let members) = Self.sample.json else { return }
    #expect(Inheritance(.object(members + [.init("later", .array([]))])) != nil)
    for member in members where !["redis", "admin", "returned"].contains(member.name) {
      #expect(Inheritance(.object(members.filter { $0.name != member.name })) == nil, "\(member.name)")
    }
    let version: [JSONValue.Member] = members.map { $0.name == "version" ? .init("version", 2) : $0 }
    #expect(Inheritance(.object(version)) == nil)
    var lacking = Self.sample
    lacking.workers.removeFirst()
    #expect(Inheritance(lacking.json) == nil)
    #expect(Inheritance([]) == nil && Inheritance(.null) == nil)
  }

  @Test("gives a machine whose workers serve, and whose earlier processes have the time that was left")
  func machine() {
    var machine = NodeSupervisor.machine(Self.sample)
    let now = System.monotonicNow
    #expect(machine.readySlots == [0, 1] && machine.isQuiet)
    #expect(machine.timeLeft(1, 1, now) > .seconds(180) && machine.timeLeft(1, 1, now) <= .seconds(188))
    #expect(machine.timeLeft(0, 1, now) == .zero)
    var actions: [SupervisorMachine.Action] = []
    machine.received(.heartbeat, slot: 0, generation: 65_535, now, into: &actions)
    #expect(actions.isEmpty)
    machine.restartAsked([1], now, into: &actions)
    // Generation 3 was given out before.
    #expect(actions.contains(.spawnSuccessor(slot: 1, generation: 4)))
  }
}

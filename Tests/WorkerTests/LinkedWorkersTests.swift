import Cluster
import Reactor
import SIPServer
import Structures
import Testing

@testable import Worker

@Suite("Two workers of a node from socket to socket", .timeLimit(.minutes(2)))
struct LinkedWorkersTests {
  @Test(
    "a MESSAGE and its answer go between phones of two workers, whatever their transports", arguments: [false, true],
    [false, true])
  func message(_ callerIsDatagram: Bool, _ calleeIsDatagram: Bool) throws {
    let workers = try LinkedWorkers()
    let alice = callerIsDatagram ? try workers[0].datagramPhone("alice") : try workers[0].phone("alice")
    let bob = calleeIsDatagram ? try workers[1].datagramPhone("bob") : try workers[1].phone("bob")
    #expect(workers.register(alice) && workers.register(bob))
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(workers.wait(bob) { $0.methods == ["MESSAGE"] })
    bob.answer(try #require(bob.texts.last), "200 OK")
    #expect(workers.wait(alice) { $0.statuses == [200, 200] })
    if !calleeIsDatagram { #expect(workers[1].node.core.statistics.responsesPassed == 1) }
  }

  @Test("a call goes across, with its ACK, and is ended from the other side")
  func call() throws {
    let workers = try LinkedWorkers()
    let (alice, bob) = (try workers[0].phone("alice"), try workers[1].phone("bob"))
    #expect(workers.register(alice) && workers.register(bob))
    alice.send("INVITE", "sip:bob@example.test", more: "Contact: <sip:alice@\(alice.host)>\r\n")
    #expect(workers.wait(bob) { $0.methods == ["INVITE"] })
    let invite = try #require(bob.texts.last)
    bob.answer(invite, "180 Ringing")
    #expect(workers.wait(alice) { $0.statuses == [200, 100, 180] })
    bob.answer(invite, "200 OK")
    #expect(workers.wait(alice) { $0.statuses == [200, 100, 180, 200] })
    let routes = { (text: String) in
      text.components(separatedBy: "\r\n").filter { $0.hasPrefix("Record-Route: ") }.map {
        "Route: \($0.dropFirst(14))\r\n"
      }
    }
    alice.send(
      "ACK", "sip:bob@\(bob.host)", toTag: "b", more: routes(try #require(alice.texts.last)).reversed().joined())
    #expect(workers.wait(bob) { $0.methods == ["INVITE", "ACK"] })
    bob.send("BYE", "sip:alice@\(alice.host)", toTag: "alice", more: routes(invite).joined())
    #expect(workers.wait(alice) { $0.methods == ["BYE"] })
    alice.answer(try #require(alice.texts.last), "200 OK")
    #expect(workers.wait(bob) { $0.statuses.last == 200 && $0.statuses.count == 2 })
  }

  @Test("a CANCEL over another worker's connection finds its call")
  func cancel() throws {
    let workers = try LinkedWorkers()
    let (alice, bob) = (try workers[0].phone("alice"), try workers[1].phone("bob"))
    #expect(workers.register(alice) && workers.register(bob))
    alice.send("INVITE", "sip:bob@example.test")
    #expect(workers.wait(bob) { $0.methods == ["INVITE"] })
    bob.answer(try #require(bob.texts.last), "180 Ringing")
    #expect(workers.wait(alice) { $0.statuses.last == 180 })
    let other = try workers[1].phone("other")
    alice.cancel("sip:bob@example.test", by: other)
    #expect(workers.wait(other) { $0.statuses == [200] })
    #expect(workers.wait(bob) { $0.methods == ["INVITE", "CANCEL"] })
    // And one for which there is none.
    other.send("CANCEL", "sip:bob@example.test")
    #expect(workers.wait(other) { $0.statuses == [200, 481] })
  }

  @Test("a request on a connection that closes at the other worker fails at once, and so does the next")
  func closes() throws {
    let workers = try LinkedWorkers()
    let (alice, bob) = (try workers[0].phone("alice"), try workers[1].phone("bob"))
    #expect(workers.register(bob))
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(workers.wait(bob) { $0.methods == ["MESSAGE"] })
    bob.close()
    #expect(workers.wait(alice) { $0.statuses == [480] })
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(workers.wait(alice) { $0.statuses == [480, 404] })
  }

  @Test("the end of a worker fails what waits there, and its old connections are nobody's at its successor")
  func successor() throws {
    let workers = try LinkedWorkers()
    let (alice, bob) = (try workers[0].phone("alice"), try workers[1].phone("bob"))
    #expect(workers.register(bob))
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(workers.wait(bob) { $0.methods == ["MESSAGE"] })
    let stored = workers.location.contents
    workers.kill(1)
    #expect(workers.wait(alice) { $0.statuses == [480] })
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(workers.wait(alice) { $0.statuses.count == 2 })
    try workers.start(1, generation: 2)
    #expect(workers.turn { workers.isComplete })
    // The successor has a first connection as well; the contact of the old one is still stored.
    let carol = try workers[1].phone("carol")
    #expect(workers.register(carol))
    workers.location.contents = stored
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(workers.wait(alice) { $0.statuses.count == 3 })
    #expect(alice.statuses.last == 480 && carol.methods.isEmpty)
    workers.turn(for: .milliseconds(50))
    carol.receive()
    #expect(carol.methods.isEmpty && !workers.desks[0].goneFlows.isEmpty)
  }

  @Test("where an address of record is registered is asked of all others")
  func whereIs() throws {
    let workers = try LinkedWorkers(3)
    workers.desks[1].held = [1, 2, 3]
    let record = Array("bob@example.test".utf8)
    let count = workers.desks[0].peers?.whereIs(record.span, question: 77)
    #expect(count == 2)
    #expect(workers.turn { workers.desks[0].heard.count == 2 })
    #expect(workers.desks[0].heard.allSatisfy { $0.0 == 77 })
    #expect(Set(workers.desks[0].heard.map(\.1)) == [[1, 2, 3], []])
  }
}

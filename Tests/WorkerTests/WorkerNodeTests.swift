import Reactor
import Structures
import Testing

@testable import Worker

@Suite("A worker from socket to socket", .timeLimit(.minutes(1)))
struct WorkerNodeTests {
  private func holdsNothing(_ bench: Bench) -> Bool {
    let held = bench.node.core.holdings
    return held.contexts == 0 && held.queries == 0 && held.messages == 0 && held.connections == 0
      && bench.node.transport.counters.connections == 0
  }

  @Test("carries a MESSAGE and its answer between two phones, whatever address the callee claims")
  func message() throws {
    let bench = try Bench()
    let (alice, bob) = (try bench.phone("alice"), try bench.phone("bob"))
    #expect(bench.register(alice))
    #expect(bench.register(bob))
    alice.send("MESSAGE", "sip:bob@example.test")
    #expect(
      bench.turn {
        bob.receive()
        return bob.methods == ["MESSAGE"]
      })
    bob.answer(try #require(bob.texts.last), "200 OK")
    #expect(
      bench.turn {
        alice.receive()
        return alice.statuses.last == 200 && alice.statuses.count == 2
      })
  }

  @Test("answers a request at once whose callee's connection closes before it answers")
  func calleeCloses() throws {
    let bench = try Bench()
    let (alice, bob) = (try bench.phone("alice"), try bench.phone("bob"))
    #expect(bench.register(bob))
    alice.send("MESSAGE", "sip:bob@example.test")
    bench.turn {
      bob.receive()
      return !bob.methods.isEmpty
    }
    bob.close()
    bench.turn {
      alice.receive()
      return !alice.statuses.isEmpty
    }
    #expect(alice.statuses == [480])
    alice.send("MESSAGE", "sip:bob@example.test")
    bench.turn {
      alice.receive()
      return alice.statuses.count == 2
    }
    // The binding went with its connection.
    #expect(alice.statuses == [480, 404])
  }

  @Test("answers a request at once when the connection that was opened for it closes without an answer")
  func openedConnectionCloses() throws {
    let bench = try Bench()
    let alice = try bench.phone("alice")
    let listener = try Socket.listen(try #require(SocketAddress("127.0.0.1:0")))
    alice.send("MESSAGE", "sip:x@\(try Socket.localAddress(listener.number));transport=tcp")
    var peer: Phone?
    bench.turn {
      if peer == nil, case .connection(let connection, let remote) = Socket.accept(listener.number) {
        peer = Phone("peer", connection, .tcp, remote)
      }
      peer?.receive()
      return peer?.methods == ["MESSAGE"]
    }
    peer?.close()
    let start = System.monotonicNow
    bench.turn {
      alice.receive()
      return alice.statuses.contains { $0 >= 200 }
    }
    #expect(alice.statuses.contains { $0 >= 400 })
    #expect(System.monotonicNow - start < .seconds(2))
  }

  @Test("answers a request at once whose datagram callee is gone, and loses nothing of what comes meanwhile")
  func refusedDatagram() throws {
    let bench = try Bench()
    let (alice, gone) = (try bench.phone("alice"), try bench.datagramPhone("gone"))
    let bob = try bench.datagramPhone("bob")
    #expect(bench.register(gone))
    #expect(bench.register(bob))
    gone.close()
    // In one turn: the refusal of the first shows when the second is sent to.
    alice.send("MESSAGE", "sip:gone@example.test")
    alice.send("MESSAGE", "sip:bob@example.test")
    alice.send("MESSAGE", "sip:nobody@example.test")
    bench.turn {
      bob.receive()
      alice.receive()
      return bob.methods == ["MESSAGE"] && alice.statuses.count == 2
    }
    #expect(Set(alice.statuses) == [480, 404])
    bob.answer(try #require(bob.texts.last), "200 OK")
    bench.turn {
      alice.receive()
      return alice.statuses.count == 3
    }
    #expect(alice.statuses.last == 200)
  }

  @Test("takes no more bindings than the settings permit, but goes on refreshing those that it has")
  func bindingLimit() throws {
    let bench = try Bench([("limits", ["bindings": "2"])])
    let phones = try ["one", "two", "three"].map { try bench.phone($0) }
    #expect(phones.map { bench.register($0) } == [true, true, false])
    #expect(phones[2].statuses == [503])
    #expect(bench.register(phones[0]))
    phones[1].close()
    #expect(bench.turn { bench.node.transport.counters.connections == 2 })
    #expect(bench.register(phones[2]))
  }

  @Test("holds nothing of connections that are gone")
  func everythingGoes() throws {
    let bench = try Bench()
    let phones = try (0..<20).map { try bench.phone("phone\($0)") }
    for phone in phones { #expect(bench.register(phone)) }
    for phone in phones { phone.send("MESSAGE", "sip:phone0@example.test") }
    bench.turn {
      phones[0].receive()
      return phones[0].methods.count == 20
    }
    for phone in phones { phone.close() }
    #expect(bench.turn { holdsNothing(bench) })
    #expect(bench.loop.counters.descriptors == 2)
    bench.node.logStatistics(.notice)
  }

  @Test("drains: accepts nobody, finishes what is under way, then ends")
  func drain() throws {
    let bench = try Bench()
    let (alice, bob) = (try bench.phone("alice"), try bench.phone("bob"))
    #expect(bench.register(bob))
    alice.send("MESSAGE", "sip:bob@example.test")
    bench.turn {
      bob.receive()
      return !bob.methods.isEmpty
    }
    bench.node.obey(.drain)
    bob.answer(try #require(bob.texts.last), "200 OK")
    bench.turn {
      alice.receive()
      return !alice.statuses.isEmpty
    }
    #expect(alice.statuses == [200])
    let start = System.monotonicNow
    // A drain ends the loop by itself after five seconds at most.
    try bench.loop.run()
    #expect(System.monotonicNow - start < .seconds(7))
    #expect(throws: SystemError.self) { try connectNow(to: bench.tcp) }
  }

  private func connectNow(to address: SocketAddress) throws(SystemError) {
    let descriptor = try Socket.connect(to: address)
    if let error = Socket.pendingError(descriptor.number) { throw error }
  }
}

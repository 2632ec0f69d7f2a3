import Glibc
import Reactor
import Structures
import TLSEngine
import Testing

@testable import Transport

@Suite("Deadlines of connections")
struct DeadlineTests {
  @Test("ends a connection to a TLS listener that never starts a handshake")
  func silent() throws {
    let bench = try Bench { $0.handshakeTime = .milliseconds(60) }
    let client = try bench.connect(to: try bench.listen(.tls))
    bench.turn {
      client.receive()
      return client.isEnded
    }
    #expect(bench.recorder.failedHandshakes == [.deadline])
    #expect(bench.recorder.opened.isEmpty)
    #expect(bench.layer.counters.connectionObjects == 0)
    #expect(bench.layer.counters.handshakes == 0)
  }

  @Test("ends a connection on which only keep-alives come before the first message")
  func firstMessage() throws {
    let bench = try Bench { $0.firstMessageTime = .milliseconds(80) }
    let client = try bench.connect(to: try bench.listen(.tcp))
    #expect(
      bench.turn {
        client.send("\r\n\r\n")
        return !bench.recorder.closed.isEmpty
      })
    #expect(bench.recorder.reasons == [.deadline(.firstMessage)])
  }

  @Test("lets a connection go on after its first message")
  func afterFirstMessage() throws {
    let bench = try Bench { $0.firstMessageTime = .milliseconds(60) }
    let client = try bench.connect(to: try bench.listen(.tcp))
    client.send(message("a"))
    bench.turn(for: .milliseconds(150))
    #expect(bench.recorder.closed.isEmpty)
    #expect(bench.recorder.messages.count == 1)
  }

  @Test("ends a connection whose message trickles in too slowly, however steadily")
  func trickle() throws {
    let bench = try Bench { $0.messageTime = .milliseconds(80) }
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    client.send(message("a"))
    var octets = Array(message("slow", body: String(repeating: "s", count: 60_000)).utf8)[...]
    #expect(
      bench.turn {
        if let octet = octets.popFirst() { client.send([octet]) }
        return !bench.recorder.closed.isEmpty
      })
    #expect(bench.recorder.reasons == [.deadline(.message)])
    #expect(bench.recorder.messages.count == 1)
    #expect(bench.layer.counters.connectionObjects == 0)
  }

  @Test("ends a connection on which nothing happens, but not one with keep-alives")
  func idle() throws {
    let bench = try Bench { $0.idleTime = .milliseconds(400) }
    let address = try bench.listen(.tcp)
    let (silent, lively) = (try bench.connect(to: address), try bench.connect(to: address))
    bench.turn { bench.recorder.opened.count == 2 }
    for client in [silent, lively] { client.send(message("a")) }
    #expect(
      bench.turn {
        lively.send("\r\n")
        return !bench.recorder.closed.isEmpty
      })
    bench.turn {
      lively.send("\r\n")
      return bench.layer.counters.keepAlives > 300
    }
    #expect(bench.recorder.closed.count == 1)
    #expect(bench.recorder.closed.first?.flow.remote == silent.address)
    #expect(bench.recorder.reasons == [.deadline(.idle)])
  }
}

@Suite("Limits of connections")
struct LimitTests {
  @Test("refuses connections beyond the total and takes new ones when others end")
  func total() throws {
    let bench = try Bench { $0.maximumConnections = 3 }
    let address = try bench.listen(.tcp)
    var clients: [Client] = []
    for _ in 0..<5 {
      clients.append(try bench.connect(to: address))
      bench.turn(for: .milliseconds(5))
    }
    #expect(bench.turn { bench.layer.counters.refusedConnections == 2 })
    #expect(bench.layer.counters.connections == 3)
    for client in clients { client.close() }
    #expect(bench.turn { bench.layer.counters.connections == 0 })
    let late = try bench.connect(to: address)
    late.send(message("a"))
    #expect(bench.turn { bench.recorder.messages.count == 1 })
  }

  @Test("refuses connections of an address that has too many")
  func perAddress() throws {
    let bench = try Bench { $0.maximumConnectionsPerAddress = 2 }
    let address = try bench.listen(.tcp)
    let clients = try (0..<3).map { _ in try bench.connect(to: address) }
    #expect(bench.turn { bench.layer.counters.refusedByAddress == 1 })
    #expect(bench.layer.counters.addresses == 1)
    for client in clients { client.close() }
    #expect(bench.turn { bench.layer.counters.addresses == 0 })
  }

  @Test("counts an IPv6 peer by its network")
  func networks() throws {
    let one = try #require(IPAddress("2001:db8:1:2::1"))
    let two = try #require(IPAddress("2001:db8:1:2:ffff::9"))
    let three = try #require(IPAddress("2001:db8:1:3::1"))
    #expect(AddressTable.key(one) == AddressTable.key(two))
    #expect(AddressTable.key(one) != AddressTable.key(three))
  }

  @Test("leaves further handshakes in the kernel and goes on when one ends")
  func handshakes() throws {
    let bench = try Bench { $0.maximumHandshakes = 2 }
    let address = try bench.listen(.tls)
    let idle = try (0..<2).map { _ in try bench.connect(to: address) }
    bench.turn { bench.layer.counters.handshakes == 2 }
    let third = try bench.connect(to: address)
    bench.turn(for: .milliseconds(20))
    #expect(bench.layer.counters.accepted == 2)
    idle[0].close()
    #expect(bench.turn { bench.layer.counters.accepted == 3 })
    #expect(bench.layer.counters.handshakeFailures[Int(TLSError.Kind.closed.rawValue)] == 1)
    third.close()
  }

  @Test("lets handshakes that take unduly long make room for those who wait")
  func eviction() throws {
    let bench = try Bench {
      $0.maximumHandshakes = 2
      $0.handshakeGrace = .milliseconds(50)
    }
    let address = try bench.listen(.tls)
    let idle = try (0..<5).map { _ in try bench.connect(to: address) }
    bench.turn { bench.layer.counters.handshakes == 2 }
    // Long before the deadline of ten seconds, behind three more that are silent.
    let start = System.monotonicNow
    _ = try bench.connectTLS(to: address)
    #expect(System.monotonicNow - start < .seconds(3))
    #expect(bench.layer.counters.evictedHandshakes >= 4)
    #expect(bench.recorder.failedHandshakes.allSatisfy { $0 == .deadline })
    for client in idle { client.close() }
    bench.turn { bench.layer.counters.handshakes == 0 }
    #expect(bench.layer.counters.handshakes == 0)
  }

  @Test("takes no more than a record's worth from one connection in a turn")
  func fairness() throws {
    let bench = try Bench()
    let client = try bench.connect(to: try bench.listen(.tcp))
    bench.turn { bench.layer.counters.opened == 1 }
    let text = String(repeating: message("a"), count: 1_000)
    let sent = client.send(Array(text.utf8))
    #expect(sent > 40_000)
    bench.turn { !bench.recorder.messages.isEmpty }
    #expect(bench.layer.counters.octetsReceived <= 16_384)
    bench.turn { bench.layer.counters.octetsReceived == sent }
    #expect(bench.layer.counters.octetsReceived == sent)
  }

  @Test("refuses handshakes of an address that has too many under way")
  func handshakesPerAddress() throws {
    let bench = try Bench { $0.maximumHandshakesPerAddress = 1 }
    let address = try bench.listen(.tls)
    let first = try bench.connect(to: address)
    bench.turn { bench.layer.counters.handshakes == 1 }
    let second = try bench.connect(to: address)
    #expect(bench.turn { bench.layer.counters.refusedByAddress == 1 })
    first.close()
    second.close()
    bench.turn { bench.layer.counters.handshakes == 0 }
    _ = try bench.connectTLS(to: address)
  }

  @Test("refuses a connection for which there is no descriptor left by means of the spare one")
  func noDescriptors() throws {
    let bench = try Bench()
    let listener = try Socket.listen(try #require(SocketAddress("127.0.0.1:0")))
    let client = try bench.connect(to: try Socket.localAddress(listener.number))
    #expect(bench.layer.shedConnection(of: listener.number))
    bench.turn {
      client.receive()
      return client.isEnded
    }
    #expect(bench.layer.counters.refusedBySystem == 1)
    #expect(!bench.layer.shedConnection(of: listener.number))
  }

  @Test("leaves nothing behind after rounds of connections that end in every way")
  func leaks() throws {
    let bench = try Bench()
    let (tcp, tls) = (try bench.listen(.tcp), try bench.listen(.tls, index: 1))
    bench.turn(for: .milliseconds(2))
    let (descriptors, deadlines) = (bench.loop.counters.descriptors, bench.loop.counters.deadlines)
    for round in 0..<30 {
      let client = round % 2 == 0 ? try bench.connect(to: tcp) : try bench.connectTLS(to: tls)
      bench.turn { bench.recorder.opened.count == round + 1 }
      client.send(message("a") + "half a mess")
      bench.turn { bench.recorder.messages.count == round + 1 }
      let flow = try #require(bench.recorder.opened.last).flow
      _ = bench.send(String(repeating: "o", count: 200_000), over: flow.id, tag: 1)
      switch round % 3 {
      case 0: client.close()
      case 1: bench.layer.close(flow.id, afterFlush: false)
      default:
        bench.layer.close(flow.id, afterFlush: true)
        bench.turn {
          while client.receive() {}
          return client.isEnded
        }
        client.close()
      }
      #expect(bench.turn { bench.layer.counters.connectionObjects == 0 })
    }
    #expect(bench.recorder.closed.count == 30)
    #expect(bench.layer.counters.opened == bench.layer.counters.closed)
    #expect(bench.layer.counters.connections == 0)
    #expect(bench.layer.counters.addresses == 0)
    #expect(bench.loop.counters.descriptors == descriptors)
    #expect(bench.loop.counters.deadlines == deadlines)
  }

  @Test("ends everything when told to, each connection reported once")
  func closesAll() throws {
    let bench = try Bench()
    let (tcp, tls) = (try bench.listen(.tcp), try bench.listen(.tls, index: 1))
    let clients = [try bench.connect(to: tcp), try bench.connectTLS(to: tls)]
    bench.turn { bench.recorder.opened.count == 2 }
    for (flow, _) in bench.recorder.opened { _ = bench.send("last words", over: flow.id) }
    bench.layer.closeAll()
    #expect(bench.recorder.reasons == [.shutdown, .shutdown])
    #expect(bench.loop.counters.descriptors == 0)
    #expect(bench.loop.counters.deadlines == 0)
    bench.turn {
      for client in clients { client.receive() }
      return clients.allSatisfy(\.isEnded)
    }
    #expect(clients.map(\.text) == ["last words", "last words"])
  }
}

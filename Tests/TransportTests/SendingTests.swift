import Reactor
import Structures
import TLSEngine
import Testing

@testable import Transport

@Suite("Sending over streams")
struct SendingTests {
  @Test("sends what a turn brings for one connection as one record")
  func together() throws {
    let bench = try Bench()
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    let flow = try #require(bench.recorder.opened.first).flow
    for index in 0..<5 { #expect(bench.send("part \(index);", over: flow.id) == .accepted) }
    bench.turn { client.receive() }
    #expect(client.text == "part 0;part 1;part 2;part 3;part 4;")
  }

  @Test("stops reading from a peer that doesn't read, refuses beyond the limit, and goes on when it reads again")
  func backPressure() throws {
    let bench = try Bench {
      $0.maximumQueuedBytes = 300_000
      $0.backPressureBytes = 20_000
    }
    let address = try bench.listen(.tls)
    let client = try bench.connectTLS(to: address)
    let flow = try #require(bench.recorder.opened.first).flow
    let text = String(repeating: "0123456789", count: 1_000)
    var accepted = 0
    while bench.send("\(accepted)." + text, over: flow.id) == .accepted, accepted < 5_000 {
      accepted += 1
      if accepted % 10 == 0 { bench.turn(for: .milliseconds(1)) }
    }
    #expect(accepted < 5_000)
    #expect(bench.layer.counters.overloads == 1)
    client.send(message("unheard"))
    bench.turn(for: .milliseconds(20))
    #expect(bench.recorder.messages.isEmpty)
    #expect(bench.layer.counters.suspensions >= 1)
    let expected = (0..<accepted).map { "\($0)." + text }.joined()
    bench.turn {
      while client.receive() {}
      return client.received.count >= expected.utf8.count
    }
    #expect(client.received == Array(expected.utf8))
    #expect(bench.turn { bench.recorder.messages.count == 1 })
    #expect(bench.recorder.closed.isEmpty)
  }

  @Test("closes a connection whose peer takes nothing for too long, and reports what wasn't sent")
  func sendDeadline() throws {
    let bench = try Bench { $0.sendTime = .milliseconds(80) }
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    let flow = try #require(bench.recorder.opened.first).flow
    let text = String(repeating: "w", count: 60_000)
    var tag: UInt64 = 0
    while bench.send(text, over: flow.id, tag: tag + 1) == .accepted {
      tag += 1
      bench.turn(for: .milliseconds(1))
      if tag > 500 { break }
    }
    #expect(bench.turn { !bench.recorder.closed.isEmpty })
    #expect(bench.recorder.reasons == [.deadline(.send)])
    bench.turn { bench.recorder.failedSends[tag] != nil }
    #expect(bench.recorder.failedSends[tag] == .closed(.deadline(.send)))
    #expect(bench.recorder.failedSends[1] == nil)
    #expect(bench.layer.counters.connectionObjects == 0)
    client.close()
  }

  @Test("opens a connection, verifies the peer and delivers what was queued meanwhile")
  func opens() throws {
    let (server, client) = (try Bench(), try Bench())
    let address = try server.listen(.tls)
    client.layer.setClientContext(try Credentials.client())
    #expect(client.send(message("a"), to: address, .tls, name: "one.test", tag: 1) == .accepted)
    #expect(client.send(message("b"), to: address, .tls, name: "one.test", tag: 2) == .accepted)
    #expect(turn(server, client) { server.recorder.messages.count == 2 })
    #expect(server.recorder.texts == [message("a"), message("b")])
    let opened = try #require(client.recorder.opened.first)
    #expect(opened.flow.isVerified)
    #expect(!opened.facts.isAccepted)
    #expect(opened.flow.local == server.recorder.flows.first?.remote)
    #expect(client.recorder.failedSends.isEmpty)
    // The answer comes back over the same connection.
    let flow = try #require(server.recorder.flows.first)
    #expect(server.send(message("c"), over: flow.id) == .accepted)
    #expect(turn(server, client) { client.recorder.messages.count == 1 })
    let name = try #require(stream(opened.flow))
    #expect(client.layer.flow(name) == opened.flow)
  }

  @Test("reuses a connection for the same name only")
  func reuse() throws {
    let (server, client) = (try Bench(), try Bench())
    let address = try server.listen(.tls)
    client.layer.setClientContext(try Credentials.client())
    for (index, name) in ["one.test", "one.test", "two.test", "one.test", nil].enumerated() {
      #expect(client.send(message("\(index)"), to: address, .tls, name: name) == .accepted)
      #expect(turn(server, client) { server.recorder.messages.count == index + 1 })
    }
    #expect(client.layer.counters.initiated == 3)
    let remotes = server.recorder.flows.map(\.remote)
    #expect(remotes[0] == remotes[1])
    #expect(remotes[0] == remotes[3])
    #expect(Set(remotes).count == 3)
  }

  @Test("doesn't deliver to a peer that proves to be somebody else, and says why")
  func wrongPeer() throws {
    let (server, client) = (try Bench(), try Bench())
    let address = try server.listen(.tls)
    client.layer.setClientContext(try Credentials.client())
    #expect(client.send(message("a"), to: address, .tls, name: "three.test", tag: 4) == .accepted)
    #expect(turn(server, client) { client.recorder.failedSends[4] != nil })
    guard case .handshakeFailed(let error) = client.recorder.failedSends[4] else { return #expect(Bool(false)) }
    #expect(error?.kind == .identity)
    #expect(client.recorder.failedHandshakes.count == 1)
    #expect(client.recorder.opened.isEmpty)
    #expect(turn(server, client) { server.layer.counters.connectionObjects == 0 })
    #expect(server.recorder.messages.isEmpty)
  }

  @Test("reports a connection that can't be opened", arguments: [TransportProtocol.tcp, .tls])
  func refused(_ transport: TransportProtocol) throws {
    let bench = try Bench()
    let listener = try Socket.listen(try #require(SocketAddress("127.0.0.1:0")))
    let address = try Socket.localAddress(listener.number)
    _ = consume listener
    if transport == .tls {
      #expect(bench.send("x", to: address, transport, tag: 1) == .accepted)
      #expect(bench.turn { bench.recorder.failedSends == [1: .noProfile] })
      bench.layer.setClientContext(try Credentials.client())
    }
    #expect(bench.send("x", to: address, transport, tag: 2) == .accepted)
    #expect(bench.turn { bench.recorder.failedSends[2] == .connectFailed(Errno.refused) })
    #expect(bench.layer.counters.connectionObjects == 0)
  }

  @Test("gives up a connection that isn't connected in the time that its sender allows, and none that is")
  func hurried() throws {
    let bench = try Bench()
    // Nobody accepts, and one is all that may wait for it.
    let listener = try Socket.listen(try #require(SocketAddress("127.0.0.1:0")), backlog: 0)
    let address = try Socket.localAddress(listener.number)
    for (tag, name) in [(1, "one"), (2, "two")] as [(UInt64, String)] {
      #expect(bench.send("x", to: address, .tcp, name: name, tag: tag) == .accepted)
      let flow = try #require(bench.layer.connection(to: address, transport: .tcp, name: name))
      bench.layer.expectConnection(of: flow, within: .milliseconds(60))
      #expect(bench.turn { bench.recorder.opened.count == 1 })
    }
    #expect(bench.turn { bench.recorder.failedSends == [2: .connectTimeout] })
    bench.turn(for: .milliseconds(80))
    #expect(bench.layer.counters.connectionObjects == 1)
    withExtendedLifetime(listener) {}
  }

  @Test("knows no flow of another epoch, slot, generation or node")
  func strangeFlows() throws {
    let bench = try Bench()
    let client = try bench.connect(to: try bench.listen(.tcp))
    bench.turn { bench.recorder.opened.count == 1 }
    let opened = try #require(bench.recorder.opened.first)
    let name = try #require(stream(opened.flow))
    #expect(bench.send("x", over: .stream(name)) == .accepted)
    let strange = [
      StreamFlow(node: 8, slot: name.slot, epoch: name.epoch, connection: name.connection),
      StreamFlow(node: name.node, slot: 1, epoch: name.epoch, connection: name.connection),
      StreamFlow(node: name.node, slot: name.slot, epoch: 0xE1, connection: name.connection),
      StreamFlow(node: name.node, slot: name.slot, epoch: name.epoch, connection: name.connection - 1 << 48),
    ]
    for flow in strange { #expect(bench.send("x", over: .stream(flow)) == .noSuchFlow) }
    client.close()
  }

  private func stream(_ flow: Flow) -> StreamFlow? {
    if case .stream(let name) = flow.id { name } else { nil }
  }

  private func turn(_ one: Bench, _ two: Bench, until condition: () -> Bool) -> Bool {
    one.turn {
      try? two.loop.runOnce(until: two.loop.now)
      return condition()
    }
  }
}

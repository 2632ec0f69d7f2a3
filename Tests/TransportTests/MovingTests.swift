import Glibc
import Reactor
import Structures
import TLSEngine
import Testing

@testable import Transport

/// Two processes of one slot, here in one, and the way of a connection from one to the other.
private final class Roll {
  var old: Bench
  var new: Bench

  init() throws {
    old = try Bench()
    new = try Bench()
  }

  /// What the processes tell each other of a connection, up to `step`.
  @discardableResult
  func move(_ flow: Flow, from: Bench, to: Bench) throws -> Flow {
    guard case .stream(let name) = flow.id else { throw SystemError("stream", code: 0) }
    var state: [UInt8] = []
    let number = try #require(from.layer.leave(name.connection, to: &state)).descriptor
    let arrived = try #require(to.arrive(state, number))
    wipe(&state)
    from.layer.leaveForGood(name.connection)
    to.layer.goOn(name.connection)
    return arrived
  }
}

extension Bench {
  /// Takes a connection over, as from a process that passed its descriptor.
  fileprivate func arrive(_ state: [UInt8], _ number: Int32) -> Flow? {
    layer.arrive(state.span, Descriptor(owning: dup(number)))
  }
}

@Suite("Connections that go on in another process")
struct MovingTests {
  private func opened(_ kind: TransportProtocol, _ roll: Roll) throws -> (client: Client, flow: Flow) {
    let address = try roll.old.listen(kind)
    let client = kind == .tls ? try roll.old.connectTLS(to: address) : try roll.old.connect(to: address)
    client.send(message("first"))
    try #require(roll.old.turn { roll.old.recorder.messages.count == 1 })
    return (client, roll.old.recorder.flows[0])
  }

  @Test("keep their names and what is known of them", arguments: [TransportProtocol.tcp, .tls])
  func facts(_ kind: TransportProtocol) throws {
    let roll = try Roll()
    let (_, flow) = try opened(kind, roll)
    let moved = try roll.move(flow, from: roll.old, to: roll.new)
    #expect(moved == flow)
    #expect(roll.old.layer.counters.connections == 0 && roll.new.layer.counters.connections == 1)
    #expect(roll.old.recorder.closed.isEmpty && roll.new.recorder.opened.isEmpty)
    guard case .stream(let name) = flow.id else { return }
    let report = try #require(roll.new.layer.report(of: name.connection))
    #expect(report.flow == flow && report.isAccepted && report.tls?.serverName == (kind == .tls ? "one.test" : nil))
    #expect(roll.old.send(message("late"), over: flow.id) == .noSuchFlow)
  }

  @Test(
    "bring a message of which one process read the beginning and the other the rest",
    arguments: [TransportProtocol.tcp, .tls])
  func half(_ kind: TransportProtocol) throws {
    let roll = try Roll()
    let (client, flow) = try opened(kind, roll)
    let text = message("second", body: "a body that comes later")
    client.send(String(text.prefix(60)))
    roll.old.turn(for: .milliseconds(20))
    try roll.move(flow, from: roll.old, to: roll.new)
    client.send(String(text.dropFirst(60)))
    #expect(roll.new.turn { roll.new.recorder.texts == [text] })
  }

  @Test("answer the second half of a ping", arguments: [TransportProtocol.tcp, .tls])
  func ping(_ kind: TransportProtocol) throws {
    let roll = try Roll()
    let (client, flow) = try opened(kind, roll)
    client.send("\r\n")
    roll.old.turn(for: .milliseconds(20))
    try roll.move(flow, from: roll.old, to: roll.new)
    client.send("\r\n")
    #expect(roll.new.turn { client.receive() && client.text == "\r\n" })
  }

  @Test(
    "send what the socket had no room for, to the last octet and in order", arguments: [TransportProtocol.tcp, .tls])
  func unsent(_ kind: TransportProtocol) throws {
    let roll = try Roll()
    let (client, flow) = try opened(kind, roll)
    let connection = try #require(roll.old.layer.connections.values.first)
    Socket.setSendBuffer(connection.number, bytes: 8_192)
    var texts = ""
    // The client reads nothing: what its buffer and ours take goes, then it waits here.
    for number in 0..<1_000 where connection.output.count < 20_000 {
      let text = message("m\(number)", body: String(repeating: "x", count: 20_000))
      guard roll.old.send(text, over: flow.id) == .accepted else { break }
      texts += text
      roll.old.turn(for: .milliseconds(1))
    }
    roll.old.turn(for: .milliseconds(20))
    #expect(connection.output.count > 0)
    try roll.move(flow, from: roll.old, to: roll.new)
    let last = message("last")
    #expect(roll.new.send(last, over: flow.id) == .accepted)
    let whole = texts + last
    #expect(
      roll.new.turn {
        client.receive()
        return client.received.count >= whole.utf8.count
      })
    #expect(client.text == whole)
  }

  @Test("go to and fro under load, and nothing is lost or doubled", arguments: [TransportProtocol.tcp, .tls])
  func toAndFro(_ kind: TransportProtocol) throws {
    let roll = try Roll()
    var (client, flow) = try opened(kind, roll)
    for bench in [roll.old, roll.new] {
      bench.recorder.whenReceived = { [unowned bench] octets, flow in _ = bench.layer.send(octets.span, over: flow.id) }
    }
    var (sent, benches) = ("", [roll.old, roll.new])
    var random = SeededGenerator(state: 7)
    for number in 0..<150 {
      let text = message("r\(number)", body: String(repeating: "y", count: Int.random(in: 0..<3_000, using: &random)))
      let octets = Array(text.utf8)
      let cut = Int.random(in: 1..<octets.count, using: &random)
      client.send(Array(octets[..<cut]))
      if Bool.random(using: &random) { benches[0].turn(for: .milliseconds(1)) }
      flow = try roll.move(flow, from: benches[0], to: benches[1])
      benches.swapAt(0, 1)
      client.send(Array(octets[cut...]))
      sent += text
      if Bool.random(using: &random) { benches[0].turn(for: .milliseconds(1)) }
      client.receive()
    }
    #expect(
      benches[0].turn {
        client.receive()
        return client.received.count >= sent.utf8.count
      })
    #expect(client.text == sent)
  }

  @Test(
    "stay where they are when the other process dies before it may use them", arguments: [TransportProtocol.tcp, .tls])
  func stay(_ kind: TransportProtocol) throws {
    let roll = try Roll()
    let (client, flow) = try opened(kind, roll)
    guard case .stream(let name) = flow.id else { return }
    var state: [UInt8] = []
    _ = try #require(roll.old.layer.leave(name.connection, to: &state))
    client.send(message("second"))
    roll.old.turn(for: .milliseconds(20))
    #expect(roll.old.recorder.messages.count == 1, "nothing is read while the other may have it")
    roll.old.layer.stay(name.connection)
    #expect(roll.old.turn { roll.old.recorder.messages.count == 2 })
    #expect(roll.old.send(message("answer"), over: flow.id) == .accepted)
    #expect(roll.old.turn { client.receive() && client.text == message("answer") })
  }

  @Test(
    "get nothing more from a process that has told another of them, not even when it ends",
    arguments: [TransportProtocol.tcp, .tls])
  func silent(_ kind: TransportProtocol) throws {
    let roll = try Roll()
    let (client, flow) = try opened(kind, roll)
    guard case .stream(let name) = flow.id else { return }
    var state: [UInt8] = []
    let number = try #require(roll.old.layer.leave(name.connection, to: &state)).descriptor
    try #require(roll.new.arrive(state, number) != nil)
    roll.old.layer.close(flow.id, afterFlush: false)
    roll.old.layer.closeAll()
    roll.new.turn(for: .milliseconds(20))
    client.receive()
    #expect(client.received.isEmpty && !client.isEnded)
    roll.new.layer.goOn(name.connection)
    #expect(roll.new.send(message("answer"), over: flow.id) == .accepted)
    #expect(roll.new.turn { client.receive() && client.text == message("answer") })
  }

  @Test("aren't moved while the handshake goes on, nor taken over from other octets or twice")
  func refusals() throws {
    let roll = try Roll()
    let address = try roll.old.listen(.tls)
    let idle = try roll.old.connect(to: address)
    #expect(roll.old.turn { roll.old.layer.counters.connections == 1 })
    #expect(roll.old.layer.movableConnections.isEmpty)
    idle.close()
    let client = try roll.old.connectTLS(to: address)
    let id = try #require(roll.old.layer.movableConnections.first)
    var state: [UInt8] = []
    let number = try #require(roll.old.layer.leave(id, to: &state)).descriptor
    for length in 0..<state.count {
      #expect(roll.new.arrive(Array(state[..<length]), number) == nil)
    }
    #expect(roll.new.arrive(state + [0], number) == nil)
    #expect(roll.new.arrive(state, number) != nil)
    #expect(roll.new.arrive(state, number) == nil)
    #expect(!client.isEnded)
  }
}

/// Numbers by a seed.
private struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 33
  }
}

import Reactor
import Structures
import Testing

@testable import Transport

@Suite("Turns of the loop stay short, whoever sends how much")
struct PacingTests {
  /// Spends time on each message.
  private static func work(_ duration: Duration) {
    let end = System.monotonicNow + duration
    while System.monotonicNow < end {}
  }

  @Test("one record with many messages is delivered over several turns, in order, and others get in between")
  func record() throws {
    let bench = try Bench {
      $0.messagesPerTurn = 4
      $0.messageBudget = .milliseconds(5)
    }
    let address = try bench.listen(.tls)
    let flooder = try bench.connectTLS(to: address)
    let other = try bench.connectTLS(to: address)
    bench.recorder.whenReceived = { _, _ in Self.work(.milliseconds(2)) }
    let flood = (0..<60).map { message("\($0)") }
    flooder.send(flood.joined())
    bench.turn { bench.recorder.messages.count >= 4 }
    other.send(message("other"))
    let seen = bench.recorder.messages.count
    bench.turn { bench.recorder.texts.contains(message("other")) }
    // No more than a turn's worth came in between.
    #expect(bench.recorder.messages.count - seen <= 3 * 4)
    bench.turn { bench.recorder.messages.count == 61 }
    #expect(bench.recorder.texts.filter { $0 != message("other") } == flood)
    #expect(bench.loop.counters.longestTurn < .milliseconds(60), "\(bench.loop.counters.longestTurn)")
  }

  @Test("many connections that flood take turns, none is left behind")
  func fairness() throws {
    let bench = try Bench {
      $0.messagesPerTurn = 2
      $0.messageBudget = .milliseconds(4)
    }
    let address = try bench.listen(.tcp)
    let clients = try (0..<20).map { _ in try bench.connect(to: address) }
    bench.turn { bench.recorder.opened.count == clients.count }
    bench.recorder.whenReceived = { _, _ in Self.work(.milliseconds(1)) }
    for client in clients { client.send((0..<20).map { message("\($0)") }.joined()) }
    var least: [Int] = []
    var most: [Int] = []
    bench.turn {
      var counts: [FlowID: Int] = [:]
      for flow in bench.recorder.flows { counts[flow.id, default: 0] += 1 }
      if counts.count == clients.count {
        least.append(counts.values.min() ?? 0)
        most.append(counts.values.max() ?? 0)
      }
      return bench.recorder.messages.count == 400
    }
    #expect(bench.recorder.messages.count == 400)
    #expect(zip(least, most).allSatisfy { $1 - $0 <= 6 }, "\(zip(least, most).map { $1 - $0 }.max() ?? 0)")
    #expect(bench.loop.counters.longestTurn < .milliseconds(60), "\(bench.loop.counters.longestTurn)")
  }

  @Test("a message of which the end comes later is whole in the end, and its time begins when it is its turn")
  func partial() throws {
    let bench = try Bench {
      $0.messagesPerTurn = 1
      $0.messageTime = .milliseconds(300)
    }
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    let last = message("last", body: "0123456789")
    client.send(message("a") + message("b") + message("c") + last.dropLast(4))
    bench.turn { bench.recorder.messages.count == 3 }
    client.send(String(last.suffix(4)))
    bench.turn { bench.recorder.messages.count == 4 }
    #expect(bench.recorder.texts.last == last)
    client.send(message("d") + "MESSAGE sip:")
    bench.turn { !bench.recorder.closed.isEmpty }
    #expect(bench.recorder.messages.count == 5)
    #expect(bench.recorder.reasons == [.deadline(.message)])
  }

  @Test("what waits for its turn is delivered before the end of a connection is told")
  func end() throws {
    let bench = try Bench { $0.messagesPerTurn = 1 }
    let client = try bench.connect(to: try bench.listen(.tcp))
    let texts = (0..<30).map { message("\($0)") }
    client.send(texts.joined())
    client.endWriting()
    bench.turn { !bench.recorder.closed.isEmpty }
    #expect(bench.recorder.texts == texts)
    #expect(bench.recorder.reasons == [.peerClosed])
  }

  @Test("datagrams don't keep connections waiting")
  func datagrams() throws {
    let bench = try Bench { $0.messageBudget = .milliseconds(4) }
    let udp = try bench.listen(.udp, index: 1)
    let client = try bench.connect(to: try bench.listen(.tcp))
    bench.turn { !bench.recorder.opened.isEmpty }
    bench.recorder.whenReceived = { _, _ in Self.work(.milliseconds(1)) }
    let descriptor = try Socket.datagram(try #require(SocketAddress("127.0.0.1:0")))
    let octets = Array(message("datagram").utf8)
    for _ in 0..<200 { _ = Socket.send(descriptor.number, octets.span, to: udp) }
    client.send(message("stream"))
    bench.turn { bench.recorder.texts.contains(message("stream")) }
    #expect(bench.recorder.messages.count <= 80)
  }
}

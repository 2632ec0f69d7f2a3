import Reactor
import SIPMessage
import Structures
import Testing

@testable import Transport

@Suite("Receiving over streams")
struct ReceivingTests {
  @Test("delivers whole messages however their octets are split", arguments: [1, 2, 3, 7, 50, 64, 1_000])
  func splits(_ size: Int) throws {
    let bench = try Bench()
    let client = try bench.connect(to: try bench.listen(.tcp))
    let sent = [message("a", body: "hello"), message("b"), message("c", body: String(repeating: "x", count: 300))]
    let octets = Array(sent.joined().utf8)
    bench.turn { bench.recorder.opened.count == 1 }
    for start in stride(from: 0, to: octets.count, by: size) {
      client.send(Array(octets[start..<min(start + size, octets.count)]))
      try bench.loop.runOnce(until: bench.loop.now)
    }
    bench.turn { bench.recorder.messages.count == 3 }
    #expect(bench.recorder.texts == sent)
    let flow = try #require(bench.recorder.flows.first)
    #expect(flow.remote == client.address)
    #expect(flow.transport == .tcp)
    guard case .stream(let name) = flow.id else { return #expect(Bool(false)) }
    #expect(name.connection >> 48 == 3)
    #expect((name.node, name.slot, name.epoch) == (7, 2, 0xE0))
  }

  @Test("delivers all messages of one TLS record, and those that run over several")
  func records() throws {
    let bench = try Bench()
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    let pipelined = (0..<20).map { message("p\($0)", body: "0123456789") }
    client.send(pipelined.joined())
    bench.turn { bench.recorder.messages.count == 20 }
    #expect(bench.recorder.texts == pipelined)
    let large = message("large", body: String(repeating: "y", count: 60_000))
    var octets = Array((large + message("after")).utf8)
    while !octets.isEmpty {
      octets.removeFirst(client.send(octets))
      bench.turn(for: .milliseconds(1))
    }
    bench.turn { bench.recorder.messages.count == 22 }
    #expect(bench.recorder.texts[20] == large)
    #expect(bench.recorder.texts[21] == message("after"))
    #expect(bench.recorder.opened.first?.facts.tls?.serverName == "one.test")
  }

  @Test("answers a ping with a line break and keeps keep-alives to itself")
  func pings() throws {
    let bench = try Bench()
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    client.send("\r\n\r\n")
    bench.turn {
      client.receive()
      return client.received.count >= 2
    }
    #expect(client.text == "\r\n")
    client.send("\r\n" + message("a"))
    bench.turn { bench.recorder.messages.count == 1 }
    #expect(bench.recorder.texts == [message("a")])
  }

  @Test("sends the answer to what can't be framed, then closes, though the peer goes on sending")
  func broken() throws {
    let bench = try Bench()
    let client = try bench.connect(to: try bench.listen(.tcp))
    let answer = "SIP/2.0 400 Missing Content-Length\r\nContent-Length: 0\r\n\r\n"
    bench.recorder.whenBroken = { #expect(bench.send(answer, over: $0.id) == .accepted) }
    let head = "OPTIONS sip:one.test SIP/2.0\r\nCall-ID: a\r\n\r\n"
    bench.turn { bench.recorder.opened.count == 1 }
    client.send(message("fine") + head + String(repeating: "z", count: 50_000))
    bench.turn {
      client.send([UInt8](repeating: 0x7A, count: 100))
      client.receive()
      return client.isEnded
    }
    #expect(client.text == answer)
    #expect(bench.recorder.texts == [message("fine")])
    #expect(bench.recorder.broken.map(\.error) == [.missingContentLength])
    #expect(bench.recorder.broken.first.map { String(decoding: $0.head, as: UTF8.self) } == head)
    #expect(bench.recorder.reasons == [.framing(.missingContentLength)])
    client.close()
    #expect(bench.turn { bench.layer.counters.connectionObjects == 0 })
  }

  @Test("delivers nothing more once the delegate has closed the flow from within a message")
  func closedInside() throws {
    let bench = try Bench()
    let client = try bench.connect(to: try bench.listen(.tcp))
    bench.recorder.whenReceived = { _, flow in bench.layer.close(flow.id, afterFlush: false) }
    client.send(message("a") + message("b") + "OPT")
    #expect(bench.turn { !bench.recorder.closed.isEmpty })
    #expect(bench.recorder.texts == [message("a")])
    #expect(bench.recorder.reasons == [.ordered])
    #expect(bench.layer.counters.connectionObjects == 0)
    let flow = try #require(bench.recorder.flows.first)
    #expect(bench.send("x", over: flow.id) == .noSuchFlow)
  }

  @Test("still sends the answers of the turn in which the peer stops sending")
  func halfClosed() throws {
    let bench = try Bench()
    let client = try bench.connect(to: try bench.listen(.tcp))
    bench.recorder.whenReceived = { _, flow in _ = bench.send("answer", over: flow.id) }
    client.send(message("a"))
    client.endWriting()
    bench.turn {
      client.receive()
      return client.isEnded
    }
    #expect(client.text == "answer")
    #expect(bench.recorder.reasons == [.peerClosed])
  }

  @Test("never crashes on octets that mean nothing, and harms no other connection")
  func garbage() throws {
    let bench = try Bench()
    let (tcp, tls) = (try bench.listen(.tcp), try bench.listen(.tls, index: 1))
    let good = try bench.connectTLS(to: tls)
    var seed: UInt64 = 88_172_645_463_325_252
    for round in 0..<60 {
      let client = try bench.connect(to: round % 2 == 0 ? tcp : tls)
      var junk: [UInt8] = []
      for _ in 0..<200 {
        seed ^= seed << 13
        seed ^= seed >> 7
        seed ^= seed << 17
        junk.append(UInt8(truncatingIfNeeded: seed))
      }
      bench.turn(for: .milliseconds(1))
      client.send(junk)
      bench.turn(for: .milliseconds(2))
      client.close()
    }
    #expect(bench.turn { bench.layer.counters.connections == 1 })
    good.send(message("still here"))
    #expect(bench.turn { bench.recorder.texts.contains(message("still here")) })
    #expect(bench.layer.counters.handshakes == 0)
  }
}

@Suite("Datagrams")
struct DatagramTests {
  @Test("delivers each datagram and answers over its flow", arguments: ["127.0.0.1:0", "[::1]:0"])
  func exchange(_ text: String) throws {
    let bench = try Bench()
    let address = try bench.listen(.udp, index: 4, on: text)
    let peer = try Socket.datagram(try #require(SocketAddress(text)))
    bench.recorder.whenReceived = { octets, flow in #expect(bench.layer.send(octets.span, over: flow.id) == .accepted) }
    let large = message("large", body: String(repeating: "u", count: 40_000))
    for text in ["\r\n\r\n", "", "\0\0\0\0", message("a"), large] {
      let octets = Array(text.utf8)
      #expect(sendDatagram(peer.number, octets, to: address) == .octets(octets.count))
    }
    bench.turn { bench.recorder.messages.count == 2 }
    #expect(bench.recorder.texts == [message("a"), large])
    #expect(bench.layer.counters.keepAlives == 3)
    let flow = try #require(bench.recorder.flows.first)
    #expect(flow.local == address)
    #expect(flow.listener == 4)
    var buffer = [UInt8](repeating: 0, count: 65_536)
    #expect(Socket.read(peer.number, into: &buffer) == .octets(message("a").utf8.count))
    #expect(Socket.read(peer.number, into: &buffer) == .octets(large.utf8.count))
  }

  private func sendDatagram(_ number: Int32, _ octets: [UInt8], to address: SocketAddress) -> IOResult {
    Socket.send(number, octets.span, to: address)
  }

  @Test("reports a peer that refuses datagrams, with the tag of what it refused")
  func refused() throws {
    let bench = try Bench()
    _ = try bench.listen(.udp, index: 4)
    let gone = try Socket.datagram(try #require(SocketAddress("127.0.0.1:0")))
    let address = try Socket.localAddress(gone.number)
    _ = consume gone
    #expect(bench.send(message("a"), to: address, .udp, tag: 9) == .accepted)
    #expect(bench.turn { bench.recorder.failedSends[9] != nil })
    #expect(bench.recorder.failedSends == [9: .unreachable(Errno.refused)])
    #expect(bench.recorder.refused == [DatagramFlow(node: 7, listener: 4, remote: address)])
  }

  @Test("reports nothing from within an order to send, whatever the socket says of earlier datagrams")
  func refusalWhileSending() throws {
    let bench = try Bench()
    _ = try bench.listen(.udp)
    let gone = try Socket.datagram(try #require(SocketAddress("127.0.0.1:0")))
    let address = try Socket.localAddress(gone.number)
    _ = consume gone
    let peer = try Socket.datagram(try #require(SocketAddress("127.0.0.1:0")))
    let other = try Socket.localAddress(peer.number)
    #expect(bench.send("x", to: address, .udp, tag: 1) == .accepted)
    // On loopback the refusal is there when the call returns: the next datagram is told of it.
    #expect(bench.send("y", to: other, .udp, tag: 2) == .accepted)
    #expect(bench.recorder.refused.isEmpty)
    let batch = try DatagramBatch()
    #expect(bench.turn { batch.receive(peer.number) == .octets(1) })
    #expect(bench.turn { bench.recorder.failedSends == [1: .unreachable(Errno.refused)] })
    #expect(bench.turn { bench.recorder.refused.map(\.remote) == [address] })
    #expect(bench.layer.counters.datagramsDropped == 0)
  }

  @Test("reports a datagram that no listener can send")
  func noListener() throws {
    let bench = try Bench()
    _ = try bench.listen(.udp)
    #expect(bench.send("x", to: try #require(SocketAddress("[::1]:9")), .udp, tag: 5) == .accepted)
    #expect(bench.turn { bench.recorder.failedSends == [5: .noListener] })
    let foreign = DatagramFlow(node: 8, listener: 0, remote: try #require(SocketAddress("127.0.0.1:9")))
    #expect(bench.send("x", over: .datagram(foreign)) == .noSuchFlow)
  }
}

import SIPServer
import Structures
import Testing

@Suite("Requests that are too large for a datagram, RFC 3261 §18.1.1")
struct LargeRequestTests {
  private let node: TestNode
  private let alice: TestNode.Peer
  private let bob: TestNode.Peer

  init() { self.init { _ in } }

  private init(_ change: (inout ServerSettings) -> Void) {
    node = TestNode(change)
    alice = node.peer("alice")
    bob = node.peer("bob", .udp)
    node.register("bob", bob)
  }

  private static let body = String(repeating: "x", count: 1_301)

  private func send(
    _ method: String = "MESSAGE", _ uri: String = "sip:bob@example.test", body: String = body,
    callID: String = "call-1", branch: String? = nil
  ) {
    node.send(node.request(method, uri, from: alice, callID: callID, branch: branch, body: body), from: alice)
    node.settle()
  }

  /// The only request that went to an address.
  private func addressed(_ location: SourceLocation = #_sourceLocation) -> String {
    let all = node.takeAddressed()
    #expect(all.count == 1, sourceLocation: location)
    #expect(all.first?.0 == bob.flow.remote, sourceLocation: location)
    return all.first?.1 ?? ""
  }

  private static func transport(_ request: String) -> String {
    String(TestNode.header("Via", request).prefix { $0 != " " })
  }

  @Test("1,300 octets go to a UDP contact by UDP, one more goes there by TCP as the TCP listener")
  func limit() {
    send(body: String(repeating: "x", count: 500))
    let other = node.one(by: bob).utf8.count - 500
    send(body: String(repeating: "x", count: 1_300 - other))
    let small = node.one(by: bob)
    #expect(small.utf8.count == 1_300)
    #expect(Self.transport(small) == "SIP/2.0/UDP")
    send(body: String(repeating: "x", count: 1_301 - other))
    let large = addressed()
    #expect(large.utf8.count == 1_301)
    #expect(TestNode.header("Via", large).hasPrefix("SIP/2.0/TCP node1.example.test:5060;branch="))
    #expect(TestNode.start(large) == "MESSAGE sip:bob@\(bob.flow.remote) SIP/2.0")
    #expect(node.received(by: bob).isEmpty)
  }

  @Test("so does a request to a UDP address in its Request-URI")
  func address() {
    send("MESSAGE", "sip:carol@\(bob.flow.remote)")
    let request = addressed()
    #expect(Self.transport(request) == "SIP/2.0/TCP")
    #expect(request.hasSuffix("\r\n\r\n" + Self.body))
  }

  @Test("answers come back; CANCEL and the ACK to its response go by TCP, and Record-Route says TCP")
  func call() {
    send("INVITE", branch: "first")
    let invite = addressed()
    let routes = TestNode.headers("Record-Route", invite)
    #expect(routes.count == 2 && routes[0].hasSuffix(";transport=tcp;lr>"), "\(routes)")
    let connection = node.peer("bob by TCP", .tcp)
    #expect(node.carryAddressed(over: connection) == [.seconds(2)])
    node.send(TestNode.response("180 Ringing", to: invite), from: connection)
    #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing"])
    let cancel = node.request("CANCEL", from: alice, branch: "first")
    node.send(cancel, from: alice)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    let sent = addressed()
    #expect(TestNode.start(sent).hasPrefix("CANCEL "))
    #expect(TestNode.header("Via", sent) == TestNode.header("Via", invite))
    #expect(node.carryAddressed(over: connection) == [nil])
    node.send(TestNode.response("200 OK", to: sent), from: connection)
    node.send(TestNode.response("487 Request Terminated", to: invite), from: connection)
    let ack = addressed()
    #expect(TestNode.start(ack).hasPrefix("ACK "))
    #expect(Self.transport(ack) == "SIP/2.0/TCP")
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 487 Request Terminated")
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  @Test("the dialog of a large INVITE goes on: its small requests by UDP, its large ones by TCP")
  func dialog() {
    send("INVITE")
    let invite = addressed()
    let connection = node.peer("bob by TCP", .tcp)
    node.send(TestNode.response("200 OK", to: invite, contact: "sip:bob@\(bob.flow.remote)"), from: connection)
    let ok = node.received(by: alice).last ?? ""
    let route = "Route: " + TestNode.headers("Record-Route", ok).reversed().joined(separator: ", ")
    let contact = "sip:bob@\(bob.flow.remote)"
    node.send(node.request("ACK", contact, from: alice, tag: "callee", route), from: alice)
    #expect(Self.transport(node.one(by: bob)) == "SIP/2.0/UDP")
    node.send(node.request("INFO", contact, from: alice, cseq: 2, tag: "callee", route, body: Self.body), from: alice)
    #expect(TestNode.start(addressed()) == "INFO \(contact) SIP/2.0")
  }

  @Test("where no connection can be had it goes by UDP, with a branch of its own, and the caller doesn't notice")
  func refused() {
    for method in ["INVITE", "MESSAGE"] {
      let (node, test) = { ($0.node, $0) }(LargeRequestTests())
      test.send(method)
      let first = test.addressed()
      node.failAddressed()
      let second = node.one(by: test.bob)
      #expect(Self.transport(second) == "SIP/2.0/UDP")
      #expect(
        TestNode.header("Via", second).split(separator: "=").last
          != TestNode.header("Via", first).split(separator: "=").last)
      #expect(TestNode.headers("Record-Route", second).allSatisfy { !$0.contains("transport=tcp") })
      #expect(second.hasSuffix("\r\n\r\n" + Self.body))
      node.send(TestNode.response("200 OK", to: second), from: test.bob)
      let answers = node.received(by: test.alice).map(TestNode.start).filter { !$0.contains("100") }
      #expect(answers == ["SIP/2.0 200 OK"])
      node.expectNothingLeft()
    }
  }

  @Test("who refused is not asked again for five minutes")
  func remembered() {
    send()
    _ = addressed()
    node.failAddressed()
    node.send(TestNode.response("200 OK", to: node.one(by: bob)), from: bob)
    node.advance(.seconds(290))
    send(callID: "call-2")
    #expect(node.takeAddressed().isEmpty)
    node.send(TestNode.response("200 OK", to: node.one(by: bob)), from: bob)
    node.advance(.seconds(20))
    send(callID: "call-3")
    #expect(Self.transport(addressed()) == "SIP/2.0/TCP")
  }

  @Test("what went over a connection that was lost may have arrived: it is not sent again")
  func lost() {
    send()
    _ = addressed()
    let connection = node.peer("bob by TCP", .tcp)
    #expect(node.carryAddressed(over: connection) == [.seconds(2)])
    node.close(connection)
    node.settle()
    #expect(node.received(by: bob).isEmpty)
    #expect(node.takeAddressed().isEmpty)
    #expect(TestNode.start(node.one(by: alice)).hasPrefix("SIP/2.0 480"))
    node.expectNothingLeft()
  }

  @Test("a request that was cancelled meanwhile goes nowhere else")
  func cancelled() {
    send("INVITE", branch: "first")
    _ = addressed()
    node.send(node.request("CANCEL", from: alice, branch: "first"), from: alice)
    node.failAddressed()
    #expect(node.received(by: bob).isEmpty)
    // As after any flow that fails before the callee said a word.
    #expect(node.received(by: alice).last.map(TestNode.start) == "SIP/2.0 480 Temporarily Unavailable")
    node.expectNothingLeft()
  }

  @Test("a contact that is reached over its flow keeps it, whatever the size (RFC 5626 §7)")
  func flows() {
    let outbound = node.peer("outbound", .udp)
    node.register(
      "carol", outbound, "\n  ;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0>\";reg-id=1")
    let nat = node.peer("nat", .udp)
    // Its Via names another address than it comes from.
    node.send(
      """
      REGISTER sip:example.test SIP/2.0
      Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKnat;rport
      Max-Forwards: 70
      From: <sip:dave@example.test>;tag=nat
      To: <sip:dave@example.test>
      Call-ID: register-dave
      CSeq: 1 REGISTER
      Contact: <sip:dave@10.0.0.9:5060>

      """, from: nat)
    node.settle()
    #expect(TestNode.start(node.one(by: nat)) == "SIP/2.0 200 OK")
    let stream = node.peer("stream", .tcp)
    node.register("erin", stream)
    for (user, peer) in [("carol", outbound), ("dave", nat), ("erin", stream)] {
      send("MESSAGE", "sip:\(user)@example.test", callID: user)
      #expect(node.one(by: peer).hasSuffix("\r\n\r\n" + Self.body), "\(user)")
    }
    #expect(node.takeAddressed().isEmpty)
  }

  @Test("without a TCP listener of the family, and where the configuration says never, it goes by UDP")
  func never() {
    let sixth = ServerSettings.Listener(
      transport: .tcp, address: SocketAddress("[2001:db8::1]:5060") ?? SocketAddress(IPAddress(v4: 0), port: 0),
      sentBy: [], recordRoute: [])
    for test in [LargeRequestTests({ $0.listeners[1] = sixth }), LargeRequestTests({ $0.udpSize = 0 })] {
      test.send()
      #expect(Self.transport(test.node.one(by: test.bob)) == "SIP/2.0/UDP")
    }
  }
}

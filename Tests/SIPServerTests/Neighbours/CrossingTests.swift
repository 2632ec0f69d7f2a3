import SIPServer
import Structures
import Testing

@Suite("Messages between the connections of two workers of a node")
struct CrossingTests {
  /// Alice at worker 0, bob registered at worker 1.
  private func story(_ transport: TransportProtocol = .tls) -> (LinkedNodes, alice: TestNode.Peer, bob: TestNode.Peer) {
    let nodes = LinkedNodes()
    let (alice, bob) = (nodes[0].peer("alice", transport), nodes[1].peer("bob", transport))
    nodes.register("bob", bob, at: 1)
    return (nodes, alice, bob)
  }

  @Test(
    "a MESSAGE goes to the callee's connection in one SIP hop, and its response to the worker that its Via names",
    arguments: [TransportProtocol.tls, .tcp])
  func message(_ transport: TransportProtocol) {
    let (nodes, alice, bob) = story(transport)
    nodes[0].send(nodes[0].request("MESSAGE", from: alice), from: alice)
    nodes.settle()
    let request = nodes[1].one(by: bob)
    #expect(TestNode.headers("Via", request).count == 2)
    nodes[1].send(TestNode.response("200 OK", to: request), from: bob)
    nodes.exchange()
    #expect(TestNode.start(nodes[0].one(by: alice)) == "SIP/2.0 200 OK")
    #expect(nodes[1].core.statistics.responsesPassed == 1 && nodes[1].core.holdings.strayResponses == 0)
    nodes.expectNothingLeft()
  }

  @Test("a call and its in-dialog requests go across in both directions")
  func call() {
    let (nodes, alice, bob) = story()
    nodes[0].send(nodes[0].request("INVITE", from: alice), from: alice)
    nodes.settle()
    let invite = nodes[1].one(by: bob)
    for status in ["180 Ringing", "200 OK"] {
      nodes[1].send(TestNode.response(status, to: invite, contact: "sip:bob@\(bob.flow.remote)"), from: bob)
    }
    nodes.exchange()
    let answers = nodes[0].received(by: alice)
    #expect(answers.map(TestNode.start) == ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"])
    let routes = TestNode.headers("Record-Route", answers[2]).reversed().map { "Route: \($0)" }.joined(separator: "\n")
    for method in ["ACK", "BYE"] {
      nodes[0].send(
        nodes[0].request(
          method, "sip:bob@\(bob.flow.remote)", from: alice, cseq: method == "ACK" ? 1 : 2, tag: "callee", routes),
        from: alice)
      nodes.exchange()
      let arrived = nodes[1].one(by: bob)
      #expect(TestNode.start(arrived).hasPrefix("\(method) "))
      if method == "BYE" { nodes[1].send(TestNode.response("200 OK", to: arrived), from: bob) }
    }
    nodes.exchange()
    #expect(TestNode.start(nodes[0].one(by: alice)) == "SIP/2.0 200 OK")
    let back = TestNode.headers("Record-Route", invite).map { "Route: \($0)" }.joined(separator: "\n")
    nodes[1].send(
      nodes[1].request("INFO", "sip:alice@\(alice.flow.remote)", from: bob, user: "bob", tag: "alice-tag", back),
      from: bob)
    nodes.exchange()
    #expect(TestNode.start(nodes[0].one(by: alice)).hasPrefix("INFO "))
    nodes.expectNothingLeft()
  }

  @Test("the answer to an OPTIONS of ours is handed to the worker that sent it, wherever it comes")
  func keepAlive() {
    let nodes = LinkedNodes(2) { $0.keepAlive = KeepAliveSettings(interval: .seconds(30), includesAll: true) }
    let bob = nodes[0].peer("bob", .udp)
    nodes.register("bob", bob, at: 0)
    nodes[0].advance(.seconds(30))
    let options = nodes[0].received(by: bob).last ?? ""
    #expect(TestNode.start(options).hasPrefix("OPTIONS "))
    nodes[1].send(TestNode.response("200 OK", to: options), from: bob)
    nodes.exchange()
    // Without an answer the transaction would last for 32 s.
    nodes[0].advance(.seconds(6))
    #expect(nodes[0].core.holdings.strayResponses == 0 && nodes[0].core.holdings.clientTransactions == 0)
  }

  @Test("a response that names another generation is handed on, not taken for one of ours")
  func generations() {
    let (nodes, alice, bob) = story()
    nodes[0].send(nodes[0].request("MESSAGE", from: alice), from: alice)
    nodes.settle()
    let request = nodes[1].one(by: bob)
    let successor = TestNode(slot: 0, generation: 2)
    successor.send(TestNode.response("200 OK", to: request), from: successor.peer("bob"))
    guard case .passing(let passing, _)? = successor.outgoing.first else {
      Issue.record("nothing is handed on")
      return
    }
    #expect(passing.slot == 0 && passing.generation == 1)
    // One that a stranger made up names nobody.
    successor.send(
      TestNode.response("200 OK", to: request.replacing("branch=z9hG4bK", with: "branch=z9hG4bKA")),
      from: successor.peer("eve"))
    #expect(successor.outgoing.count == 1 && successor.core.holdings.strayResponses == 1)
  }

  @Test(
    "a request for a connection that its worker doesn't know is answered at once, and the contact is removed",
    arguments: [false, true])
  func disowned(_ failsFirst: Bool) {
    let (nodes, alice, bob) = story()
    nodes.failsFirst = failsFirst
    nodes[1].close(bob)
    // Worker 0 still has the contact from before.
    #expect(nodes[0].contacts(of: "bob") != nil)
    nodes[0].send(nodes[0].request("MESSAGE", from: alice), from: alice)
    nodes.settle()
    #expect(TestNode.start(nodes[0].one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    if failsFirst {
      // What was still a matter of one message then is known of the connection now.
      nodes[0].send(nodes[0].request("MESSAGE", from: alice, callID: "2"), from: alice)
      nodes.settle()
      #expect(TestNode.start(nodes[0].one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    }
    #expect(nodes[0].contacts(of: "bob") == nil)
    nodes.expectNothingLeft()
  }

  @Test("the end of a slot's process fails what has no response at once, and leaves what rings to its late answer")
  func slotLost() {
    let (nodes, alice, bob) = story()
    let carol = nodes[1].peer("carol")
    nodes.register("carol", carol, at: 1)
    nodes[0].send(nodes[0].request("INVITE", from: alice, callID: "rings"), from: alice)
    nodes.settle()
    let ringing = nodes[1].one(by: bob)
    nodes[1].send(TestNode.response("180 Ringing", to: ringing), from: bob)
    nodes.exchange()
    nodes[0].send(nodes[0].request("INVITE", "sip:carol@example.test", from: alice, callID: "silent"), from: alice)
    nodes.settle()
    #expect(nodes[1].received(by: carol).count == 1)
    _ = nodes[0].received(by: alice)
    nodes[0].input { core, now, actions in core.slotLost(1, generation: 1, at: now, actions: &actions) }
    nodes[0].advance(.milliseconds(40))
    let answer = nodes[0].one(by: alice)
    #expect(TestNode.start(answer) == "SIP/2.0 480 Temporarily Unavailable")
    #expect(TestNode.header("Call-ID", answer) == "silent")
    // Bob has connected anew, here.
    let again = nodes[0].peer("bob")
    nodes[0].send(TestNode.response("200 OK", to: ringing), from: again)
    #expect(TestNode.start(nodes[0].one(by: alice)) == "SIP/2.0 200 OK")
  }

  @Test("the end of a slot's process leaves the connections of its successor alone, and those of other slots")
  func laterGeneration() {
    let (nodes, alice, bob) = story()
    nodes[0].send(nodes[0].request("MESSAGE", from: alice), from: alice)
    nodes.settle()
    _ = nodes[1].one(by: bob)
    for (slot, generation) in [(UInt16(1), UInt16(0)), (2, 9), (0, 9)] {
      nodes[0].input { core, now, actions in core.slotLost(slot, generation: generation, at: now, actions: &actions) }
    }
    #expect(nodes[0].received(by: alice).isEmpty)
  }

  @Test("a connection that is gone doesn't make one of another worker gone that counts alike")
  func sameCounter() {
    let nodes = LinkedNodes()
    let (alice, bob) = (nodes[0].peer("alice"), nodes[0].peer("bob"))
    nodes[0].register("bob", bob)
    nodes[0].send(nodes[0].request("MESSAGE", from: alice), from: alice)
    nodes[0].settle()
    let request = nodes[0].one(by: bob)
    guard case .stream(let flow) = alice.flow.id else { return }
    let other = StreamFlow(node: 7, slot: 1, epoch: flow.epoch, connection: flow.connection)
    nodes[0].input { core, now, actions in core.connectionClosed(other, at: now, actions: &actions) }
    nodes[0].send(TestNode.response("200 OK", to: request), from: bob)
    #expect(nodes[0].takeAddressed().isEmpty && nodes[0].received(by: alice).count == 1)
  }

  @Test("a connection in doubt fails what waits on it at the other worker, and recovers there")
  func suspicion() {
    let (nodes, alice, bob) = story()
    guard case .stream(let flow) = bob.flow.id else { return }
    nodes[0].send(nodes[0].request("MESSAGE", from: alice), from: alice)
    nodes.settle()
    nodes[0].input { core, now, actions in core.flowSuspected(flow, at: now, actions: &actions) }
    nodes.settle()
    #expect(TestNode.start(nodes[0].one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    #expect(nodes[0].core.isSuspect(bob.flow.id))
    nodes[0].core.flowRecovered(flow)
    #expect(!nodes[0].core.isSuspect(bob.flow.id))
    nodes[0].input { core, now, actions in core.flowSuspected(flow, at: now, actions: &actions) }
    nodes[0].input { core, now, actions in core.slotLost(1, generation: 1, at: now, actions: &actions) }
    #expect(!nodes[0].core.isSuspect(bob.flow.id))
  }

  @Test("a request that a link has no room for is answered 503, and its target stays registered")
  func refused() {
    let (nodes, alice, _) = story()
    for method in ["MESSAGE", "INVITE"] {
      nodes[0].send(nodes[0].request(method, from: alice, callID: method), from: alice)
      nodes.exchange()
      nodes[0].advance(.milliseconds(40))
      guard case .message(_, _, let tag)? = nodes[0].outgoing.popLast() else {
        Issue.record("nothing was to be sent")
        return
      }
      nodes[0].input { core, now, actions in core.transportRefused(tag, at: now, actions: &actions) }
      #expect(nodes[0].received(by: alice).last.map(TestNode.start) == "SIP/2.0 503 Service Unavailable")
    }
    #expect(nodes[0].contacts(of: "bob") != nil)
    #expect(nodes[0].core.statistics.overloaded == 2)
    nodes.expectNothingLeft()
  }

  @Test("who is trusted at one worker's connection is told what only trusted peers are, from every worker")
  func trust() throws {
    let network = try #require(IPNetwork("198.51.100.0/24"))
    let nodes = LinkedNodes(2) { $0.identity.trusted = [network] }
    let (alice, gateway) = (nodes[0].peer("alice"), nodes[1].peer("gateway"))
    nodes.register("bob", gateway, at: 1)
    nodes.exchange()
    #expect(nodes[0].core.trustedConnections(of: 1).count == 1)
    nodes[0].send(
      nodes[0].request("MESSAGE", from: alice, "P-Asserted-Identity: <sip:alice@example.test>\nPrivacy: id"),
      from: alice)
    nodes.settle()
    let arrived = nodes[1].one(by: gateway)
    #expect(TestNode.header("P-Asserted-Identity", arrived) == "<sip:alice@example.test>")
    nodes[0].input { core, now, actions in core.slotLost(1, generation: 1, at: now, actions: &actions) }
    #expect(nodes[0].core.trustedConnections(of: 1).isEmpty)
  }
}

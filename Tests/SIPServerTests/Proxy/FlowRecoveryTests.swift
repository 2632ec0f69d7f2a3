import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import Testing

@Suite("Flows that are gone, RFC 5626 §5.3.1, §7, §11.5")
struct FlowRecoveryTests {
  private static let instance = ";+sip.instance=\"<urn:uuid:0a0b>\""

  /// A taken call between alice and bob, who both registered with an instance or without.
  private struct Call {
    let node = TestNode()
    var alice: TestNode.Peer
    var bob: TestNode.Peer
    var routesOfAlice: [String] = []
    var routesOfBob: [String] = []
    let ok: String

    init(_ transport: TransportProtocol = .tls, instances: Bool) {
      alice = node.peer("alice", transport)
      bob = node.peer("bob", transport)
      Self.register("alice", alice, node, instances)
      Self.register("bob", bob, node, instances)
      node.send(node.request("INVITE", from: alice, branch: "first", "Contact: <sip:alice@10.0.0.1>"), from: alice)
      node.settle()
      let invite = node.one(by: bob)
      node.send(TestNode.response("200 OK", to: invite, contact: "sip:bob@10.0.0.2"), from: bob)
      ok = node.received(by: alice).last ?? ""
      routesOfBob = TestNode.headers("Record-Route", invite)
      routesOfAlice = TestNode.headers("Record-Route", ok).reversed()
    }

    static func register(_ user: String, _ peer: TestNode.Peer, _ node: TestNode, _ instances: Bool) {
      let instance = ";+sip.instance=\"<urn:uuid:\(user)>\""
      if peer.flow.transport == .udp {
        registerBehindNAT(user, peer, node, instances ? instance : "")
        return
      }
      // Without an instance a client that comes back is known by user and host of its contact.
      node.register(user, peer, contact: "sip:\(user)@10.0.0.1:\(peer.flow.remote.port)", instances ? instance : "")
    }

    /// A datagram client that is reached where it comes from only.
    static func registerBehindNAT(
      _ user: String, _ peer: TestNode.Peer, _ node: TestNode, _ parameters: String, expires: Int = 3_600
    ) {
      node.send(
        """
        REGISTER sip:example.test SIP/2.0
        Via: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK\(user)\(peer.name)\(expires)
        Max-Forwards: 70
        From: <sip:\(user)@example.test>;tag=r
        To: <sip:\(user)@example.test>
        Call-ID: register-\(user)-\(peer.name)
        CSeq: \(expires == 0 ? 2 : 1) REGISTER
        Contact: <sip:\(user)@10.0.0.1>\(parameters);expires=\(expires)

        """, from: peer)
      node.settle()
      #expect(TestNode.start(node.one(by: peer)) == "SIP/2.0 200 OK")
    }

    func fromAlice(_ method: String, cseq: Int = 3, via: String = "") -> String {
      node.request(
        method, "sip:bob@10.0.0.2", from: alice, cseq: cseq, tag: "callee",
        "Route: " + routesOfAlice.joined(separator: ", ") + via)
    }

    func fromBob(_ method: String, cseq: Int = 1) -> String {
      """
      \(method) sip:alice@10.0.0.1 SIP/2.0
      Via: SIP/2.0/TLS \(bob.flow.remote);branch=z9hG4bKbob\(method)\(cseq)
      Max-Forwards: 70
      From: <sip:bob@example.test>;tag=callee
      To: <sip:alice@example.test>;tag=alice-tag
      Call-ID: call-1
      CSeq: \(cseq) \(method)
      Route: \(routesOfBob.joined(separator: ", "))

      """
    }
  }

  @Test(
    "a call survives that a datagram client gets another port, for requests and ACK of either side",
    arguments: [true, false])
  func portChanges(_ instances: Bool) {
    var call = Call(.udp, instances: instances)
    let node = call.node
    let oldBob = call.bob
    call.bob = node.peer("bob2", .udp)
    Call.register("bob", call.bob, node, instances)
    for (method, cseq) in [("ACK", 1), ("INVITE", 2), ("BYE", 3)] {
      node.send(call.fromAlice(method, cseq: cseq), from: call.alice)
      node.settle()
      #expect(TestNode.start(node.one(by: call.bob)) == "\(method) sip:bob@10.0.0.2 SIP/2.0")
      #expect(node.received(by: oldBob).isEmpty)
    }
    let oldAlice = call.alice
    call.alice = node.peer("alice2", .udp)
    Call.register("alice", call.alice, node, instances)
    _ = node.received(by: oldAlice)
    node.send(call.fromBob("BYE"), from: call.bob)
    node.settle()
    #expect(TestNode.start(node.one(by: call.alice)) == "BYE sip:alice@10.0.0.1 SIP/2.0")
    #expect(node.received(by: oldAlice).isEmpty)
  }

  @Test(
    "what was registered over a datagram flow is still sent there when nothing else is known", arguments: [true, false])
  func portStays(_ isSilent: Bool) {
    let call = Call(.udp, instances: true)
    let node = call.node
    Call.registerBehindNAT("bob", call.bob, node, ";+sip.instance=\"<urn:uuid:bob>\"", expires: 0)
    node.isLocationSilent = isSilent
    for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
      node.send(call.fromAlice(method, cseq: cseq), from: call.alice)
      node.advance(.milliseconds(5_100))
      #expect(TestNode.start(node.received(by: call.bob).first ?? "") == "\(method) sip:bob@10.0.0.2 SIP/2.0")
    }
  }

  @Test(
    "a call survives the callee's new connection, for requests of either side",
    arguments: [true, false], [TransportProtocol.tls, .tcp])
  func calleeReconnects(_ instances: Bool, _ transport: TransportProtocol) {
    var call = Call(transport, instances: instances)
    let node = call.node
    node.close(call.bob)
    call.bob = node.peer("bob2", transport)
    Call.register("bob", call.bob, node, instances)
    node.send(call.fromAlice("ACK", cseq: 1), from: call.alice)
    node.settle()
    #expect(TestNode.start(node.one(by: call.bob)) == "ACK sip:bob@10.0.0.2 SIP/2.0")
    for (method, cseq) in [("INVITE", 2), ("BYE", 3)] {
      node.send(call.fromAlice(method, cseq: cseq), from: call.alice)
      node.settle()
      let request = node.received(by: call.bob).last ?? ""
      #expect(TestNode.start(request) == "\(method) sip:bob@10.0.0.2 SIP/2.0")
      node.send(TestNode.response("200 OK", to: request), from: call.bob)
      #expect(TestNode.start(node.received(by: call.alice).last ?? "") == "SIP/2.0 200 OK")
      node.send(call.fromBob(method, cseq: cseq), from: call.bob)
      node.settle()
      #expect(TestNode.start(node.one(by: call.alice)) == "\(method) sip:alice@10.0.0.1 SIP/2.0")
    }
  }

  @Test("a call survives the caller's new connection", arguments: [true, false])
  func callerReconnects(_ instances: Bool) {
    var call = Call(instances: instances)
    let node = call.node
    node.close(call.alice)
    call.alice = node.peer("alice2")
    Call.register("alice", call.alice, node, instances)
    node.send(call.fromBob("BYE"), from: call.bob)
    node.settle()
    #expect(TestNode.start(node.one(by: call.alice)) == "BYE sip:alice@10.0.0.1 SIP/2.0")
    node.send(call.fromAlice("INFO"), from: call.alice)
    node.settle()
    #expect(TestNode.start(node.one(by: call.bob)) == "INFO sip:bob@10.0.0.2 SIP/2.0")
  }

  @Test("a caller whose connection drops before the last target is tried is found over its new one")
  func callerDropsWhileForking() {
    let node = TestNode()
    let (old, first, second) = (node.peer("old"), node.peer("first"), node.peer("second"))
    node.register("alice", old, ";+sip.instance=\"<urn:uuid:alice>\"")
    node.register("bob", first, ";q=0.9")
    node.register("bob", second, ";q=0.5")
    node.send(node.request("INVITE", from: old), from: old)
    node.settle()
    let toFirst = node.one(by: first)
    node.close(old)
    node.send(TestNode.response("486 Busy Here", to: toFirst), from: first)
    let toSecond = node.one(by: second)
    let (new, other) = (node.peer("new"), node.peer("other"))
    node.register("alice", new, ";+sip.instance=\"<urn:uuid:alice>\"")
    node.register("alice", other, ";+sip.instance=\"<urn:uuid:other>\"")
    node.send(
      """
      BYE sip:alice@10.0.0.1 SIP/2.0
      Via: SIP/2.0/TLS \(second.flow.remote);branch=z9hG4bKbye
      Max-Forwards: 70
      From: <sip:bob@example.test>;tag=callee
      To: <sip:alice@example.test>;tag=alice-tag
      Call-ID: call-1
      CSeq: 1 BYE
      Route: \(TestNode.headers("Record-Route", toSecond).joined(separator: ", "))

      """, from: second)
    node.settle()
    #expect(TestNode.start(node.one(by: new)) == "BYE sip:alice@10.0.0.1 SIP/2.0")
    #expect(node.received(by: other).isEmpty)
  }

  @Test("a dialog never goes to another instance of the same user")
  func otherInstance() {
    let call = Call(instances: true)
    let node = call.node
    node.close(call.bob)
    let other = node.peer("other")
    node.register("bob", other, ";+sip.instance=\"<urn:uuid:other>\"")
    node.send(call.fromAlice("BYE"), from: call.alice)
    node.settle()
    #expect(node.received(by: other).isEmpty)
    #expect(TestNode.start(node.one(by: call.alice)) == "SIP/2.0 480 Temporarily Unavailable")
    node.send(call.fromAlice("ACK"), from: call.alice)
    node.settle()
    #expect(node.received(by: other).isEmpty)
    node.expectNothingLeft()
  }

  @Test(
    "of clients without an instance only the one at the same host is taken for the one that is gone", arguments: 0..<3)
  func ambiguous(_ count: Int) {
    let call = Call(instances: false)
    let node = call.node
    node.close(call.bob)
    node.register("bob", node.peer("elsewhere"), contact: "sip:bob@10.0.0.99:5060")
    let others = (0..<count).map { node.peer("other\($0)") }
    for other in others { node.register("bob", other, contact: "sip:bob@10.0.0.1:\(other.flow.remote.port)") }
    node.send(call.fromAlice("BYE"), from: call.alice)
    node.settle()
    let reached = others.flatMap { node.received(by: $0) }
    #expect(reached.count == (count == 1 ? 1 : 0))
    if count != 1 { #expect(TestNode.start(node.one(by: call.alice)) == "SIP/2.0 480 Temporarily Unavailable") }
  }

  @Test("a proxy that sent its request by a token learns of the failed flow with 430, an endpoint doesn't")
  func edge() {
    let call = Call(instances: true)
    let node = call.node
    node.close(call.bob)
    let second = "\nVia: SIP/2.0/TLS 198.51.100.200:5061;branch=z9hG4bKua"
    node.send(call.fromAlice("INFO", via: second), from: call.alice)
    node.settle()
    #expect(TestNode.start(node.one(by: call.alice)) == "SIP/2.0 430 Flow Failed")
    node.send(call.fromAlice("INFO", cseq: 4), from: call.alice)
    node.settle()
    #expect(TestNode.start(node.one(by: call.alice)) == "SIP/2.0 480 Temporarily Unavailable")
  }

  @Test("a response 430 from an edge behind us doesn't reach an endpoint")
  func received430() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    node.send(TestNode.response("430 Flow Failed", to: node.one(by: bob)), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
  }

  // MARK: Several flows of one instance

  /// Registers two flows of one instance; the second is the latest.
  private func twoFlows(_ node: TestNode) -> (TestNode.Peer, TestNode.Peer) {
    let (first, second) = (node.peer("first"), node.peer("second"))
    node.register("bob", first, Self.instance + ";reg-id=1")
    node.advance(.seconds(2))
    node.register("bob", second, Self.instance + ";reg-id=2")
    return (first, second)
  }

  @Test("one instance gets a request over one flow at a time, the latest first")
  func oneAtATime() {
    let node = TestNode()
    let alice = node.peer("alice")
    let (first, second) = twoFlows(node)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let invite = node.one(by: second)
    #expect(node.received(by: first).isEmpty)
    node.send(TestNode.response("486 Busy Here", to: invite), from: second)
    #expect(node.received(by: first).isEmpty)
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 486 Busy Here")
  }

  @Test(
    "after 408 and 430 the next flow of the instance is tried", arguments: ["408 Request Timeout", "430 Flow Failed"])
  func nextFlowAfter(_ status: String) {
    let node = TestNode()
    let alice = node.peer("alice")
    let (first, second) = twoFlows(node)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    node.send(TestNode.response(status, to: node.one(by: second)), from: second)
    node.send(TestNode.response("200 OK", to: node.one(by: first)), from: first)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test("a flow that breaks before any answer is followed by the next one of the instance")
  func nextFlowAfterBreak() {
    let node = TestNode()
    let alice = node.peer("alice")
    let (first, second) = twoFlows(node)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    _ = node.one(by: second)
    node.close(second)
    node.send(TestNode.response("200 OK", to: node.one(by: first)), from: first)
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 200 OK")
  }

  @Test("a flow that breaks while it rings keeps its branch, and its answer comes over the client's new connection")
  func breaksWhileRinging() {
    let node = TestNode()
    let alice = node.peer("alice")
    let (first, second) = twoFlows(node)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let invite = node.one(by: second)
    node.send(TestNode.response("180 Ringing", to: invite), from: second)
    node.close(second)
    #expect(node.received(by: first).isEmpty)
    let again = node.peer("again")
    node.send(TestNode.response("200 OK", to: invite), from: again)
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 200 OK")
  }

  @Test("a client that comes back between the lookup and the request is found over its new flow")
  func raceOfReconnect() {
    let node = TestNode()
    let alice = node.peer("alice")
    let old = node.peer("old")
    node.register("bob", old, Self.instance)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    _ = node.one(by: old)
    let new = node.peer("new")
    node.register("bob", new, Self.instance)
    node.close(old)
    node.settle()
    node.send(TestNode.response("200 OK", to: node.one(by: new)), from: new)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }
}

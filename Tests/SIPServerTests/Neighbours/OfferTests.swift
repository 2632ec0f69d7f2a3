import SIPServer
import Structures
import Testing

@Suite("Requests that another worker's transaction waits for")
struct OfferTests {
  /// A call from alice at worker 0, ringing at bob's, who is registered at `callee`; and alice again, over another flow, of worker 1.
  private struct Story {
    let nodes: LinkedNodes
    let alice: TestNode.Peer
    let moved: TestNode.Peer
    let bob: TestNode.Peer
    let callee: TestNode
    let invite: String
    let arrived: String

    init(_ transport: TransportProtocol, callee index: Int = 0) {
      nodes = LinkedNodes()
      (alice, moved) = (nodes[0].peer("alice", transport), nodes[1].peer("alice", transport))
      callee = nodes[index]
      bob = callee.peer("bob")
      nodes.register("bob", bob, at: index)
      invite = nodes[0].request("INVITE", from: alice, branch: "call")
      nodes[0].send(invite, from: alice)
      nodes.settle()
      arrived = callee.one(by: bob)
      callee.send(TestNode.response("180 Ringing", to: arrived), from: bob)
      nodes.exchange()
      _ = nodes[0].received(by: alice)
    }

    /// The CANCEL or ACK of the INVITE.
    func follower(_ method: String, tag: String? = nil) -> String {
      nodes[0].request(method, from: alice, branch: "call", tag: tag)
    }
  }

  @Test(
    "a CANCEL over another worker's flow ends the call, and is answered over the flow it came by",
    arguments: [TransportProtocol.tls, .udp], [0, 1])
  func cancel(_ transport: TransportProtocol, _ callee: Int) {
    let story = Story(transport, callee: callee)
    let nodes = story.nodes
    nodes[1].send(story.follower("CANCEL").replacing(";branch", with: ";rport;branch"), from: story.moved)
    nodes.exchange()
    // Whoever has the call answers: over UDP from its own socket.
    let answer = (nodes[1].received(by: story.moved) + nodes[0].received(by: story.moved)).first ?? ""
    #expect(TestNode.start(answer) == "SIP/2.0 200 OK" && TestNode.header("CSeq", answer) == "1 CANCEL")
    #expect(TestNode.start(story.callee.one(by: story.bob)).hasPrefix("CANCEL "))
    story.callee.send(TestNode.response("487 Request Terminated", to: story.arrived), from: story.bob)
    nodes.exchange()
    #expect(nodes[0].received(by: story.alice).last.map(TestNode.start) == "SIP/2.0 487 Request Terminated")
    #expect(nodes[1].core.statistics.offersTaken == 1)
    nodes.expectNothingLeft()
  }

  @Test("an ACK over another worker's flow ends the retransmissions of the response that it is for")
  func ack() {
    let story = Story(.udp)
    let nodes = story.nodes
    nodes[0].send(TestNode.response("486 Busy Here", to: story.arrived), from: story.bob)
    #expect(nodes[0].received(by: story.alice).count == 1)
    nodes.advance(.milliseconds(600))
    #expect(nodes[0].received(by: story.alice).count == 1)
    nodes[1].send(story.follower("ACK", tag: "callee"), from: story.moved)
    nodes.exchange()
    nodes.advance(.seconds(5))
    #expect(nodes[0].received(by: story.alice).isEmpty)
    nodes.expectNothingLeft()
  }

  @Test(
    "an INVITE that is repeated over another worker's flow is no second call", arguments: [TransportProtocol.udp, .tls])
  func repeated(_ transport: TransportProtocol) {
    let story = Story(transport)
    let nodes = story.nodes
    for _ in 0..<2 { nodes[1].send(story.invite, from: story.moved) }
    nodes.settle()
    nodes[1].send(story.invite, from: story.moved)
    nodes.settle()
    #expect(nodes[0].received(by: story.bob).isEmpty && nodes[1].received(by: story.moved).isEmpty)
    // Its caller gets what it got last, over the flow of the first.
    #expect(nodes[0].received(by: story.alice).map(TestNode.start) == Array(repeating: "SIP/2.0 180 Ringing", count: 3))
    #expect(nodes[1].core.holdings.serverTransactions == 0)
  }

  @Test(
    "what nobody has is answered as if there were no others: when all have said so, or after 100 ms",
    arguments: [false, true])
  func nobody(_ isDeaf: Bool) {
    let nodes = LinkedNodes(3)
    if isDeaf { nodes.deaf = [2] }
    let (alice, bob) = (nodes[0].peer("alice"), nodes[0].peer("bob"))
    nodes.register("bob", bob, at: 0)
    let other = nodes[0].peer("other")
    nodes[0].send(nodes[0].request("CANCEL", from: alice), from: alice)
    nodes[0].send(nodes[0].request("ACK", "sip:192.0.2.1", from: alice, tag: "x"), from: alice)
    nodes[0].send(nodes[0].request("INVITE", from: other), from: other)
    nodes.exchange()
    if isDeaf {
      nodes.advance(.milliseconds(90))
      #expect(nodes[0].received(by: alice).isEmpty && nodes[0].received(by: bob).isEmpty)
      nodes.advance(.milliseconds(20))
    }
    nodes.advance(.milliseconds(40))
    #expect(nodes[0].received(by: alice).map(TestNode.start) == ["SIP/2.0 481 Call/Transaction Does Not Exist"])
    #expect(nodes[0].received(by: bob).count == 1)
    #expect(nodes[0].core.statistics.offersMade == 3 && nodes[0].core.statistics.offersTaken == 0)
    nodes[0].core.offered(12, toOthers: 3)
    nodes[0].input { core, now, actions in core.offerAnswered(12, isTaken: true, at: now, actions: &actions) }
    nodes.expectNothingLeft()
  }

  @Test(
    "nothing is asked for by a worker that is alone, nor for an INVITE of somebody who is known, nor for an ACK with a token"
  )
  func notAsked() {
    let nodes = LinkedNodes()
    let (alice, bob) = (nodes[0].peer("alice"), nodes[0].peer("bob"))
    nodes.register("alice", alice, at: 0)
    nodes.register("bob", bob, at: 0)
    // Her first call is asked for, unlike what else she sends.
    nodes[0].send(nodes[0].request("MESSAGE", from: alice), from: alice)
    nodes[0].send(nodes[0].request("INVITE", "sip:nobody@example.test", from: alice, callID: "0"), from: alice)
    #expect(nodes[0].core.statistics.offersMade == 1)
    nodes.settle()
    _ = nodes[0].one(by: bob)
    nodes[0].send(nodes[0].request("INVITE", from: alice), from: alice)
    nodes[0].settle()
    let invite = nodes[0].one(by: bob)
    nodes[0].send(TestNode.response("200 OK", to: invite, contact: "sip:bob@\(bob.flow.remote)"), from: bob)
    let answer = nodes[0].received(by: alice).last ?? ""
    let routes = TestNode.headers("Record-Route", answer).reversed().map { "Route: \($0)" }.joined(separator: "\n")
    nodes[0].send(
      nodes[0].request("ACK", "sip:bob@\(bob.flow.remote)", from: alice, tag: "callee", routes), from: alice)
    #expect(TestNode.start(nodes[0].one(by: bob)).hasPrefix("ACK "))
    #expect(nodes[0].core.statistics.offersMade == 1)
    nodes[0].core.isAlone = true
    let stranger = nodes[0].peer("stranger")
    nodes[0].send(nodes[0].request("CANCEL", from: stranger), from: stranger)
    nodes[0].send(nodes[0].request("INVITE", from: stranger), from: stranger)
    #expect(nodes[0].core.statistics.offersMade == 1 && nodes[0].received(by: stranger).count == 2)
  }

  @Test("what comes while an INVITE is asked for finds it in order")
  func meanwhile() {
    let nodes = LinkedNodes()
    let (alice, bob) = (nodes[0].peer("alice", .udp), nodes[0].peer("bob"))
    nodes.register("bob", bob, at: 0)
    let invite = nodes[0].request("INVITE", from: alice, branch: "call")
    nodes[0].send(invite, from: alice)
    nodes[0].send(nodes[0].request("CANCEL", from: alice, branch: "call"), from: alice)
    nodes.settle()
    let answers = nodes[0].received(by: alice).map { "\(TestNode.start($0)) \(TestNode.header("CSeq", $0))" }
    #expect(
      answers == [
        "SIP/2.0 100 Trying 1 INVITE", "SIP/2.0 200 OK 1 CANCEL", "SIP/2.0 487 Request Terminated 1 INVITE",
      ])
    #expect(nodes[0].received(by: bob).isEmpty)
    // A second copy waits as well, and is then known as one.
    let carol = nodes[0].peer("carol", .udp)
    let second = nodes[0].request("INVITE", from: carol, callID: "2", branch: "other")
    nodes[0].send(second, from: carol)
    nodes[0].send(second, from: carol)
    #expect(nodes[0].received(by: carol).isEmpty)
    nodes.settle()
    #expect(nodes[0].received(by: bob).count == 1 && nodes[0].received(by: carol).count == 2)
    nodes.expectNothingLeft()
  }

  @Test("strangers can have no more than some hundred requests a second looked for")
  func limit() {
    let nodes = LinkedNodes()
    let eve = nodes[0].peer("eve")
    for index in 0..<1_000 {
      nodes[0].send(nodes[0].request("CANCEL", from: eve, callID: "\(index)"), from: eve)
    }
    #expect(nodes[0].core.statistics.offersMade == 200 && nodes[0].received(by: eve).count == 800)
    nodes.advance(.seconds(1))
    #expect(nodes[0].received(by: eve).count == 200)
    for index in 0..<1_000 {
      nodes[0].send(nodes[0].request("CANCEL", from: eve, callID: "more-\(index)"), from: eve)
    }
    #expect(nodes[0].core.statistics.offersMade == 400)
    nodes.expectNothingLeft()
  }

  @Test(
    "only CANCEL, ACK and INVITE are taken from others, and only for a transaction that is there",
    arguments: ["MESSAGE", "REGISTER", "CANCEL", "ACK", "INVITE", "BYE"])
  func taking(_ method: String) {
    let story = Story(.udp)
    let request = Array(TestNode.wire(story.nodes[0].request(method, from: story.alice, branch: "fresh")).utf8)
    for octets in [request, Array("noise".utf8), Array(TestNode.wire("SIP/2.0 200 OK\nVia: x").utf8), []] {
      var isTaken = true
      story.nodes[0].input { core, now, actions in
        isTaken = core.takesOffer(octets.span, over: story.moved.flow, at: now, actions: &actions)
      }
      #expect(!isTaken)
    }
    #expect(story.nodes[0].received(by: story.moved).isEmpty)
  }
}

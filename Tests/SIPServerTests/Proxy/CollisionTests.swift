import SIPServer
import Structures
import Testing

@Suite("Two requests with the same branch, sent-by and method, RFC 3261 §17.2.3")
struct CollisionTests {
  private struct Pair {
    let node = TestNode()
    let alice: TestNode.Peer
    let carol: TestNode.Peer
    let bob: TestNode.Peer

    init(_ transport: TransportProtocol = .udp) {
      (alice, carol, bob) = (node.peer("alice", transport), node.peer("carol", transport), node.peer("bob"))
      node.register("bob", bob)
    }

    /// A request of either as clients behind one NAT write it: both name the same private address and count their branches from 1.
    func request(_ method: String, _ peer: TestNode.Peer, cseq: Int = 1, tag: String? = nil) -> String {
      node.request(method, from: peer, user: peer.name, callID: "call-\(peer.name)", cseq: cseq, branch: "1", tag: tag)
        .replacing("\(peer.flow.remote);", with: "10.0.0.2:5060;rport;")
    }
  }

  @Test("each is forwarded, answered and acknowledged as its own", arguments: [TransportProtocol.udp, .tls])
  func both(_ transport: TransportProtocol) {
    let pair = Pair(transport)
    let (node, alice, carol, bob) = (pair.node, pair.alice, pair.carol, pair.bob)
    for peer in [alice, carol] {
      node.send(pair.request("INVITE", peer), from: peer)
      node.send(pair.request("INVITE", peer), from: peer)
    }
    node.settle()
    let invites = node.received(by: bob)
    #expect(invites.map { TestNode.header("Call-ID", $0) }.sorted() == ["call-alice", "call-carol"])
    for (index, peer) in [alice, carol].enumerated() {
      let invite = invites.first { $0.contains("call-\(peer.name)") } ?? ""
      node.send(TestNode.response("48\(index) X", to: invite), from: bob)
      #expect(TestNode.start(node.received(by: peer).last ?? "") == "SIP/2.0 48\(index) X")
    }
    for peer in [alice, carol] { node.send(pair.request("ACK", peer, tag: "callee"), from: peer) }
    node.advance(.seconds(5))
    for peer in [alice, carol] { #expect(node.received(by: peer).isEmpty) }
    node.expectNothingLeft()
  }

  @Test("CANCEL stops the one that it belongs to")
  func cancel() {
    let pair = Pair()
    let (node, alice, carol, bob) = (pair.node, pair.alice, pair.carol, pair.bob)
    for peer in [alice, carol] { node.send(pair.request("INVITE", peer), from: peer) }
    node.settle()
    for invite in node.received(by: bob) { node.send(TestNode.response("180 Ringing", to: invite), from: bob) }
    node.send(pair.request("CANCEL", carol), from: carol)
    let cancel = node.one(by: bob)
    #expect(TestNode.start(cancel).hasPrefix("CANCEL ") && TestNode.header("Call-ID", cancel) == "call-carol")
    node.send(pair.request("CANCEL", alice), from: alice)
    #expect(TestNode.header("Call-ID", node.one(by: bob)) == "call-alice")
  }

  @Test("another CSeq number or From tag makes another request, a repeated one is absorbed")
  func parts() {
    let pair = Pair()
    let (node, alice, bob) = (pair.node, pair.alice, pair.bob)
    let first = pair.request("MESSAGE", alice)
    for text in [first, first.replacing(";tag=alice-tag", with: ";tag=other"), pair.request("MESSAGE", alice, cseq: 2)]
    {
      node.send(text, from: alice)
      node.send(text, from: alice)
    }
    node.settle()
    let requests = node.received(by: bob)
    #expect(requests.count == 3)
    for request in requests { node.send(TestNode.response("200 OK", to: request), from: bob) }
    #expect(node.received(by: alice).count == 3)
    node.expectNothingLeft()
  }
}

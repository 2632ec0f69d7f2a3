import SIPServer
import Structures
import Testing

@Suite("Why a branch is cancelled, RFC 3261 §9.1, §16.10, RFC 3326 §2")
struct CancelTests {
  private static let reason = "Reason: SIP;cause=600;text=\"Busy, everywhere\"\nreason: Q.850 ;cause=17"

  /// An INVITE of alice's at bob's phones.
  private func begun(_ phones: Int) -> (node: TestNode, alice: TestNode.Peer, phones: [TestNode.Peer], [String]) {
    let node = TestNode()
    let alice = node.peer("alice")
    let peers = (0..<phones).map { node.peer("phone\($0)") }
    for peer in peers { node.register("bob", peer) }
    node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
    node.settle()
    let requests = peers.map { node.one(by: $0) }
    _ = node.received(by: alice)
    return (node, alice, peers, requests)
  }

  @Test("the caller's Reason goes to every branch, also to one that couldn't be cancelled before its first response")
  func reason() {
    let (node, alice, phones, requests) = begun(2)
    node.send(TestNode.response("180 Ringing", to: requests[0]), from: phones[0])
    node.send(node.request("CANCEL", from: alice, branch: "x", Self.reason), from: alice)
    #expect(node.received(by: phones[1]).isEmpty)
    node.advance(.seconds(1))
    node.send(TestNode.response("100 Trying", to: requests[1]), from: phones[1])
    for phone in phones {
      let cancel = node.one(by: phone)
      #expect(TestNode.start(cancel).hasPrefix("CANCEL "))
      #expect(
        TestNode.headers("Reason", cancel) == ["SIP;cause=600;text=\"Busy, everywhere\"", "Q.850 ;cause=17"])
    }
    for (phone, request) in zip(phones, requests) {
      node.send(TestNode.response("487 Request Terminated", to: request), from: phone)
    }
    #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 487 Request Terminated")
    node.expectNothingLeft()
  }

  @Test("that another has answered is told to a branch that answers late, and no Reason is made up for Timer C")
  func elsewhere() {
    let (node, alice, phones, requests) = begun(2)
    node.send(TestNode.response("200 OK", to: requests[0]), from: phones[0])
    node.send(TestNode.response("180 Ringing", to: requests[1]), from: phones[1])
    #expect(TestNode.header("Reason", node.one(by: phones[1])) == "SIP;cause=200;text=\"Call completed elsewhere\"")
    node.send(TestNode.response("487 Request Terminated", to: requests[1]), from: phones[1])
    #expect(node.received(by: alice).count == 1)
    let other = begun(1)
    other.node.send(TestNode.response("180 Ringing", to: other.3[0]), from: other.phones[0])
    other.node.advance(.seconds(181))
    let cancel = other.node.one(by: other.phones[0])
    #expect(TestNode.start(cancel).hasPrefix("CANCEL ") && TestNode.headers("Reason", cancel).isEmpty)
    node.expectNothingLeft()
  }

  @Test("a branch that has its final response before its first provisional one is not cancelled")
  func finalFirst() {
    let (node, alice, phones, requests) = begun(1)
    node.send(node.request("CANCEL", from: alice, branch: "x"), from: alice)
    node.send(TestNode.response("486 Busy Here", to: requests[0]), from: phones[0])
    #expect(node.received(by: phones[0]).map { $0.prefix(3) } == ["ACK"])
    #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 200 OK", "SIP/2.0 486 Busy Here"])
    node.expectNothingLeft()
  }
}

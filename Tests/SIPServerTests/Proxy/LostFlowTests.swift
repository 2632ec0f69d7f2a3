import SIPServer
import Structures
import Testing

@Suite("A response to a request whose connection is gone, RFC 3261 §18.2.2")
struct LostFlowTests {
  /// A request from a server that is at the end of a connection of its own and listens at `sentBy`.
  private func begun(
    _ transport: TransportProtocol, _ sentBy: String, _ method: String = "INVITE"
  ) -> (node: TestNode, alice: TestNode.Peer, bob: TestNode.Peer, request: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", transport), node.peer("bob"))
    node.register("bob", bob)
    node.send(
      node.request(method, from: alice).replacing("\(alice.flow.remote);", with: "\(sentBy);"), from: alice)
    node.settle()
    let request = node.one(by: bob)
    _ = node.received(by: alice)
    return (node, alice, bob, request)
  }

  @Test(
    "goes to where the request came from, at the port of sent-by or the transport's own",
    arguments: [
      (TransportProtocol.tls, "proxy.example.test:5099", 5_099), (.tls, "proxy.example.test", 5_061),
      (.tcp, "10.0.0.1:6000", 6_000), (.tcp, "10.0.0.1", 5_060),
    ])
  func sentByPort(_ row: (TransportProtocol, String, Int)) {
    for method in ["INVITE", "MESSAGE"] {
      let (node, alice, bob, request) = begun(row.0, row.1, method)
      node.close(alice)
      if method == "INVITE" { node.send(TestNode.response("180 Ringing", to: request), from: bob) }
      node.send(TestNode.response("200 OK", to: request), from: bob)
      let sent = node.takeAddressed()
      #expect(sent.map { TestNode.start($0.1) }.last == "SIP/2.0 200 OK")
      #expect(sent.count == (method == "INVITE" ? 2 : 1))
      let expected = SocketAddress(alice.flow.remote.address, port: UInt16(row.2))
      #expect(sent.allSatisfy { $0.0 == expected })
      // Nothing that the callee rings for is cancelled (RFC 3261 §16.9).
      #expect(node.received(by: bob).isEmpty)
      node.expectNothingLeft()
    }
  }

  @Test("stays on the connection of the request while that is open, and over UDP where it was")
  func open() {
    for transport in [TransportProtocol.tls, .udp] {
      let (node, alice, bob, request) = begun(transport, "10.0.0.1:6000;rport")
      let other = node.peer("other")
      node.send(node.request("MESSAGE", "sip:nobody@example.test", from: other), from: other)
      node.close(other)
      node.settle()
      node.send(TestNode.response("486 Busy", to: request), from: bob)
      #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 486 Busy"])
    }
  }

  @Test("port 0 is nowhere")
  func nowhere() {
    let (node, alice, bob, request) = begun(.tcp, "10.0.0.1:0")
    node.close(alice)
    node.send(TestNode.response("486 Busy", to: request), from: bob)
    #expect(node.takeAddressed().isEmpty)
    node.expectNothingLeft()
  }

  @Test("many closed connections cost no more than some, and the last are known")
  func many() {
    let (node, alice, bob, request) = begun(.tcp, "10.0.0.1:6000")
    for index in 0..<20_000 { node.close(node.peer("p\(index)", .tcp)) }
    node.close(alice)
    node.send(TestNode.response("486 Busy", to: request), from: bob)
    #expect(node.takeAddressed().count == 1)
    node.expectNothingLeft()
  }
}

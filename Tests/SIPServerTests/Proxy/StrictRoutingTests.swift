import SIPServer
import Structures
import Testing

@Suite("Strict routers of RFC 2543, RFC 3261 §16.4, §16.6 step 6")
struct StrictRoutingTests {
  @Test(
    "behind us: the router finds itself in the Request-URI and the target at the end of Route",
    arguments: [
      ("Route: <sip:203.0.113.9>", ["<sip:far@far.example;x=y>"]),
      ("Route: <sip:sip.example.test;lr>, <sip:203.0.113.9>", ["<sip:far@far.example;x=y>"]),
      (
        "Route: \"R\" <sip:203.0.113.9>;p=q, <sip:203.0.113.10;lr>\nX-Between: 1\nRoute: <sip:203.0.113.11>",
        ["<sip:203.0.113.10;lr>", "<sip:203.0.113.11>", "<sip:far@far.example;x=y>"]
      ),
    ])
  func behind(_ row: (String, [String])) {
    let node = TestNode()
    let alice = node.peer("alice")
    node.send(
      node.request("INVITE", "sip:far@far.example;x=y", from: alice, branch: "caller", row.0, body: "abc"), from: alice)
    let sent = node.takeAddressed()
    #expect(sent.map(\.0) == [SocketAddress("203.0.113.9:5060")])
    let invite = sent.first?.1 ?? ""
    #expect(TestNode.start(invite) == "INVITE sip:203.0.113.9 SIP/2.0")
    #expect(TestNode.headers("Route", invite) == row.1)
    #expect(invite.hasSuffix("\r\n\r\nabc"))
    // The ACK to a refusal goes the same way (RFC 3261 §17.1.1.3).
    node.send(TestNode.response("486 Busy", to: invite), from: node.peer("router", .udp))
    let ack = node.takeAddressed().first?.1 ?? ""
    #expect(TestNode.start(ack) == "ACK sip:203.0.113.9 SIP/2.0")
    #expect(TestNode.headers("Route", ack) == row.1)
    node.expectNothingLeft()
  }

  @Test("behind us: an ACK to a 2xx is turned around as well")
  func ackBehind() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    let routes = called(node, alice, bob)
    node.send(
      node.request(
        "ACK", "sip:bob@192.168.7.7", from: alice, tag: "callee",
        "Route: " + (routes + ["<sip:203.0.113.9>"]).joined(separator: ", ")), from: alice)
    let ack = node.one(by: bob)
    #expect(TestNode.start(ack) == "ACK sip:203.0.113.9 SIP/2.0")
    #expect(TestNode.headers("Route", ack) == ["<sip:bob@192.168.7.7>"])
    node.expectNothingLeft()
  }

  @Test(
    "before us: our Record-Route value as Request-URI leads to the other side, with its target from the end of Route",
    arguments: ["ACK", "BYE", "INFO"], [", ", "\nRoute: ", " ,\n\t", "\nX-Between: 1\nroute:"])
  func before(_ method: String, _ separator: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob", .udp))
    let routes = called(node, alice, bob)
    let upper = String(routes[0].dropFirst().dropLast())
    let rest = (routes.dropFirst() + ["<sip:bob@192.168.7.7;x=y>;z"]).joined(separator: separator)
    node.send(
      node.request(
        method, upper, from: alice, cseq: 3, tag: "callee", "X-Before: 1\nRoute: \(rest)\nX-After: 2", body: "abc"),
      from: alice)
    node.settle()
    let request = node.one(by: bob)
    #expect(TestNode.start(request) == "\(method) sip:bob@192.168.7.7;x=y SIP/2.0")
    #expect(TestNode.headers("Route", request).isEmpty)
    #expect(TestNode.header("X-Before", request) == "1")
    #expect(TestNode.header("X-After", request) == "2")
    #expect(request.hasSuffix("\r\n\r\nabc"))
    if method != "ACK" {
      node.send(TestNode.response("200 OK", to: request), from: bob)
      #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 200 OK")
    }
    node.expectNothingLeft()
  }

  @Test("before us: a target that can't be a Request-URI is refused")
  func badTarget() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    let routes = called(node, alice, bob)
    let upper = String(routes[0].dropFirst().dropLast())
    node.send(
      node.request("BYE", upper, from: alice, cseq: 3, tag: "callee", "Route: <sip:bob@192.168.7.7?a=b>"), from: alice)
    #expect(TestNode.start(node.one(by: alice)).hasPrefix("SIP/2.0 400 "))
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  /// Alice's route set of a call to bob that he took.
  private func called(_ node: TestNode, _ alice: TestNode.Peer, _ bob: TestNode.Peer) -> [String] {
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, "Contact: <sip:alice@10.0.0.1>"), from: alice)
    node.settle()
    let response = TestNode.response("200 OK", to: node.one(by: bob), contact: "sip:bob@192.168.7.7")
    node.send(response, from: bob)
    let routes = TestNode.headers("Record-Route", node.received(by: alice).last ?? "")
    #expect(routes.count == 2)
    return routes.reversed()
  }
}

import SIPServer
import Structures
import Testing

@Suite("Loops and spirals, RFC 3261 §16.3 step 4, RFC 5393 §4")
struct LoopTests {
  /// bob's phone is a proxy that sends what it gets back to us, with another Via on top.
  private struct Loop {
    let node: TestNode
    let alice: TestNode.Peer
    let bob: TestNode.Peer
    let request: String

    init(_ method: String = "INVITE", _ uri: String = "sip:bob@example.test", _ extra: String = "") {
      node = TestNode()
      (alice, bob) = (node.peer("alice"), node.peer("bob"))
      node.register("bob", bob)
      node.send(node.request(method, uri, from: alice, extra), from: alice)
      node.settle()
      request = node.one(by: bob)
      _ = node.received(by: alice)
    }

    /// The request as bob's phone sends it on, to an address of its choice.
    func returned(to uri: String) -> String {
      let line = TestNode.start(request)
      let method = line.prefix { $0 != " " }
      return request.replacing(
        line + "\r\n",
        with: "\(method) \(uri) SIP/2.0\r\nVia: SIP/2.0/TLS \(bob.flow.remote);branch=z9hG4bKback\r\n")
    }
  }

  @Test("a request that comes back to the same Request-URI has looped: 482", arguments: ["INVITE", "MESSAGE"])
  func loop(_ method: String) {
    let loop = Loop(method)
    loop.node.send(loop.returned(to: "sip:bob@example.test"), from: loop.bob)
    let answer = loop.node.one(by: loop.bob)
    #expect(TestNode.start(answer) == "SIP/2.0 482 Loop Detected")
    #expect(TestNode.headers("Via", answer).count == 3)
    loop.node.send(TestNode.response("482 Loop Detected", to: loop.request), from: loop.bob)
    #expect(loop.node.received(by: loop.alice).last.map(TestNode.start) == "SIP/2.0 482 Loop Detected")
    loop.node.expectNothingLeft()
  }

  @Test("one that comes back to another user spirals, and goes on; coming back once more to the first it has looped")
  func spiral() {
    let loop = Loop()
    let (node, carol) = (loop.node, loop.node.peer("carol"))
    node.register("carol", carol)
    node.send(loop.returned(to: "sip:carol@example.test"), from: loop.bob)
    node.settle()
    let spiralled = node.one(by: carol)
    #expect(TestNode.start(spiralled).hasPrefix("INVITE sip:carol@"))
    #expect(TestNode.headers("Via", spiralled).count == 4)
    let line = TestNode.start(spiralled)
    for (uri, loops) in [
      ("sip:bob@example.test", true), ("sip:carol@example.test", true), ("sip:x@example.test", false),
    ] {
      let via = "Via: SIP/2.0/TLS \(carol.flow.remote);branch=z9hG4bK\(uri.count)\(loops)"
      node.send(spiralled.replacing(line, with: "INVITE \(uri) SIP/2.0\r\n\(via)"), from: carol)
      node.settle()
      let expected = loops ? "SIP/2.0 482 Loop Detected" : "SIP/2.0 404 Not Found"
      #expect(node.received(by: carol).last.map(TestNode.start) == expected, "\(uri)")
    }
  }

  @Test("one that another node of the cluster has forwarded for the same reasons has looped")
  func otherNode() {
    let loop = Loop()
    let other = TestNode(number: 8)
    let bob = other.peer("bob")
    other.register("bob", bob)
    other.send(loop.returned(to: "sip:bob@example.test"), from: bob)
    #expect(other.received(by: bob).last.map(TestNode.start) == "SIP/2.0 482 Loop Detected")
    let spiral = loop.returned(to: "sip:dave@example.test").replacing("bKback", with: "bKdave")
    other.send(spiral, from: bob)
    other.settle()
    #expect(other.received(by: bob).last.map(TestNode.start) == "SIP/2.0 404 Not Found")
  }

  @Test("Route tells a spiral from a loop, as it decides where a request goes (RFC 5393 §4.2.1)")
  func route() {
    let loop = Loop("INVITE", "sip:bob@example.test", "Route: <sip:192.0.2.1:5061;lr>")
    // The same place without the Route: a first time, and then not again.
    loop.node.send(loop.returned(to: "sip:bob@example.test"), from: loop.bob)
    loop.node.settle()
    let second = loop.node.received(by: loop.bob).last ?? ""
    #expect(TestNode.start(second).hasPrefix("INVITE sip:bob@"))
    let again = second.replacing(
      TestNode.start(second),
      with: "INVITE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TLS \(loop.bob.flow.remote);branch=z9hG4bKthird")
    loop.node.send(again, from: loop.bob)
    #expect(loop.node.received(by: loop.bob).last.map(TestNode.start) == "SIP/2.0 482 Loop Detected")
  }

  @Test("the loop check is the same for every method and differs between requests (RFC 5393 §4.2.1, §4.2.4)")
  func check() {
    func letters(_ loop: Loop) -> String {
      let branch = TestNode.header("Via", loop.request).split(separator: "branch=z9hG4bK").last ?? ""
      // Octets 17 to 20 begin within the 23rd letter; the seal over all of them begins with the 29th.
      return String(branch.dropFirst(23).prefix(4))
    }
    #expect(letters(Loop("INVITE")) == letters(Loop("MESSAGE")))
    #expect(letters(Loop("INVITE")) != letters(Loop("INVITE", "sip:bob@alias.test")))
  }

  @Test("a Via of others is no obstacle, however it is written; a branch that is forged is nobody's")
  func foreignVias() {
    let loop = Loop()
    let ours = TestNode.header("Via", loop.request)
    let branch = ours.split(separator: "branch=").last.map(String.init) ?? ""
    var forged = Array(branch)
    forged[12] = forged[12] == "A" ? "B" : "A"
    let vias = [
      "SIP/2.0/TLS x;y;z=\"q,;\\\"\";branch=\(String(forged))", "SIP/3.0/SCTP [2001:db8::1]:5;branch",
      "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK\(String(repeating: "A", count: 32))", "nonsense",
    ]
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, vias.map { "Via: \($0)" }.joined(separator: "\n")), from: alice)
    node.settle()
    #expect(TestNode.headers("Via", node.one(by: bob)).suffix(4) == vias)
    // Ours among them, on one line with others.
    let shared = "Via: \(vias[0]), \(ours), \(vias[2])"
    node.send(node.request("INVITE", from: alice, callID: "call-1", shared), from: alice)
    #expect(node.received(by: alice).last.map(TestNode.start) == "SIP/2.0 482 Loop Detected")
  }

  @Test("an ACK that has looped is dropped")
  func ack() {
    let loop = Loop("ACK")
    loop.node.send(loop.returned(to: "sip:bob@example.test"), from: loop.bob)
    loop.node.settle()
    #expect(loop.node.received(by: loop.bob).isEmpty)
    loop.node.expectNothingLeft()
  }
}

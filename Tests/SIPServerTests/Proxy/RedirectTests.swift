import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import Testing

@Suite("Redirections, RFC 3261 §16.7 step 4")
struct RedirectTests {
  private struct Call {
    let node: TestNode
    let alice: TestNode.Peer
    let bob: TestNode.Peer
    let carol: TestNode.Peer
    let toBob: String

    init(follows: Bool = true, uri: String = "sip:bob@example.test") {
      node = TestNode { $0.followsRedirects = follows }
      (alice, bob, carol) = (node.peer("alice"), node.peer("bob"), node.peer("carol"))
      node.register("bob", bob)
      node.register("carol", carol)
      node.send(node.request("INVITE", uri, from: alice, branch: "first"), from: alice)
      node.settle()
      toBob = node.one(by: bob)
      _ = node.received(by: alice)
    }

    /// Bob sends the caller elsewhere.
    func redirect(_ contacts: String, status: String = "302 Moved Temporarily") {
      let response = TestNode.response(status, to: toBob)
      node.send(response.replacing("Content-Length", with: "Contact: \(contacts)\r\nContent-Length"), from: bob)
      node.settle()
    }

    func heard() -> [String] { node.received(by: alice).map(TestNode.start) }
  }

  @Test("a 3xx goes to the caller unless following was ordered")
  func passed() {
    let call = Call(follows: false)
    call.redirect("<sip:carol@example.test>")
    #expect(call.heard() == ["SIP/2.0 302 Moved Temporarily"])
    #expect(call.node.received(by: call.carol).isEmpty)
  }

  @Test("a contact in a domain of ours is looked up, one that is an address is reached there, by their q")
  func followed() {
    let call = Call()
    call.redirect("<sip:box@198.51.100.200:5070;transport=tcp>;q=0.3, <sip:carol@example.test>;q=0.7")
    #expect(call.heard().isEmpty)
    #expect(call.node.takeAddressed().isEmpty)
    let toCarol = call.node.one(by: call.carol)
    #expect(TestNode.start(toCarol).hasPrefix("INVITE sip:carol@"))
    call.node.send(TestNode.response("486 Busy Here", to: toCarol), from: call.carol)
    let sent = call.node.takeAddressed()
    #expect(sent.first?.0 == SocketAddress("198.51.100.200:5070"))
    #expect(TestNode.start(sent.first?.1 ?? "") == "INVITE sip:box@198.51.100.200:5070;transport=tcp SIP/2.0")
    call.node.failAddressed()
    #expect(call.heard() == ["SIP/2.0 486 Busy Here"])
    call.node.expectNothingLeft()
  }

  @Test("nobody is tried twice: a user who redirects to himself, or two to each other, end")
  func circle() {
    let call = Call()
    call.redirect("<sip:carol@example.test>")
    let toCarol = call.node.one(by: call.carol)
    let back = TestNode.response("302 Moved", to: toCarol)
    call.node.send(
      back.replacing("Content-Length", with: "Contact: <sip:bob@alias.test>\r\nContent-Length"), from: call.carol)
    call.node.settle()
    #expect(call.node.received(by: call.bob).filter { !$0.hasPrefix("ACK") }.isEmpty)
    #expect(call.heard().last == "SIP/2.0 480 Temporarily Unavailable")
    call.node.expectNothingLeft()
  }

  @Test(
    "a 3xx of which not every contact can be reached is passed whole",
    arguments: ["<tel:+4930123>", "<sip:carol@example.test>, <tel:+4930123>", "<sip:x@name.elsewhere.test>", "*"])
  func unreachable(_ contacts: String) {
    let call = Call()
    call.redirect(contacts)
    #expect(call.heard() == ["SIP/2.0 302 Moved Temporarily"])
    #expect(call.node.received(by: call.carol).isEmpty)
    call.node.expectNothingLeft()
  }

  @Test(
    "a use of a proxy and another service aren't places to try",
    arguments: ["305 Use Proxy", "380 Alternative Service"])
  func otherMeanings(_ status: String) {
    let call = Call()
    call.redirect("<sip:carol@example.test>", status: status)
    #expect(call.heard() == ["SIP/2.0 \(status)"])
  }

  @Test("what one phone redirects to rings beside the other phones")
  func beside() {
    let node = TestNode { $0.followsRedirects = true }
    let (alice, first, second, carol) = (node.peer("alice"), node.peer("1"), node.peer("2"), node.peer("carol"))
    node.register("bob", first)
    node.register("bob", second)
    node.register("carol", carol)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let (toFirst, toSecond) = (node.one(by: first), node.one(by: second))
    node.send(TestNode.response("180 Ringing", to: toSecond), from: second)
    let moved = TestNode.response("302 Moved", to: toFirst)
    node.send(
      moved.replacing("Content-Length", with: "Contact: <sip:carol@example.test>\r\nContent-Length"), from: first)
    node.settle()
    let toCarol = node.one(by: carol)
    node.send(TestNode.response("200 OK", to: toCarol), from: carol)
    #expect(node.received(by: second).contains { $0.hasPrefix("CANCEL") })
    #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test("a caller that cancels while a redirection is looked up gets 487, and nobody else is called")
  func cancelled() {
    let call = Call()
    let response = TestNode.response("302 Moved", to: call.toBob)
    call.node.send(
      response.replacing("Content-Length", with: "Contact: <sip:carol@example.test>\r\nContent-Length"), from: call.bob)
    call.node.send(call.node.request("CANCEL", from: call.alice, branch: "first"), from: call.alice)
    call.node.settle()
    #expect(call.heard().contains("SIP/2.0 487 Request Terminated"))
    #expect(call.node.received(by: call.carol).isEmpty)
    call.node.expectNothingLeft()
  }
}

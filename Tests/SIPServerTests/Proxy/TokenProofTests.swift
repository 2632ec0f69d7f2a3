import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import Testing

@Suite("What a token of ours proves, RFC 3261 §16.3 step 6, RFC 5626 §5.3, RFC 3327 §5.1")
struct TokenProofTests {
  /// A request from somebody whose From is in no domain of ours.
  private static func stranger(
    _ method: String, _ uri: String, _ peer: TestNode.Peer, callID: String = "call-1", tag: String? = "made-up",
    branch: String, _ extra: String
  ) -> String {
    """
    \(method) \(uri) SIP/2.0
    Via: SIP/2.0/TLS \(peer.flow.remote);branch=z9hG4bK\(branch)
    Max-Forwards: 70
    From: <sip:mallory@elsewhere.test>;tag=m
    To: <sip:bob@example.test>\(tag.map { ";tag=" + $0 } ?? "")
    Call-ID: \(callID)
    CSeq: 1 \(method)\(extra.isEmpty ? "" : "\n" + extra)

    """
  }

  private static func node() -> TestNode {
    TestNode { settings in
      settings.staticContacts.add(
        StaticContact(uri: Array("sip:100@198.51.100.250:5070;transport=tcp".utf8)), to: Array("100@example.test".utf8))
    }
  }

  @Test("a token that leads back to its sender doesn't make us a relay", arguments: ["MESSAGE", "INVITE", "ACK"])
  func ownToken(_ method: String) {
    let node = Self.node()
    let (mallory, bob) = (node.peer("mallory"), node.peer("bob"))
    node.register("bob", bob)
    node.send(Self.stranger("INVITE", "sip:bob@example.test", mallory, tag: nil, branch: "1", ""), from: mallory)
    node.settle()
    let invite = node.one(by: bob)
    node.send(TestNode.response("486 Busy Here", to: invite), from: bob)
    _ = node.received(by: mallory)
    for routes in TestNode.headers("Record-Route", invite) {
      node.send(
        Self.stranger(method, "sip:x@203.0.113.9", mallory, branch: "2" + "\(routes.hashValue)", "Route: \(routes)"),
        from: mallory)
      node.settle()
    }
    #expect(node.takeAddressed().isEmpty)
  }

  @Test("a token of a dialog with an address counts within its call alone")
  func addressToken() {
    let node = Self.node()
    let mallory = node.peer("mallory")
    node.send(Self.stranger("INVITE", "sip:100@example.test", mallory, tag: nil, branch: "1", ""), from: mallory)
    node.settle()
    let sent = node.takeAddressed()
    #expect(sent.count == 1)
    let route = "Route: " + TestNode.headers("Record-Route", sent.first?.1 ?? "").reversed().joined(separator: ", ")
    let gateway = "sip:100@198.51.100.250:5070;transport=tcp"
    node.send(Self.stranger("BYE", gateway, mallory, branch: "2", route), from: mallory)
    node.settle()
    #expect(node.takeAddressed().map { TestNode.start($0.1) } == ["BYE \(gateway) SIP/2.0"])
    _ = node.received(by: mallory)
    for (callID, tag) in [("another", "made-up"), ("call-1", nil)] as [(String, String?)] {
      node.send(
        Self.stranger("MESSAGE", "sip:x@203.0.113.9", mallory, callID: callID, tag: tag, branch: "3" + callID, route),
        from: mallory)
      node.settle()
      #expect(TestNode.start(node.one(by: mallory)) == "SIP/2.0 403 Relaying Denied")
    }
    node.send(Self.stranger("ACK", "sip:x@203.0.113.9", mallory, callID: "another", branch: "4", route), from: mallory)
    #expect(node.takeAddressed().isEmpty)
  }

  @Test("a dialog's token leads nowhere outside of a dialog")
  func outsideDialog() {
    let node = Self.node()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let routes = TestNode.headers("Record-Route", node.one(by: bob))
    _ = node.received(by: alice)
    // Bob wants to write to the caller, of whom he has nothing but the token.
    node.send(
      Self.stranger(
        "MESSAGE", "sip:bob@example.test", bob, tag: nil, branch: "1", "Route: " + routes.joined(separator: ", ")),
      from: bob)
    node.settle()
    #expect(node.received(by: alice).isEmpty)
  }
}

@Suite("Branches that are given up, RFC 3261 §16.8, §9.1")
struct GivenUpBranchTests {
  @Test("Timer C as long as Timer B ends the request once")
  func timersTogether() {
    let node = TestNode { $0.timerC = .seconds(32) }
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    node.advance(.seconds(40))
    #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 100 Trying", "SIP/2.0 408 Request Timeout"])
    node.expectNothingLeft()
  }

  @Test("a branch given up as its flow seemed dead that rings later is cancelled, and ends without a final answer too")
  func ringsLater() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let invite = node.one(by: bob)
    node.suspect(bob)
    node.settle()
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 480 Temporarily Unavailable")
    node.send(TestNode.response("180 Ringing", to: invite), from: bob)
    #expect(TestNode.start(node.one(by: bob)).hasPrefix("CANCEL "))
    #expect(!node.received(by: alice).map(TestNode.start).contains("SIP/2.0 180 Ringing"))
    node.expectNothingLeft()
  }
}

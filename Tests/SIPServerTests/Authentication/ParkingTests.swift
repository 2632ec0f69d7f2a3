import SIPServer
import Structures
import Testing

@Suite("Requests that wait for what is asked of their senders")
struct ParkingTests {
  private static func node(_ change: (inout ServerSettings) -> Void = { _ in }) -> TestNode {
    TestNode(users: TestUsers(["alice": "secret", "bob": "hidden"])) {
      $0.authenticationRequired = true
      $0.domains = $0.domains.map {
        .init(name: $0.name, aliases: $0.aliases, realm: $0.realm, asksForUsers: true)
      }
      change(&$0)
    }
  }

  /// A request with credentials, which waits until somebody says who its sender is.
  private func parked(
    _ node: TestNode, _ method: String, _ peer: TestNode.Peer, branch: String, callID: String = "call-1"
  ) -> String {
    node.send(node.request(method, from: peer, callID: callID, branch: "0\(branch)"), from: peer)
    let request = node.request(method, from: peer, callID: callID, cseq: 2, branch: branch)
    let proved = AccessTests.proved(request, node.one(by: peer))
    node.send(proved, from: peer)
    #expect(node.received(by: peer).isEmpty)
    return proved
  }

  @Test("copies of a request that waits are absorbed", arguments: ["INVITE", "MESSAGE"])
  func copies(method: String) {
    let node = Self.node()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
    node.register("bob", bob, password: "hidden")
    let request = parked(node, method, alice, branch: "p")
    for _ in 0..<3 { node.send(request, from: alice) }
    #expect(node.core.holdings.messages == 2, "the REGISTER and this one")
    node.settle()
    node.settle()
    #expect(node.received(by: bob).count == 1)
    #expect(node.received(by: alice).filter { $0.contains(" 100 ") }.count == (method == "INVITE" ? 1 : 0))
    node.send(request, from: alice)
    #expect(node.received(by: bob).isEmpty)
  }

  @Test("a CANCEL of an INVITE that waits is answered, and the INVITE with 487; it goes nowhere (RFC 3261 §9.2)")
  func cancel() {
    let node = Self.node()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
    node.register("bob", bob, password: "hidden")
    let request = parked(node, "INVITE", alice, branch: "c")
    node.send(request.replacing("INVITE", with: "CANCEL"), from: alice)
    let answers = node.received(by: alice)
    #expect(answers.map(TestNode.start) == ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"])
    #expect(TestNode.header("To", answers[0]) == TestNode.header("To", answers[1]))
    node.send(request, from: alice)
    #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 487 Request Terminated"])
    let to = TestNode.header("To", answers[1])
    node.send(
      request.replacing("INVITE", with: "ACK").replacing("To: <sip:bob@example.test>", with: "To: \(to)"), from: alice)
    node.settle()
    node.advance(.seconds(1))
    #expect(node.received(by: bob).isEmpty && node.received(by: alice).isEmpty)
    node.expectNothingLeft()
  }

  @Test("what waits when its connection closes goes nowhere", arguments: ["INVITE", "MESSAGE", "REGISTER"])
  func closed(method: String) {
    let node = Self.node()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob, password: "hidden")
    if method == "REGISTER" {
      let request = node.request("REGISTER", "sip:example.test", from: alice, "Contact: <sip:a@h>")
        .replacing("<sip:bob@", with: "<sip:alice@")
      node.send(request, from: alice)
      node.send(AccessTests.proved(request, node.one(by: alice)).replacing("bKb", with: "bKc"), from: alice)
    } else {
      _ = parked(node, method, alice, branch: "x")
    }
    node.close(alice)
    node.settle()
    node.settle()
    #expect(node.received(by: bob).isEmpty && node.received(by: alice).isEmpty)
    #expect(node.location.lookup(aor: Array("alice@example.test".utf8).span, now: node.core.unixSeconds) == nil)
    node.expectNothingLeft()
  }

  @Test("only so many wait, and only so many octets of them")
  func bounds() {
    for isByOctets in [false, true] {
      let node = Self.node {
        if isByOctets { $0.maxParkedOctets = 1_400 } else { $0.maxParked = 2 }
      }
      let alice = node.peer("alice")
      node.isLocationSilent = true
      node.send(node.request("MESSAGE", from: alice), from: alice)
      let challenge = node.one(by: alice)
      for _ in 0..<5 { node.send(AccessTests.proved(node.request("MESSAGE", from: alice), challenge), from: alice) }
      #expect(node.received(by: alice).filter { $0.hasPrefix("SIP/2.0 503") }.count == 3)
      #expect(node.core.holdings.messages == 2)
      node.expectNothingLeft()
    }
  }

  @Test("what nobody answers for is refused for now, when its time is over")
  func silence() {
    let node = Self.node()
    let alice = node.peer("alice")
    node.isLocationSilent = true
    _ = parked(node, "INVITE", alice, branch: "s")
    node.advance(.milliseconds(4_900))
    #expect(node.received(by: alice).isEmpty)
    node.advance(.milliseconds(200))
    let answer = node.one(by: alice)
    #expect(TestNode.start(answer).hasPrefix("SIP/2.0 500") && TestNode.header("Retry-After", answer) == "5")
    node.expectNothingLeft()
  }
}

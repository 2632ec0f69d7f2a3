import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import Testing

@Suite("Requests within a dialog, RFC 3261 §16.4, §16.6 step 4, RFC 5626 §5.3")
struct DialogTests {
  /// A call between alice and bob that was taken; each side's route set stands as its Route lines would.
  private struct Call {
    let node: TestNode
    let alice: TestNode.Peer
    let bob: TestNode.Peer
    let invite: String
    var routesOfAlice: [String] = []
    var routesOfBob: [String] = []

    init(
      _ left: TransportProtocol = .tls, _ right: TransportProtocol = .tls, uri: String = "sip:bob@example.test",
      contact: String? = nil, on node: TestNode = TestNode()
    ) {
      self.node = node
      alice = node.peer("alice", left)
      bob = node.peer("bob", right)
      node.register("bob", bob, contact: contact, password: node.isChallenging ? "hidden" : nil)
      let request = node.request("INVITE", uri, from: alice, branch: "first", "Contact: <sip:alice@10.0.0.1>")
      node.send(request, from: alice)
      if node.isChallenging {
        let again = node.request("INVITE", uri, from: alice, cseq: 2, branch: "second", "Contact: <sip:a@10.0.0.1>")
        node.send(AccessTests.proved(again, node.one(by: alice)), from: alice)
      }
      node.settle()
      invite = node.received(by: bob).first ?? node.takeAddressed().first?.1 ?? ""
      let response = TestNode.response("200 OK", to: invite, contact: "sip:bob@192.168.7.7")
      node.send(response, from: bob)
      let ok = node.received(by: alice).last ?? ""
      #expect(TestNode.start(ok) == "SIP/2.0 200 OK")
      routesOfBob = TestNode.headers("Record-Route", invite)
      routesOfAlice = TestNode.headers("Record-Route", ok).reversed()
    }

    func fromAlice(_ method: String, cseq: Int = 3, _ extra: String = "", routes: [String]? = nil) -> String {
      let route = "Route: " + (routes ?? routesOfAlice).joined(separator: ", ")
      return node.request(
        method, "sip:bob@192.168.7.7", from: alice, cseq: cseq, tag: "callee",
        route + (extra.isEmpty ? "" : "\n" + extra))
    }

    func fromBob(_ method: String, cseq: Int = 1, routes: [String]? = nil) -> String {
      let lines = (routes ?? routesOfBob).map { "\nRoute: " + $0 }.joined()
      return """
        \(method) sip:alice@10.0.0.1 SIP/2.0
        Via: SIP/2.0/TLS \(bob.flow.remote);branch=z9hG4bKbob\(method)\(cseq)
        Max-Forwards: 70
        From: <sip:bob@example.test>;tag=callee
        To: <sip:alice@example.test>;tag=alice-tag
        Call-ID: call-1
        CSeq: \(cseq) \(method)\(lines)

        """
    }
  }

  private static let transports: [(TransportProtocol, TransportProtocol)] = [
    (.tls, .tls), (.tls, .udp), (.udp, .tls), (.tcp, .udp), (.udp, .udp), (.tls, .tcp),
  ]

  @Test("take the flows of the dialog both ways, whatever transports the sides have", arguments: transports)
  func bothWays(_ pair: (TransportProtocol, TransportProtocol)) {
    let call = Call(pair.0, pair.1)
    let node = call.node
    // Where a datagram goes the location is asked first: its client may have another port by now.
    node.send(call.fromAlice("ACK"), from: call.alice)
    node.settle()
    let ack = node.one(by: call.bob)
    #expect(TestNode.start(ack) == "ACK sip:bob@192.168.7.7 SIP/2.0")
    #expect(TestNode.headers("Route", ack).isEmpty)
    for method in ["BYE", "INFO", "INVITE", "UPDATE", "FOO"] {
      node.send(call.fromAlice(method), from: call.alice)
      node.settle()
      let request = node.one(by: call.bob)
      #expect(TestNode.start(request) == "\(method) sip:bob@192.168.7.7 SIP/2.0")
      node.send(TestNode.response("200 OK", to: request), from: call.bob)
      #expect(node.received(by: call.alice).map(TestNode.start).last == "SIP/2.0 200 OK")
      node.send(call.fromBob(method), from: call.bob)
      node.settle()
      let back = node.one(by: call.alice)
      #expect(TestNode.start(back) == "\(method) sip:alice@10.0.0.1 SIP/2.0")
      #expect(TestNode.headers("Route", back).isEmpty)
      node.send(TestNode.response("200 OK", to: back), from: call.alice)
      #expect(node.received(by: call.bob).map(TestNode.start).last == "SIP/2.0 200 OK")
    }
    node.expectNothingLeft()
  }

  @Test(
    "have Record-Route values of either side's transport, with the cluster's name, for dialog-forming requests only")
  func recordRoutes() {
    for (left, right) in Self.transports {
      let call = Call(left, right)
      let ends = call.routesOfBob.map { $0.split(separator: "@").last.map(String.init) ?? "" }
      let expected = [right, left].map { transport in
        switch transport {
        case .udp: "sip.example.test:5060;lr>"
        case .tcp: "sip.example.test:5060;transport=tcp;lr>"
        case .tls: "sip.example.test:5061;transport=tls;lr>"
        }
      }
      #expect(ends == expected)
      call.node.expectNothingLeft()
    }
    for (method, count) in [("MESSAGE", 0), ("OPTIONS", 0), ("SUBSCRIBE", 2), ("REFER", 2), ("PUBLISH", 0)] {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice"), node.peer("bob"))
      node.register("bob", bob)
      node.send(node.request(method, from: alice), from: alice)
      node.settle()
      #expect(TestNode.headers("Record-Route", node.one(by: bob)).count == count, "\(method)")
    }
  }

  @Test("to a sips URI are record-routed as sips (RFC 3261 §16.6 step 4)")
  func secure() {
    let call = Call(uri: "sips:bob@example.test", contact: "sips:bob@10.0.0.9")
    #expect(call.routesOfBob.count == 2)
    for route in call.routesOfBob {
      #expect(route.hasPrefix("<sips:"), "\(route)")
      #expect(route.hasSuffix("@sip.example.test:5061;lr>"), "\(route)")
    }
    call.node.send(call.fromAlice("BYE"), from: call.alice)
    #expect(TestNode.start(call.node.one(by: call.bob)).hasPrefix("BYE "))
    call.node.send(call.fromBob("BYE"), from: call.bob)
    #expect(TestNode.start(call.node.one(by: call.alice)).hasPrefix("BYE "))
    call.node.expectNothingLeft()
  }

  @Test("need no proof again where our token shows that the dialog is ours, and lose credentials all the same")
  func exempt() {
    let users = TestUsers(["alice": "secret", "bob": "hidden"])
    let call = Call(on: TestNode(users: users) { $0.authenticationRequired = true })
    let node = call.node
    node.send(
      call.fromAlice(
        "ACK",
        "Proxy-Authorization: Digest username=\"alice\", realm=\"example.test\", nonce=\"n\", uri=\"sip:x\", response=\"00\""
      ),
      from: call.alice)
    #expect(TestNode.headers("Proxy-Authorization", node.one(by: call.bob)).isEmpty)
    node.send(
      call.fromAlice(
        "BYE",
        "Proxy-Authorization: Digest username=\"alice\", realm=\"example.test\", nonce=\"n\", uri=\"sip:x\", response=\"00\""
      ),
      from: call.alice)
    let bye = node.one(by: call.bob)
    #expect(TestNode.headers("Proxy-Authorization", bye).isEmpty)
    node.send(call.fromBob("INFO"), from: call.bob)
    #expect(TestNode.start(node.one(by: call.alice)).hasPrefix("INFO "))
    // The token alone is no pass for a new dialog.
    let fresh = call.fromAlice("INVITE").replacing(";tag=callee", with: "")
    node.send(fresh, from: call.alice)
    #expect(TestNode.start(node.one(by: call.alice)).contains("407"))
    node.expectNothingLeft()
  }

  @Test("with a token that was changed or isn't ours are refused with 403, an ACK is dropped (RFC 5626 §5.3.1)")
  func tampered() {
    let call = Call()
    let node = call.node
    let token = call.routesOfAlice[0].firstMatch(of: /sip:([^@]*)@/).map { String($0.output.1) } ?? ""
    #expect(token.count > 40)
    var letters = Array(token)
    letters[30] = letters[30] == "A" ? "B" : "A"
    for bad in [String(letters), String(token.dropLast(4)), token + "AAAA", "%41" + token] {
      let routes = [call.routesOfAlice[0].replacing(token, with: bad), call.routesOfAlice[1]]
      node.send(call.fromAlice("BYE", routes: routes), from: call.alice)
      #expect(TestNode.start(node.one(by: call.alice)).hasPrefix("SIP/2.0 403"), "\(bad)")
      node.send(call.fromAlice("ACK", routes: routes), from: call.alice)
      #expect(node.received(by: call.alice).isEmpty)
    }
    #expect(node.received(by: call.bob).isEmpty)
    #expect(node.takeAddressed().isEmpty)
    node.expectNothingLeft()
  }

  @Test("with a token of a flow that is gone get 480")
  func flowGone() {
    let call = Call()
    call.node.close(call.bob)
    for method in ["BYE", "INVITE", "FOO"] {
      call.node.send(call.fromAlice(method), from: call.alice)
      call.node.settle()
      let heard = call.node.received(by: call.alice).map(TestNode.start).last
      #expect(heard == "SIP/2.0 480 Temporarily Unavailable")
    }
    call.node.send(call.fromAlice("ACK"), from: call.alice)
    call.node.expectNothingLeft()
  }

  @Test("with the route set the wrong way round still reach the other side, not the sender")
  func wrongSide() {
    let call = Call()
    call.node.send(call.fromAlice("BYE", routes: call.routesOfAlice.reversed()), from: call.alice)
    #expect(TestNode.start(call.node.one(by: call.bob)).hasPrefix("BYE "))
    #expect(call.node.received(by: call.alice).isEmpty)
    call.node.expectNothingLeft()
  }

  @Test("with a token that names a listener which is no more are refused, and nothing breaks")
  func lostListener() {
    let call = Call(.tls, .udp)
    let fewer = TestNode { $0.listeners.removeLast() }
    let alice = fewer.peer("alice")
    fewer.send(call.fromAlice("BYE"), from: alice)
    #expect(TestNode.start(fewer.one(by: alice)).hasPrefix("SIP/2.0 4"))
    fewer.send(call.fromAlice("ACK"), from: alice)
    fewer.expectNothingLeft()
  }

  @Test("to a callee at an address elsewhere go there, ACK included, without a new challenge")
  func elsewhere() {
    let users = TestUsers(["alice": "secret", "bob": "hidden"])
    let call = Call(
      .tls, .udp, uri: "sip:x@203.0.113.9", on: TestNode(users: users) { $0.authenticationRequired = true })
    let node = call.node
    #expect(TestNode.start(call.invite) == "INVITE sip:x@203.0.113.9 SIP/2.0")
    for method in ["ACK", "BYE"] {
      let request = call.fromAlice(method).replacing("192.168.7.7", with: "203.0.113.9:5062")
      node.send(request, from: call.alice)
      let sent = node.takeAddressed()
      #expect(sent.map(\.0) == [SocketAddress("203.0.113.9:5062")], "\(method)")
      let hasRoute = sent.first?.1.contains("\r\nRoute:") ?? true
      #expect(!hasRoute)
    }
    let back = call.fromBob("INFO").replacing("bob@example.test", with: "x@203.0.113.9")
    node.send(back, from: call.bob)
    #expect(TestNode.start(node.received(by: call.alice).last ?? "").hasPrefix("INFO "))
    // Without our token an ACK to elsewhere is nobody's.
    node.send(
      node.request("ACK", "sip:x@203.0.113.9", from: call.alice, tag: "t", "Route: <sip:sip.example.test;lr>"),
      from: call.alice)
    #expect(node.takeAddressed().isEmpty)
    node.expectNothingLeft()
  }

  @Test("of nobody's dialog, without a token, go where their Request-URI says, with proof")
  func withoutToken() {
    let call = Call()
    let node = call.node
    node.send(node.request("BYE", from: call.alice, tag: "callee"), from: call.alice)
    node.settle()
    #expect(TestNode.start(node.one(by: call.bob)).hasPrefix("BYE sip:bob@\(call.bob.flow.remote)"))
    node.expectNothingLeft()
  }
}

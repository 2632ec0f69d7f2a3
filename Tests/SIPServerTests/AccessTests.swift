import SIPServer
import Structures
import Testing

@Suite("Who may send what where, RFC 3261 §22, §16.3")
struct AccessTests {
  private static func node() -> TestNode {
    TestNode(users: TestUsers(["alice": "secret", "bob": "hidden"])) { $0.authenticationRequired = true }
  }

  /// A request with the credentials that its challenge asks for.
  static func proved(
    _ request: String, _ challenge: String, user: String = "alice", password: String = "secret", count: Int = 1
  ) -> String {
    let isProxy = TestNode.start(challenge).contains("407")
    let offer = TestNode.header(isProxy ? "Proxy-Authenticate" : "WWW-Authenticate", challenge)
    let words = TestNode.start(TestNode.wire(request)).split(separator: " ").map(String.init)
    let digits = String(count, radix: 16)
    let client = DigestClient(
      user: user, password: password, algorithm: .md5, uri: words[1], method: words[0],
      nonceCount: String(repeating: "0", count: 8 - digits.count) + digits)
    let nonce = offer.firstMatch(of: /nonce="([^"]*)"/).map { String($0.output.1) } ?? ""
    let header = isProxy ? "Proxy-Authorization" : "Authorization"
    return request.replacing("\nMax-Forwards", with: "\n\(header): \(client.credentials(nonce))\nMax-Forwards")
  }

  private func foreign(_ request: String) -> String {
    request.replacing("<sip:alice@example.test>", with: "<sip:alice@elsewhere.example>")
  }

  @Test("a request from our domain is challenged with 407 and goes on with the right answer, without its credentials")
  func challenge() {
    let node = Self.node()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob, password: "hidden")
    for method in ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "FOO"] {
      node.send(node.request(method, from: alice, branch: "1\(method)"), from: alice)
      let challenge = node.one(by: alice)
      #expect(TestNode.start(challenge) == "SIP/2.0 407 Proxy Authentication Required")
      let again = node.request(
        method, from: alice, cseq: 2, branch: "2\(method)", "Proxy-Authorization: Digest realm=\"other\", nonce=\"n\"")
      node.send(Self.proved(again, challenge), from: alice)
      node.settle()
      let request = node.one(by: bob)
      #expect(TestNode.headers("Proxy-Authorization", request) == ["Digest realm=\"other\", nonce=\"n\""])
      node.send(TestNode.response("200 OK", to: request), from: bob)
      #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 200 OK")
    }
    node.expectNothingLeft()
  }

  @Test("a wrong password, another's name and old credentials are refused")
  func refused() {
    let node = Self.node()
    let alice = node.peer("alice")
    node.send(node.request("MESSAGE", from: alice), from: alice)
    let challenge = node.one(by: alice)
    node.send(Self.proved(node.request("MESSAGE", from: alice), challenge, password: "wrong"), from: alice)
    #expect(TestNode.start(node.one(by: alice)).contains("407"))
    node.send(
      Self.proved(node.request("MESSAGE", from: alice), challenge, user: "bob", password: "hidden"), from: alice)
    #expect(TestNode.start(node.one(by: alice)).contains("403"))
    node.advance(.seconds(400))
    node.send(Self.proved(node.request("MESSAGE", from: alice), challenge), from: alice)
    #expect(TestNode.header("Proxy-Authenticate", node.one(by: alice)).contains("stale=true"))
    node.expectNothingLeft()
  }

  @Test("ACK and CANCEL are never challenged (RFC 3261 §22.1)")
  func neverChallenged() {
    let node = Self.node()
    let alice = node.peer("alice")
    node.send(node.request("ACK", from: alice), from: alice)
    node.send(node.request("CANCEL", from: alice), from: alice)
    #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 481 Call/Transaction Does Not Exist"])
    node.expectNothingLeft()
  }

  @Test("from elsewhere to our users passes without a challenge, to anybody else it is refused with 403")
  func relaying() {
    let node = Self.node()
    let (carol, bob) = (node.peer("carol"), node.peer("bob"))
    node.register("bob", bob, password: "hidden")
    node.send(foreign(node.request("MESSAGE", from: carol)), from: carol)
    node.settle()
    let request = node.one(by: bob)
    node.send(TestNode.response("200 OK", to: request), from: bob)
    #expect(TestNode.start(node.one(by: carol)) == "SIP/2.0 200 OK")
    let elsewhere = [
      ("sip:x@203.0.113.9", ""), ("sip:x@far.example", ""), ("sip:bob@example.test", "Route: <sip:203.0.113.9;lr>"),
      ("sip:bob@example.test", "Route: <sip:sip.example.test;lr>, <sip:203.0.113.9;lr>"),
    ]
    for (uri, route) in elsewhere {
      for method in ["INVITE", "REGISTER", "FOO"] {
        node.send(foreign(node.request(method, uri, from: carol, route)), from: carol)
        #expect(TestNode.start(node.one(by: carol)).contains("403"), "\(method) \(uri) \(route)")
        node.send(foreign(node.request(method, uri, from: carol, tag: "t", route)), from: carol)
        #expect(TestNode.start(node.one(by: carol)).contains("403"), "\(method) \(uri) \(route)")
      }
      node.send(foreign(node.request("ACK", uri, from: carol, tag: "t", route)), from: carol)
    }
    #expect(node.takeAddressed().isEmpty)
    node.expectNothingLeft()
  }

  @Test("our users may call addresses elsewhere, by the URI's transport and port, also by IPv6")
  func outward() {
    let cases: [(String, String, TransportProtocol)] = [
      ("sip:x@203.0.113.9", "203.0.113.9:5060", .udp), ("sip:203.0.113.9:5070", "203.0.113.9:5070", .udp),
      ("sip:x@203.0.113.9;transport=tcp", "203.0.113.9:5060", .tcp),
      ("sip:x@203.0.113.9;transport=TLS", "203.0.113.9:5061", .tls), ("sips:x@203.0.113.9", "203.0.113.9:5061", .tls),
      ("sips:x@203.0.113.9:9;transport=tcp", "203.0.113.9:9", .tls),
      ("sip:x@[2001:db8::1]:5062;transport=tcp", "[2001:db8::1]:5062", .tcp),
    ]
    for (uri, address, transport) in cases {
      let node = TestNode()
      let alice = node.peer("alice")
      node.send(node.request("INVITE", uri, from: alice), from: alice)
      let sent = node.takeAddressed()
      #expect(sent.count == 1, "\(uri)")
      #expect(sent.first?.0 == SocketAddress(address), "\(uri)")
      let message = sent.first?.1 ?? ""
      #expect(TestNode.start(message) == "INVITE \(uri) SIP/2.0")
      #expect(TestNode.header("Via", message).hasPrefix("SIP/2.0/\("\(transport)".uppercased()) "))
      node.expectNothingLeft()
    }
  }

  @Test(
    "nothing is sent to nowhere or to everybody",
    arguments: [
      "sip:x@255.255.255.255", "sip:x@224.0.0.1", "sip:x@0.0.0.0", "sip:x@[::]", "sip:x@[ff02::1]",
      "sip:x@203.0.113.9;transport=sctp",
    ])
  func nowhere(_ uri: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob", .udp))
    node.send(node.request("MESSAGE", uri, from: alice), from: alice)
    node.send(node.request("MESSAGE", "sip:x@far.example", from: alice, "Route: <\(uri);lr>"), from: alice)
    #expect(node.received(by: alice).map { TestNode.start($0).prefix(9) } == ["SIP/2.0 5", "SIP/2.0 5"])
    node.register("bob", bob, contact: uri)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(node.takeAddressed().isEmpty)
    node.expectNothingLeft()
  }

  @Test("a REGISTER is challenged with 401 by the realm of its To, and nobody registers for another")
  func register() {
    let node = Self.node()
    let phone = node.peer("phone")
    func register(to: String, from: String, cseq: Int, contact: String = "Contact: <sip:a@10.0.0.1>") -> String {
      """
      REGISTER sip:example.test SIP/2.0
      Via: SIP/2.0/TLS 10.0.0.1;branch=z9hG4bKr\(cseq)
      Max-Forwards: 70
      From: <sip:\(from)>;tag=1
      To: <sip:\(to)>
      Call-ID: r
      CSeq: \(cseq) REGISTER
      \(contact)

      """
    }
    node.send(register(to: "alice@example.test", from: "alice@example.test", cseq: 1), from: phone)
    let challenge = node.one(by: phone)
    #expect(TestNode.start(challenge) == "SIP/2.0 401 Unauthorized")
    #expect(TestNode.header("WWW-Authenticate", challenge).contains("realm=\"example.test\""))
    // The right user for himself, by an alias of the domain, and by somebody elsewhere's From.
    for (index, row) in [
      ("alice@example.test", "alice@example.test"), ("alice@alias.test", "alice@alias.test"),
      ("alice@example.test", "admin@elsewhere.example"),
    ].enumerated() {
      let request = register(to: row.0, from: row.1, cseq: 10 + index)
      node.send(request, from: phone)
      node.send(Self.proved(request.replacing("bKr", with: "bKs"), node.one(by: phone)), from: phone)
      node.settle()
      let answer = node.one(by: phone)
      #expect(TestNode.start(answer) == "SIP/2.0 200 OK", "\(row)")
      #expect(TestNode.headers("Contact", answer) == ["<sip:a@10.0.0.1>;expires=3600"])
    }
    let third = register(to: "bob@example.test", from: "alice@example.test", cseq: 20)
    node.send(third, from: phone)
    node.send(Self.proved(third.replacing("bKr", with: "bKs"), node.one(by: phone)), from: phone)
    #expect(TestNode.start(node.one(by: phone)).contains("403"))
    // A domain that isn't ours.
    node.send(register(to: "bob@elsewhere.example", from: "bob@elsewhere.example", cseq: 30), from: phone)
    #expect(TestNode.start(node.one(by: phone)) == "SIP/2.0 404 Not Found")
    node.expectNothingLeft()
  }
}

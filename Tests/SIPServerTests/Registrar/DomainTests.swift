import SIPServer
import Structures
import Testing

@Suite("Several domains, RFC 3261 §10.3 steps 1, 4 and 5")
struct DomainTests {
  /// A node with two domains, which both have a bob, with a realm each.
  private static func node(isChallenging: Bool = false) -> TestNode {
    let users = TestUsers()
    users.add("bob", domain: "example.test", realm: "one", "first")
    users.add("bob", domain: "second.test", realm: "two", "second")
    users.add("carol", domain: "second.test", realm: "two", "third")
    return TestNode(users: users) { settings in
      func domain(_ name: String, _ alias: String, _ realm: String) -> ServerSettings.Domain {
        .init(name: Array(name.utf8), aliases: [Array(alias.utf8)], realm: Array(realm.utf8))
      }
      settings.domains = [domain("example.test", "alias.test", "one"), domain("second.test", "2nd.test", "two")]
      settings.authenticationRequired = isChallenging
    }
  }

  private static func phone(_ node: TestNode, _ name: String, _ aor: String, to host: String? = nil) -> RegisteringPhone
  {
    var phone = RegisteringPhone(node, name, aor: aor)
    phone.requestURI = "sip:\(host ?? aor.split(separator: "@").last.map(String.init) ?? "")"
    return phone
  }

  /// What a phone gets for a REGISTER that answers the challenge with a password.
  private static func register(
    _ phone: inout RegisteringPhone, user: String, realm: String, password: String
  ) -> (challenge: String, answer: String) {
    let node = phone.node
    let challenge = phone.register("Contact: <sip:\(user)@10.0.0.1>")
    let nonce = TestNode.header("WWW-Authenticate", challenge).firstMatch(of: /nonce="([^"]*)"/)
    let client = DigestClient(user: user, password: password, realm: realm, uri: phone.requestURI)
    let credentials = client.credentials(nonce.map { String($0.output.1) } ?? "")
    let answer = phone.register("Contact: <sip:\(user)@10.0.0.1>\nAuthorization: \(credentials)")
    node.settle()
    return (challenge, answer)
  }

  @Test("the same user name in two domains has bindings of its own in each, and aliases are the same domain")
  func apart() {
    let node = Self.node()
    var first = Self.phone(node, "first", "bob@example.test")
    var second = Self.phone(node, "second", "bob@second.test")
    _ = first.register("Contact: <sip:bob@10.0.0.1>")
    _ = second.register("Contact: <sip:bob@10.0.0.2>")
    #expect(first.contacts().map { $0.prefix(18) } == ["<sip:bob@10.0.0.1>"])
    #expect(second.contacts().map { $0.prefix(18) } == ["<sip:bob@10.0.0.2>"])
    var other = Self.phone(node, "other", "bob@2ND.test", to: "SECOND.test")
    #expect(other.contacts().map { $0.prefix(18) } == ["<sip:bob@10.0.0.2>"])
    #expect(other.status("Contact: *\nExpires: 0") == 200)
    #expect(second.contacts().isEmpty && first.contacts().count == 1)
    node.expectNothingLeft()
  }

  @Test("a call to a name of either domain reaches the user of that domain")
  func calls() {
    let node = Self.node()
    var first = Self.phone(node, "first", "bob@example.test")
    var second = Self.phone(node, "second", "bob@second.test")
    _ = first.register("Contact: <sip:bob@10.0.0.1>")
    _ = second.register("Contact: <sip:bob@10.0.0.2>")
    let alice = node.peer("alice")
    let places = [("example.test", first), ("alias.test", first), ("second.test", second), ("2nd.test", second)]
    for (host, phone) in places {
      node.send(node.request("MESSAGE", "sip:bob@\(host)", from: alice), from: alice)
      node.settle()
      let request = node.one(by: phone.peer)
      node.send(TestNode.response("200 OK", to: request), from: phone.peer)
      #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    }
    node.expectNothingLeft()
  }

  @Test("each domain challenges in its realm and takes its own user's password only")
  func realms() {
    let node = Self.node(isChallenging: true)
    for (index, (aor, realm, password, status)) in [
      ("bob@example.test", "one", "first", 200), ("bob@second.test", "two", "second", 200),
      ("bob@alias.test", "one", "first", 200), ("bob@2nd.test", "two", "second", 200),
      ("bob@example.test", "one", "second", 401), ("bob@second.test", "two", "first", 401),
      ("bob@second.test", "one", "first", 401), ("carol@example.test", "one", "third", 401),
    ].enumerated() {
      var phone = Self.phone(node, "phone\(index)", aor)
      let user = String(aor.prefix { $0 != "@" })
      let (challenge, answer) = Self.register(&phone, user: user, realm: realm, password: password)
      let isOne = aor.hasSuffix("@example.test") || aor.hasSuffix("@alias.test")
      #expect(TestNode.header("WWW-Authenticate", challenge).contains("realm=\"\(isOne ? "one" : "two")\""))
      #expect(RegisteringPhone.status(of: answer) == status, "\(aor) \(realm) \(password)")
    }
    node.expectNothingLeft()
  }

  @Test(
    "who proved to be a user of one domain may not register that name of another, nor another name (RFC 3261 §10.3 step 4)"
  )
  func notAuthorized() {
    let node = Self.node(isChallenging: true)
    var phone = Self.phone(node, "phone", "carol@second.test")
    let (_, answer) = Self.register(&phone, user: "bob", realm: "two", password: "second")
    #expect(RegisteringPhone.status(of: answer) == 403)
    phone = Self.phone(node, "phone2", "bob@example.test")
    let crossed = Self.register(&phone, user: "bob", realm: "two", password: "second")
    #expect(RegisteringPhone.status(of: crossed.answer) == 401)
    node.expectNothingLeft()
  }

  @Test(
    "the address of record is in the domain that the Request-URI names; a Request-URI that names the server is for all (RFC 3261 §10.3 step 5)",
    arguments: [
      ("example.test", "bob@example.test", 200), ("alias.test", "bob@example.test", 200),
      ("example.test", "bob@second.test", 404), ("second.test", "bob@alias.test", 404),
      ("sip.example.test", "bob@second.test", 200), ("192.0.2.1:5061", "bob@second.test", 200),
      ("node1.example.test", "bob@elsewhere.test", 404), ("second.test", "bob@elsewhere.test", 404),
    ])
  func requestURI(host: String, aor: String, status: Int) {
    let node = Self.node()
    var phone = Self.phone(node, "phone", aor, to: host)
    #expect(phone.status("Contact: <sip:bob@10.0.0.1>") == status)
    node.expectNothingLeft()
  }

  @Test("a REGISTER for a domain of somebody else is not ours to answer as registrar (RFC 3261 §10.3 step 1)")
  func elsewhere() {
    let node = Self.node()
    var phone = Self.phone(node, "phone", "bob@example.test", to: "198.51.100.99")
    node.send(phone.text("Contact: <sip:bob@10.0.0.1>", cseq: 1), from: phone.peer)
    node.settle()
    #expect(node.takeAddressed().map { TestNode.start($0.1) } == ["REGISTER sip:198.51.100.99 SIP/2.0"])
    #expect(node.received(by: phone.peer).isEmpty)
    phone = Self.phone(node, "stranger", "bob@elsewhere.test", to: "198.51.100.99")
    #expect(phone.status("Contact: <sip:bob@10.0.0.1>") == 403)
  }
}

import SIPServer
import Structures
import Testing

@Suite("Users and domains that a certificate proves, RFC 3261 §22.1, §10.3, RFC 5922 §7")
struct CertificateTests {
  private typealias Story = IdentityStory

  /// A story in which alice's connection has a certificate that proves users and domains.
  private static func story(
    users: [String] = ["alice@example.test"], domains: [String] = [], verified: Bool = true,
    _ change: @escaping (inout ServerSettings) -> Void = { _ in }
  ) -> (story: Story, phone: TestNode.Peer) {
    let story = Story(change)
    let phone = story.node.peer("phone", verified: verified)
    prove(story.node, phone, users, domains)
    return (story, phone)
  }

  private static func prove(
    _ node: TestNode, _ peer: TestNode.Peer, _ users: [String], _ domains: [String] = []
  ) {
    var proven = ProvenPeer()
    for user in users {
      let parts = user.split(separator: "@").map { Array($0.utf8) }
      let (name, domain) = (parts[0], parts[1])
      proven.add(user: name.span, domain: domain.span)
    }
    for domain in domains.map({ Array($0.utf8) }) { proven.add(domain: domain.span) }
    if case .stream(let stream) = peer.flow.id { node.core.certificateProves(proven, over: stream) }
  }

  private static func register(_ story: Story, _ peer: TestNode.Peer, from: String, to: String) -> String {
    let request = story.node.request(
      "REGISTER", "sip:example.test", from: peer, callID: (from + to).filter(\.isLetter),
      "Contact: <sip:x@192.0.2.9>"
    ).replacing("From: <sip:alice@example.test>", with: "From: <\(from)>")
      .replacing(/\nTo: <[^>]*>/, with: "\nTo: <\(to)>")
    #expect(request.contains("To: <\(to)>"))
    story.node.send(request, from: peer)
    story.node.settle()
    return TestNode.start(story.node.one(by: peer))
  }

  @Test("its user needs no digest, is asserted as such, and is no other", arguments: ["INVITE", "MESSAGE", "FOO"])
  func user(_ method: String) {
    let (story, phone) = Self.story()
    for from in ["sip:alice@example.test", "sips:%61lice@ALIAS.test"] {
      story.node.send(story.request(method, from: phone, as: from), from: phone)
      let request = story.arrived()
      #expect(TestNode.start(request).hasPrefix(method))
      #expect(Story.asserted(request) == ["<sip:alice@example.test>"])
      _ = story.node.received(by: phone)
    }
    for other in ["sip:bob@example.test", "sip:Alice@example.test", "sip:alice%00@example.test", "sip:example.test"] {
      story.node.send(story.request(method, from: phone, as: other), from: phone)
      #expect(TestNode.start(story.node.one(by: phone)).contains("407"), "\(other)")
    }
    #expect(story.node.received(by: story.bob).isEmpty)
  }

  @Test("a user registers himself and nobody else, in nobody else's name (RFC 3261 §10.3 steps 3 and 4)")
  func register() {
    let alice = "sip:alice@example.test"
    for (from, to, answer) in [
      (alice, alice, "200 OK"), ("sip:admin@elsewhere.example", "sips:alice@alias.test", "200 OK"),
      ("sip:anonymous@anonymous.invalid", alice, "200 OK"), (alice, "sip:bob@example.test", "401 Unauthorized"),
      ("sip:bob@example.test", alice, "401 Unauthorized"),
      ("sip:bob@example.test", "sip:bob@example.test", "401 Unauthorized"),
      ("sip:admin@elsewhere.example", "sip:bob@example.test", "401 Unauthorized"),
    ] {
      let (story, phone) = Self.story()
      #expect(Self.register(story, phone, from: from, to: to) == "SIP/2.0 \(answer)", "\(from) \(to)")
      #expect((story.node.contacts(of: "alice")?.bindings.isEmpty == false) == answer.hasPrefix("200"))
    }
  }

  @Test("a domain's certificate speaks for each of its users, for REGISTER too, and for no other domain's")
  func domain() {
    let (story, phone) = Self.story(users: [], domains: ["example.test"]) { settings in
      settings.domains.append(.init(name: Array("b.test".utf8), aliases: [], realm: Array("b.test".utf8)))
    }
    #expect(Self.register(story, phone, from: "sip:x@alias.test", to: "sip:new@example.test").contains("200"))
    #expect(Self.register(story, phone, from: "sip:x@b.test", to: "sip:new@example.test").contains("401"))
    #expect(Self.register(story, phone, from: "sip:x@example.test", to: "sip:x@b.test").contains("401"))
    for (from, passes) in [
      ("sip:x@example.test", true), ("sip:x@b.test", false), ("sip:example.test", false),
      ("sip:a%40b.test@b.test", false),
    ] {
      story.node.send(story.request(from: phone, as: from), from: phone)
      if passes {
        #expect(Story.asserted(story.arrived()) == ["<\(from)>"])
      } else {
        #expect(TestNode.start(story.node.one(by: phone)).contains("407"), "\(from)")
      }
    }
  }

  @Test("one certificate may prove several; more than it may prove don't count")
  func several() {
    let users = (0..<20).map { "u\($0)@example.test" }
    let (story, phone) = Self.story(users: users)
    for (index, user) in users.enumerated() {
      story.node.send(story.request(from: phone, as: "sip:\(user)"), from: phone)
      if index < ProvenPeer.maximumNames {
        #expect(Story.asserted(story.arrived()) == ["<sip:\(user)>"])
      } else {
        #expect(TestNode.start(story.node.one(by: phone)).contains("407"))
      }
    }
  }

  @Test(
    "what isn't verified proves nothing, and neither does what is over once it was taken back or the connection closed")
  func nothing() throws {
    let (unverified, stranger) = Self.story(verified: false)
    unverified.node.send(unverified.request(from: stranger), from: stranger)
    #expect(TestNode.start(unverified.node.one(by: stranger)).contains("407"))

    let (story, phone) = Self.story()
    guard case .stream(let stream) = phone.flow.id else { return }
    story.node.core.certificateProves(ProvenPeer(), over: stream)
    story.node.send(story.request(from: phone), from: phone)
    #expect(TestNode.start(story.node.one(by: phone)).contains("407"))

    let (closing, gone) = Self.story()
    closing.node.close(gone)
    closing.node.send(closing.request(from: gone), from: gone)
    #expect(closing.node.received(by: closing.bob).isEmpty)
  }

  @Test("credentials of another aren't looked at where the certificate proves From, and count where it doesn't")
  func disagreeing() {
    let (story, phone) = Self.story()
    let bogus =
      "Proxy-Authorization: Digest username=\"bob\", realm=\"example.test\", nonce=\"x\", uri=\"sip:b\", response=\"0\""
    story.node.send(story.request(from: phone, bogus), from: phone)
    let request = story.arrived()
    #expect(Story.asserted(request) == ["<sip:alice@example.test>"])
    #expect(!request.contains("Proxy-Authorization"), "credentials for our realm go no further")
    // bob, who has a password, over the connection of alice's certificate.
    story.prove(story.request(from: phone, as: "sip:bob@example.test"), from: phone, user: "bob")
    #expect(Story.asserted(story.arrived()) == ["<sip:bob@example.test>"])
    let answers = story.prove(story.request(from: phone, as: "sip:bob@example.test"), from: phone, user: "alice")
    #expect(answers == ["SIP/2.0 403 User Is Not Who From Says"])
  }

  @Test(
    "who hides his name is whom the certificate names (RFC 3323 §4.1.1.3)",
    arguments: ["sip:anonymous@anonymous.invalid", "sip:anonymous@example.test", "tel:+491"])
  func hidden(_ from: String) {
    for (lines, users, domains, expected) in [
      ("", ["alice@example.test"], [], ["<sip:alice@example.test>"]),
      ("P-Preferred-Identity: <sip:bob@example.test>", ["alice@example.test"], [], ["<sip:alice@example.test>"]),
      (
        "P-Preferred-Identity: <sip:carol@alias.test>", ["alice@example.test", "carol@example.test"], [],
        ["<sip:carol@alias.test>"]
      ),
      ("P-Preferred-Identity: <sip:x@example.test>", [], ["example.test"], ["<sip:x@example.test>"]),
    ] {
      let (story, phone) = Self.story(users: users, domains: domains)
      story.node.send(story.request("INVITE", story.gatewayURI, from: phone, as: from, lines), from: phone)
      #expect(Story.asserted(story.arrived()) == expected, "\(lines)")
    }
  }

  @Test("a peer that is trusted by certificate is one like those trusted by address")
  func trusted() {
    let story = Story { settings in
      settings.identity.trusted = []
      settings.identity.trustsCertificates = true
    }
    let plain = story.node.peer("proxy", verified: true)
    let flow = plain.flow
    let proxy = TestNode.Peer(
      name: "proxy",
      flow: Flow(
        id: flow.id, transport: .tls, listener: 0, local: flow.local, remote: flow.remote, isVerified: true,
        isTrusted: true))
    story.node.send(story.request(from: plain), from: plain)
    #expect(TestNode.start(story.node.one(by: plain)).contains("407"))
    story.node.send(
      story.request(from: proxy, as: "sip:1@pstn.example", "P-Asserted-Identity: <sip:1@pstn.example>"), from: proxy)
    #expect(Story.asserted(story.arrived()) == ["<sip:1@pstn.example>"])
    #expect(
      Self.register(story, proxy, from: "sip:alice@example.test", to: "sip:alice@example.test").contains("401"))
    #expect(story.node.core.trustedConnections(of: 0).count == 1)
  }

  @Test("without digest for anybody the user that the certificate proves is asserted all the same")
  func withoutDigest() {
    let (story, phone) = Self.story { $0.authenticationRequired = false }
    story.node.send(story.request(from: phone), from: phone)
    #expect(Story.asserted(story.arrived()) == ["<sip:alice@example.test>"])
  }
}

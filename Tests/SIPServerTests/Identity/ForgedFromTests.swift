import SIPServer
import Structures
import Testing

@Suite("Forged names, RFC 3261 §22.1, §10.3")
struct ForgedFromTests {
  private typealias Story = IdentityStory

  /// URIs of bob, or of nobody, whatever they look like.
  private static let forged = [
    "sip:bob@example.test", "sips:bob@example.test", "sip:b%6fb@example.test", "sip:bob@EXAMPLE.Test",
    "sip:bob@alias.test", "sip:bob@example.test.", "sip:bob@alias.test.", "sip:bob@sip.example.test",
    "sip:bob@sip.example.test.", "sip:bob@192.0.2.1", "sip:bob:alice@example.test", "sip:example.test",
    "sip:Alice@example.test", "sip:bob@example.test:9;transport=tcp", "sip:alice%00@example.test",
    "sip:alice%20@example.test",
  ]

  private static let methods = [
    "INVITE", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE", "PUBLISH", "OPTIONS", "BYE", "FOO",
  ]

  @Test(
    "From of our domain is proved by its user's credentials and no other's, however it is written", arguments: forged)
  func forgedFrom(_ from: String) {
    let story = Story(aliceIsRegistered: true)
    for method in Self.methods {
      let answers = story.prove(story.request(method, from: story.alice, as: from), from: story.alice)
      #expect(answers == ["SIP/2.0 403 User Is Not Who From Says"], "\(method)")
    }
    #expect(story.node.received(by: story.bob).isEmpty)
    story.node.expectNothingLeft()
  }

  @Test(
    "a user may write his own name in any way",
    arguments: [
      "sips:alice@example.test", "sip:%61lice@example.test", "sip:alice@EXAMPLE.TEST", "sip:alice@alias.test",
      "sip:alice@example.test.", "sip:alice@sip.example.test", "sip:alice:x@example.test:5061;transport=tls",
    ])
  func ownFrom(_ from: String) {
    let story = Story()
    for method in ["INVITE", "REFER", "NOTIFY"] {
      story.prove(story.request(method, from: story.alice, as: from), from: story.alice)
      #expect(TestNode.header("From", story.arrived()) == "<\(from)>;tag=alice-tag")
    }
  }

  @Test("users of the same name in two domains are two")
  func twoDomains() {
    let node = TestNode(users: TestUsers(["alice": "secret"])) { settings in
      settings.authenticationRequired = true
      settings.domains.append(.init(name: Array("b.test".utf8), aliases: [], realm: Array("b.test".utf8)))
    }
    let alice = node.peer("alice")
    let request = node.request("MESSAGE", from: alice)
    node.send(request, from: alice)
    let challenge = node.one(by: alice)
    let other = request.replacing("<sip:alice@example.test>", with: "<sip:alice@b.test>")
    node.send(AccessTests.proved(other, challenge), from: alice)
    let answer = node.one(by: alice)
    #expect(
      TestNode.start(answer).contains("407") && TestNode.header("Proxy-Authenticate", answer).contains("\"b.test\""))
  }

  @Test("nobody registers for another, nor in another's name (RFC 3261 §10.3 steps 3 and 4)")
  func register() {
    for (from, to, status) in [
      ("sip:alice@example.test", "sip:alice@example.test", "200 OK"),
      ("sip:%61lice@alias.test", "sip:alice@EXAMPLE.test.", "200 OK"),
      ("sip:admin@elsewhere.example", "sip:alice@example.test", "200 OK"),
      ("sip:anonymous@anonymous.invalid", "sip:alice@example.test", "200 OK"),
      ("sip:bob@example.test", "sip:alice@example.test", "403 User Is Not Who From Says"),
      ("sip:alice@b.test", "sip:alice@example.test", "403 User Is Not Who From Says"),
      ("sip:alice@example.test", "sip:bob@example.test", "403 User Is Not Who From Says"),
      ("sip:admin@elsewhere.example", "sip:bob@example.test", "403 User Is Not Who From Says"),
      ("sip:bob@example.test", "sip:bob@example.test", "403 User Is Not Who From Says"),
      ("sip:alice@example.test", "sip:alic%65%00@example.test", "403 User Is Not Who From Says"),
    ] {
      let node = TestNode(users: TestUsers(Story.secrets)) { settings in
        settings.authenticationRequired = true
        settings.domains.append(.init(name: Array("b.test".utf8), aliases: [], realm: Array("b.test".utf8)))
      }
      let phone = node.peer("phone")
      let request = node.request("REGISTER", "sip:example.test", from: phone, "Contact: <sip:a@10.0.0.1>")
        .replacing("From: <sip:alice@example.test>", with: "From: <\(from)>")
        .replacing("To: <sip:bob@example.test>", with: "To: <\(to)>")
      node.send(request, from: phone)
      let challenge = node.one(by: phone)
      #expect(TestNode.start(challenge).contains("401"))
      node.send(AccessTests.proved(request, challenge).replacing("z9hG4bK", with: "z9hG4bKagain"), from: phone)
      node.settle()
      #expect(TestNode.start(node.one(by: phone)) == "SIP/2.0 \(status)", "\(from) \(to)")
    }
  }
}

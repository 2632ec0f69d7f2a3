import SIPServer
import Structures
import Testing

@Suite("Callers who hide their names, RFC 3323 §4.1.1.3, RFC 3325 §10")
struct ConcealedCallerTests {
  private typealias Story = IdentityStory
  private static let anonymous = "sip:anonymous@anonymous.invalid"

  @Test(
    "a registered user proves to us who he is; those we trust are told, with his wish, and the callee isn't (RFC 3325 §10.1)",
    arguments: [anonymous, "sip:thisis@ANONYMOUS.invalid", "tel:+491", "sip:anonymous@example.test"])
  func registered(_ from: String) {
    for privacy in ["", "Privacy: id"] {
      let story = Story(aliceIsRegistered: true)
      for (uri, expected) in [("sip:bob@example.test", []), (story.gatewayURI, ["<sip:alice@example.test>"])] {
        story.prove(story.request("INVITE", uri, from: story.alice, as: from, privacy), from: story.alice)
        let request = story.arrived()
        #expect(TestNode.header("From", request) == "<\(from)>;tag=alice-tag")
        #expect(Story.asserted(request) == expected)
        #expect(TestNode.headers("Privacy", request) == (expected.isEmpty ? [] : ["id"]))
        #expect(!expected.isEmpty || !request.contains("alice@"), "\(request)")
      }
      story.node.expectNothingLeft()
    }
  }

  @Test("who says which identity he prefers is one of ours wherever he comes from (RFC 3325 §10.2)")
  func preferring() {
    let story = Story()
    story.prove(
      story.request(
        "INVITE", story.gatewayURI, from: story.alice, as: Self.anonymous,
        "Privacy: id\nP-Preferred-Identity: \"A\" <sip:alice@alias.test>"), from: story.alice)
    let request = story.arrived()
    #expect(Story.asserted(request) == ["<sip:alice@alias.test>"])
    #expect(TestNode.headers("Privacy", request) == ["id"] && !request.contains("Preferred"))
  }

  @Test("a stranger reaches our users as any stranger does, and proves who he is before he reaches others")
  func stranger() {
    let story = Story()
    story.node.send(
      story.request("INVITE", from: story.stranger, as: Self.anonymous, "Privacy: id"), from: story.stranger)
    let request = story.arrived()
    #expect(TestNode.start(request).hasPrefix("INVITE") && Story.asserted(request).isEmpty)
    _ = story.node.received(by: story.stranger)
    var challenge = ""
    for route in ["", "Route: <sip:203.0.113.9;lr>"] {
      let uri = route.isEmpty ? Story.elsewhere : "sip:bob@example.test"
      let request = story.request("MESSAGE", uri, from: story.stranger, as: Self.anonymous, route)
      story.node.send(request, from: story.stranger)
      challenge = story.node.one(by: story.stranger)
      #expect(TestNode.start(challenge).contains("407"))
      story.node.send(AccessTests.proved(request, challenge, password: "wrong"), from: story.stranger)
      #expect(TestNode.start(story.node.one(by: story.stranger)).contains("407"))
    }
    #expect(story.node.takeAddressed().isEmpty)
    // Who has been asked before doesn't wait to be asked again, to our users either.
    story.prove(
      story.request("MESSAGE", Story.elsewhere, from: story.stranger, as: Self.anonymous), from: story.stranger)
    _ = story.arrived()
    let known = story.request("MESSAGE", from: story.stranger, as: Self.anonymous)
    story.node.send(AccessTests.proved(known, challenge, password: "wrong"), from: story.stranger)
    #expect(TestNode.start(story.node.one(by: story.stranger)).contains("407"))
  }

  @Test("without authentication nobody is challenged, and From anonymous is a stranger's")
  func open() {
    let story = Story { $0.authenticationRequired = false }
    story.node.send(story.request(from: story.alice, as: Self.anonymous), from: story.alice)
    #expect(TestNode.start(story.arrived()).hasPrefix("MESSAGE"))
    story.node.send(story.request("MESSAGE", Story.elsewhere, from: story.alice, as: Self.anonymous), from: story.alice)
    #expect(TestNode.start(story.node.one(by: story.alice)).contains("403"))
  }

  @Test("where a user is called anonymous, his name is his alone")
  func nameTaken() {
    let story = Story(secrets: ["alice": "secret", "bob": "hidden", "anonymous": "who"])
    let answers = story.prove(
      story.request("MESSAGE", from: story.alice, as: "sip:anonymous@example.test"), from: story.alice)
    #expect(answers == ["SIP/2.0 403 User Is Not Who From Says"])
  }
}

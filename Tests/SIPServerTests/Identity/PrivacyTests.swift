import SIPMessage
import Structures
import Testing

@testable import SIPServer

@Suite("Privacy, RFC 3325 §7, §9.3, RFC 3323 §4.2, §5")
struct PrivacyTests {
  private typealias Story = IdentityStory

  @Test("who asks for `id` is named to those we trust alone, and the wish goes with the name (RFC 3325 §7)")
  func id() {
    let story = Story()
    for (uri, expected, privacy) in [
      ("sip:bob@example.test", [], []), (story.gatewayURI, ["<sip:alice@example.test>"], ["ID"]),
      (Story.elsewhere, [], []),
    ] {
      story.prove(story.request("INVITE", uri, from: story.alice, "Privacy: ID"), from: story.alice)
      let request = story.arrived()
      #expect(Story.asserted(request) == expected, "\(uri)")
      #expect(TestNode.headers("Privacy", request) == privacy, "\(uri)")
    }
  }

  @Test("all values that a peer asserted go, of both kinds (RFC 3325 §7)")
  func all() {
    let story = Story()
    let lines = """
      P-Asserted-Identity: "A" <sip:1@pstn.example>
      Remote-Party-ID: <sip:1@pstn.example>
      Privacy: id;critical
      P-Asserted-Identity: <tel:+491>
      """
    story.node.send(story.request(from: story.gateway, as: "sip:0@pstn.example", lines), from: story.gateway)
    let request = story.arrived()
    #expect(!request.contains("Asserted") && !request.contains("Party") && !request.contains("Privacy"))
  }

  @Test("with `none` everybody is told, and the wish stays as it is (RFC 3325 §7, RFC 3323 §5)")
  func none() {
    let story = Story()
    for uri in ["sip:bob@example.test", story.gatewayURI, Story.elsewhere] {
      story.prove(
        story.request("INVITE", uri, from: story.alice, "Privacy: None\nProxy-Require: privacy"), from: story.alice)
      let request = story.arrived()
      #expect(Story.asserted(request) == ["<sip:alice@example.test>"], "\(uri)")
      #expect(TestNode.headers("Privacy", request) == ["None"])
      #expect(TestNode.headers("Proxy-Require", request) == ["privacy"])
    }
  }

  @Test(
    "wishes that we don't know or can't grant are left for others, and nobody but those we trust is told a name (RFC 3323 §5)",
    arguments: [
      ("header", ["header"]), ("session;user", ["session;user"]), ("history", ["history"]), ("critical", ["critical"]),
      ("id;header", ["header"]), ("user ; ID\n ;critical", ["user;critical"]), ("header\nPrivacy: id", ["header"]),
      ("id, session", ["session"]), ("none;id", []), ("none;header", ["none;header"]),
    ])
  func others(_ wish: String, _ left: [String]) {
    let story = Story()
    let lines = "P-Asserted-Identity: <sip:1@pstn.example>\nPrivacy: \(wish)"
    let isRefused = wish.contains("user") && wish.contains("critical")
    story.node.send(story.request(from: story.gateway, as: "sip:0@pstn.example", lines), from: story.gateway)
    guard !isRefused else {
      #expect(TestNode.start(story.node.one(by: story.gateway)) == "SIP/2.0 500 Privacy Failure: user")
      return
    }
    let request = story.arrived()
    #expect(Story.asserted(request).isEmpty == (wish != "critical"))
    #expect(TestNode.headers("Privacy", request) == left)
  }

  @Test("what is critical and can't be done fails the request with 500 and its names (RFC 3323 §5)")
  func critical() {
    let story = Story(aliceIsRegistered: true)
    for (wish, words) in [
      ("header;critical", "header"), ("critical;id;session;user", "session user"),
      ("header\nPrivacy: critical", "header"), ("x-y;critical", "x-y"),
    ] {
      for method in ["INVITE", "MESSAGE", "OPTIONS", "REGISTER"] {
        for option in ["", "\nProxy-Require: privacy"] {
          story.node.send(
            story.request(
              method, from: story.alice, as: "sip:anonymous@anonymous.invalid", "Privacy: \(wish)\(option)"),
            from: story.alice)
          let answer = story.node.one(by: story.alice)
          #expect(TestNode.start(answer) == "SIP/2.0 500 Privacy Failure: \(words)")
        }
      }
    }
    #expect(story.node.received(by: story.bob).isEmpty)
    story.node.expectNothingLeft()
  }

  @Test("a reason phrase is short and has nothing in it that could end its line")
  func reason() {
    let story = Story()
    let wish = "a\tb;critical;" + String(repeating: "long-word;", count: 50)
    story.node.send(
      story.request(from: story.stranger, as: "sip:x@far.example", "Privacy: \(wish)"), from: story.stranger)
    let start = TestNode.start(story.node.one(by: story.stranger))
    #expect(start.hasPrefix("SIP/2.0 500 Privacy Failure: ab long-word") && start.utf8.count < 140)
  }

  @Test("Proxy-Require: privacy is understood if we can do what is asked for, else refused with 420 (RFC 3323 §4.3)")
  func proxyRequire() {
    let story = Story()
    func ask(_ uri: String, _ privacy: String, _ option: String) {
      story.prove(
        story.request("INVITE", uri, from: story.alice, "Privacy: \(privacy)\nProxy-Require: \(option)"),
        from: story.alice)
    }
    for wish in ["id", "id;critical"] {
      ask("sip:bob@example.test", wish, "Privacy")
      let done = story.arrived()
      #expect(!done.contains("Privacy:") && !done.contains("Proxy-Require"), "it is done")
      ask(story.gatewayURI, wish, "privacy")
      let todo = story.arrived()
      #expect(TestNode.header("Privacy", todo) == wish && TestNode.header("Proxy-Require", todo) == "privacy")
    }
    for (wish, option, unsupported) in [
      ("header", "privacy", "privacy"), ("id;session", "privacy", "privacy"), ("id", "foo, privacy, bar", "foo, bar"),
      ("user", "privacy, foo", "privacy, foo"), ("none", "foo", "foo"),
    ] {
      story.node.send(
        story.request(from: story.alice, "Privacy: \(wish)\nProxy-Require: \(option)"), from: story.alice)
      let answer = story.node.one(by: story.alice)
      #expect(TestNode.start(answer) == "SIP/2.0 420 Bad Extension", "\(wish)")
      #expect(TestNode.header("Unsupported", answer) == unsupported, "\(wish)")
    }
    story.node.expectNothingLeft()
  }

  @Test("a Remote-Party-ID that asks for privacy itself is kept from those we don't trust")
  func remoteParty() {
    for (parameters, passes) in [
      ("", true), (";privacy=off;screen=yes", true), (";privacy=full", false), (";screen=yes;Privacy=NAME", false),
      (";privacy", false),
    ] {
      let story = Story()
      let line = "Remote-Party-ID: \"A\" <sip:1@pstn.example>\(parameters)"
      story.node.send(story.request(from: story.gateway, as: "sip:1@pstn.example", line), from: story.gateway)
      #expect(story.arrived().contains("\r\n\(line)\r\n") == passes, "\(parameters)")
      story.node.send(
        story.request("MESSAGE", "sip:1@[2001:db8::1];transport=tcp", from: story.gateway, line), from: story.gateway)
      #expect(story.arrived().contains("\r\n\(line)\r\n"))
    }
  }

  @Test(
    "is read with any white space and case",
    arguments: [
      ("id", [.id]), (" ID ; Header;\tsession ;user; critical", [.id, .header, .session, .user, .critical]),
      ("none", .none), ("none;id", [.id]), (";;", []), ("idx", [.other]), ("none;none", .none),
      ("id,user", [.id, .user]),
    ] as [(String, PrivacyRequest)])
  func reading(_ text: String, _ expected: PrivacyRequest) {
    let message = Message()
    message.load(Array("OPTIONS sip:a SIP/2.0\r\nPrivacy: \(text)\r\n\r\n".utf8).span, limits: ParserLimits())
    #expect(PrivacyRequest(message) == expected)
  }
}

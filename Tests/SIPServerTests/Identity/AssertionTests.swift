import SIPServer
import Structures
import Testing

@Suite("Who is told whose request it is, RFC 3325 §5, §6")
struct AssertionTests {
  private typealias Story = IdentityStory

  @Test(
    "a user who proved himself is asserted to users of ours and to those we trust, and to nobody else (RFC 3325 §5)",
    arguments: ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "PUBLISH", "OPTIONS", "FOO"])
  func asserted(_ method: String) {
    let story = Story()
    for (uri, expected) in [
      ("sip:bob@example.test", ["<sip:alice@example.test>"]), (story.gatewayURI, ["<sip:alice@example.test>"]),
      (Story.elsewhere, []),
    ] {
      story.prove(story.request(method, uri, from: story.alice), from: story.alice)
      let request = story.arrived()
      #expect(Story.asserted(request) == expected, "\(uri)")
      #expect(TestNode.headers("Privacy", request).isEmpty)
    }
    story.node.expectNothingLeft()
  }

  @Test("the asserted name is that of the domain, with escapes, whatever From looks like")
  func spelling() {
    let story = Story()
    for (from, user, expected) in [
      ("sips:%61lice@ALIAS.test", "alice", "<sip:alice@example.test>"),
      ("sip:o%20r%3F@example.test;x=y", "o r?", "<sip:o%20r?@example.test>"),
      ("sip:alice:password@sip.example.test:5061", "alice", "<sip:alice@example.test>"),
    ] {
      story.prove(story.request(from: story.alice, as: from), from: story.alice, user: user)
      #expect(Story.asserted(story.arrived()) == [expected], "\(from)")
    }
  }

  @Test(
    "fields that only those may send whom we trust don't pass from others; all else stays, in its order (RFC 3325 §5)")
  func stripped() {
    let story = Story { $0.identity.strip([Array("x-account".utf8), Array("subject".utf8)]) }
    let lines = """
      X-First: 1
      P-Asserted-Identity: "Boss" <sip:boss@example.test>, <tel:+49301>
      Remote-Party-ID: <sip:boss@example.test>;party=calling
      X-Middle: 2
      p-asserted-service: urn:urn-7:3gpp-service.ims.icsi.mmtel
      X-Apus-Anything-Longer-Than-24-Octets: 3
      x-apus-a: 4
      X-ACCOUNT: 5
      s: 6
      X-Accounts: 7
      P-ASSERTED-IDENTITY:
       <sip:boss@example.test>
      X-Last: 8
      """
    func others(_ request: String) -> [String] {
      request.split(separator: "\r\n").map(String.init).filter { $0.hasPrefix("X-") || $0.hasPrefix("s:") }
    }
    let foreign = "sip:alice@elsewhere.example"
    story.node.send(story.request(from: story.stranger, as: foreign, lines), from: story.stranger)
    let passed = story.arrived()
    #expect(others(passed) == ["X-First: 1", "X-Middle: 2", "X-Accounts: 7", "X-Last: 8"])
    #expect(!passed.lowercased().contains("x-apus") && !passed.lowercased().contains("boss"))
    #expect(!passed.lowercased().contains("p-asserted"))
    story.prove(story.request(from: story.alice, lines), from: story.alice)
    let proven = story.arrived()
    #expect(others(proven) == ["X-First: 1", "X-Middle: 2", "X-Accounts: 7", "X-Last: 8"])
    #expect(Story.asserted(proven) == ["<sip:alice@example.test>"])
    #expect(!proven.lowercased().contains("boss"))
    story.node.send(story.request(from: story.gateway, as: foreign, lines), from: story.gateway)
    let believed = story.arrived()
    #expect(Story.asserted(believed).count == 1 && believed.contains("P-ASSERTED-IDENTITY:\r\n <sip:boss"))
    #expect(believed.contains("Remote-Party-ID: <sip:boss"))
    #expect(
      others(believed) == ["X-First: 1", "X-Middle: 2", "X-ACCOUNT: 5", "s: 6", "X-Accounts: 7", "X-Last: 8"])
    #expect(!believed.lowercased().contains("p-asserted-service"), "it is for the trust domain alone")
    story.node.expectNothingLeft()
  }

  @Test("what one whom we trust says of a caller passes to another one whom we trust, as it is (RFC 3325 §5)")
  func trustedToTrusted() {
    let story = Story()
    let lines = [
      "P-Asserted-Identity: \"A\" <sip:alice@example.test>, <tel:+49301>", "Privacy: id", "X-Apus-1: 1",
      "P-Asserted-Service: urn:x", "Remote-Party-ID: <sip:alice@example.test>;privacy=full",
    ]
    let anonymous = "sip:anonymous@anonymous.invalid"
    story.node.send(
      story.request(
        "INVITE", "sip:110@[2001:db8::9];transport=tcp", from: story.gateway, as: anonymous,
        lines.joined(separator: "\n")), from: story.gateway)
    let request = story.arrived()
    for line in lines { #expect(request.contains("\r\n\(line)\r\n"), "\(line)") }
  }

  @Test("the identity that a user prefers is asserted if it is his own, and his wish never passes (RFC 3325 §6)")
  func preferred() {
    let story = Story()
    for (wish, expected) in [
      ("<sip:alice@alias.test>", "<sip:alice@alias.test>"),
      ("\"Boss\" <sips:alice@example.test;user=phone>", "<sips:alice@example.test>"),
      ("sip:%61lice@ALIAS.test", "<sip:%61lice@ALIAS.test>"),
      ("<tel:+49301>, <sip:alice@alias.test>", "<sip:alice@alias.test>"),
      ("<sip:bob@example.test>", "<sip:alice@example.test>"),
      ("<sip:alice@elsewhere.example>", "<sip:alice@example.test>"),
      ("<tel:+49301>", "<sip:alice@example.test>"), ("nonsense", "<sip:alice@example.test>"),
      ("<sip:Alice@example.test>", "<sip:alice@example.test>"),
    ] {
      story.prove(
        story.request(from: story.alice, "P-Preferred-Identity: \(wish)"), from: story.alice)
      let request = story.arrived()
      #expect(Story.asserted(request) == [expected], "\(wish)")
      #expect(!request.contains("Preferred"))
    }
    for peer in [story.gateway, story.stranger] {
      story.node.send(
        story.request(from: peer, as: "sip:x@elsewhere.example", "P-Preferred-Identity: <sip:x@elsewhere.example>"),
        from: peer)
      #expect(!story.arrived().contains("Preferred"))
    }
  }

  @Test("nothing is asserted when that is switched off, or when nobody has to prove who he is")
  func off() {
    let silent = Story { $0.identity.isAsserted = false }
    for uri in ["sip:bob@example.test", silent.gatewayURI] {
      silent.prove(
        silent.request("INVITE", uri, from: silent.alice, "P-Asserted-Identity: <sip:boss@example.test>"),
        from: silent.alice)
      #expect(Story.asserted(silent.arrived()).isEmpty)
    }
    let open = Story { $0.authenticationRequired = false }
    open.node.send(open.request("INVITE", open.gatewayURI, from: open.alice), from: open.alice)
    #expect(Story.asserted(open.arrived()).isEmpty)
  }

  @Test("users of ours aren't told when that is switched off, except for what nobody wants to hide (RFC 3325 §7)")
  func hiddenFromUsers() {
    let story = Story { $0.identity.isShownToUsers = false }
    for (uri, lines, count) in [
      ("sip:bob@example.test", "", 0), (story.gatewayURI, "", 1), ("sip:bob@example.test", "Privacy: none", 1),
    ] {
      story.prove(story.request("MESSAGE", uri, from: story.alice, lines), from: story.alice)
      #expect(Story.asserted(story.arrived()).count == count, "\(uri) \(lines)")
    }
    story.node.send(
      story.request(from: story.gateway, as: "sip:1@pstn.example", "P-Asserted-Identity: <sip:1@pstn.example>"),
      from: story.gateway)
    #expect(Story.asserted(story.arrived()).isEmpty)
  }

  @Test(
    "a request within a dialog is believed without proof, so nothing is asserted, and what it claims itself doesn't pass"
  )
  func inDialog() {
    let story = Story(aliceIsRegistered: true)
    story.prove(story.request("INVITE", from: story.alice), from: story.alice)
    let invite = story.arrived()
    story.node.send(TestNode.response("200 OK", to: invite, contact: "sip:bob@10.0.0.2"), from: story.bob)
    let answer = story.node.received(by: story.alice).last ?? ""
    let routes = TestNode.headers("Record-Route", answer).reversed().map { "Route: \($0)" }
    let claim = "P-Asserted-Identity: <sip:boss@example.test>\nRemote-Party-ID: <sip:boss@example.test>"
    for method in ["ACK", "INFO", "INVITE"] {
      let lines = (routes + [claim]).joined(separator: "\n")
      story.node.send(
        story.node.request(method, "sip:bob@10.0.0.2", from: story.alice, cseq: 9, tag: "callee", lines),
        from: story.alice)
      let request = story.arrived()
      #expect(TestNode.start(request).hasPrefix(method))
      #expect(Story.asserted(request).isEmpty && !request.contains("boss"))
    }
  }
}

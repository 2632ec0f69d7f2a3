import SIPServer
import Structures
import Testing

@Suite("Asserted identities in responses, RFC 3325 §5, §7")
struct ResponseIdentityTests {
  private typealias Story = IdentityStory

  private func response(_ status: String, to request: String, _ lines: String) -> String {
    TestNode.response(status, to: request).replacing(
      "\r\nCall-ID", with: "\r\n\(lines.replacing("\n", with: "\r\n"))\r\nCall-ID")
  }

  private static let claim = """
    P-Asserted-Identity: "Boss" <sip:boss@example.test>
    X-Kept: 1
    Remote-Party-ID: <sip:boss@example.test>
    X-Apus-1: 2
    P-Preferred-Identity: <sip:boss@example.test>
    """

  @Test("what a phone says of itself doesn't pass, in provisional and final responses, whatever Via looks like")
  func untrusted() {
    let story = Story()
    for status in ["180 Ringing", "200 OK", "486 Busy Here"] {
      story.prove(story.request("INVITE", from: story.alice), from: story.alice)
      let invite = story.arrived()
      let vias = TestNode.headers("Via", invite)
      for isJoined in [false, true] where !isJoined || status == "180 Ringing" {
        var answer = response(status, to: invite, Self.claim)
        if isJoined {
          answer = answer.replacing(
            "Via: \(vias[0])\r\nVia: \(vias[1])\r\n", with: "X-Top: 0\r\nVia: \(vias[0]), \(vias[1])\r\n")
        }
        story.node.send(answer, from: story.bob)
        let passed = story.node.received(by: story.alice).last ?? ""
        #expect(TestNode.start(passed) == "SIP/2.0 \(status)")
        #expect(passed.contains("X-Kept: 1") && !passed.contains("boss") && !passed.contains("Apus"))
        #expect(TestNode.headers("Via", passed) == [vias[1]])
      }
    }
  }

  @Test("what one whom we trust says of the callee passes to users of ours, unless privacy is asked for (RFC 3325 §7)")
  func trusted() {
    let line = "P-Asserted-Identity: <sip:110@pstn.example>"
    for (privacy, passes, left) in [
      ("", true, []), ("\nPrivacy: id", false, []), ("\nPrivacy: none", true, ["none"]),
      ("\nPrivacy: header;id", false, ["header"]),
    ] as [(String, Bool, [String])] {
      let story = Story()
      story.prove(story.request("INVITE", story.gatewayURI, from: story.alice), from: story.alice)
      story.node.send(response("200 OK", to: story.arrived(), line + privacy), from: story.gateway)
      let answer = story.node.one(by: story.alice)
      #expect(answer.contains("\r\n\(line)\r\n") == passes, "\(privacy)")
      #expect(TestNode.headers("Privacy", answer) == left)
    }
  }

  @Test("a stranger isn't told who answered, one whom we trust is, with the callee's wish")
  func receivers() {
    let lines = "P-Asserted-Identity: <sip:bob@example.test>\nPrivacy: id"
    let story = Story { settings in
      settings.identity.trusted = ["198.51.100.1", "198.51.100.3"].compactMap { IPNetwork($0) }
    }
    // Bob's connection is that of a gateway, so that he is believed.
    for (caller, count) in [(story.stranger, 0), (story.gateway, 1)] {
      story.node.send(story.request("INVITE", from: caller, as: "sip:x@far.example"), from: caller)
      story.node.send(response("200 OK", to: story.arrived(), lines), from: story.bob)
      let answer = story.node.received(by: caller).last ?? ""
      #expect(TestNode.start(answer) == "SIP/2.0 200 OK")
      #expect(Story.asserted(answer).count == count && TestNode.headers("Privacy", answer).count == count)
    }
    story.node.expectNothingLeft()
  }

  @Test("a response is believed for who sends it, not for who was asked")
  func sender() {
    let story = Story()
    story.prove(story.request("INVITE", story.gatewayURI, from: story.alice), from: story.alice)
    story.node.send(response("200 OK", to: story.arrived(), Self.claim), from: story.stranger)
    let answer = story.node.one(by: story.alice)
    #expect(TestNode.start(answer) == "SIP/2.0 200 OK" && !answer.contains("boss"))
  }
}

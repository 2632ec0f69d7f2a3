import SIPServer
import Structures
import Testing

@Suite("Peers that are trusted, RFC 3325 §5, RFC 3324 §2.3")
struct TrustTests {
  private typealias Story = IdentityStory

  @Test(
    "reach our users without a challenge, whoever they say calls",
    arguments: [
      "sip:+491@example.test", "sip:alice@alias.test", "sip:1@pstn.example", "tel:+491",
      "sip:anonymous@anonymous.invalid",
      "sip:1@198.51.100.1",
    ])
  func inward(_ from: String) {
    let story = Story()
    for method in ["INVITE", "MESSAGE", "FOO"] {
      story.node.send(story.request(method, from: story.gateway, as: from), from: story.gateway)
      let request = story.arrived()
      #expect(TestNode.start(request).hasPrefix(method))
      #expect(Story.asserted(request).isEmpty, "who calls is not known")
    }
  }

  @Test("reach others only for users of our domains: by From or by the identity they assert")
  func outward() {
    let story = Story()
    for (from, lines, passes) in [
      ("sip:alice@example.test", "", true), ("sip:1@pstn.example", "", false),
      ("sip:anonymous@anonymous.invalid", "", false),
      ("sip:anonymous@anonymous.invalid", "P-Asserted-Identity: <tel:+491>, <sips:alice@alias.test>", true),
      ("sip:1@pstn.example", "P-Asserted-Identity: <sip:1@pstn.example>", false),
    ] {
      for route in ["", "\nRoute: <sip:203.0.113.9;lr;transport=tcp>"] {
        let uri = route.isEmpty ? "sip:x@203.0.113.9;transport=tcp" : "sip:bob@example.test"
        story.node.send(
          story.request(
            "MESSAGE", uri, from: story.gateway, as: from, (lines + route).trimmingPrefix("\n").description),
          from: story.gateway)
        if passes {
          #expect(TestNode.start(story.arrived()).hasPrefix("MESSAGE"), "\(from) \(lines)")
        } else {
          #expect(
            TestNode.start(story.node.one(by: story.gateway)) == "SIP/2.0 403 Relaying Denied", "\(from) \(lines)")
        }
      }
    }
  }

  @Test("have to prove a registration like everybody else: they may pass on what others sent")
  func register() {
    let story = Story()
    story.node.send(
      story.node.request("REGISTER", "sip:example.test", from: story.gateway, "Contact: <sip:x@198.51.100.1>"),
      from: story.gateway)
    #expect(TestNode.start(story.node.one(by: story.gateway)) == "SIP/2.0 401 Unauthorized")
  }

  @Test("are known by their address, over datagrams too; their neighbours are not")
  func addresses() {
    let node = TestNode { settings in
      settings.authenticationRequired = true
      settings.identity.trusted = ["198.51.100.2", "198.51.100.4/31"].compactMap { IPNetwork($0) }
    }
    // The peers' addresses end with 1 to 6.
    let isBelieved = [false, true, false, true, true, false]
    for (index, believed) in isBelieved.enumerated() {
      let peer = node.peer("\(index)", index % 2 == 0 ? .udp : .tcp)
      node.send(node.request("MESSAGE", from: peer), from: peer)
      node.settle()
      let answer = TestNode.start(node.one(by: peer))
      #expect(answer.contains("407") != believed, "\(peer.flow.remote): \(answer)")
    }
  }

  @Test("are told more than users also over a connection by which they registered")
  func connection() {
    let story = Story { settings in
      // The gateway and bob.
      settings.identity.trusted = ["198.51.100.1", "198.51.100.3"].compactMap { IPNetwork($0) }
    }
    let lines = "P-Asserted-Identity: <sip:1@pstn.example>\nPrivacy: id"
    story.node.send(story.request(from: story.gateway, as: "sip:1@pstn.example", lines), from: story.gateway)
    #expect(Story.asserted(story.arrived()) == ["<sip:1@pstn.example>"])
    story.prove(story.request(from: story.alice, "Privacy: id"), from: story.alice)
    let request = story.arrived()
    #expect(Story.asserted(request) == ["<sip:alice@example.test>"] && request.contains("Privacy: id"))
  }
}

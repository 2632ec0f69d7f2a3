import Structures
import Testing

@testable import Configuration

@Suite("Whom the node believes, RFC 3324 §2.3")
struct IdentitySettingsTests {
  @Test("addresses and networks of either family are read, and header fields in small letters")
  func read() throws {
    let resolved = resolve(
      .plain([
        (
          "identity",
          [
            "trusted": ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"], "assert": "no", "to_users": "off",
            "strip": ["X-Account", "Diversion"],
          ]
        )
      ]))
    let made = try #require(resolved.configuration?.identity)
    #expect(made.trusted == ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"].compactMap { IPNetwork($0) })
    #expect(made.trusted.count == 3 && !made.isAsserted && !made.isShownToUsers)
    #expect(made.stripped == ["x-account", "diversion"])
    #expect(!resolved.notes.contains { $0.key == "identity.trusted" })
  }

  @Test(
    "a network that can't be right is an error at its place",
    arguments: ["192.0.2.1/24", "gateway.example.test", "192.0.2.0/33", "[2001:db8::1]"])
  func badNetwork(_ text: String) {
    let node = SettingNode.plain([("identity", map(4, 3, [("trusted", .sequence([at(5, 7, text)], .start))]))])
    #expect(
      errors(node) == [
        "apus.yaml:5:7: identity.trusted: '\(text)' is not an IP address or a network; "
          + "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32, with no bit set behind the prefix"
      ])
  }

  @Test("trusting everybody is noted")
  func everybody() {
    let notes = resolve(.plain([("identity", ["trusted": ["::/0"]])])).notes
    #expect(notes.contains { $0.key == "identity.trusted" && $0.problem == "::/0 is everybody" })
  }

  @Test(
    "a header field that messages can't do without is not stripped",
    arguments: ["Via", "v", "FROM", "Content-Length", "Record-Route", "X Account", "", "Privacy", "a:b"])
  func neededField(_ name: String) {
    #expect(errors(.plain([("identity", ["strip": [.scalar(text: name, wasQuoted: true, .start)]])])).count == 1)
  }
}

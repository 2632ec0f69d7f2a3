import Structures
import Testing

@testable import Configuration

@Suite("Static contacts in the settings")
struct StaticContactSettingsTests {
  /// A file with one contact, written from line 5 on.
  private static func tree(_ address: String, _ contact: String, q: String? = nil) -> SettingNode {
    var pairs = [("address", at(5, 16, address)), ("contact", at(6, 16, contact))]
    if let q { pairs.append(("q", at(7, 16, q))) }
    return .plain([("registrar", ["contacts": [map(5, 7, pairs)]])])
  }

  @Test("a contact has the user and domain of its address, without escapes and aliases, and a preference")
  func read() throws {
    let node: SettingNode = [
      "domains": ["a.test": ["aliases": ["b.test", "127.0.0.1"]]], "listen": ["tcp:127.0.0.1:5060"],
      "registrar": [
        "contacts": [
          ["address": "sip:1%300@B.test", "contact": "sips:gw@[2001:db8::1]:5071;transport=tls;x"],
          ["address": "SIPS:100@a.test", "contact": "sip:127.0.0.1:5070", "q": "0.25"],
        ]
      ],
    ]
    let resolved = resolve(node)
    #expect(resolved.errors.isEmpty && !resolved.notes.contains { $0.key.hasPrefix("registrar") })
    #expect(
      resolved.configuration?.registrar.contacts == [
        .init(
          user: Array("100".utf8), domain: "a.test",
          uri: Array("sips:gw@[2001:db8::1]:5071;transport=tls;x".utf8)),
        .init(user: Array("100".utf8), domain: "a.test", uri: Array("sip:127.0.0.1:5070".utf8), q: 250),
      ])
  }

  private static let mistakes: [(String, String, String?, String)] = [
    (
      "100@example.test", "sip:192.0.2.7", nil,
      "5:16: registrar.contacts[0].address: '100@example.test' is not a SIP or SIPS URI; "
        + "write sip:user@host, with :port and ;transport=tcp where they are needed"
    ),
    (
      "sip:example.test", "sip:192.0.2.7", nil,
      "5:16: registrar.contacts[0].address: 'sip:example.test' is not the address of a user; "
        + "write sip:user@domain, without port and parameters"
    ),
    (
      "sip:100@other.test", "sip:192.0.2.7", nil,
      "5:16: registrar.contacts[0].address: other.test is not a domain of this node; add it under domains, or drop this"
    ),
    (
      "sip:100@example.test", "sip:5@example.test", nil,
      "6:16: registrar.contacts[0].contact: 'sip:5@example.test' leads back to this node; "
        + "write the address and port of the gateway itself"
    ),
    (
      "sip:100@example.test", "sip:192.0.2.7;transport=sctp", nil,
      "6:16: registrar.contacts[0].contact: transport 'sctp' is not spoken here; write udp, tcp or tls, or drop it"
    ),
    (
      "sip:100@example.test", "sip:192.0.2.7", "1.5",
      "7:16: registrar.contacts[0].q: '1.5' is not a number from 0 to 1 with at most three digits behind the point; "
        + "give a number from 0 to 1 with at most three digits behind the point"
    ),
  ]

  @Test("what is wrong with one is said with its place and a remedy", arguments: mistakes)
  func refused(address: String, contact: String, q: String?, error: String) {
    #expect(errors(Self.tree(address, contact, q: q)) == ["apus.yaml:" + error])
  }

  @Test("one that stands there twice, or lacks its contact, is an error; a name that can't be looked up is noted")
  func others() {
    let one: SettingNode = ["address": "sip:100@example.test", "contact": "sip:192.0.2.7"]
    #expect(errors(.plain([("registrar", ["contacts": [one, one]])])).count == 1)
    #expect(errors(.plain([("registrar", ["contacts": ["sip:100@example.test"]])])).count == 1)
    #expect(resolve(Self.tree("sip:1@example.test", "sip:gw.test")).notes.contains { $0.line == 6 })
  }

  @Test(
    "a URI is read as what SIP has for one",
    arguments: [
      ("sip:a@h.test", true), ("sips:%41+1;x=y@h.test:1;lr;a=%20", true), ("sip:h.test", true), ("SIP:a@[::1]:5", true),
      ("sip:", false), ("sip:@h", false), ("tel:+1", false), ("sip:a@h?x=y", false), ("sip:a:pw@h.test", false),
      ("sip:a@h:0", false), ("sip:a@h:70000", false), ("sip:a@::1", false), ("sip:a b@h", false), ("sip:a%4@h", false),
      ("sip:a@h;", false), ("sip:a@h;x=", false), ("sip:a@h;x=1;X=2", false), ("sip:a@h_", false), ("<sip:a@h>", false),
    ])
  func uri(text: String, isTaken: Bool) {
    #expect((SIPAddress(text) != nil) == isTaken)
  }

  @Test(
    "a preference is read in thousandths",
    arguments: [
      ("0", 0), ("1", 1_000), ("0.5", 500), ("0.25", 250), ("1.000", 1_000), ("0.001", 1), ("1.001", nil), ("2", nil),
      (".5", nil), ("0.", nil), ("0.1234", nil), ("", nil), ("-0", nil), ("0.x", nil),
    ] as [(String, UInt16?)])
  func preference(text: String, q: UInt16?) {
    #expect(TextRule.readPreference(text) == q)
  }
}

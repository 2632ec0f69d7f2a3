import Structures
import Testing

@testable import Configuration

@Suite("What certificates prove, in the settings, RFC 5922 §7")
struct CertificateRuleTests {
  private static let hex = String(repeating: "aB:", count: 31) + "09"

  private static func tree(_ match: String, _ proves: String?) -> SettingNode {
    var pairs = [("match", at(5, 14, match, quoted: true))]
    if let proves { pairs.append(("proves", at(6, 14, proves, quoted: true))) }
    return .mapping(
      [
        .init(key: "domains", position: .start, value: ["example.test": ["aliases": ["alias.test"]]]),
        .init(key: "listen", position: .start, value: ["tcp:127.0.0.1:5060"]),
        .init(key: "identity", position: .start, value: ["certificates": [map(5, 7, pairs)]]),
      ], .start)
  }

  private static func rule(_ match: String, _ proves: String? = nil) -> CertificateRule? {
    resolve(tree(match, proves)).configuration?.identity.certificates.first
  }

  @Test("each kind of name is read, and proves a user unless something else is written")
  func kinds() {
    let star = NamePattern.exact("*")
    #expect(
      Self.rule("uri:sip:*@Example.test")
        == CertificateRule(.user(scheme: "sip", name: star, host: .host("example.test")), .namedUser))
    #expect(
      Self.rule("URI:sips:a*@*.example.test")
        == CertificateRule(.user(scheme: "sips", name: .exact("a*"), host: .host("*.example.test")), .namedUser))
    #expect(
      Self.rule("uri:sip:example.test", "domain")
        == CertificateRule(.domain(scheme: "sip", host: .host("example.test")), .namedDomain))
    #expect(
      Self.rule("dns:GW.example.test", "trusted") == CertificateRule(.dnsName(.host("gw.example.test")), .trusted))
    #expect(
      Self.rule("cn:Alice's phone", "sip:%61lice@alias.test")
        == CertificateRule(.commonName(.exact("Alice's phone")), .user(Array("alice".utf8), domain: "example.test")))
    let octets = [UInt8](repeating: 0xAB, count: 31) + [9]
    for text in [Self.hex, Self.hex.replacing(":", with: "")] {
      #expect(
        Self.rule("sha256:\(text)", "sip:alias.test") == CertificateRule(.fingerprint(octets), .domain("example.test")))
    }
    #expect(
      Self.rule("uri:urn:uuid:0-*", "trusted") == CertificateRule(.uri(.exact("urn:uuid:0-*")), .trusted))
  }

  @Test("a text alone is what is matched")
  func short() {
    let resolved = resolve(
      .plain([("identity", ["certificates": [.scalar(text: "uri:sip:*@example.test", wasQuoted: true, .start)]])]))
    #expect(resolved.configuration?.identity.certificates.map(\.proof) == [.namedUser])
  }

  @Test(
    "what can't be matched is an error",
    arguments: [
      "alice", "mail:alice@example.test", "dns:", "dns:a b", "dns:*.*.*.test", "dns:-x", "cn:", "cn:***", "sha256:00",
      "sha256:\(hex)0", "uri:sip:@example.test", "uri:sip:a@", "uri:sip:", "uri:*", "uri:*:x", "uri:sip:a@b:5060",
      "uri:sip:a@b;x", "dns:a.test:5061", "cn:a\u{7}",
    ])
  func badMatch(_ text: String) {
    let found = errors(Self.tree(text, nil))
    #expect(found.count == 1 && found[0].hasPrefix("apus.yaml:5:14: identity.certificates[0].match: "), "\(found)")
  }

  @Test(
    "what can't be proved is an error",
    arguments: [
      ("dns:a.test", "user"), ("uri:sip:a.test", "user"), ("uri:urn:x", "user"), ("sha256:\(hex)", "user"),
      ("uri:sip:*@a.test", "domain"), ("sha256:\(hex)", "domain"), ("uri:urn:x", "domain"),
      ("cn:a", "sip:alice@elsewhere.test"), ("cn:a", "sip:elsewhere.test"), ("cn:a", "sip:alice@example.test:5060"),
      ("cn:a", "sip:example.test;x=y"), ("cn:a", "alice@example.test"), ("cn:a", "everybody"),
    ])
  func badProof(_ match: String, _ proves: String) {
    let found = errors(Self.tree(match, proves))
    #expect(found.count == 1 && found[0].hasPrefix("apus.yaml:6:14: identity.certificates[0].proves: "), "\(found)")
  }

  @Test("rules that mean every certificate, and rules for which nobody is asked, are noted")
  func notes() {
    let notes = resolve(Self.tree("cn:*", "trusted")).notes.filter { $0.key.hasPrefix("identity.certificates") }
    #expect(notes.count == 2, "\(notes)")
    #expect(!resolve(Self.tree("cn:a*", "trusted")).notes.contains { $0.problem.hasPrefix("every certificate") })
  }

  @Test("a reload takes other rules over at once")
  func reload() {
    #expect(SettingsTable.all.filter { $0.key.hasPrefix("identity.certificates") }.allSatisfy { $0.reload == .live })
  }
}

@Suite("Patterns of names")
struct NamePatternTests {
  @Test(
    "a star stands for one octet or more, in hosts within a label",
    arguments: [
      ("a*", "ab", true, true), ("a*", "a", false, false), ("*", "x.y", false, true), ("*.x", "a.x", true, true),
      ("*.x", "a.b.x", false, true), ("*.x", ".x", false, false), ("gw*.x", "GW7.X", true, false),
      ("*a*", "bab", true, true), ("*a*", "aab", true, true), ("*a*", "abb", false, false), ("a*c", "abbc", true, true),
      ("*b", "abab", true, true), ("x", "x", true, true), ("x", "xx", false, false), ("*.x", "*.x", false, false),
      ("a*", "a*", false, false), ("a*", "a\u{0}", false, false), ("*", "", false, false),
    ])
  func star(_ pattern: String, _ name: String, _ asHost: Bool, _ exactly: Bool) {
    #expect(NamePattern.host(pattern).matches(Array(name.utf8)) == asHost)
    #expect(NamePattern.exact(pattern).matches(Array(name.utf8)) == exactly)
  }

  @Test("a long name is no name")
  func long() {
    let name = [UInt8](repeating: 0x61, count: 255)
    #expect(NamePattern.exact("*").matches(name) && !NamePattern.exact("*").matches(name + [0x61]))
    #expect(!NamePattern.exact("*b*b").matches(name))
  }
}

import Configuration
import SIPServer
import TLSEngine
import Testing

@testable import Worker

@Suite("Whom a certificate proves, RFC 5922 §7.1")
struct CertificateMappingTests {
  /// A certificate with these names.
  private static func certificate(_ names: CertificateNames) -> PeerCertificate {
    PeerCertificate(
      subject: "CN=x", issuer: "CN=y", serial: "1", notBefore: 0, notAfter: 0,
      fingerprint: [UInt8](repeating: 7, count: 32), names: names)
  }

  private static func mapping(_ rules: [(String, String)]) throws -> CertificateMapping {
    let items: [SettingNode] = rules.map { rule in
      .mapping(
        [
          .init(key: "match", position: .start, value: .scalar(text: rule.0, wasQuoted: true, .start)),
          .init(key: "proves", position: .start, value: .scalar(text: rule.1, wasQuoted: true, .start)),
        ], .start)
    }
    let tree = SettingNode.mapping(
      [
        .init(
          key: "domains", position: .start,
          value: ["a.test": ["aliases": ["alias.test"]], "b.test": [:], "bank.test": [:]]),
        .init(key: "listen", position: .start, value: ["tcp:127.0.0.1:5060"]),
        .init(key: "identity", position: .start, value: ["certificates": .sequence(items, .start)]),
      ], .start)
    let facts = SettingsSources.Facts(hostName: "n", cores: 1, clusterSecret: Array(repeating: 9, count: 32))
    let resolved = ConfigurationBundle(file: "test", settings: tree, facts: facts).resolve()
    return CertificateMapping(try #require(resolved.configuration, "\(resolved.errors)"))
  }

  /// The names that are proved, as text.
  private static func proved(_ finding: CertificateMapping.Finding) -> [String] {
    finding.peer.names.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("a URI proves the user or the domain that it names, under the domain's own name")
  func uris() throws {
    let mapping = try Self.mapping([("uri:sip:*@*.test", "user"), ("uri:sip:*.test", "domain")])
    for (uri, expected) in [
      ("sip:alice@a.test", ["alice@a.test"]), ("SIP:%61lice@Alias.TEST", ["alice@a.test"]), ("sip:a.test", ["@a.test"]),
      ("sip:alice@c.test", []), ("sips:alice@a.test", []), ("sip:alice@a.test:5060", []), ("sip:alice:x@a.test", []),
      ("sip:alice@a.test;user=phone", []), ("sip:alice@a.test?x=y", []),
      ("sip:a.test;alice@b.test", ["a.test;alice@b.test"]),
      ("sip:*@a.test", []), ("sip:*.test", []), ("sip:%00@a.test", []), ("sip:a@sub.a.test", []), ("alice@a.test", []),
      ("sip:alice@a.test\u{0}.evil.test", []), ("mailto:alice@a.test", []), ("", []),
    ] {
      let finding = mapping.finding(Self.certificate(CertificateNames(uris: [uri])))
      #expect(Self.proved(finding) == expected && !finding.isTrusted, "\(uri)")
    }
  }

  @Test("DNS names prove domains, common names users and domains, fingerprints what is written")
  func others() throws {
    let mapping = try Self.mapping([
      ("dns:*.test", "domain"), ("cn:*@a.test", "user"), ("cn:b.test", "domain"), ("cn:phone-*", "sip:dave@b.test"),
      ("sha256:" + String(repeating: "07", count: 32), "sip:erin@a.test"),
    ])
    let always = ["erin@a.test"]
    for (names, expected) in [
      (CertificateNames(dnsNames: ["A.test", "x.a.test"]), ["@a.test"]),
      (CertificateNames(commonName: "alice@a.test"), ["alice@a.test"]),
      (CertificateNames(commonName: "b.test"), ["@b.test"]), (CertificateNames(commonName: "phone-1"), ["dave@b.test"]),
      (CertificateNames(commonName: "Phone-1"), []),
      (CertificateNames(commonName: "mallory@b.test@a.test"), ["mallory@b.test@a.test"]),
      (CertificateNames(commonName: String(repeating: "a", count: 251) + "@a.test"), []),
      // Each kind of name counts as what it is.
      (CertificateNames(uris: ["a.test"], dnsNames: ["alice@a.test"], commonName: "a.test"), []),
    ] {
      #expect(Self.proved(mapping.finding(Self.certificate(names))) == expected + always, "\(names)")
    }
  }

  @Test("all rules that match count, also beside trust")
  func all() throws {
    let mapping = try Self.mapping([
      ("dns:gw.a.test", "trusted"), ("uri:sip:*@a.test", "user"), ("cn:x", "sip:b.test"), ("dns:never.test", "trusted"),
    ])
    let names = CertificateNames(
      uris: ["sip:1@a.test", "sip:2@a.test", "sip:1@a.test"], dnsNames: ["GW.a.test"], commonName: "x")
    let finding = mapping.finding(Self.certificate(names))
    #expect(finding.isTrusted && Self.proved(finding) == ["1@a.test", "2@a.test", "@b.test"])
    #expect(!mapping.finding(Self.certificate(CertificateNames(dnsNames: ["other.a.test"]))).isTrusted)
  }

  @Test("letters that Unicode takes for others name nobody of ours")
  func foreignLetters() throws {
    let mapping = try Self.mapping([("dns:*.test", "domain"), ("cn:*@*.test", "user"), ("uri:sip:*@*.test", "user")])
    for names in [
      CertificateNames(dnsNames: ["ban\u{212A}.test"]), CertificateNames(commonName: "alice@ban\u{212A}.test"),
      CertificateNames(uris: ["sip:alice@ban\u{212A}.test"]),
    ] {
      #expect(Self.proved(mapping.finding(Self.certificate(names))) == [])
    }
    let own = CertificateNames(commonName: "alice@BANK.test")
    #expect(Self.proved(mapping.finding(Self.certificate(own))) == ["alice@bank.test"])
  }
}

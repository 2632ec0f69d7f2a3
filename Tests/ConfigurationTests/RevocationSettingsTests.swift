import Testing

@testable import Configuration

@Suite("Settings about revoked certificates")
struct RevocationSettingsTests {
  private static let list = Array("-----BEGIN X509 CRL-----\nMII=\n-----END X509 CRL-----\n".utf8)

  private static func bundle(_ crl: SettingNode, _ files: [String: [UInt8]]) -> ConfigurationBundle {
    ConfigurationBundle(
      file: "etc/apus.yaml", settings: .plain([("tls", ["client": ["default": ["crl": crl]]])]),
      facts: .init(hostName: "n", cores: 1, clusterSecret: Array(0..<32)), files: files)
  }

  @Test("a directory stands for its files in the order of their names, beside single files")
  func directory() throws {
    let files = [
      "etc/lists/b.crl": Self.list, "etc/lists/a.der": [0x30, 1], "etc/lists/deeper/c.crl": Self.list,
      "/var/d.crl": Self.list,
    ]
    let bundle = Self.bundle(["lists", "/var/d.crl"], files)
    let resolved = bundle.resolve()
    let revocation = try #require(resolved.configuration?.tlsClient["default"]?.revocation, "\(resolved.errors)")
    #expect(revocation.lists.map(\.path) == ["etc/lists/a.der", "etc/lists/b.crl", "/var/d.crl"])
    #expect(revocation.listPaths == ["etc/lists", "/var/d.crl"])
    #expect(resolved.configuration?.watchedPaths == ["/var/d.crl", "etc/lists"])
    #expect(ConfigurationBundle(decoding: bundle.encode())?.resolve().configuration == resolved.configuration)
  }

  @Test("a file that is missing, or can't be a list, is an error that names it")
  func unusable() throws {
    let missing = Self.bundle("none.crl", [:]).resolve().errors
    #expect(missing.map(\.key) == ["tls.client.default.crl"])
    #expect(missing.first?.problem.hasPrefix("etc/none.crl: ") == true)
    let strange = Self.bundle(["lists"], ["etc/lists/a.crl": Self.list, "etc/lists/b.txt": Array("x".utf8)]).resolve()
    #expect(strange.errors.map(\.problem) == ["etc/lists/b.txt: no list of revoked certificates"])
  }

  @Test("a list is another when a file of its directory changes, comes or goes")
  func changes() {
    let old = Self.bundle("lists", ["etc/lists/a.crl": Self.list])
    for files in [
      ["etc/lists/a.crl": [0x30]], ["etc/lists/b.crl": Self.list],
      ["etc/lists/a.crl": Self.list, "etc/lists/b": [0x30]],
    ] {
      let changes = SettingsChange.between(old, Self.bundle("lists", files))
      #expect(changes.map(\.key) == ["tls.client.default.crl"] && changes.first?.effect == .live)
    }
    #expect(SettingsChange.between(old, Self.bundle(["lists"], ["etc/lists/a.crl": Self.list])) == [])
  }

  @Test("a list where no certificate is verified is a note")
  func unverified() {
    let tree = SettingNode.plain([("tls", ["client": ["default": ["crl": "a.crl", "verify_certificate": "no"]]])])
    let resolved = resolve(tree, files: ["a.crl": [0x30]])
    #expect(resolved.errors.isEmpty)
    #expect(resolved.notes.map(\.key).contains("tls.client.default.crl"))
  }
}

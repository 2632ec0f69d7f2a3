import Testing

@testable import Configuration

@Suite("TLS profiles in the settings")
struct TLSSettingsTests {
  private static func node(
    server: [(String, SettingNode)] = [], client: [(String, SettingNode)] = []
  ) -> SettingNode {
    let own: [(String, SettingNode)] = [("certificate", "server.pem"), ("private_key", "server.key")]
    func mapping(_ pairs: [(String, SettingNode)]) -> SettingNode {
      .mapping(pairs.map { .init(key: $0.0, position: .start, value: $0.1) }, .start)
    }
    let given = server.map(\.0)
    let profile = mapping(own.filter { !given.contains($0.0) } + server)
    return .plain([
      (
        "tls",
        mapping([
          ("server", mapping([("default", profile)])), ("client", mapping([("default", mapping(client))])),
        ])
      )
    ])
  }

  private static func made(_ server: [(String, SettingNode)]) -> (TLSServerProfile?, [String], [String]) {
    let resolved = resolve(node(server: server), files: pemFiles)
    return (
      resolved.configuration?.tlsServer["default"], resolved.notes.map(\.description),
      resolved.errors.map(\.description)
    )
  }

  @Test(
    "require and verify, in any of their names, are what the table of the older servers says",
    arguments: [
      ("0", "0", ClientVerification.off), ("no", "yes", .optional), ("1", "1", .require), ("1", "0", .require),
    ])
  func truthTable(require: String, verify: String, expected: ClientVerification) {
    for (requireName, verifyName) in [
      ("require_certificate", "verify_certificate"), ("tls_require_client_certificate", "tls_verify_client"),
    ] {
      let (profile, notes, _) = Self.made([
        (requireName, at(1, 1, require)), (verifyName, at(1, 1, verify)),
      ])
      #expect(profile?.verifyClient == expected)
      #expect(notes.contains { $0.contains("write verify_client: \(expected.rawValue)") })
      let provesNothing = notes.contains { $0.contains("a certificate that nobody verifies proves nothing") }
      #expect(provesNothing == (require == "1" && verify == "0"))
    }
  }

  @Test("verify_client beside the older words is an error")
  func twice() {
    let (_, _, errors) = Self.made([("verify_client", "require"), ("verify_certificate", "yes")])
    #expect(errors.contains { $0.contains("verify_client says the same; keep verify_client alone") })
  }

  @Test(
    "tls_method says the versions",
    arguments: [
      ("TLSv1", TLSVersion.v10, TLSVersion.v10), ("TLSv1+", .v10, .v13), ("TLSv1.1", .v11, .v11),
      ("TLSv1.2", .v12, .v12),
      ("TLSv1.2+", .v12, .v13), ("TLSv1.3", .v13, .v13), ("SSLv23", .v12, .v13), ("sslv23", .v12, .v13),
    ])
  func method(word: String, oldest: TLSVersion, newest: TLSVersion) {
    let (profile, notes, _) = Self.made([("tls_method", at(1, 1, word))])
    #expect(profile?.minimumVersion == oldest)
    #expect(profile?.maximumVersion == newest)
    #expect(notes.contains { $0.contains("an older name") })
    #expect(notes.contains { $0.contains("RFC 8996") } == (oldest < .v12))
  }

  @Test("SSL is refused with the reason and a remedy", arguments: ["SSLv2", "SSLv3"])
  func secureSockets(word: String) {
    for name in ["tls_method", "min_version", "max_version"] {
      let (_, _, errors) = Self.made([(name, at(1, 1, word))])
      #expect(errors.count == 1)
      #expect(
        errors.first?.contains("\(word) is broken (RFC 6176, RFC 7568), and OpenSSL has it no more; give TLSv1.2")
          == true)
    }
    let (_, _, errors) = Self.made([("tls_method", "TLSv1.2"), ("min_version", "TLSv1.2")])
    #expect(errors.contains { $0.contains("min_version says the same") })
  }

  @Test(
    "NULL ciphers are told of where they are asked for",
    arguments: [
      ("NULL", true), ("ALL:eNULL", true), ("ECDHE-RSA-NULL-SHA", true), ("ALL:!NULL", false), ("ECDHE:-eNULL", false),
    ])
  func null(list: String, isNamed: Bool) {
    let (profile, notes, _) = Self.made([("tls_cipher_list", at(1, 1, list))])
    #expect(profile?.choices.namesNull == isNamed)
    #expect(notes.contains { $0.contains("NULL ciphers encrypt nothing") } == isNamed)
  }

  @Test("certificates and keys are lists of the same length")
  func pairs() {
    var files = pemFiles
    files["rsa.pem"] = pemFiles["server.pem"]
    files["rsa.key"] = pemFiles["server.key"]
    let certificates: SettingNode = .sequence([at(1, 1, "server.pem"), at(1, 2, "rsa.pem")], .start)
    let keys: SettingNode = .sequence([at(1, 1, "server.key"), at(1, 2, "rsa.key")], .start)
    let good = resolve(Self.node(server: [("certificate", certificates), ("private_key", keys)]), files: files)
    #expect(good.configuration?.tlsServer["default"]?.pairs.map(\.certificateFile) == ["server.pem", "rsa.pem"])
    #expect(good.configuration?.tlsServer["default"]?.pairs.map(\.keyFile) == ["server.key", "rsa.key"])
    let bad = errors(Self.node(server: [("certificate", certificates)]), files: files)
    #expect(bad.contains { $0.contains("1 keys for 2 certificates; give one for each certificate, in the same order") })
  }

  @Test("limits, groups and levels stand in the profile, by their older names as well")
  func choices() {
    let (profile, _, errors) = Self.made([
      ("tls_handshake_timeout", at(1, 1, "5")), ("tls_send_timeout", at(1, 1, "7s")), ("verify_depth", at(1, 1, "3")),
      ("groups", at(1, 1, "P-256")), ("tls_log", at(1, 1, "debug")),
    ])
    #expect(errors.isEmpty)
    #expect(profile?.choices.handshakeTime == .seconds(5))
    #expect(profile?.choices.sendTime == .seconds(7))
    #expect(profile?.choices.verifyDepth == 3)
    #expect(profile?.choices.groups == "P-256")
    #expect(profile?.choices.logLevel == .debug)
    let (plain, _, _) = Self.made([])
    var standard = TLSChoices()
    standard.files = ["server.pem", "server.key"]
    #expect(plain?.choices == standard)
    #expect(plain?.verifyClient == .off)
  }

  @Test("a directory of authorities counts with its certificates, beside the list, and without its other files")
  func directory() {
    var files = pemFiles
    files["cas/a.pem"] = Array("-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n".utf8)
    files["cas/README"] = Array("Nothing.\n".utf8)
    let resolved = resolve(
      Self.node(server: [("ca_list", "server.pem"), ("ca_path", "cas")]), files: files)
    let text = String(decoding: resolved.configuration?.tlsServer["default"]?.caListPEM ?? [], as: UTF8.self)
    #expect(text.contains("MIIB") && text.contains("MIIC") && !text.contains("Nothing"))
  }

  @Test("a name may select one profile only, as a pattern too; what is no name is refused")
  func names() {
    let (profile, _, _) = Self.made([("server_name", .sequence(["*.Example.test", "sip.example.test"], .start))])
    #expect(profile?.serverNames == ["*.example.test", "sip.example.test"])
    for bad in ["*", "*.", "a.*.test", "*example.test"] {
      #expect(!Self.made([("server_name", at(1, 1, bad))]).2.isEmpty, "\(bad)")
    }
  }

  @Test("a client profile has domains and addresses, and tells when servers prove nothing")
  func client() {
    let resolved = resolve(
      Self.node(client: [
        ("domains", .sequence(["*.example.test", "192.0.2.1"], .start)), ("tls_verify_server", "0"),
        ("allow_wildcards", "yes"),
      ]), files: pemFiles)
    let profile = resolved.configuration?.tlsClient["default"]
    #expect(profile?.domains == ["*.example.test", "192.0.2.1"])
    #expect(profile?.allowsWildcards == true)
    #expect(profile?.verifyCertificate == false)
    #expect(resolved.notes.contains { $0.description.contains("servers prove nothing") })
  }

  @Test(
    "the names that a certificate has to speak for are those of messages, without those that another profile is for")
  func namesInMessages() {
    let listener: SettingNode = .sequence(["tls:127.0.0.1"], .start)
    let tls: SettingNode = [
      "server": [
        "default": ["certificate": "server.pem", "private_key": "server.key"],
        "other": [
          "certificate": "server.pem", "private_key": "server.key",
          "server_name": .sequence(["b.test", "*.c.test"], .start),
        ],
      ]
    ]
    let node: SettingNode = [
      "domains": .sequence(["a.test", "b.test"], .start), "listen": listener, "advertise": "sip.a.test", "tls": tls,
    ]
    let configuration = resolve(node, files: pemFiles).configuration
    #expect(configuration?.names(ofServerProfile: "default") == ["sip.a.test", "a.test"])
    #expect(configuration?.names(ofServerProfile: "other") == ["b.test"])
  }
}

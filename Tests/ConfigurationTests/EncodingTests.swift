import Testing

@testable import Configuration

@Suite("The configuration as octets")
struct EncodingTests {
  private static let tree: SettingNode = map(
    3, 5,
    [
      ("ключ", at(4, 9, "значение")), ("off", at(5, 7, "off", quoted: true)), ("empty", [:]),
      ("list", .sequence([at(6, 1, ""), [], ["a": ["b"]]], Position(line: 70_000, column: 3))),
    ])

  private static let bundle = ConfigurationBundle(
    file: "/etc/apus.yaml", settings: tree, facts: .init(hostName: "h", cores: 3, clusterSecret: [1, 2, 3]),
    files: ["a": [0, 255], "b": []], documents: ["users.yaml": tree])

  @Test("a tree and a bundle are the same after the way through octets")
  func roundTrip() {
    #expect(SettingNode(decoding: Self.tree.encode()) == Self.tree)
    #expect(ConfigurationBundle(decoding: Self.bundle.encode()) == Self.bundle)
  }

  @Test("a worker that decodes a bundle resolves the configuration of the supervisor")
  func sameConfiguration() throws {
    let bundle = ConfigurationBundle(
      file: "apus.yaml",
      settings: .plain([("tls", ["server": ["x": ["certificate": "server.pem", "private_key": "server.key"]]])]),
      facts: .init(hostName: "h", cores: 3, clusterSecret: Array(0..<32)), files: pemFiles)
    let decoded = try #require(ConfigurationBundle(decoding: bundle.encode()))
    let configuration = try #require(bundle.resolve().configuration)
    #expect(decoded.resolve().configuration == configuration)
  }

  @Test("no prefix of a bundle is a bundle, nor is one with more behind it")
  func prefixes() {
    let octets = Self.bundle.encode()
    for end in octets.indices { #expect(ConfigurationBundle(decoding: Array(octets[..<end])) == nil) }
    #expect(ConfigurationBundle(decoding: octets + [0]) == nil)
  }

  @Test("octets changed at random and octets of no meaning are refused or read, never a trap")
  func garbage() {
    var random = SystemRandomNumberGenerator()
    let octets = Self.bundle.encode()
    for _ in 0..<3_000 {
      var changed = octets
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        changed[Int.random(in: octets.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = ConfigurationBundle(decoding: changed)?.encode()
      let noise = (0..<Int.random(in: 0...64, using: &random)).map { _ in UInt8.random(in: 0...5, using: &random) }
      _ = SettingNode(decoding: noise)
    }
  }

  @Test("a tree that is too deep is refused, and so are counts that cannot be true")
  func depth() {
    var deep: SettingNode = "x"
    for _ in 0...SettingNode.maximumDepth { deep = .sequence([deep], .start) }
    #expect(SettingNode(decoding: deep.encode()) == nil)
    #expect(SettingNode(decoding: [3, 0, 0, 0, 1, 0, 0, 0, 1, 255, 255, 255, 255]) == nil)
  }

  @Test("whoever prints or dumps a configuration sees no secret")
  func redaction() throws {
    let secret = "5up3r-53cret-5up3r"
    let users: SettingNode = ["example.test": ["alice": ["MD5": "ab5e0000000000000000000000000000"]]]
    let bundle = ConfigurationBundle(
      file: "apus.yaml",
      settings: .plain([
        ("authentication", ["users": "users.yaml"]), ("cluster", ["secret_file": "key"]),
        ("tls", ["server": ["x": ["certificate": "server.pem", "private_key": "server.key"]]]),
      ]),
      facts: .init(hostName: "h", cores: 1, clusterSecret: []),
      files: pemFiles.merging(["key": Array(secret.utf8)]) { $1 }, documents: ["users.yaml": users])
    let configuration = try #require(bundle.resolve().configuration)
    #expect(configuration.clusterSecret == Array(secret.utf8))
    let table = configuration.authentication.users
    let user = table.find(domain: Array("example.test".utf8).span, name: Array("alice".utf8).span)
    var text = "\(configuration) \(bundle) \(configuration.tlsServer) \(configuration.tlsClient) \(table)"
    text +=
      String(reflecting: configuration) + String(describing: user) + String(reflecting: configuration.authentication)
    dump([configuration as Any, bundle, configuration.tlsServer, table, user as Any], to: &text)
    #expect(text.contains("configuration of h for example.test"))
    // As octets, the hash starts with 171, 94, the secret with 53, 117, the key with 45, 45.
    for trace in [secret, "53, 117", "171, 94", "- 171", "- 45", "PRIVATE", "ab5e"] {
      #expect(!text.contains(trace), "\(trace)")
    }
  }
}

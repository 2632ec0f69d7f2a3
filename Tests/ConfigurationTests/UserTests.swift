import Testing

@testable import Configuration

@Suite("Users, RFC 7616 §3.4.2")
struct UserTests {
  private static let md5 = "0123456789abcdef0123456789ABCDEF"
  private static let sha = md5 + md5

  private static func configured(_ users: SettingNode) -> SettingNode {
    .plain([("authentication", ["users": "users.yaml"])])
  }

  private static func problems(_ users: SettingNode) -> [String] {
    errors(configured(users), documents: ["users.yaml": users])
  }

  private static func find(_ table: UserTable, _ domain: String, _ name: String) -> UserTable.User? {
    let (domain, name) = (Array(domain.utf8), Array(name.utf8))
    return table.find(domain: domain.span, name: name.span)
  }

  @Test("a user is found by the octets of domain and name: the domain without case, the name with it")
  func lookup() throws {
    let users: SettingNode = [
      "Example.test": [
        "bob": ["MD5": .init(stringLiteral: Self.md5)],
        "alice": ["realm": "other", "algorithms": ["SHA-256"], "SHA-256": .init(stringLiteral: Self.sha)],
      ]
    ]
    let resolved = resolve(Self.configured(users), documents: ["users.yaml": users])
    let table = try #require(resolved.configuration?.authentication.users)
    #expect(table.count == 2)
    let bob = try #require(Self.find(table, "EXAMPLE.test", "bob"))
    #expect(bob.realm == "example.test")
    #expect(bob[.md5]?.count == 16)
    #expect(bob[.md5]?.first == 0x01)
    #expect(bob[.sha256] == nil)
    let alice = try #require(Self.find(table, "example.test", "alice"))
    #expect(alice.realm == "other")
    #expect(alice.algorithms == [.sha256])
    #expect(alice[.sha256]?.count == 32)
    #expect(Self.find(table, "example.test", "Alice") == nil)
    #expect(Self.find(table, "example.tes", "alice") == nil)
    #expect(Self.find(table, "example.test", "") == nil)
    #expect(resolved.notes.contains { $0.key == "example.test.alice" && $0.file == "users.yaml" })
  }

  @Test("a domain's users are in a file or in Redis; what the domain says comes before what all say")
  func inRedis() throws {
    let users: SettingNode = ["a.test": ["bob": ["MD5": .init(stringLiteral: Self.md5)]]]
    func resolved(_ common: SettingNode, _ a: SettingNode) -> NodeConfiguration.Authentication? {
      let tree: SettingNode = [
        "domains": ["a.test": a, "b.test": ["realm": "b.test"]], "listen": ["tcp:127.0.0.1:5060"],
        "authentication": common,
      ]
      return resolve(tree, documents: ["users.yaml": users]).configuration?.authentication
    }
    let all = try #require(resolved(["users": "redis"], ["realm": "a.test"]))
    #expect(all.domainsInRedis.sorted() == ["a.test", "b.test"] && all.users.isEmpty)
    let one = try #require(resolved(["users": "users.yaml"], ["users": "redis"]))
    #expect(one.domainsInRedis == ["a.test"])
    let other = try #require(resolved(["users": "redis"], ["users": "users.yaml"]))
    #expect(other.domainsInRedis == ["b.test"] && other.users.count == 1)
  }

  @Test("every user of a large table is found, and of two with one name the last counts")
  func large() {
    var records = (0..<2_000).map { number in
      UserTable.Record(domain: "d\(number % 7).test", name: "u\(number)", user: .init(realm: "\(number)"))
    }
    records.append(UserTable.Record(domain: "d0.test", name: "u0", user: .init(realm: "last")))
    let table = UserTable(records)
    #expect(table.count == 2_000)
    for number in 1..<2_000 {
      #expect(Self.find(table, "d\(number % 7).test", "u\(number)")?.realm == "\(number)")
    }
    #expect(Self.find(table, "d0.test", "u0")?.realm == "last")
    #expect(Self.find(table, "d1.test", "u0") == nil)
  }

  @Test("users of an alias are users of its domain; users of a strange domain are left out with a note")
  func aliases() throws {
    let hash: SettingNode = ["MD5": .init(stringLiteral: Self.md5)]
    let users: SettingNode = ["alias.test": ["alice": hash], "strange.test": ["bob": hash]]
    let resolved = resolve(
      [
        "domains": ["example.test": ["aliases": ["alias.test"], "users": "users.yaml"]],
        "listen": ["udp:127.0.0.1"],
      ], documents: ["users.yaml": users])
    let table = try #require(resolved.configuration?.authentication.users)
    #expect(Self.find(table, "example.test", "alice") != nil)
    #expect(table.count == 1)
    #expect(resolved.notes.contains { $0.key == "strange.test" })
  }

  @Test(
    "what is wrong in a users file is reported with its place",
    arguments: [
      (
        ["example.test": ["alice": map(2, 12, [("SHA256", "00")])]],
        ["users.yaml:2:12: example.test.alice.SHA256: unknown key; did you mean SHA-256?"]
      ),
      (
        ["example.test": ["alice": map(2, 12, [("MD5", at(2, 17, "0011"))])]],
        [
          "users.yaml:2:17: example.test.alice.MD5: not the 32 hexadecimal digits of a hash; "
            + "set the password with apus user passwd"
        ]
      ),
      (
        ["example.test": map(2, 3, [("alice", [:])])],
        [
          "users.yaml:2:3: example.test.alice: the user has no hash; "
            + "set a password with apus user passwd, or remove the user"
        ]
      ),
      (
        ["example.test": map(2, 3, [("alice", ["algorithms": ["SHA-256"], "MD5": .init(stringLiteral: md5)])])],
        [
          "users.yaml:2:3: example.test.alice.algorithms: there is no hash for SHA-256; "
            + "set the password again with apus user passwd --algorithm SHA-256"
        ]
      ),
      (
        ["example.test": map(2, 3, [("bob", ["MD5": .init(stringLiteral: md5)]), ("bob", "x")])],
        ["users.yaml:3:3: example.test.bob: it stands here twice; keep one of them"]
      ),
      (
        ["example.test": ["alice": at(2, 10, "secret")]],
        ["users.yaml:2:10: example.test.alice: a value stands here; give a map of a hash for each algorithm"]
      ),
    ] as [(SettingNode, [String])])
  func wrong(_ users: SettingNode, _ expected: [String]) {
    #expect(Self.problems(users) == expected)
  }

  @Test("an error never repeats what stands in place of a hash: it may be a password")
  func noSecret() {
    #expect(!Self.problems(["example.test": ["alice": ["MD5": "hunter2"]]]).joined().contains("hunter2"))
  }

  @Test("algorithms have the names of RFC 8760, read without case", arguments: DigestAlgorithm.allCases)
  func tokens(_ algorithm: DigestAlgorithm) {
    #expect(DigestAlgorithm(token: "\(algorithm.token)".lowercased()) == algorithm)
    #expect(["MD5", "SHA-256", "SHA-512-256"].contains("\(algorithm.token)"))
    #expect(DigestAlgorithm(token: "MD5-sess") == nil)
  }
}

import Configuration
import Testing

@testable import Supervisor

@Suite("Settings files in YAML")
struct YAMLFileTests {
  private static func tree(_ text: String) throws -> SettingNode {
    try YAMLFile.parse(text, file: "apus.yaml").get()
  }

  private static func problems(_ text: String) -> [String] {
    switch YAMLFile.parse(text, file: "apus.yaml") {
    case .failure(let errors): return errors.errors.map(\.description)
    case .success(let node):
      let facts = SettingsSources.Facts(hostName: "h", cores: 1, clusterSecret: Array(0..<32))
      return ConfigurationBundle(file: "apus.yaml", settings: node, facts: facts).resolve().errors.map(\.description)
    }
  }

  @Test("every key and value keeps its line and column, and whether it was quoted")
  func places() throws {
    let tree = try Self.tree("node: n1\ntls:\n  detach: \"off\"\nlist: [a, 'b']\n")
    #expect(
      tree
        == .mapping(
          [
            .init(
              key: "node", position: .init(line: 1, column: 1),
              value: .scalar(text: "n1", wasQuoted: false, .init(line: 1, column: 7))),
            .init(
              key: "tls", position: .init(line: 2, column: 1),
              value: .mapping(
                [
                  .init(
                    key: "detach", position: .init(line: 3, column: 3),
                    value: .scalar(text: "off", wasQuoted: true, .init(line: 3, column: 11)))
                ], .init(line: 3, column: 3))),
            .init(
              key: "list", position: .init(line: 4, column: 1),
              value: .sequence(
                [
                  .scalar(text: "a", wasQuoted: false, .init(line: 4, column: 8)),
                  .scalar(text: "b", wasQuoted: true, .init(line: 4, column: 11)),
                ], .init(line: 4, column: 7))),
          ], .init(line: 1, column: 1)))
  }

  @Test(
    "what is wrong in a file is reported at its line and column",
    arguments: [
      (
        "domains: [a.test]\nlisten: [\"udp:127.0.0.1\"]\nregistrar:\n  min_expire: 60\n",
        ["apus.yaml:4:3: registrar.min_expire: unknown key; did you mean min_expires?"]
      ),
      (
        "domains: [a.test]\nlisten:\n  - udp:127.0.0.1\n  - tcp:127.0.0.1:99999\n",
        [
          "apus.yaml:4:5: listen[1].address: 'tcp:127.0.0.1:99999' is not an address to listen on; "
            + "write transport:address:port, such as tls:0.0.0.0:5061, tcp:[::1]:5060 or udp:192.0.2.1"
        ]
      ),
      (
        "node: a\nlog:\n\tlevel: info\n", ["apus.yaml:3:1: a tab stands in the margin; YAML wants spaces"]
      ),
      ("a: 1\nb: 2\na: 3\n", ["apus.yaml:1:1: a: the key stands in its map twice; keep one of them"]),
      (
        "x: &anchor [1]\ny: *anchor\n",
        ["apus.yaml:1:4: anchors and aliases are not understood; write the value out"]
      ),
      ("x: !secret word\n", ["apus.yaml:1:4: the tag !secret is not understood; remove it"]),
      ("? [a]\n: b\n", ["apus.yaml:1:3: a key that is not a word; quote it, or write a list with - or [ ]"]),
      (
        "a: [1\nb: 2\n",
        [
          "apus.yaml:2:2: no YAML: did not find expected ',' or ']' while parsing a flow sequence; "
            + "look at the indentation and the quotes here and in the line above"
        ]
      ),
    ] as [(String, [String])])
  func wrong(_ text: String, _ expected: [String]) {
    #expect(Self.problems(text) == expected)
  }

  @Test("several documents in a file are refused, and a file without one is an empty tree")
  func documents() throws {
    #expect(Self.problems("a: 1\n---\nb: 2\n").count == 1)
    #expect(try Self.tree("").isNull)
    #expect(try Self.tree("# nothing\n").isNull)
  }

  @Test("the sample file is one that can be read: all errors are the files that it names")
  func sample() {
    let problems = Self.problems(SettingsSample.text)
    #expect(problems.count == 3)
    for problem in problems { #expect(problem.contains("not in the bundle"), "\(problem)") }
  }

  @Test("the sample with every comment taken off has no key or value that is refused")
  func sampleWithoutComments() throws {
    let lines = SettingsSample.text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let bare = line.drop { $0 == " " }
      guard bare.hasPrefix("#"), bare.dropFirst().first?.isLetter ?? false, bare.contains(": ") else {
        return String(line)
      }
      return String(line.prefix(line.count - bare.count)) + bare.dropFirst()
    }
    // The short and the long form of these two cannot stand together.
    let text = lines.filter { !$0.hasPrefix("domains:") && !$0.hasPrefix("listen:") && !$0.hasPrefix("or, with") }
    let problems = Self.problems((["domains: [example.test]"] + text).joined(separator: "\n"))
    let unexpected = problems.filter { !$0.contains("not in the bundle") && !$0.contains("routes") }
    #expect(unexpected.isEmpty)
    #expect(problems.count > 5)
  }

  @Test("users that are written are read again, whatever their names")
  func users() throws {
    let names = ["alice", "10e3", "+1555", "o\"neil\\", "null", "ünï çödé", "- a", "#x", "yes", "user name"]
    let users = names.map { name in
      UserFile.User(
        domain: name == "yes" ? "127.0.0.1" : "example.test", name: name, realm: name == "alice" ? "a \"realm\"" : nil,
        algorithms: name == "null" ? [.sha256] : nil,
        hashes: [.md5: Array(repeating: 0x1E, count: 16), .sha256: Array(repeating: 0x10, count: 32)])
    }
    let tree = try YAMLFile.parse(UserFile.text(of: users), file: "users.yaml").get()
    let read = UserFile.read(tree, file: "users.yaml")
    // A realm with quotes can't be written into a challenge: that one is refused.
    #expect(read.errors.map(\.key) == ["example.test.alice.realm"])
    let expected = users.filter { $0.name != "alice" }.sorted { ($0.domain, $0.name) < ($1.domain, $1.name) }
    #expect(read.users.map(\.name) == expected.map(\.name))
    for (left, right) in zip(read.users, expected) {
      #expect(left.domain == right.domain)
      #expect(left.hashes == right.hashes)
      #expect(left.algorithms == right.algorithms)
    }
  }
}

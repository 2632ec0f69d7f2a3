import Testing

@Suite("Layout")
struct LayoutTests {
  @Test("the top level holds the manifest, five folders, the README and dotfiles, nothing else")
  func topLevel() {
    let strays = Self.strays(among: Repository.names(in: ""))
    #expect(strays.isEmpty, "move these into Sources, Tests, cluster or benchmarks: \(strays)")
  }

  @Test("a stray file at the top level is found")
  func scan() {
    let names = [
      "Package.swift", "Package.resolved", ".git", ".ci", "Sources", "Tests", "README.md", "notes.txt", "docs",
    ]
    #expect(Self.strays(among: names) == ["notes.txt", "docs"])
  }

  @Test("every test target has a folder of its own name with a test in it")
  func testTargets() throws {
    let manifest = try #require(Repository.text("Package.swift"))
    let names = manifest.matches(of: /tests\(\s*"(\w+)"/).map { String($0.output.1) }
    #expect(names.count > 5, "the scan found too few test targets to mean anything")
    for name in names {
      let files = Repository.files(below: "Tests/\(name)") { $0.hasSuffix(".swift") }
      #expect(files.contains { $0.text.contains("@Test") }, "Tests/\(name) holds no test")
    }
  }

  /// `Package.resolved` is written by the build and not part of the repository.
  static func strays(among names: [String]) -> [String] {
    let expected: Set<String> = [
      "Package.swift", "Package.resolved", "Sources", "Tests", "cluster", "benchmarks", "README.md",
    ]
    return names.filter { !$0.hasPrefix(".") && !expected.contains($0) }
  }
}

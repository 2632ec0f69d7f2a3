import Testing

@Suite("Words that must not stand in the code")
struct WordTests {
  @Test("no Swift file of Sources holds a try, cast or stop that traps")
  func traps() {
    for file in Repository.files(below: "Sources", where: { $0.hasSuffix(".swift") }) {
      for (index, line) in file.lines.enumerated() {
        for word in Self.traps(in: line) {
          Issue.record("\(file.path):\(index + 1): `\(word)` may trap: throw, or answer and close.")
        }
      }
    }
  }

  @Test("a TODO names the condition of its removal with `until`")
  func todos() {
    for folder in ["Sources", "Tests", "cluster", "benchmarks"] {
      for file in Repository.files(below: folder, where: Repository.isWritten) where file.name != "WordTests.swift" {
        for (index, line) in file.lines.enumerated() where Self.isEndlessTodo(line) {
          Issue.record("\(file.path):\(index + 1): say until when: `TODO until …`.")
        }
      }
    }
  }

  @Test("a trap is found in code and left alone in a comment")
  func scan() {
    #expect(Self.traps(in: "let x = try! f() as! Int") == ["try!", "as!"])
    #expect(Self.traps(in: "  fatalError(\"no\")") == ["fatalError("])
    #expect(Self.traps(in: "/// Never use try! here.").isEmpty)
    #expect(Self.traps(in: "let alias = !flag").isEmpty)
  }

  @Test("a TODO without a condition is found")
  func todoScan() {
    #expect(Self.isEndlessTodo("// TODO: later"))
    #expect(!Self.isEndlessTodo("// TODO until Swift 7: drop this"))
    #expect(!Self.isEndlessTodo("let mastodon = 1"))
  }

  static func traps(in line: Substring) -> [String] {
    guard ["try!", "as!", "fatalError("].contains(where: { line.utf8.firstRange(of: $0.utf8) != nil }) else {
      return []
    }
    let code = line.prefix(upTo: line.firstRange(of: "//")?.lowerBound ?? line.endIndex)
    return code.matches(of: /\b(?:try!|as!|fatalError\()/).map { String($0.output) }
  }

  static func isEndlessTodo(_ line: Substring) -> Bool {
    guard ["TODO", "FIXME"].contains(where: { line.utf8.firstRange(of: $0.utf8) != nil }) else { return false }
    guard let todo = line.firstRange(of: /\b(?:TODO|FIXME)\b/) else { return false }
    return !line[todo.upperBound...].contains(/\buntil\b/)
  }
}

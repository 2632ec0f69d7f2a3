import Foundation
import Testing

@Suite("The table of sections and tests in Tests/README.md")
struct ConformanceTests {
  /// The rows between the two marks: a section, and what stands beside it.
  private static func rows() -> [(section: String, proof: String)] {
    let parts = (Repository.text("Tests/README.md") ?? "").components(separatedBy: "<!-- conformance -->")
    guard parts.count == 3 else { return [] }
    return parts[1].split(separator: "\n").dropFirst(2).compactMap { line in
      let cells = line.split(separator: "|", maxSplits: 2).map { $0.trimmingCharacters(in: .whitespaces) }
      return cells.count == 2 ? (cells[0], String(cells[1].dropLast().trimmingCharacters(in: .whitespaces))) : nil
    }
  }

  @Test("every test that it names is there")
  func names() {
    var functions: [String: Set<String>] = [:]
    for file in Repository.files(below: "Tests", where: { $0.hasSuffix(".swift") }) {
      let found = Set(file.text.matches(of: /func (\w+)\(/).map { String($0.output.1) })
      for suite in file.text.matches(of: /(?:struct|extension) (\w+Tests)\b/) {
        functions[String(suite.output.1), default: []].formUnion(found)
      }
    }
    for row in Self.rows() {
      for name in row.proof.matches(of: /`(\w+Tests)\.(\w+)`/) {
        let (suite, function) = (String(name.output.1), String(name.output.2))
        #expect(functions[suite]?.contains(function) == true, "\(row.section) names \(suite).\(function)")
      }
    }
  }

  @Test("every row names a test or says why there is none")
  func complete() {
    let rows = Self.rows()
    #expect(rows.count > 50)
    for row in rows {
      #expect(row.section.hasPrefix("RFC ") && row.proof.count > 10, "\(row.section) has nothing beside it")
    }
  }
}

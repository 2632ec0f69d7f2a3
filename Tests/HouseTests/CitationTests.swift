import Testing

@Suite("Citations of standards")
struct CitationTests {
  @Test("every citation in Sources and Tests is spelled as `RFC 3261 §17.1.1.2`")
  func spelling() {
    for file in Self.files {
      for (index, line) in file.lines.enumerated() {
        for complaint in Self.complaints(about: line) {
          Issue.record("\(file.path):\(index + 1): \(complaint)")
        }
      }
    }
  }

  @Test("every RFC that Sources or Tests cite stands in the standards table of README.md")
  func table() throws {
    let readme = try #require(Repository.text("README.md"), "README.md, which holds the standards table, is missing")
    let listed = Self.listed(in: readme)
    #expect(!listed.isEmpty, "README.md has no line of the form `| RFC 3261 | … |`")
    var cited: [String: String] = [:]
    for file in Self.files {
      for match in file.text.matches(of: /RFC (\d+)/) where cited[String(match.output.1)] == nil {
        cited[String(match.output.1)] = file.path
      }
    }
    for (number, path) in cited.sorted(by: { $0.key < $1.key }) where !listed.contains(number) {
      Issue.record("\(path) cites RFC \(number), which README.md lacks: add `| RFC \(number) | title | what we use |`.")
    }
  }

  @Test(
    "a right citation passes",
    arguments: [
      "RFC 3261 §17.1.1.2", "as RFC 3261 has it", "(RFC 3261)", "RFC 3261 §17.1.1.2, RFC 6026 §7.2", "RFC 5626 §5.3.",
      "RFC 3261 §17.1.3 and §17.2.3", "RFC 3261 §A", "RFC 3261 §B.2", "RFC 3261, the base",
      "Fixtures/rfc4475/wsinv.dat",
      "[\"rfc4475\"]", "RFC 5626 has a section of its own", "`RFC 8446 §5.2`", "let rfc4475Rows = 1",
    ])
  func right(line: String) {
    #expect(Self.complaints(about: line[...]).isEmpty)
  }

  @Test(
    "a wrong citation fails",
    arguments: [
      "RFC3261", "rfc 3261", "Rfc 3261", "see rfc3261 there", "RFC-3261", "RFC 3261 section 17", "RFC 3261, 17.1",
      "RFC 3261 17.1", "RFC 3261 § 17", "RFC 3261§17", "RFC 3261  §17", "RFC 3261 §", "RFC 3261 §x",
      "RFC 3261, section 17",
      "RFC 3261 (17.2)", "RFC 3261 Section 8.1", "RFC 3261 sec. 8", "section 17.1 of RFC 3261", "RFC 3261, §17",
      "§17 of RFC 3261",
      "RFC  3261", "RFC 3261 §§17", "RFC 3261 §17..2", "RFC 3261 §17-18",
    ])
  func wrong(line: String) {
    #expect(Self.complaints(about: line[...]).count >= 1)
  }

  /// This file is left out: it holds the wrong spellings on purpose.
  private static let files = ["Sources", "Tests"].flatMap { folder in
    Repository.files(below: folder) { Repository.isWritten($0) && $0 != "CitationTests.swift" }
  }

  static func listed(in readme: String) -> Set<String> {
    Set(readme.matches(of: /(?m)^\|\s*(?:\[)?RFC (\d+)/).map { String($0.output.1) })
  }

  /// One sentence per citation of a line that has another form than `RFC n` or `RFC n §s`.
  static func complaints(about line: Substring) -> [String] {
    // Regular expressions are slow in debug builds: most lines need none.
    guard ["RFC", "rfc", "Rfc", "§"].contains(where: { line.utf8.firstRange(of: $0.utf8) != nil }) else { return [] }
    let rest = withoutNames(line)
    var complaints: [String] = []
    for match in rest.matches(of: /(?i)rfc[\s\-_.]*\d+/) {
      let word = rest[match.range]
      let after = rest[match.range.upperBound...]
      if word.wholeMatch(of: /RFC \d+/) == nil {
        complaints.append("write `RFC n`, not `\(word)`.")
      } else if after.prefixMatch(of: /[\s,;:(]*(?i:section|sect?\.|clause|chapter|appendix|[0-9]+\.[0-9]|\(?[0-9]+\))/)
        != nil
      {
        complaints.append("write `\(word) §s`, not `\(word)\(after.prefix(12))`.")
      } else if after.prefixMatch(of: /[\s,;:(]*§/) != nil, after.prefixMatch(of: citedSection) == nil {
        complaints.append("write `\(word) §s`, not `\(word)\(after.prefix(12))`.")
      }
    }
    if rest.contains(/(?i)(section|§) ?[0-9.]+[, ]+(of|in) RFC/) {
      complaints.append("write `RFC n §s`, with the section last.")
    }
    if rest.contains(/§(\s|$)/) { complaints.append("no blank may follow `§`.") }
    return complaints
  }

  /// A section behind its RFC: one blank, the sign, a number or an appendix letter, and nothing that runs on.
  private static var citedSection: Regex<Substring> { /\ §(?:[0-9]+|[A-Z])(?:\.[0-9]+)*(?![\w§\-])(?!\.\.)/ }

  /// The line without names of files, folders and identifiers such as `rfc4475/wsinv.dat`.
  private static func withoutNames(_ line: Substring) -> String {
    String(line).replacing(/[\/"'`_.]rfc\d+|rfc\d+[\/"'`_A-Za-z.]\w*/, with: "")
  }
}

import Testing

@Suite("Imports")
struct ImportTests {
  @Test("every import in Sources is allowed by the layer table")
  func sources() {
    let files = Repository.files(below: "Sources") { $0.hasSuffix(".swift") }
    #expect(files.count > 10, "the scan found too few files to mean anything")
    for file in files {
      for complaint in Self.complaints(about: file) { Issue.record("\(complaint)") }
    }
  }

  @Test("every folder of Sources has a row in the layer table")
  func folders() {
    for name in Repository.names(in: "Sources") where Repository.isFolder("Sources/\(name)") {
      #expect(
        LayerTable.row(for: name) != nil,
        "Sources/\(name) has no row in Tests/HouseTests/LayerTable.swift: add one that says what it may import.")
    }
  }

  @Test("no pure layer is allowed a module outside the pure layers")
  func purity() {
    let pure = Set(LayerTable.rows.filter(\.isPure).map(\.target))
    for row in LayerTable.rows where row.isPure {
      #expect(Set(row.mayImport).isSubset(of: pure), "\(row.target) is pure")
    }
  }

  @Test("a row of the layer table names only rows above it and outside modules")
  func order() {
    var seen: Set<String> = []
    let targets = Set(LayerTable.rows.map(\.target))
    for row in LayerTable.rows {
      for name in row.mayImport where targets.contains(name) {
        #expect(seen.contains(name), "\(row.target) imports \(name), which stands above it")
      }
      seen.insert(row.target)
    }
  }

  @Test(
    "a forbidden import is found however it is written",
    arguments: [
      "import Foundation", "  import Glibc", "public import Reactor", "@testable import Worker",
      "@preconcurrency internal import Logging", "import struct Foundation.URL", "import Foundation.NSURL",
      "@_spi(Inner) import TLSEngine", "import Structures; import Glibc",
    ])
  func forbidden(line: String) {
    let file = Repository.File(path: "Sources/SIPMessage/Via.swift", text: "import Structures\n\(line)\n")
    let complaints = Self.complaints(about: file)
    #expect(complaints.count == 1)
    #expect(complaints.first?.hasPrefix("Sources/SIPMessage/Via.swift:2: ") == true)
  }

  @Test(
    "what only looks like an import is left alone",
    arguments: ["// import Foundation", "let importance = 1", "/// Never import Glibc here.", "important()"])
  func noImport(line: String) {
    let file = Repository.File(path: "Sources/SIPMessage/Via.swift", text: line)
    #expect(Self.complaints(about: file).isEmpty)
  }

  /// One sentence per import that the table forbids, with what to do about it.
  static func complaints(about file: Repository.File) -> [String] {
    guard let row = LayerTable.row(for: file.target) else { return [] }
    let allowed = Set(row.mayImport)
    var complaints: [String] = []
    for (index, line) in file.lines.enumerated() {
      for module in imports(in: line) where module != file.target && !allowed.contains(module) {
        let remedy =
          row.isPure
          ? "\(row.target) is pure: take what you need as an argument, or move the code to a shell layer"
          : "use what \(row.target) may import, move the code, or change the row in Tests/HouseTests/LayerTable.swift"
        complaints.append("\(file.path):\(index + 1): \(row.target) may not import \(module); \(remedy).")
      }
    }
    return complaints
  }

  /// The modules that one line imports, without the part behind a dot.
  static func imports(in line: Substring) -> [String] {
    let attribute = /^@\w+(\([^)]*\))?$/
    let access: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
    let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor"]
    return line.split(separator: ";").compactMap { statement in
      var words = statement.split(whereSeparator: \.isWhitespace)[...]
      while let word = words.first, access.contains(word) || word.wholeMatch(of: attribute) != nil {
        words.removeFirst()
      }
      guard words.popFirst() == "import" else { return nil }
      if let word = words.first, kinds.contains(word) { words.removeFirst() }
      return words.first.flatMap { $0.split(separator: ".").first }.map(String.init)
    }
  }
}

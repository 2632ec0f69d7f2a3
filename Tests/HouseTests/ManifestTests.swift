import Testing

@Suite("Manifest and layer table")
struct ManifestTests {
  @Test("every dependency of a source target in Package.swift is allowed by the layer table")
  func dependencies() throws {
    let targets = Self.targets(in: try #require(Repository.text("Package.swift")))
    #expect(targets.count > 10, "the scan found too few targets to mean anything")
    for target in targets {
      guard let row = LayerTable.row(for: target.name) else {
        Issue.record("\(target.name) has no row in Tests/HouseTests/LayerTable.swift: add one.")
        continue
      }
      for name in target.dependencies where !row.mayImport.contains(name) {
        Issue.record(
          """
          Package.swift lets \(row.target) depend on \(name), which the layer table forbids: take it out, \
          or change the row in Tests/HouseTests/LayerTable.swift.
          """)
      }
    }
  }

  @Test("every folder of Sources is a target of Package.swift, and the other way about")
  func folders() throws {
    let targets = Set(Self.targets(in: try #require(Repository.text("Package.swift"))).map(\.name))
    let folders = Set(Repository.names(in: "Sources").filter { Repository.isFolder("Sources/\($0)") })
    #expect(folders == targets.subtracting(LayerTable.outside))
  }

  @Test("every row of the layer table is a target of Package.swift")
  func rows() throws {
    let targets = Set(Self.targets(in: try #require(Repository.text("Package.swift"))).map(\.name))
    for row in LayerTable.rows where !targets.contains(row.target) {
      Issue.record("the layer table has a row for \(row.target), which is no target: take it out.")
    }
  }

  @Test("the scan of a manifest finds targets of each kind, with products by their own name")
  func scan() {
    let manifest = """
      func layer(_ name: String) -> Target { .target(name: name, swiftSettings: settings) }
      .target(name: "CLinux", cSettings: warnings), // .target(name: "Gone")
      layer("Low"),
      layer("High", ["Low", .product(name: "Logging", package: "swift-log")]),
      .executableTarget(
        name: "tool", dependencies: ["High", .product(name: "Yams", package: "Yams")],
        swiftSettings: ["Other"]),
      tests("LowTests", ["Low"], resources: [.copy("Fixtures")]),
      """
    let found = Self.targets(in: manifest).map { "\($0.name): \($0.dependencies.joined(separator: " "))" }
    #expect(found == ["CLinux: ", "Low: ", "High: Low Logging", "tool: High Yams"])
  }

  @Test("Sources/README.md carries the layer table as the tests know it")
  func document() throws {
    let targets = Set(Self.targets(in: try #require(Repository.text("Package.swift"))).map(\.name))
    let expected = LayerTable.markdown(targets: targets)
    let text = Repository.text("Sources/README.md") ?? ""
    let parts = text.split(separator: "<!-- layers -->", omittingEmptySubsequences: false)
    let isCurrent = parts.count == 3 && parts[1].drop(while: \.isNewline) == expected
    #expect(
      isCurrent,
      "Put this between two <!-- layers --> lines of Sources/README.md:\n\n<!-- layers -->\n\(expected)<!-- layers -->\n"
    )
  }

  struct Target {
    let name: String
    let dependencies: [String]
  }

  /// The source targets of a manifest: `layer(…)`, `.target(…)` and `.executableTarget(…)` with a literal name.
  static func targets(in manifest: String) -> [Target] {
    let code = manifest.split(separator: "\n").map {
      $0.prefix(upTo: $0.firstRange(of: "//")?.lowerBound ?? $0.endIndex)
    }
    .joined(separator: "\n")
    let start = /(?:\blayer|\.target|\.executableTarget)\(\s*(?:name:\s*)?"([^"]+)"/
    return code.matches(of: start).map { match in
      let rest = code[match.range.upperBound...]
      return Target(name: String(match.output.1), dependencies: dependencies(in: rest))
    }
  }

  /// The names in the first list of the rest of a call: plain strings, and the `name:` of each product.
  private static func dependencies(in rest: Substring) -> [String] {
    guard let opening = rest.prefixMatch(of: /\s*,\s*(?:dependencies:\s*)?\[/) else { return [] }
    var list = rest[opening.range.upperBound...]
    var end = list.startIndex
    while end < list.endIndex, list[end] != "]" { end = list.index(after: end) }
    list = list[..<end]
    return list.matches(of: /(package:\s*)?"([^"]+)"/).filter { $0.output.1 == nil }.map { String($0.output.2) }
  }
}

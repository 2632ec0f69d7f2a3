import Foundation
import Testing

@Suite("Fuzz targets in the plain build")
struct FindingTests {
  /// An input in a folder of its target.
  struct Input: Sendable, CustomTestStringConvertible {
    let target: FuzzTarget
    let file: URL
    var testDescription: String { "\(target.name)/\(file.lastPathComponent)" }
  }

  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

  private static func inputs(in folder: String) -> [Input] {
    FuzzTarget.all.flatMap { target in
      let place = Self.folder.appending(path: "\(folder)/\(target.name)")
      let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
      return names.sorted().map { Input(target: target, file: place.appending(path: $0)) }
    }
  }

  @Test("what a fuzzer once found is found no more", arguments: inputs(in: "Findings"))
  func finding(_ input: Input) throws {
    let octets = [UInt8](try Data(contentsOf: input.file))
    #expect(throws: Never.self) { try input.target.run(octets) }
  }

  @Test("the inputs that a fuzzer begins with hold", arguments: inputs(in: "Corpus"))
  func corpus(_ input: Input) throws {
    let octets = [UInt8](try Data(contentsOf: input.file))
    #expect(throws: Never.self) { try input.target.run(octets) }
  }

  @Test("every folder of inputs belongs to a target, and every target has inputs to begin with")
  func folders() throws {
    let names = Set(FuzzTarget.all.map(\.name))
    for folder in ["Corpus", "Findings"] {
      let found = Set(try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: folder).path))
      #expect(found.filter { !$0.hasPrefix(".") && $0 != "README.md" }.isSubset(of: names))
    }
    for target in FuzzTarget.all {
      #expect(Self.inputs(in: "Corpus").contains { $0.target.name == target.name }, "\(target.name)")
    }
  }
}

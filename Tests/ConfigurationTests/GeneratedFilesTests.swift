import Testing

@testable import Configuration

#if canImport(Glibc)
  import Glibc
#endif

/// The text of a file of this repository; nil when there is none. `APUS_WRITE_GENERATED=1` writes it first.
private func repositoryFile(_ path: String, generated: String) -> String? {
  let full = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/" + path
  if getenv("APUS_WRITE_GENERATED") != nil, let file = fopen(full, "w") {
    fputs(generated, file)
    fclose(file)
  }
  guard let file = fopen(full, "r") else { return nil }
  defer { fclose(file) }
  var octets = [UInt8](repeating: 0, count: 1 << 20)
  let count = fread(&octets, 1, octets.count, file)
  return String(decoding: octets[..<count], as: UTF8.self)
}

@Suite("Files made from the settings table")
struct GeneratedFilesTests {
  @Test("the sample in cluster/ is the one that the table makes")
  func sample() {
    #expect(repositoryFile("cluster/apus.yaml", generated: SettingsSample.text) == SettingsSample.text)
  }

  @Test("the reference in cluster/ is the one that the table makes")
  func reference() {
    #expect(repositoryFile("cluster/SETTINGS.md", generated: SettingsReference.text) == SettingsReference.text)
  }

  @Test("every setting stands in the reference, and its last name in the sample unless there is a better way to say it")
  func complete() {
    for setting in SettingsTable.all {
      #expect(SettingsReference.text.contains("### `\(setting.key)`\n"))
      if let name = setting.path.last, setting.availability != .older {
        #expect(SettingsSample.text.contains("\(name): \(setting.shownValue)\n"))
      }
      #expect(!setting.shownValue.isEmpty, "\(setting.key) shows nothing in the sample")
    }
  }
}

import Testing

@testable import Configuration

@Suite("What changed between two configurations")
struct SettingsChangeTests {
  private static func bundle(
    _ pairs: [(String, SettingNode)], files: [String: [UInt8]] = [:], documents: [String: SettingNode] = [:]
  ) -> ConfigurationBundle {
    ConfigurationBundle(
      file: "etc/apus.yaml",
      settings: .mapping(pairs.map { .init(key: $0.0, position: .start, value: $0.1) }, .start),
      facts: .init(hostName: "n", cores: 1, clusterSecret: []), files: files, documents: documents)
  }

  private static func changes(
    _ old: [(String, SettingNode)], _ new: [(String, SettingNode)]
  ) -> [String: ReloadEffect] {
    let changes = SettingsChange.between(bundle(old), bundle(new))
    return Dictionary(uniqueKeysWithValues: changes.map { ($0.key, $0.effect) })
  }

  @Test("the same settings in another order, or defaults written out, are no change")
  func same() {
    let old: [(String, SettingNode)] = [("domains", ["a.test"]), ("log", ["level": "debug"])]
    #expect(Self.changes(old, old.reversed()) == [:])
    #expect(Self.changes(old, old + [("workers", "auto"), ("registrar", ["default_expires": "1h"])]) == [:])
    #expect(
      Self.changes(old, old + [("listen", ["tls:0.0.0.0:5061", "tcp:0.0.0.0:5060", ["address": "udp:0.0.0.0:5060"]])])
        == [:])
  }

  @Test("a change is named with what a reload does with it")
  func effects() {
    let old: [(String, SettingNode)] = [("domains", ["a.test"]), ("workers", "2")]
    #expect(Self.changes(old, [("domains", ["a.test"]), ("workers", "3")]) == ["workers": .restart])
    #expect(Self.changes(old, [("domains", ["a.test"])]) == ["workers": .restart])
    #expect(Self.changes(old, old + [("log", ["level": "debug"])]) == ["log.level": .live])
    #expect(Self.changes(old, [("domains", ["a.test", "b.test"]), ("workers", "2")]) == ["domains": .newWorkers])
    #expect(Self.changes(old, old + [("listen", ["tcp:127.0.0.1:5060"])]).values.allSatisfy { $0 == .restart })
    #expect(
      Self.changes(old, old + [("listen", ["tcp:127.0.0.1:5060"])]).keys.sorted()
        == ["listen", "listen[0].address", "listen[1].address", "listen[2].address"])
  }

  @Test("a file is another when its contents are, wherever it stands")
  func files() {
    let tree: [(String, SettingNode)] = [
      ("domains", ["a.test"]), ("authentication", ["users": "users.yaml"]),
      ("tls", ["server": ["default": ["certificate": "a.pem", "private_key": "a.key"]]]),
    ]
    let old = Self.bundle(
      tree, files: ["etc/a.pem": [1], "etc/a.key": [1]], documents: ["etc/users.yaml": ["a.test": "x"]])
    var new = old
    #expect(SettingsChange.between(old, new) == [])
    new.files["etc/a.key"] = [2]
    new.documents["etc/users.yaml"] = ["a.test": "y"]
    #expect(
      SettingsChange.between(old, new).map(\.key) == ["tls.server.default.private_key", "authentication.users"])
    #expect(SettingsChange.between(old, new).allSatisfy { $0.effect == .live && $0.position != nil })
  }
}

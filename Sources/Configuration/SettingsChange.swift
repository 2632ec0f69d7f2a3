/// A setting that two configurations have otherwise, and what a reload does with it.
public struct SettingsChange: Sendable, Equatable {
  /// The setting as an error names it, such as `tls.server.default.certificate`.
  public var key: String
  /// Where the new configuration gives it; nil where it doesn't.
  public var position: Position?
  /// What becomes of the change.
  public var effect: ReloadEffect

  /// What changed from one configuration to another, in the order of the table. A file counts as changed when its
  /// contents did; what is written out but the default before and after doesn't.
  public static func between(_ old: ConfigurationBundle, _ new: ConfigurationBundle) -> [SettingsChange] {
    var comparison = Comparison(old: old, new: new)
    return comparison.changes()
  }
}

/// Two configurations side by side.
private struct Comparison {
  private let bundles: (old: ConfigurationBundle, new: ConfigurationBundle)
  private var old: SettingsReader
  private var new: SettingsReader

  init(old: ConfigurationBundle, new: ConfigurationBundle) {
    bundles = (old, new)
    self.old = SettingsReader(old.settings, file: old.file)
    self.new = SettingsReader(new.settings, file: new.file)
  }

  mutating func changes() -> [SettingsChange] {
    let paths = Set(old.given.keys).union(new.given.keys).union(old.members.keys).union(new.members.keys)
    var changes: [SettingsChange] = []
    for path in paths {
      guard let setting = SettingsSchema.root[path]?.setting, isChanged(path, setting) else { continue }
      changes.append(
        SettingsChange(key: SettingsReader.name(of: path), position: new.position(path), effect: setting.reload))
    }
    return changes.sorted { Self.rank($0.key) < Self.rank($1.key) }
  }

  private mutating func isChanged(_ path: [String], _ setting: Setting) -> Bool {
    if old.names(under: path).map(\.name) != new.names(under: path).map(\.name) { return true }
    if old.value(path) != new.value(path) { return true }
    if setting.type == .files, case .texts(let names) = new.value(path) { return names.contains(where: isOther) }
    guard setting.type == .file, case .text(let name) = new.value(path) else { return false }
    let (before, after) = bundles
    let places = (
      SettingsSources.resolve(name, from: before.file), SettingsSources.resolve(name, from: after.file)
    )
    return before.files[places.0] != after.files[places.1] || before.documents[places.0] != after.documents[places.1]
  }

  /// Whether a file, or one of a directory, has other contents.
  private func isOther(_ name: String) -> Bool {
    let before = ConfigurationBundle.files(
      bundles.old.files, at: SettingsSources.resolve(name, from: bundles.old.file))
    let after = ConfigurationBundle.files(bundles.new.files, at: SettingsSources.resolve(name, from: bundles.new.file))
    return !before.elementsEqual(after, by: ==)
  }

  /// By place in the table, then by name.
  private static func rank(_ key: String) -> (Int, String) {
    let place = SettingsTable.all.firstIndex { setting in
      setting.path.first.map { key == $0 || key.hasPrefix($0 + ".") || key.hasPrefix($0 + "[") } ?? false
    }
    return (place ?? 0, key)
  }
}

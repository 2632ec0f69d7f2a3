/// The settings as a tree, to be walked beside the tree of a file.
struct SettingsSchema: Sendable {
  /// The setting at this place; nil for a mere section such as `registrar`.
  private(set) var setting: Setting?
  /// What is below, by name; `*` for any name, `[]` for any item of a list.
  private(set) var children: [String: SettingsSchema] = [:]
  /// The names of `children` in the order of the table.
  private(set) var order: [String] = []

  /// All settings of ``SettingsTable``.
  static let root: SettingsSchema = {
    var root = SettingsSchema()
    for setting in SettingsTable.all { root.insert(setting, at: setting.path[...]) }
    return root
  }()

  private mutating func insert(_ setting: Setting, at path: ArraySlice<String>) {
    guard let name = path.first else {
      self.setting = setting
      return
    }
    if children[name] == nil { order.append(name) }
    children[name, default: SettingsSchema()].insert(setting, at: path.dropFirst())
  }

  /// The part of the schema for the concrete path of a file, such as `tls.server.default.certificate`.
  subscript(path: [String]) -> SettingsSchema? {
    var place = self
    for name in path {
      guard let next = place.children[name] ?? place.children["*"] ?? place.children["[]"] else { return nil }
      place = next
    }
    return place
  }

  /// The present name of a key that other programs call so; nil when nobody does.
  func presentName(of former: String) -> String? {
    order.first { children[$0]?.setting?.formerNames.contains(former) ?? false }
  }

  /// What to advise somebody who wrote a key that does not exist at this place.
  func advice(forUnknown key: String) -> String {
    let similar = order.map { (name: $0, distance: Self.distance($0, key)) }.min { $0.distance < $1.distance }
    if let similar, similar.distance <= max(1, key.count / 3) { return "did you mean \(similar.name)?" }
    let elsewhere = SettingsTable.all.first { $0.path.last == key || $0.formerNames.contains(key) }
    if let elsewhere { return "there is \(elsewhere.key)" }
    if key.contains("."), SettingsTable.all.contains(where: { $0.key == key }) {
      return "write it as a map, one level for each dot"
    }
    return "known here: " + order.joined(separator: ", ")
  }

  /// How many letters must be changed, added, dropped or swapped with their neighbour to make one word from the other.
  static func distance(_ left: String, _ right: String) -> Int {
    let (a, b) = (Array(left.lowercased()), Array(right.lowercased()))
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var best = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      before = previous
      previous = row
    }
    return previous[b.count]
  }
}

/// Walks the tree of a settings file beside the ``SettingsSchema``, keeps what it understands and gathers every error
/// and note on the way. Afterwards it answers what a setting is, by what was given or by the default of the table.
struct SettingsReader {
  /// A value of the file with its place.
  struct Given {
    let value: SettingValue
    let position: Position
  }

  /// The file, as errors name it.
  let file: String
  /// What is wrong so far.
  private(set) var errors: [SettingsError] = []
  /// What its owner should know.
  private(set) var notes: [SettingsError] = []
  /// The settings of the table that were asked for: a test compares it with the table.
  private(set) var consulted: Set<String> = []

  private(set) var given: [[String]: Given] = [:]
  /// Names of maps and indices of lists, in the order of the file, by the path of the map or list.
  private(set) var members: [[String]: [(name: String, position: Position)]] = [:]

  /// Reads a whole tree.
  init(_ node: SettingNode, file: String) {
    self.file = file
    readSection(node, SettingsSchema.root, [])
    for setting in SettingsTable.all {
      // Defaults of collections are expanded as if they had been written.
      guard case .written(let text) = setting.standard, case .items = setting.type, members[setting.path] == nil,
        !errors.contains(where: { $0.key == setting.key })
      else { continue }
      let items = Self.flowItems(text).map { SettingNode.scalar(text: $0, wasQuoted: true, .start) }
      read(.sequence(items, .start), at: setting.path)
    }
  }

  // MARK: - Reporting

  /// Adds an error.
  mutating func fail(_ path: [String], _ position: Position?, _ problem: String, _ remedy: String) {
    errors.append(error(path, position, problem, remedy))
  }

  /// Adds errors found elsewhere, such as in a users file.
  mutating func fail(_ found: [SettingsError]) {
    errors.append(contentsOf: found)
  }

  /// Adds a note.
  mutating func note(_ path: [String], _ position: Position?, _ problem: String, _ remedy: String) {
    notes.append(error(path, position, problem, remedy))
  }

  /// Adds notes found elsewhere.
  mutating func note(_ found: [SettingsError]) {
    notes.append(contentsOf: found)
  }

  private func error(_ path: [String], _ position: Position?, _ problem: String, _ remedy: String) -> SettingsError {
    SettingsError(file: file, position: position, key: Self.name(of: path), problem: problem, remedy: remedy)
  }

  /// The path as an error names it: `listen[0].address`, `tls.server.default.certificate`.
  static func name(of path: [String]) -> String {
    path.enumerated().reduce(into: "") { text, part in
      if SettingsSchema.root[Array(path[..<part.offset])]?.children["[]"] != nil {
        text += "[\(part.element)]"
      } else {
        text += text.isEmpty ? part.element : ".\(part.element)"
      }
    }
  }

  // MARK: - Answers

  /// The names of a map or the indices of a list, in the order of the file.
  func names(under path: [String]) -> [(name: String, position: Position)] {
    members[path] ?? []
  }

  /// Where a setting was given; nil when it was not.
  func position(_ path: [String]) -> Position? {
    given[path]?.position
  }

  /// The value given or that of the table; nil when there is neither.
  mutating func value(_ path: [String]) -> SettingValue? {
    guard let setting = SettingsSchema.root[path]?.setting else {
      preconditionFailure("no setting \(path) in the table")
    }
    consulted.insert(setting.key)
    if let found = given[path] { return found.value }
    guard case .written(let text) = setting.standard else { return nil }
    if case .files = setting.type { return .texts(Self.flowItems(text)) }
    if case .list(let rule) = setting.type {
      return .texts(Self.flowItems(text).compactMap { try? rule.read($0) })
    }
    return try? setting.type.read(text)
  }

  /// A text; nil when there is none.
  mutating func text(_ path: [String]) -> String? {
    if case .text(let text) = value(path) { text } else { nil }
  }

  /// A list of texts; empty when there is none.
  mutating func texts(_ path: [String]) -> [String] {
    if case .texts(let texts) = value(path) { texts } else { [] }
  }

  /// A count, size or number of seconds, which always has a default.
  mutating func number(_ path: [String]) -> Int {
    if case .number(let number) = value(path) { number } else { 0 }
  }

  /// A duration, which always has a default.
  mutating func duration(_ path: [String]) -> Duration {
    if case .duration(let duration) = value(path) { duration } else { .zero }
  }

  /// A boolean, which always has a default.
  mutating func boolean(_ path: [String]) -> Bool {
    value(path) == .boolean(true)
  }

  /// The items of `[a, "b"]` as the table writes defaults.
  private static func flowItems(_ text: String) -> [String] {
    text.dropFirst().dropLast().split(separator: ",").map { item in
      String(item.filter { $0 != " " && $0 != "\"" })
    }
  }
}

// MARK: - Walking

extension SettingsReader {
  /// Reads what was written for the setting or section at `path`.
  private mutating func read(_ node: SettingNode, at path: [String]) {
    guard let schema = SettingsSchema.root[path] else { return }
    guard let setting = schema.setting else { return readSection(node, schema, path) }
    if case .text(.ciphers) = setting.type, case .scalar("NULL", wasQuoted: false, let position) = node {
      // A cipher list of that name, in the words of openssl-ciphers(1), and no null of YAML.
      return read(.scalar(text: "NULL", wasQuoted: true, position), at: path)
    }
    guard !node.isNull else {
      return fail(path, node.position, "nothing is given", "give \(setting.type.summary), or drop the key")
    }
    switch setting.availability {
    case .now, .older: break
    case .ignoredYet(let instead):
      note(path, node.position, "not available yet, ignored", instead)
      consulted.insert(setting.key)
    case .refusedYet:
      consulted.insert(setting.key)
      if case .sequence(let items, _) = node, items.isEmpty { return }
      return fail(path, node.position, "not available yet in this version", "leave it out, or write []")
    }
    switch setting.type {
    case .list(let rule): readList(node, rule, path)
    case .files: readList(node, .any, path)
    case .names(let rule): readNames(node, rule, schema, path)
    case .items(let short): readItems(node, short, schema, path)
    case .either(let short):
      if case .scalar = node { read(node, at: path + [short]) } else { readSection(node, schema, path) }
    default: readScalar(node, setting, path)
    }
  }

  private mutating func readScalar(_ node: SettingNode, _ setting: Setting, _ path: [String]) {
    guard case .scalar(let text, _, let position) = node else {
      return fail(path, node.position, "\(node.kind) stands here", "give \(setting.type.summary)")
    }
    do throws(ValueProblem) {
      given[path] = Given(value: try setting.type.read(text), position: position)
    } catch {
      fail(path, position, error.problem, error.remedy)
    }
  }

  /// Reads a mapping whose keys are those of the schema, or any names if it has `*`.
  private mutating func readSection(_ node: SettingNode, _ schema: SettingsSchema, _ path: [String]) {
    if node.isNull, path.isEmpty || schema.children["*"] == nil { return checkRequired(schema, path, node.position) }
    guard case .mapping(let pairs, let position) = node else {
      let inside = schema.order.first == "*" ? "a name of your choice" : schema.order.joined(separator: ", ")
      return fail(path, node.position, "\(node.kind) stands here", "give a map with \(inside)")
    }
    var seen: Set<String> = []
    for pair in pairs {
      var key = pair.key
      if schema.children["*"] != nil {
        guard (try? TextRule.name.read(key)) != nil || (try? TextRule.host.read(key)) != nil else {
          fail(path + [key], pair.position, "'\(key)' is not a name", "use letters, digits, '.', '_' and '-'")
          continue
        }
      } else if schema.children[key] == nil {
        guard let present = schema.presentName(of: key) else {
          fail(path + [key], pair.position, "unknown key", schema.advice(forUnknown: key))
          continue
        }
        note(path + [key], pair.position, "an older name", "write \(present)")
        key = present
      }
      guard seen.insert(key).inserted else {
        fail(path + [key], pair.position, "the key stands here twice", "keep one of them")
        continue
      }
      if schema.children["*"] != nil { members[path, default: []].append((key, pair.position)) }
      read(pair.value, at: path + [key])
    }
    checkRequired(schema, path, position, seen)
  }

  private mutating func checkRequired(
    _ schema: SettingsSchema, _ path: [String], _ position: Position?, _ seen: Set<String> = []
  ) {
    for name in schema.order where !seen.contains(name) {
      guard let setting = schema.children[name]?.setting, setting.standard == .required else { continue }
      let value = setting.sample ?? setting.example ?? ""
      fail(path + [name], position, "is missing", "add \(name): \(value)")
    }
  }

  private mutating func readList(_ node: SettingNode, _ rule: TextRule, _ path: [String]) {
    let items: [SettingNode]
    switch node {
    case .scalar: items = [node]
    case .sequence(let all, _): items = all
    case .mapping: return fail(path, node.position, "a map stands here", "give a list: each \(rule.noun)")
    }
    var texts: [String] = []
    for item in items {
      guard let text = readName(item, rule, path) else { continue }
      if texts.contains(text) {
        fail(path, item.position, "'\(text)' stands here twice", "keep one of them")
      } else {
        texts.append(text)
      }
    }
    given[path] = Given(value: .texts(texts), position: node.position)
  }

  private mutating func readNames(_ node: SettingNode, _ rule: TextRule, _ schema: SettingsSchema, _ path: [String]) {
    var found: [(node: SettingNode, value: SettingNode?)] = []
    switch node {
    case .scalar: found = [(node, nil)]
    case .sequence(let items, _): found = items.map { ($0, nil) }
    case .mapping(let pairs, _):
      found = pairs.map { (.scalar(text: $0.key, wasQuoted: true, $0.position), $0.value) }
    }
    if found.isEmpty { fail(path, node.position, "the list is empty", "give at least one name") }
    for (item, value) in found {
      guard let name = readName(item, rule, path) else { continue }
      guard !names(under: path).contains(where: { $0.name == name }) else {
        fail(path, item.position, "'\(name)' stands here twice", "keep one of them")
        continue
      }
      members[path, default: []].append((name, item.position))
      if let value, !value.isNull, let below = schema.children["*"] { readSection(value, below, path + [name]) }
    }
  }

  private mutating func readItems(_ node: SettingNode, _ short: String, _ schema: SettingsSchema, _ path: [String]) {
    guard let below = schema.children["[]"] else { return }
    let items: [SettingNode]
    switch node {
    case .scalar: items = [node]
    case .sequence(let all, _): items = all
    case .mapping: return fail(path, node.position, "a map stands here", "give a list")
    }
    if items.isEmpty { fail(path, node.position, "the list is empty", "give at least one, or drop the key") }
    for (index, item) in items.enumerated() {
      let place = path + ["\(index)"]
      members[path, default: []].append(("\(index)", item.position))
      if case .scalar = item {
        read(item, at: place + [short])
        checkRequired(below, place, item.position, [short])
      } else {
        readSection(item, below, place)
      }
    }
  }

  private mutating func readName(_ node: SettingNode, _ rule: TextRule, _ path: [String]) -> String? {
    guard case .scalar(let text, _, let position) = node, !node.isNull else {
      fail(path, node.position, "\(node.kind) stands in the list", "give \(rule.noun)")
      return nil
    }
    do throws(ValueProblem) {
      return try rule.read(text)
    } catch {
      fail(path, position, error.problem, error.remedy)
      return nil
    }
  }
}

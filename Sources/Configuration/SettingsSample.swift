/// The commented sample file, made from ``SettingsTable``: what is not commented out is what a first node needs.
public enum SettingsSample {
  private static let width = 110

  /// The whole file.
  public static var text: String {
    let head = [
      "# Apus: the settings of one node, each with its default. Made by `apus settings --sample`; the same in full",
      "# sentences is in SETTINGS.md. Relative paths start at the directory of this file. `apus check --config FILE` tells",
      "# what is wrong with a file before a node is started with it.",
    ]
    return (head + lines(of: SettingsSchema.root, indent: 0)).joined(separator: "\n") + "\n"
  }

  private static func lines(of schema: SettingsSchema, indent: Int) -> [String] {
    schema.order.flatMap { name -> [String] in
      guard let child = schema.children[name], child.setting?.availability != .older else { return [] }
      let shown = name == "*" ? "default" : name
      let gap = indent == 0 || child.setting != nil ? [""] : []
      return gap + (child.setting.map { entry($0, child, shown, indent) } ?? section(child, shown, indent))
    }
  }

  private static func section(_ schema: SettingsSchema, _ name: String, _ indent: Int) -> [String] {
    [margin(indent) + "\(name):"] + lines(of: schema, indent: indent + 1)
  }

  private static func entry(_ setting: Setting, _ schema: SettingsSchema, _ name: String, _ indent: Int) -> [String] {
    var lines = wrap(setting.text, indent) + wrap("\(setting.valueText). \(setting.defaultText).", indent)
    if case .ignoredYet(let instead) = setting.availability {
      lines += wrap("Not available yet: \(instead).", indent)
    }
    if let sample = setting.sample {
      lines.append(margin(indent) + "\(name): \(sample)")
    } else {
      lines.append(margin(indent) + "#\(name): \(setting.shownValue)")
    }
    guard let long = longForm(schema, name, indent) else { return lines }
    return lines + long
  }

  /// The form of a setting that has settings of its own, as a comment.
  private static func longForm(_ schema: SettingsSchema, _ name: String, _ indent: Int) -> [String]? {
    let isList = schema.children["[]"] != nil
    guard let below = schema.children["*"] ?? schema.children["[]"] else {
      guard !schema.children.isEmpty else { return nil }
      let lines = ["or, with more to say about it:", "\(name):"] + longLines(of: schema, indent: "  ")
      return lines.map { margin(indent) + "#" + $0 }
    }
    var lines = ["or, with more to say about each:", "\(name):"]
    lines.append(isList ? "  -" : "  example.test:")
    lines += longLines(of: below, indent: "    ")
    return lines.map { margin(indent) + "#" + $0 }
  }

  private static func longLines(of schema: SettingsSchema, indent: String) -> [String] {
    schema.order.flatMap { child -> [String] in
      guard let setting = schema.children[child]?.setting else { return [] }
      let text = "\(setting.text) \(setting.valueText). \(setting.defaultText)."
      return wrap(text, lead: indent + "# ") + ["\(indent)\(child): \(setting.shownValue)"]
    }
  }

  private static func margin(_ indent: Int) -> String {
    String(repeating: "  ", count: indent)
  }

  private static func wrap(_ text: String, _ indent: Int) -> [String] { wrap(text, lead: margin(indent) + "# ") }

  private static func wrap(_ text: String, lead: String) -> [String] {
    var lines: [String] = []
    var line = lead
    for word in text.split(separator: " ") {
      if line.count + word.count > width, line != lead {
        lines.append(line)
        line = lead
      }
      line += line == lead ? String(word) : " \(word)"
    }
    return lines + [line]
  }
}

/// The reference, made from ``SettingsTable``.
public enum SettingsReference {
  /// The whole page in Markdown.
  public static var text: String {
    var lines = [
      "# Settings", "",
      "Made by `apus settings --reference`; `apus.yaml` beside it is the same as a sample file. A settings file is YAML.",
      "Relative paths start at the directory of the file that names them. An unknown key, a bad value or an unreadable",
      "file is an error with file, line, column and remedy; `apus check --config FILE` prints all of them.", "",
      "Times are whole numbers of seconds, or have a unit: `500ms`, `10s`, `5m`, `1h`, `2d`. Sizes are bytes, or have a",
      "unit: `64k`, `1m`. Truth is `yes`, `no`, `on`, `off`, `true` or `false`.", "",
      "*Reload* says what the change of a setting needs: **live**, running workers take it over; **newWorkers**, workers",
      "started afterwards have it; **restart**, the node is started again. This version checks the file at a reload and",
      "says what differs; every change waits for a restart.",
    ]
    var section = ""
    for setting in SettingsTable.all {
      let first = setting.path[0]
      if first != section {
        section = first
        lines += ["", "## \(section)"]
      }
      lines += ["", "### `\(setting.key)`", "", setting.text, "", "- Value: \(setting.type.summary)"]
      lines.append("- Default: \(setting.standard.summary)")
      lines.append("- Reload: \(setting.reload.rawValue)")
      if let example = setting.sample ?? setting.example { lines.append("- Example: `\(example)`") }
      if !setting.formerNames.isEmpty {
        lines.append("- Also understood: " + setting.formerNames.map { "`\($0)`" }.joined(separator: ", "))
      }
      switch setting.availability {
      case .now, .older: break
      case .ignoredYet(let instead): lines.append("- Not available yet: \(instead)")
      case .refusedYet: lines.append("- Not available yet: anything but the default is refused")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Setting {
  /// The value that the sample shows.
  var shownValue: String {
    if let value = sample ?? example { return value }
    guard case .written(let text) = standard else { return "" }
    return text
  }

  /// What may be written, as a sentence without its stop.
  var valueText: String {
    let text = type.summary
    return text.prefix(1).uppercased() + text.dropFirst()
  }

  /// The default, as a sentence without its stop.
  var defaultText: String {
    switch standard {
    case .absent: "Optional"
    case .required: "Required"
    case .written, .derived: "Default: \(standard.summary)"
    }
  }
}

extension SettingDefault {
  /// The default in words.
  var summary: String {
    switch self {
    case .absent: "none"
    case .written(let text): text
    case .derived(let text): text
    case .required: "none, it must be given"
    }
  }
}

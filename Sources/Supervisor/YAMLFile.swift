public import Configuration
internal import Glibc
internal import Yams

/// YAML files as trees with places. What YAML offers beyond maps, lists and words is refused: anchors, tags, several
/// documents.
public enum YAMLFile {
  /// The tree of a file; an empty file is an empty scalar.
  public static func parse(path: String) -> Result<SettingNode, SettingsErrors> {
    switch Files.read(path) {
    case .success(let octets):
      guard let text = String(validating: octets, as: UTF8.self) else {
        return .failure(error(path, nil, "the file is not UTF-8", "save it as UTF-8"))
      }
      return parse(text, file: path)
    case .failure(let failure):
      return .failure(error(path, nil, failure.problem, failure.remedy))
    }
  }

  /// The tree of a text; `file` names it in errors.
  public static func parse(_ text: String, file: String) -> Result<SettingNode, SettingsErrors> {
    if let tab = firstTab(text) {
      return .failure(error(file, tab, "a tab stands in the margin", "YAML wants spaces"))
    }
    do {
      let parser = try Parser(yaml: text)
      guard let root = try parser.singleRoot() else {
        return .success(.scalar(text: "", wasQuoted: false, .start))
      }
      var converter = Converter(file: file)
      // Nodes know their anchors only as long as the parser lives.
      let node = withExtendedLifetime(parser) { converter.convert(root, depth: 0) }
      return converter.errors.isEmpty ? .success(node) : .failure(SettingsErrors(converter.errors))
    } catch let failure as YamlError {
      return .failure(describe(failure, file))
    } catch {
      return .failure(self.error(file, nil, "the file is no YAML", "mend it"))
    }
  }

  private static func error(
    _ file: String, _ position: Position?, _ problem: String, _ remedy: String, key: String = ""
  ) -> SettingsErrors {
    SettingsErrors([SettingsError(file: file, position: position, key: key, problem: problem, remedy: remedy)])
  }

  /// The first tab in the white space at the start of a line that holds more than a comment.
  private static func firstTab(_ text: String) -> Position? {
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let margin = line.prefix { $0 == " " || $0 == "\t" }
      guard let tab = margin.firstIndex(of: "\t"), margin.endIndex != line.endIndex, line[margin.endIndex] != "#",
        line[margin.endIndex] != "\r"
      else { continue }
      return Position(line: number + 1, column: line.distance(from: line.startIndex, to: tab) + 1)
    }
    return nil
  }

  private static func describe(_ failure: YamlError, _ file: String) -> SettingsErrors {
    switch failure {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let situation = context.map { " \($0.text)" } ?? ""
      return error(
        file, Position(line: mark.line, column: mark.column), "no YAML: \(problem)\(situation)",
        "look at the indentation and the quotes here and in the line above")
    case .duplicatedKeysInMapping(let duplicates, let context):
      let position = Position(line: context.mark.line, column: context.mark.column)
      let name = duplicates.first ?? ""
      return error(file, position, "the key stands in its map twice", "keep one of them", key: name)
    case .reader(let problem, let offset, _, _):
      return error(file, nil, "no YAML: \(problem) at octet \(offset ?? 0)", "remove what is not text")
    default:
      return error(file, nil, "no YAML", "mend it")
    }
  }
}

/// Makes our tree of that of Yams.
private struct Converter {
  let file: String
  var errors: [SettingsError] = []

  mutating func convert(_ node: Node, depth: Int) -> SettingNode {
    let position = node.mark.map { Position(line: $0.line, column: $0.column) } ?? .start
    // An alias is a copy of what it names: it is not followed, so that a few lines cannot become a million nodes.
    guard node.anchor == nil else {
      return refuse(position, "anchors and aliases are not understood", "write the value out")
    }
    guard depth < 24 else { return refuse(position, "the file is nested too deeply", "no setting is that deep") }
    let tag = "\(node.tag)"
    guard tag.hasPrefix("tag:yaml.org,2002:") || tag.isEmpty || tag == "!" else {
      return refuse(position, "the tag \(tag) is not understood", "remove it")
    }
    switch node {
    case .scalar(let scalar):
      return .scalar(text: scalar.string, wasQuoted: scalar.style != .plain && scalar.style != .any, position)
    case .sequence(let sequence):
      return .sequence(sequence.map { convert($0, depth: depth + 1) }, position)
    case .mapping(let mapping):
      return .mapping(mapping.compactMap { convert(pair: $0, depth: depth) }, position)
    case .alias:
      return refuse(position, "anchors and aliases are not understood", "write the value out")
    }
  }

  private mutating func convert(pair: (key: Node, value: Node), depth: Int) -> SettingNode.Pair? {
    let key = convert(pair.key, depth: depth + 1)
    let value = convert(pair.value, depth: depth + 1)
    guard case .scalar(let text, _, let position) = key else {
      _ = refuse(key.position, "a key that is not a word", "quote it, or write a list with - or [ ]")
      return nil
    }
    return SettingNode.Pair(key: text, position: position, value: value)
  }

  private mutating func refuse(_ position: Position, _ problem: String, _ remedy: String) -> SettingNode {
    let error = SettingsError(file: file, position: position, key: "", problem: problem, remedy: remedy)
    // An alias has the place of what it names: once is enough.
    if !errors.contains(error) { errors.append(error) }
    return .scalar(text: "", wasQuoted: false, position)
  }
}

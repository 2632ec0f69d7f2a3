import Structures

@testable import Configuration

/// What a configuration is read from: trees, bundles, users' files, single texts, and the octets between supervisor and worker.
enum ConfigurationTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    var reader = InputReader(input)
    switch reader.octet() {
    case UInt8(ascii: "b"): try readBundle(reader.rest)
    case UInt8(ascii: "n"): try readNode(reader.rest)
    case UInt8(ascii: "u"): readUsers(tree(of: reader.rest))
    case UInt8(ascii: "t"): try readTexts(reader.rest)
    case UInt8(ascii: "w"):
      let words = String(decoding: reader.rest, as: UTF8.self).split(separator: " ").map(String.init)
      if let arguments = WorkerArguments(words) {
        try Complaint.unless(WorkerArguments(arguments.words) == arguments, "the arguments are others once written")
      }
      try readControl(reader.rest)
      if let message = ControlMessage(reader.rest.span) {
        try Complaint.unless(message.octets == reader.rest, "the control message is another once written")
      }
    default: try resolve(tree(of: reader.rest))
    }
  }

  private static func readControl(_ octets: [UInt8]) throws(Complaint) {
    if let value = JSONValue(reading: octets) {
      try Complaint.unless(JSONValue(reading: value.octets) == value, "the JSON value is another once written")
    }
    if let question = ControlQuestion(octets) {
      try Complaint.unless(ControlQuestion(question.octets) == question, "the question is another once written")
    }
    if let answer = ControlAnswer(octets) {
      try Complaint.unless(ControlAnswer(answer.octets) == answer, "the answer is another once written")
    }
  }

  private static func readBundle(_ octets: [UInt8]) throws(Complaint) {
    // The name and version before every bundle are given, so that the rest is reached.
    let all = Array("APUSCFG\u{1}".utf8) + octets
    guard let bundle = ConfigurationBundle(decoding: all) else { return }
    try Complaint.unless(ConfigurationBundle(decoding: bundle.encode()) == bundle, "the bundle is another once written")
    _ = bundle.resolve()
  }

  private static func readNode(_ octets: [UInt8]) throws(Complaint) {
    guard let node = SettingNode(decoding: octets) else { return }
    try Complaint.unless(node.encode() == octets, "the tree is another once written")
    readUsers(node)
    try resolve(node)
  }

  private static func readUsers(_ node: SettingNode) {
    let file = UserFile.read(node, file: "users.yaml")
    _ = UserFile.text(of: file.users)
    _ = file.errors.map(\.description)
  }

  private static func resolve(_ node: SettingNode) throws(Complaint) {
    let files = [
      "server.pem": Array("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".utf8),
      "server.key": Array("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n".utf8), "secret": [1, 2, 3],
    ]
    let facts = SettingsSources.Facts(hostName: "h", cores: 2, clusterSecret: Array(repeating: 9, count: 32))
    let users: SettingNode = ["e.test": ["a": ["MD5": "ab5e0000000000000000000000000000"]]]
    let bundle = ConfigurationBundle(
      file: "apus.yaml", settings: node, facts: facts, files: files, documents: ["users.yaml": users])
    let resolved = bundle.resolve()
    _ = (resolved.errors + resolved.notes).map(\.description)
    try Complaint.unless(
      (resolved.configuration == nil) == !resolved.errors.isEmpty, "a configuration and errors, or neither")
    guard let configuration = resolved.configuration else { return }
    // What a worker resolves is what the supervisor resolved.
    let other = ConfigurationBundle(decoding: bundle.encode())?.resolve().configuration
    try Complaint.unless(other == configuration, "the worker resolves another configuration")
  }

  private static func readTexts(_ octets: [UInt8]) throws(Complaint) {
    let text = String(decoding: octets, as: UTF8.self)
    let rules: [TextRule] = [
      .name, .host, .hostAndPort, .domain, .listener, .algorithm, .tlsVersion, .quotable, .any,
    ]
    for rule in rules {
      guard let read = try? rule.read(text) else { continue }
      try Complaint.unless((try? rule.read(read)) == read, "as \(rule.noun) it is another when read again: \(read)")
    }
    _ = UserFile.problem(withName: text)
    for setting in SettingsTable.all { _ = try? setting.type.read(text) }
  }

  /// A tree from lines: letters of depth, then `key=value`, or `-value` in a list, or `key` alone with what is deeper below it.
  private static func tree(of octets: [UInt8]) -> SettingNode {
    var lines = octets.split(separator: 0x0A).prefix(400).map { String(decoding: $0, as: UTF8.self) }[...]
    return children(&lines, depth: 0)
  }

  private static func depth(of line: String) -> Int { line.utf8.prefix { $0 == 0x20 }.count }

  private static func children(_ lines: inout ArraySlice<String>, depth: Int) -> SettingNode {
    var (pairs, items): ([SettingNode.Pair], [SettingNode]) = ([], [])
    while let line = lines.first, Self.depth(of: line) >= depth {
      lines.removeFirst()
      let content = line.drop { $0 == " " }
      if content.hasPrefix("-") {
        let value = content.dropFirst()
        items.append(value.isEmpty && depth < 20 ? children(&lines, depth: depth + 1) : scalar(value))
      } else if let equals = content.firstIndex(of: "=") {
        let value = scalar(content[content.index(after: equals)...])
        pairs.append(.init(key: String(content[..<equals]), position: .start, value: value))
      } else {
        let value = depth < 20 ? children(&lines, depth: depth + 1) : scalar("")
        pairs.append(.init(key: String(content), position: .start, value: value))
      }
    }
    return items.isEmpty ? .mapping(pairs, .start) : .sequence(items, .start)
  }

  private static func scalar(_ text: Substring) -> SettingNode {
    .scalar(text: String(text.hasPrefix("\"") ? text.dropFirst() : text), wasQuoted: text.hasPrefix("\""), .start)
  }
}

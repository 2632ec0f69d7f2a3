import Configuration

/// A scalar at a place.
func at(_ line: Int, _ column: Int, _ text: String, quoted: Bool = false) -> SettingNode {
  .scalar(text: text, wasQuoted: quoted, Position(line: line, column: column))
}

/// A mapping whose keys stand one below the other from `line`, in one column.
func map(_ line: Int, _ column: Int, _ pairs: [(String, SettingNode)]) -> SettingNode {
  .mapping(
    pairs.enumerated().map { index, pair in
      let place = Position(line: pair.1.position.line == 1 ? line + index : pair.1.position.line, column: column)
      return SettingNode.Pair(key: pair.0, position: place, value: pair.1)
    }, Position(line: line, column: column))
}

extension SettingNode {
  /// The least that a node without TLS needs, with more settings at the top.
  static func plain(_ more: [(String, SettingNode)] = []) -> SettingNode {
    let pairs: [(String, SettingNode)] = [("domains", ["example.test"]), ("listen", ["tcp:127.0.0.1:5060"])] + more
    return .mapping(pairs.map { Pair(key: $0.0, position: .start, value: $0.1) }, .start)
  }
}

/// Resolves a tree; `files` and `documents` are those it may name.
func resolve(
  _ node: SettingNode, file: String = "apus.yaml", files: [String: [UInt8]] = [:],
  documents: [String: SettingNode] = [:], cores: Int = 4
) -> ResolvedSettings {
  let facts = SettingsSources.Facts(hostName: "host7", cores: cores, clusterSecret: Array(repeating: 9, count: 32))
  return ConfigurationBundle(file: file, settings: node, facts: facts, files: files, documents: documents).resolve()
}

/// The errors of a tree, as they are printed.
func errors(_ node: SettingNode, files: [String: [UInt8]] = [:], documents: [String: SettingNode] = [:]) -> [String] {
  resolve(node, files: files, documents: documents).errors.map(\.description)
}

/// Certificate and key by the look of it.
let pemFiles: [String: [UInt8]] = [
  "server.pem": Array("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".utf8),
  "server.key": Array("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n".utf8),
]

/// A configuration with all that belongs to it, in one piece: what the supervisor read and each worker is handed.
///
/// A worker resolves it to the very same ``NodeConfiguration`` without opening a file: it needs no right to read keys.
/// It holds secrets: it is passed in sealed memory and never printed.
public struct ConfigurationBundle: Sendable, Equatable {
  /// The first octets of every bundle: a name and the version of the format.
  private static let magic: [UInt8] = Array("APUSCFG\u{1}".utf8)

  /// The settings file, as messages name it.
  public var file: String
  /// Its tree.
  public var settings: SettingNode
  /// Facts of the host, with the secret kept in the state directory.
  public var facts: SettingsSources.Facts
  /// The files that the settings name, by resolved path.
  public var files: [String: [UInt8]]
  /// The files in the language of the settings that they name, by resolved path.
  public var documents: [String: SettingNode]

  /// A bundle from its parts.
  public init(
    file: String, settings: SettingNode, facts: SettingsSources.Facts, files: [String: [UInt8]] = [:],
    documents: [String: SettingNode] = [:]
  ) {
    self.file = file
    self.settings = settings
    self.facts = facts
    self.files = files
    self.documents = documents
  }

  /// The configuration that the bundle stands for.
  public func resolve() -> ResolvedSettings {
    let missing = SettingsSources.FileProblem(problem: "the file is not in the bundle", remedy: "restart the node")
    let (files, documents, name) = (files, documents, file)
    let sources = SettingsSources(
      facts: facts,
      read: { path in files[path].map { .success($0) } ?? .failure(missing) },
      readAll: { path in
        let found = Self.files(files, at: path)
        return found.isEmpty ? .failure(missing) : .success(found)
      },
      parse: { path in
        if let document = documents[path] { return .success(document) }
        let error = SettingsError(
          file: name, position: nil, key: path, problem: missing.problem, remedy: missing.remedy)
        return .failure(SettingsErrors([error]))
      })
    return NodeConfiguration.resolve(settings, file: file, sources: sources)
  }

  /// The file at a path, or those of the directory there, in the order of their names.
  public func files(at path: String) -> [(path: String, octets: [UInt8])] { Self.files(files, at: path) }

  /// Of some files the one at a path, or those of the directory there, in the order of their names.
  static func files(_ files: [String: [UInt8]], at path: String) -> [(path: String, octets: [UInt8])] {
    if let octets = files[path] { return [(path, octets)] }
    let directory = path.hasSuffix("/") ? path : path + "/"
    return files.filter { $0.key.hasPrefix(directory) && !$0.key.dropFirst(directory.count).contains("/") }
      .map { (path: $0.key, octets: $0.value) }.sorted { $0.path < $1.path }
  }

  /// The bundle as octets, to be read by ``init(decoding:)``.
  public func encode() -> [UInt8] {
    var writer = OctetWriter()
    for octet in Self.magic { writer.write(octet: octet) }
    writer.write(text: file)
    settings.encode(to: &writer)
    writer.write(text: facts.hostName)
    writer.write(count: facts.cores)
    writer.write(block: facts.clusterSecret)
    writer.write(count: files.count)
    for (path, octets) in files.sorted(by: { $0.key < $1.key }) {
      writer.write(text: path)
      writer.write(block: octets)
    }
    writer.write(count: documents.count)
    for (path, node) in documents.sorted(by: { $0.key < $1.key }) {
      writer.write(text: path)
      node.encode(to: &writer)
    }
    return writer.octets
  }

  /// Reads what ``encode()`` wrote; nil for anything else, never a trap.
  public init?(decoding octets: [UInt8]) {
    var reader = OctetReader(octets)
    for octet in Self.magic where reader.readOctet() != octet { return nil }
    guard let file = reader.readText(), let settings = SettingNode.decode(from: &reader),
      let hostName = reader.readText(), let cores = reader.readCount(), let secret = reader.readBlock(),
      let fileCount = reader.readCount(ofElementsWith: 8)
    else { return nil }
    var files: [String: [UInt8]] = [:]
    for _ in 0..<fileCount {
      guard let path = reader.readText(), let octets = reader.readBlock() else { return nil }
      files[path] = octets
    }
    guard let documentCount = reader.readCount(ofElementsWith: 17) else { return nil }
    var documents: [String: SettingNode] = [:]
    for _ in 0..<documentCount {
      guard let path = reader.readText(), let node = SettingNode.decode(from: &reader) else { return nil }
      documents[path] = node
    }
    guard reader.remaining == 0 else { return nil }
    let facts = SettingsSources.Facts(hostName: hostName, cores: cores, clusterSecret: secret)
    self.init(file: file, settings: settings, facts: facts, files: files, documents: documents)
  }
}

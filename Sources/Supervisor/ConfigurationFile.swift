public import Configuration
internal import Glibc
internal import Reactor

/// A settings file with everything that it names, read and checked.
public struct ConfigurationFile: Sendable {
  /// What workers are handed.
  public private(set) var bundle: ConfigurationBundle
  /// What the bundle says.
  public private(set) var configuration: NodeConfiguration
  /// What the owner of the file should know.
  public private(set) var notes: [SettingsError]

  /// Reads a file, and the files that it names.
  /// - Throws: All that is wrong with them.
  public init(path: String) throws(SettingsErrors) {
    let settings: SettingNode
    switch YAMLFile.parse(path: path) {
    case .success(let node): settings = node
    case .failure(let errors): throw errors
    }
    let facts = SettingsSources.Facts(hostName: Self.hostName, cores: System.processorCount, clusterSecret: [])
    var files: [String: [UInt8]] = [:]
    var documents: [String: SettingNode] = [:]
    let sources = SettingsSources(
      facts: facts,
      read: { path in
        let result = Files.read(path)
        if case .success(let octets) = result { files[path] = octets }
        return result
      },
      readAll: { path in
        let result = Files.readAll(path)
        if case .success(let found) = result { for (name, octets) in found { files[name] = octets } }
        return result
      },
      parse: { path in
        let result = YAMLFile.parse(path: path)
        if case .success(let node) = result { documents[path] = node }
        return result
      })
    let resolved = NodeConfiguration.resolve(settings, file: path, sources: sources)
    guard let configuration = resolved.configuration else { throw SettingsErrors(resolved.errors) }
    self.configuration = configuration
    notes = resolved.notes
    bundle = ConfigurationBundle(file: path, settings: settings, facts: facts, files: files, documents: documents)
  }

  /// What the program before had in force.
  /// - Throws: All that is wrong with it, as this version sees it.
  init(inheriting bundle: ConfigurationBundle) throws(SettingsErrors) {
    let resolved = bundle.resolve()
    guard let configuration = resolved.configuration else { throw SettingsErrors(resolved.errors) }
    self.configuration = configuration
    self.bundle = bundle
    notes = []
  }

  /// The same settings with the files at these paths, or in these directories, as they are now.
  /// - Throws: All that is wrong with them.
  func rereading(_ paths: [String]) throws(SettingsErrors) -> ConfigurationFile {
    var fresh = self
    var errors: [SettingsError] = []
    for path in paths {
      for (name, _) in bundle.files(at: path) { fresh.bundle.files[name] = nil }
      switch Files.readAll(path) {
      case .success(let found): for (name, octets) in found { fresh.bundle.files[name] = octets }
      case .failure(let failure):
        errors.append(
          SettingsError(file: path, position: nil, key: "", problem: failure.problem, remedy: failure.remedy))
      }
    }
    let resolved = fresh.bundle.resolve()
    guard errors.isEmpty, let configuration = resolved.configuration else {
      throw SettingsErrors(errors.isEmpty ? resolved.errors : errors)
    }
    fresh.configuration = configuration
    fresh.notes = resolved.notes
    return fresh
  }

  /// Whether the node has a Redis of its own: the file names none.
  var wantsPrivateRedis: Bool { configuration.redis.target == .ownServer }

  /// Gives the secret of the state directory to a configuration that names no file with one.
  public mutating func setStandardSecret(_ secret: [UInt8]) {
    guard configuration.clusterSecret.isEmpty else { return }
    bundle.facts.clusterSecret = secret
    configuration.clusterSecret = secret
  }

  private static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return name.isEmpty ? "localhost" : name
  }
}

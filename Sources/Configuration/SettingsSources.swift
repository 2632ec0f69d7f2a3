/// What a configuration needs beside its file: facts of the host, and the files that it names.
public struct SettingsSources {
  /// Facts about the host and the supervisor that fill defaults.
  public struct Facts: Sendable, Equatable {
    /// The name of the host: the default of `node`.
    public var hostName: String
    /// Processor cores: what `workers: auto` means; at least 1.
    public var cores: Int
    /// What `cluster.secret_file` defaults to.
    public var clusterSecret: [UInt8]

    /// Facts of a host.
    public init(hostName: String, cores: Int, clusterSecret: [UInt8]) {
      self.hostName = hostName
      self.cores = cores
      self.clusterSecret = clusterSecret
    }
  }

  /// Why a file could not be read.
  public struct FileProblem: Error, Sendable, Equatable {
    /// What is wrong, such as `no such file`.
    public var problem: String
    /// What to do about it.
    public var remedy: String

    /// A problem with its remedy.
    public init(problem: String, remedy: String) {
      self.problem = problem
      self.remedy = remedy
    }
  }

  /// Facts of the host.
  public var facts: Facts
  /// The octets of a file.
  public var read: (_ path: String) -> Result<[UInt8], FileProblem>
  /// The octets of a file, or of all files of a directory in the order of their names; those that begin with a dot don't count.
  public var readAll: (_ path: String) -> Result<[(path: String, octets: [UInt8])], FileProblem>
  /// The tree of a file in the language of the settings.
  public var parse: (_ path: String) -> Result<SettingNode, SettingsErrors>

  /// Sources from their parts.
  public init(
    facts: Facts, read: @escaping (_ path: String) -> Result<[UInt8], FileProblem>,
    readAll: @escaping (_ path: String) -> Result<[(path: String, octets: [UInt8])], FileProblem>,
    parse: @escaping (_ path: String) -> Result<SettingNode, SettingsErrors>
  ) {
    self.facts = facts
    self.read = read
    self.readAll = readAll
    self.parse = parse
  }

  /// A path as seen from the directory of `file`: absolute paths stay, others start at that directory.
  public static func resolve(_ path: String, from file: String) -> String {
    guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
    return file[...slash] + path
  }
}

public import Structures

/// The contents of a users file: domains, in them users, in them `realm`, `algorithms` and one HA1 for each algorithm.
public struct UserFile: Sendable, Equatable {
  /// One user of the file.
  public struct User: Sendable, Equatable {
    /// The domain, in small letters.
    public var domain: String
    /// Where the domain stands.
    public var domainPosition: Position
    /// The name, with its case.
    public var name: String
    /// Where the name stands.
    public var position: Position
    /// The realm that the hashes were made for; nil: that of the domain.
    public var realm: String?
    /// The algorithms to offer; nil: those of the domain.
    public var algorithms: [DigestAlgorithm]?
    /// HA1 in raw octets.
    public var hashes: [DigestAlgorithm: [UInt8]]

    /// A user.
    public init(
      domain: String, domainPosition: Position = .start, name: String, position: Position = .start,
      realm: String? = nil, algorithms: [DigestAlgorithm]? = nil, hashes: [DigestAlgorithm: [UInt8]] = [:]
    ) {
      self.domain = domain
      self.domainPosition = domainPosition
      self.name = name
      self.position = position
      self.realm = realm
      self.algorithms = algorithms
      self.hashes = hashes
    }
  }

  /// The users in the order of the file.
  public var users: [User] = []
  /// What is wrong with it.
  public var errors: [SettingsError] = []
  private let file: String

  private init(file: String) {
    self.file = file
  }

  /// Reads the tree of a users file; an empty file has no users.
  public static func read(_ node: SettingNode, file: String) -> UserFile {
    var result = UserFile(file: file)
    guard !node.isNull else { return result }
    for (domain, users) in result.pairs(of: node, "", "domain names, each with its users") {
      guard let host = TextRule.readHost(domain.key) else {
        result.fail(domain.key, domain.position, "'\(domain.key)' is not a domain", "give a host name")
        continue
      }
      if users.isNull { continue }
      for (user, _) in result.pairs(of: users, domain.key, "user names, each with its hashes") {
        result.readUser(user, domain: host, domain.position)
      }
    }
    return result
  }

  private mutating func readUser(_ pair: SettingNode.Pair, domain: String, _ domainPosition: Position) {
    let key = "\(domain).\(pair.key)"
    var user = User(domain: domain, domainPosition: domainPosition, name: pair.key, position: pair.position)
    let before = errors.count
    for (entry, value) in pairs(of: pair.value, key, "a hash for each algorithm") {
      if entry.key == "realm" {
        user.realm = text(value, "\(key).realm", .quotable)
      } else if entry.key == "algorithms" {
        user.algorithms = readAlgorithms(value, "\(key).algorithms")
      } else if let algorithm = DigestAlgorithm(token: entry.key) {
        user.hashes[algorithm] = readHash(value, "\(key).\(entry.key)", algorithm)
      } else {
        let known = ["realm", "algorithms"] + DigestAlgorithm.allCases.map { "\($0.token)" }
        let near = known.min { SettingsSchema.distance($0, entry.key) < SettingsSchema.distance($1, entry.key) }
        fail("\(key).\(entry.key)", entry.position, "unknown key", "did you mean \(near ?? "realm")?")
      }
    }
    guard errors.count == before else { return }
    for algorithm in user.algorithms ?? [] where user.hashes[algorithm] == nil {
      fail(
        "\(key).algorithms", pair.position, "there is no hash for \(algorithm.token)",
        "set the password again with apus user passwd --algorithm \(algorithm.token)")
    }
    if user.hashes.isEmpty {
      fail(key, pair.position, "the user has no hash", "set a password with apus user passwd, or remove the user")
    }
    users.append(user)
  }

  private mutating func readAlgorithms(_ node: SettingNode, _ key: String) -> [DigestAlgorithm]? {
    let items: [SettingNode] = if case .sequence(let all, _) = node { all } else { [node] }
    let algorithms = items.compactMap { item in
      text(item, key, .algorithm).flatMap { DigestAlgorithm(token: $0) }
    }
    return algorithms.isEmpty ? nil : algorithms
  }

  private mutating func readHash(_ node: SettingNode, _ key: String, _ algorithm: DigestAlgorithm) -> [UInt8]? {
    guard let digits = text(node, key, .any) else { return nil }
    let nibbles = digits.utf8.compactMap(\.hexadecimalDigit)
    guard nibbles.count == digits.utf8.count, nibbles.count == 2 * algorithm.length else {
      // The text is not repeated: it may be a password.
      fail(
        key, node.position, "not the \(2 * algorithm.length) hexadecimal digits of a hash",
        "set the password with apus user passwd")
      return nil
    }
    return stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
  }

  private mutating func text(_ node: SettingNode, _ key: String, _ rule: TextRule) -> String? {
    guard case .scalar(let text, _, let position) = node, !node.isNull else {
      fail(key, node.position, "\(node.kind) stands here", "give \(rule.noun)")
      return nil
    }
    do throws(ValueProblem) {
      return try rule.read(text)
    } catch {
      fail(key, position, error.problem, error.remedy)
      return nil
    }
  }

  /// The pairs of a mapping without those that stand there twice, which are errors like anything but a mapping.
  private mutating func pairs(
    of node: SettingNode, _ key: String, _ content: String
  ) -> [(pair: SettingNode.Pair, value: SettingNode)] {
    guard case .mapping(let pairs, _) = node else {
      fail(key, node.position, "\(node.kind) stands here", "give a map of \(content)")
      return []
    }
    var seen: Set<String> = []
    return pairs.compactMap { pair in
      if seen.insert(pair.key).inserted { return (pair, pair.value) }
      fail(key.isEmpty ? pair.key : "\(key).\(pair.key)", pair.position, "it stands here twice", "keep one of them")
      return nil
    }
  }

  private mutating func fail(_ key: String, _ position: Position, _ problem: String, _ remedy: String) {
    errors.append(SettingsError(file: file, position: position, key: key, problem: problem, remedy: remedy))
  }
}

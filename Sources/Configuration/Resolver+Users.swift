internal import Structures

/// Users files: domains with users with hashes. ``UserFile`` names the keys.
extension Resolver {
  /// Who is challenged and how, with the users of all files.
  mutating func resolveAuthentication(_ domains: [NodeConfiguration.Domain]) -> NodeConfiguration.Authentication {
    let isRequired = reader.boolean(["authentication", "required"])
    var found: [UserTable.Record] = []
    let common = ["authentication", "users"]
    if !isInRedis(common) { readUsers(common, only: nil, domains, &found) }
    var inRedis: [String] = []
    for domain in domains {
      let own = ["domains", domain.name, "users"]
      if isInRedis(reader.text(own) == nil ? common : own) {
        inRedis.append(domain.name)
      } else {
        readUsers(own, only: domain.name, domains, &found)
      }
    }
    if isRequired, found.isEmpty, inRedis.isEmpty, reader.errors.isEmpty {
      reader.note(
        ["authentication", "users"], reader.position(["authentication", "users"]),
        "no user can prove who he is", "apus user add --file users.yaml --domain DOMAIN NAME adds one")
    }
    var algorithms = resolveAlgorithms(["authentication", "algorithms"])
    if algorithms.isEmpty { algorithms = [.md5] }
    return NodeConfiguration.Authentication(
      isRequired: isRequired, algorithms: algorithms,
      nonceLifetime: reader.duration(["authentication", "nonce_lifetime"]), users: UserTable(found),
      domainsInRedis: inRedis)
  }

  /// Whether a setting that may name a users file says that the users are kept in Redis.
  private mutating func isInRedis(_ path: [String]) -> Bool { reader.text(path) == "redis" }

  /// Reads the users file that a setting names; `only` is the one domain that it may hold.
  private mutating func readUsers(
    _ path: [String], only: String?, _ domains: [NodeConfiguration.Domain], _ found: inout [UserTable.Record]
  ) {
    guard let name = reader.text(path), let position = reader.position(path) else { return }
    let file = SettingsSources.resolve(name, from: reader.file)
    let node: SettingNode
    switch sources.parse(file) {
    case .success(let tree): node = tree
    case .failure(let failure):
      for error in failure.errors {
        // What the file itself is lacking is reported where it is named, what it holds in the file.
        if error.line == 0 {
          reader.fail(path, position, "\(file): \(error.problem)", error.remedy)
        } else {
          reader.fail([error])
        }
      }
      return
    }
    let users = UserFile.read(node, file: file)
    reader.fail(users.errors)
    for user in users.users {
      let owner = domains.first { $0.name == user.domain || $0.aliases.contains(user.domain) }
      guard let owner, only == nil || owner.name == only else {
        let error = SettingsError(
          file: file, position: user.domainPosition, key: user.domain,
          problem: "not a domain of this \(only == nil ? "node" : "entry"), its users are left out",
          remedy: "add it under domains, or drop it here")
        if !reader.notes.contains(error) { reader.note([error]) }
        continue
      }
      if let realm = user.realm, realm != owner.realm {
        reader.note([
          SettingsError(
            file: file, position: user.position, key: "\(user.domain).\(user.name)",
            problem: "its realm '\(realm)' is not that of the domain, '\(owner.realm)'",
            remedy: "set the password again with apus user passwd --realm \(owner.realm)")
        ])
      }
      var kept = UserTable.User(realm: user.realm ?? owner.realm, algorithms: user.algorithms)
      for (algorithm, hash) in user.hashes { kept[algorithm] = hash }
      found.append(UserTable.Record(domain: owner.name, name: user.name, user: kept))
    }
  }
}

import Configuration
import Foundation
import Supervisor
import TLSEngine

/// A users file that is being changed.
struct UserStore {
  /// The users of the file.
  var users: [UserFile.User]
  private let path: String

  /// Reads the file; one with errors is not touched.
  init(path: String, mayBeMissing: Bool = false) throws {
    self.path = path
    if mayBeMissing, !Files.exists(path) {
      users = []
      return
    }
    let file: UserFile
    switch YAMLFile.parse(path: path) {
    case .success(let node): file = UserFile.read(node, file: path)
    case .failure(let errors): throw Failure(errors.description)
    }
    guard file.errors.isEmpty else { throw Failure(SettingsErrors(file.errors).description) }
    users = file.users
  }

  /// The position of a user in ``users``; nil when there is none.
  func index(_ domain: String, _ name: String) -> Int? {
    let host = TextRule.readHost(domain) ?? domain
    return users.firstIndex { $0.domain == host && $0.name == name }
  }

  /// The error that there is no such user.
  func missing(_ domain: String, _ name: String) -> Failure {
    Failure("there is no \(name)@\(domain) in \(path)")
  }

  /// Makes the hashes of a password for a user, who is added where he is missing.
  mutating func set(
    _ domain: String, _ name: String, _ password: String, realm: String?, algorithms: [DigestAlgorithm]
  ) throws {
    let host = TextRule.readHost(domain) ?? domain
    let realm = realm ?? host
    // RFC 7616 §3.4.2, RFC 8760 §2.3: HA1 is the hash of user, realm and password, joined by colons.
    let secret = Array("\(name):\(realm):\(password)".utf8)
    var hashes: [DigestAlgorithm: [UInt8]] = [:]
    for algorithm in algorithms {
      let hash = CryptographicHash(algorithm)
      guard hash.isAvailable else { throw Failure("OpenSSL on this host has no \(algorithm.token)") }
      var octets: [UInt8] = []
      hash.append(hashOf: secret.span, to: &octets)
      hashes[algorithm] = octets
    }
    if let index = index(domain, name) {
      users[index].realm = realm
      users[index].hashes = hashes
      users[index].algorithms = users[index].algorithms.map { $0.filter { hashes[$0] != nil } }
      if users[index].algorithms?.isEmpty ?? false { users[index].algorithms = nil }
    } else {
      users.append(UserFile.User(domain: host, name: name, realm: realm, hashes: hashes))
    }
  }

  /// Replaces the file in one step, readable for its owner alone.
  func save() throws {
    do throws(SettingsSources.FileProblem) {
      try Files.write(Array(UserFile.text(of: users).utf8), to: path)
    } catch {
      throw Failure("\(path): \(error.problem)")
    }
  }
}

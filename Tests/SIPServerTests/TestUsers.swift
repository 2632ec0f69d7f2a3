import SIPServer
import Structures

/// Users by name, in all domains unless one is named; their HA1 is made at once.
final class TestUsers: UserDirectory {
  private var hashes: [String: [UInt8]] = [:]
  var offered: [String: AlgorithmList] = [:]

  /// Users with their passwords.
  init(_ passwords: [String: String] = [:]) {
    for (user, password) in passwords { add(user, name: user, realm: "example.test", password) }
  }

  /// Adds a user of one domain.
  func add(_ user: String, domain: String, realm: String, _ password: String) {
    add(user, name: "\(user)@\(domain)", realm: realm, password)
  }

  private func add(_ user: String, name: String, realm: String, _ password: String) {
    let hashing = TestHashing()
    for algorithm in HashAlgorithm.allCases {
      let secret = Array("\(user):\(realm):\(password)".utf8)
      var hash: [UInt8] = []
      hashing.appendHash(algorithm, secret.span, to: &hash)
      var text: [UInt8] = []
      text.append(hexadecimal: hash.span)
      hashes["\(name) \(algorithm)"] = text
    }
  }

  func appendHA1(domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]) -> Bool {
    let ofDomain = hashes["\(user.text)@\(domain.text) \(algorithm)"]
    guard let hash = ofDomain ?? hashes["\(user.text) \(algorithm)"] else { return false }
    output += hash
    return true
  }

  /// What is kept of `user@domain`, as one would answer who is asked for users.
  func answer(_ key: [UInt8]) -> UserAnswer {
    let name = String(decoding: key, as: UTF8.self)
    let user = name.split(separator: "@").first.map(String.init) ?? ""
    var record = UserRecord()
    for algorithm in HashAlgorithm.allCases {
      guard let text = hashes["\(name) \(algorithm)"] ?? hashes["\(user) \(algorithm)"] else { continue }
      record[algorithm] = stride(from: 0, to: text.count, by: 2).map { index in
        UInt8(String(decoding: text[index..<index + 2], as: UTF8.self), radix: 16) ?? 0
      }
    }
    return record == UserRecord() ? .none : .found(record)
  }

  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? { offered[user.text] }
}

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

  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? { offered[user.text] }
}

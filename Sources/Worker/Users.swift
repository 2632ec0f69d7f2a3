import Configuration
import SIPServer
import Structures

/// The users of the configuration as the core asks for them.
struct Users: UserDirectory {
  private let table: UserTable
  /// What each domain offers that has algorithms of its own.
  private let domains: [(name: [UInt8], algorithms: AlgorithmList)]

  /// The users of a node.
  init(_ configuration: NodeConfiguration) {
    table = configuration.authentication.users
    domains = configuration.domains.compactMap { domain in
      domain.algorithms.map { (Array(domain.name.utf8), AlgorithmList($0.map(\.hash))) }
    }
  }

  func appendHA1(
    domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]
  ) -> Bool {
    guard let hash = table.find(domain: domain, name: user)?[algorithm.digest] else { return false }
    output.append(hexadecimal: hash.span)
    return true
  }

  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? {
    if let own = table.find(domain: domain, name: user)?.algorithms { return AlgorithmList(own.map(\.hash)) }
    for entry in domains where domain.equals(entry.name.span) { return entry.algorithms }
    return nil
  }
}

extension HashAlgorithm {
  /// The same algorithm in the configuration's words.
  fileprivate var digest: DigestAlgorithm {
    switch self {
    case .md5: .md5
    case .sha256: .sha256
    case .sha512_256: .sha512_256
    }
  }
}

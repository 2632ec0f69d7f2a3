import Configuration
import Logging
import TLSEngine

/// What is wrong with our certificates, told when they begin to be used.
struct CertificateWarnings {
  /// The lines, each with file and remedy.
  private(set) var lines: [String] = []

  /// Looks through the profiles of a configuration.
  init(_ configuration: NodeConfiguration) {
    for (name, profile) in configuration.tlsServer.sorted(by: { $0.key < $1.key }) {
      for pair in profile.pairs {
        guard let names = add(pair, profile.caListPEM, isServer: true) else { continue }
        for each in configuration.names(ofServerProfile: name) where !names.authenticate(each) {
          lines.append(
            "\(pair.certificateFile): the certificate does not speak for \(each); clients that verify it will not connect by "
              + "that name")
        }
      }
    }
    for (_, profile) in configuration.tlsClient.sorted(by: { $0.key < $1.key }) {
      for pair in profile.pairs { _ = add(pair, profile.caListPEM, isServer: false) }
    }
  }

  /// Writes the lines.
  func write(to log: Logger) {
    for line in lines { log.warning("\(line)") }
  }

  private mutating func add(_ pair: TLSKeyPair, _ authorities: [UInt8]?, isServer: Bool) -> CertificateNames? {
    guard let review = ChainReview(pair.certificatePEM, authorities: authorities, isServer: isServer) else {
      return nil
    }
    for finding in review.findings {
      lines.append("\(pair.certificateFile), certificate \(finding.index): \(finding.problem); \(finding.remedy)")
    }
    return review.names
  }
}

import ArgumentParser
import Configuration
import Foundation
import Structures
import Supervisor
import TLSEngine

/// Everything that can be said about a configuration without running it.
struct ConfigurationCheck {
  private let path: String
  private var errors: [SettingsError] = []
  private var notes: [SettingsError] = []
  private var findings: [HostLimits.Finding] = []

  init(path: String) {
    self.path = path
  }

  /// Prints errors and notes; ends with 2 when there is an error.
  mutating func run() throws {
    var file: ConfigurationFile?
    do throws(SettingsErrors) {
      let read = try ConfigurationFile(path: path)
      notes = read.notes
      for name in read.configuration.tlsServer.keys.sorted() { checkServer(name, read) }
      for name in read.configuration.tlsClient.keys.sorted() { checkClient(name, read) }
      findings = HostLimits.read().findings(for: read.configuration)
      checkUser(read)
      file = read
    } catch {
      errors = error.errors
    }
    for note in notes { Terminal.complain("note: \(note)") }
    for finding in findings { Terminal.complain("note: \(finding)") }
    for error in errors { Terminal.complain("\(error)") }
    guard errors.isEmpty, let file else {
      Terminal.complain("\(path): \(errors.count) \(errors.count == 1 ? "error" : "errors")")
      throw ExitCode(NodeSupervisor.ExitStatus.usage)
    }
    let domains = file.configuration.domains.map(\.name).joined(separator: ", ")
    Terminal.say("\(path): right; node \(file.configuration.node) serves \(domains)")
  }

  /// Whether this host has the user; not whether whoever checks may become it.
  private mutating func checkUser(_ file: ConfigurationFile) {
    do throws(SettingsSources.FileProblem) { try ProcessOwner.check(file.configuration) } catch {
      note(["user"], file, error.problem, error.remedy)
    }
  }

  private mutating func checkServer(_ name: String, _ file: ConfigurationFile) {
    guard let profile = file.configuration.tlsServer[name] else { return }
    let key = ["tls", "server", name, "certificate"]
    var settings = TLSSettings(profile.pairs, profile.choices, authorities: profile.caListPEM)
    settings.verification =
      switch profile.verifyClient {
      case .off: .off
      case .optional: .optional
      case .require: .required
      }
    settings.minimumVersion = TLSProtocolVersion(profile.minimumVersion)
    settings.maximumVersion = TLSProtocolVersion(profile.maximumVersion)
    settings.revocation.lists = profile.revocation.lists.map { .init(name: $0.path, octets: $0.octets) }
    settings.revocation.ocsp.responder = profile.revocation.responder
    settings.revocation.stapling = profile.revocation.stapling
    guard isUsable(.server, settings, key, file) else { return }
    for pair in profile.pairs {
      guard let names = checkChain(pair, profile.caListPEM, isServer: true, key, file) else { continue }
      for each in file.configuration.names(ofServerProfile: name) where !names.authenticate(each) {
        note(
          key, file, "the certificate does not speak for \(each)" + place(pair, of: profile.pairs),
          "clients that verify it will not connect by that name")
      }
    }
  }

  private mutating func checkClient(_ name: String, _ file: ConfigurationFile) {
    guard let profile = file.configuration.tlsClient[name] else { return }
    let key = ["tls", "client", name, profile.pairs.isEmpty ? "ca_list" : "certificate"]
    var settings = TLSSettings(profile.pairs, profile.choices, authorities: profile.caListPEM)
    settings.verification = profile.verifyCertificate ? .required : .off
    settings.minimumVersion = TLSProtocolVersion(profile.minimumVersion)
    settings.maximumVersion = TLSProtocolVersion(profile.maximumVersion)
    settings.revocation.lists = profile.revocation.lists.map { .init(name: $0.path, octets: $0.octets) }
    guard isUsable(.client, settings, key, file) else { return }
    for pair in profile.pairs { _ = checkChain(pair, profile.caListPEM, isServer: false, key, file) }
  }

  /// Whom the certificate names; nil when it can't be read.
  private mutating func checkChain(
    _ pair: TLSKeyPair, _ authorities: [UInt8]?, isServer: Bool, _ key: [String], _ file: ConfigurationFile
  ) -> CertificateNames? {
    guard
      let review = ChainReview(
        pair.certificatePEM, key: pair.privateKeyPEM, authorities: authorities, isServer: isServer),
      let leaf = PeerCertificate(pem: pair.certificatePEM)
    else { return nil }
    for finding in review.findings {
      let problem = "\(pair.certificateFile), certificate \(finding.index): \(finding.problem)"
      if finding.isFatal {
        errors.append(describe(key, file, problem, finding.remedy))
      } else {
        note(key, file, problem, finding.remedy)
      }
    }
    let left = leaf.notAfter - Int64(Date().timeIntervalSince1970)
    if (0..<14 * 86_400).contains(left) {
      note(
        key, file, "\(pair.certificateFile): the certificate expires in \(left / 86_400) days", "make a new one in time"
      )
    }
    return review.names
  }

  private func place(_ pair: TLSKeyPair, of pairs: [TLSKeyPair]) -> String {
    pairs.count == 1 ? "" : " (\(pair.certificateFile))"
  }

  private mutating func isUsable(
    _ role: TLSContext.Role, _ settings: TLSSettings, _ key: [String], _ file: ConfigurationFile
  ) -> Bool {
    do throws(TLSError) {
      _ = try TLSContext(role, settings)
      return true
    } catch {
      errors.append(
        describe(key, file, "\(error)", "give a certificate with its own key, and lists that OpenSSL knows"))
      return false
    }
  }

  private mutating func note(_ key: [String], _ file: ConfigurationFile, _ problem: String, _ remedy: String) {
    notes.append(describe(key, file, problem, remedy))
  }

  private func describe(
    _ key: [String], _ file: ConfigurationFile, _ problem: String, _ remedy: String
  ) -> SettingsError {
    SettingsError(
      file: path, position: file.bundle.settings[key]?.position, key: key.joined(separator: "."), problem: problem,
      remedy: remedy)
  }
}

extension TLSSettings {
  /// What profiles of either side say.
  fileprivate init(_ pairs: [TLSKeyPair], _ choices: TLSChoices, authorities: [UInt8]?) {
    self.init()
    self.pairs = pairs.map { pair in
      var made = KeyPair(chain: pair.certificatePEM, privateKey: pair.privateKeyPEM)
      (made.chainName, made.keyName) = (pair.certificateFile, pair.keyFile)
      return made
    }
    self.authorities = authorities
    (cipherList, cipherSuites, groups) = (choices.cipherList, choices.ciphersuites, choices.groups)
    permitsNull = choices.namesNull
  }
}

extension TLSProtocolVersion {
  fileprivate init(_ version: TLSVersion) {
    self =
      switch version {
      case .v10: .v10
      case .v11: .v11
      case .v12: .v12
      case .v13: .v13
      }
  }
}

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
    var settings = TLSSettings()
    settings.chain = profile.certificatePEM
    settings.privateKey = profile.privateKeyPEM
    settings.authorities = profile.caListPEM
    settings.verification =
      switch profile.verifyClient {
      case .off: .off
      case .optional: .optional
      case .require: .required
      }
    settings.cipherList = profile.cipherList
    settings.cipherSuites = profile.ciphersuites
    settings.revocation.lists = profile.revocation.lists.map { .init(name: $0.path, octets: $0.octets) }
    settings.revocation.ocsp.responder = profile.revocation.responder
    settings.revocation.stapling = profile.revocation.stapling
    guard isUsable(.server, settings, key, file), let leaf = PeerCertificate(pem: profile.certificatePEM) else {
      return
    }
    checkDates(leaf, key, file)
    let isDefault = file.configuration.listen.contains { $0.transport == .tls && $0.profile == name }
    let wanted = isDefault ? names(of: file.configuration, profile: name) : profile.serverNames
    for each in wanted where !leaf.names.authenticate(each) {
      note(
        key, file, "the certificate does not speak for \(each)", "clients that verify it will not connect by that name")
    }
  }

  private mutating func checkClient(_ name: String, _ file: ConfigurationFile) {
    guard let profile = file.configuration.tlsClient[name] else { return }
    let hasCertificate = profile.certificatePEM != nil
    let key = ["tls", "client", name, hasCertificate ? "certificate" : "ca_list"]
    var settings = TLSSettings()
    settings.chain = profile.certificatePEM
    settings.privateKey = profile.privateKeyPEM
    settings.authorities = profile.caListPEM
    settings.verification = profile.verifyCertificate ? .required : .off
    settings.revocation.lists = profile.revocation.lists.map { .init(name: $0.path, octets: $0.octets) }
    guard isUsable(.client, settings, key, file), let chain = profile.certificatePEM,
      let leaf = PeerCertificate(pem: chain)
    else { return }
    checkDates(leaf, key, file)
  }

  /// The names that stand in messages and by which clients ask for a listener with this profile.
  private func names(of configuration: NodeConfiguration, profile: String) -> [String] {
    var names = [configuration.advertise, configuration.clusterName] + configuration.domains.map(\.name)
    for listener in configuration.listen where listener.profile == profile && listener.transport == .tls {
      if let advertise = listener.advertise, let host = TextRule.readHostAndPort(advertise)?.host { names.append(host) }
    }
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
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

  private mutating func checkDates(_ leaf: PeerCertificate, _ key: [String], _ file: ConfigurationFile) {
    let left = leaf.notAfter - Int64(Date().timeIntervalSince1970)
    if left < 0 {
      errors.append(describe(key, file, "the certificate has expired", "apus cert server makes a new one"))
    } else if left < 14 * 86_400 {
      note(key, file, "the certificate expires in \(left / 86_400) days", "make a new one in time")
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

import CLinux
import Configuration
import Logging
import Reactor
import SIPServer
import TLSEngine
import Transport

/// A configuration made ready aside: nothing of it is in force yet, and taking it over can't fail.
struct PreparedConfiguration {
  /// The supervisor's number of it.
  let version: UInt64
  fileprivate let configuration: NodeConfiguration
  fileprivate let server: ServerSettings
  fileprivate let users: Users
  fileprivate let contexts: TLSContexts
}

/// Taking over a new configuration, in two steps: all workers of a node do or none does.
extension WorkerNode {
  /// Makes aside what serving by the configuration in this memory takes, and tells the supervisor whether that is possible.
  func prepare(_ version: UInt64, _ memory: borrowing Descriptor) {
    prepared?.contexts.retire()
    prepared = nil
    do throws(StartError) {
      let configuration = try ConfigurationMemory.read(memory)
      prepared = PreparedConfiguration(
        version: version, configuration: configuration,
        server: ServerSettings(configuration, interfaces: core.settings.interfaces).keeping(core.settings),
        users: Users(configuration),
        contexts: try TLSContexts(configuration, issuers: revocation.issuers, tickets: tickets, previous: contexts))
      control?.send(.prepared(version: version))
    } catch {
      control?.send(.refused(version: version, reason: error.description))
    }
  }

  /// Serves by the configuration that was prepared under this number.
  func commit(_ version: UInt64) {
    guard let prepared, prepared.version == version else { return }
    self.prepared = nil
    core.adopt(prepared.server, users: prepared.users)
    transport.adopt(TransportSettings(prepared.configuration).keeping(transport.settings))
    certificates?.adopt(prepared.configuration)
    profileCertificates = ProfileCertificates(prepared.contexts)
    warnOfKeyLog(prepared.configuration)
    for (name, context) in prepared.contexts.client { transport.setClientContext(context, profile: name) }
    transport.setClientNames(prepared.contexts.clientNames)
    setConnectionLevels(prepared.configuration)
    if transport.identity.slot == 0 { CertificateWarnings(prepared.configuration).write(to: log) }
    for (index, profile) in listenerProfiles.enumerated() {
      // A profile that went away serves on where a listener has it until this worker ends.
      if let context = prepared.contexts.server[profile] {
        transport.setServerContext(context, listener: UInt16(index))
      }
    }
    contexts?.retire()
    contexts = prepared.contexts
    revocation.adopt(prepared.contexts)
    setLogLevel(Logger.Level(rawValue: prepared.configuration.log.level.rawValue) ?? .info)
    log.info("serves by new settings", metadata: ["version": "\(version)"])
  }

  /// Says that secrets are written, where they are: nobody shall forget it.
  func warnOfKeyLog(_ configuration: NodeConfiguration) {
    isKeyLogOn = configuration.keyLog != nil
    guard let path = configuration.keyLog else { return }
    log.critical(
      "tls.key_log is ON: the secrets of all TLS connections go to \(path), and whoever has them can read everything")
  }

  /// Forgets what was prepared under this number.
  func abort(_ version: UInt64) {
    guard let prepared, prepared.version == version else { return }
    prepared.contexts.retire()
    self.prepared = nil
  }
}

extension ServerSettings {
  /// These settings, but with what waits for a new worker (``ReloadEffect/newWorkers``) as it is in the running one: its
  /// names stand in messages that are under way, and its limits in what was allocated.
  func keeping(_ running: ServerSettings) -> ServerSettings {
    var settings = self
    // Where a domain's users are is no matter of messages under way.
    settings.domains = running.domains.map { old in
      let asks = domains.first { $0.name == old.name }?.asksForUsers ?? old.asksForUsers
      return Domain(name: old.name, aliases: old.aliases, realm: old.realm, asksForUsers: asks)
    }
    settings.listeners = running.listeners
    settings.hosts = running.hosts
    settings.interfaces = running.interfaces
    settings.parserLimits = running.parserLimits
    settings.timers = running.timers
    settings.nonceLifetime = running.nonceLifetime
    settings.maxBindings = running.maxBindings
    settings.staticContacts = running.staticContacts
    return settings
  }
}

extension TransportSettings {
  /// The same for the transport.
  fileprivate func keeping(_ running: TransportSettings) -> TransportSettings {
    var settings = self
    settings.maximumHead = running.maximumHead
    settings.maximumMessage = running.maximumMessage
    return settings
  }
}

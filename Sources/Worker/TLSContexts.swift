import Configuration
import TLSEngine
import Transport

/// The TLS contexts of a configuration by the names of its profiles, all made or none.
struct TLSContexts {
  /// For accepted connections; each knows the others by the server names that they list.
  let server: [String: TLSContext]
  /// For connections that we open.
  let client: [String: TLSContext]
  /// The client profiles that domains, hosts and addresses are reached by; all others by `default`.
  let clientNames: NameTable<String>

  private let clientProfiles: [String: TLSClientProfile]
  private let keyLogPath: String?

  /// Makes the contexts. Those for connections that we open are taken over from `previous` where nothing changed: reading the
  /// system's authorities takes long.
  init(
    _ configuration: NodeConfiguration, issuers: IssuerTable = IssuerTable(), tickets: TicketKeyRing? = nil,
    previous: TLSContexts? = nil
  ) throws(StartError) {
    clientProfiles = configuration.tlsClient
    keyLogPath = configuration.keyLog
    let detaches = configuration.detach == .auto && DetachTrial.failure == nil
    let keyLog = try Self.keyLog(configuration)
    var server: [String: TLSContext] = [:]
    for (name, profile) in configuration.tlsServer {
      var settings = TLSSettings(profile, name: name, detaches: detaches)
      settings.keyLog = keyLog
      server[name] = try Self.context(
        .server, settings, issuers, profile.sessionTickets ? tickets : nil)
    }
    for (name, profile) in configuration.tlsServer {
      guard let context = server[name] else { continue }
      for serverName in profile.serverNames {
        for other in server.values { other.setContext(context, forServerName: serverName) }
      }
    }
    var client: [String: TLSContext] = [:]
    var clientNames = NameTable<String>()
    for (name, profile) in configuration.tlsClient {
      for domain in profile.domains { clientNames.set(name, for: domain) }
      if let previous, previous.clientProfiles[name] == profile, previous.keyLogPath == keyLogPath {
        client[name] = previous.client[name]
        continue
      }
      var settings = TLSSettings(profile, name: name, detaches: detaches)
      settings.keyLog = keyLog
      client[name] = try Self.context(.client, settings, issuers)
    }
    self.server = server
    self.client = client
    self.clientNames = clientNames
  }

  private static func keyLog(_ configuration: NodeConfiguration) throws(StartError) -> KeyLog? {
    guard let path = configuration.keyLog else { return nil }
    do { return try KeyLog(path: path) } catch { throw StartError(description: "\(error)") }
  }

  /// To be called when others have taken their place.
  func retire() { for context in server.values { context.retire() } }

  private static func context(
    _ role: TLSContext.Role, _ settings: TLSSettings, _ issuers: IssuerTable, _ tickets: TicketKeyRing? = nil
  ) throws(StartError) -> TLSContext {
    do {
      return try TLSContext(role, settings, issuers: issuers, tickets: tickets)
    } catch {
      throw StartError(description: "tls profile \(settings.profile): \(error)")
    }
  }
}

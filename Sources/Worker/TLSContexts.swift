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

  /// Makes the contexts.
  init(_ configuration: NodeConfiguration, issuers: IssuerTable = IssuerTable()) throws(StartError) {
    let detaches = configuration.detach == .auto && DetachTrial.failure == nil
    var server: [String: TLSContext] = [:]
    for (name, profile) in configuration.tlsServer {
      server[name] = try Self.context(.server, TLSSettings(profile, name: name, detaches: detaches), issuers)
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
      client[name] = try Self.context(.client, TLSSettings(profile, name: name, detaches: detaches), issuers)
    }
    self.server = server
    self.client = client
    self.clientNames = clientNames
  }

  private static func context(
    _ role: TLSContext.Role, _ settings: TLSSettings, _ issuers: IssuerTable
  ) throws(StartError) -> TLSContext {
    do {
      return try TLSContext(role, settings, issuers: issuers)
    } catch {
      throw StartError(description: "tls profile \(settings.profile): \(error)")
    }
  }
}

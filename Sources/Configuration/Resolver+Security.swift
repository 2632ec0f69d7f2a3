internal import Structures

/// TLS profiles: certificates and keys are read here, so that their errors name the place of the setting.
extension Resolver {
  /// The profiles for accepted connections.
  mutating func resolveServerProfiles() -> [String: TLSServerProfile] {
    var profiles: [String: TLSServerProfile] = [:]
    var owners: [String: String] = [:]
    for (name, _) in reader.names(under: ["tls", "server"]) {
      let path = ["tls", "server", name]
      let (minimum, maximum) = resolveVersions(path)
      var profile = TLSServerProfile(
        pairs: resolvePairs(path), caListPEM: readAuthorities(path), verifyClient: resolveVerification(path),
        minimumVersion: minimum, maximumVersion: maximum, choices: resolveChoices(path),
        serverNames: reader.texts(path + ["server_name"]))
      profile.sessionTickets = reader.boolean(path + ["session_tickets"])
      profile.revocation = resolveRevocation(path, verifies: profile.verifyClient != .off)
      profile.revocation.stapling = resolveStapling(path)
      claim(profile.serverNames, for: name, path + ["server_name"], &owners)
      profiles[name] = profile
    }
    return profiles
  }

  /// The profiles for connections that we open; `default` is there even when the file has none.
  mutating func resolveClientProfiles() -> [String: TLSClientProfile] {
    var profiles: [String: TLSClientProfile] = [:]
    var owners: [String: String] = [:]
    for name in reader.names(under: ["tls", "client"]).map(\.name) + ["default"] where profiles[name] == nil {
      let path = ["tls", "client", name]
      let (minimum, maximum) = resolveVersions(path)
      var profile = TLSClientProfile(
        pairs: resolvePairs(path), caListPEM: readAuthorities(path),
        verifyCertificate: reader.boolean(path + ["verify_certificate"]),
        minimumVersion: minimum, maximumVersion: maximum, choices: resolveChoices(path),
        domains: reader.texts(path + ["domains"]), allowsWildcards: reader.boolean(path + ["allow_wildcards"]))
      claim(profile.domains, for: name, path + ["domains"], &owners)
      noteUnproved(profile, path)
      profile.revocation = resolveRevocation(path, verifies: profile.verifyCertificate)
      for (one, other) in [("certificate", "private_key"), ("private_key", "certificate")] {
        if let position = reader.position(path + [one]), reader.position(path + [other]) == nil {
          reader.fail(path + [one], position, "it has no \(other) beside it", "give both or none")
        }
      }
      profiles[name] = profile
    }
    return profiles
  }

  /// Whom the node believes; nobody's network is everybody's.
  mutating func resolveIdentity(
    _ domains: [NodeConfiguration.Domain], _ profiles: [String: TLSServerProfile]
  ) -> NodeConfiguration.Identity {
    let path = ["identity", "trusted"]
    let trusted = reader.texts(path).compactMap { IPNetwork($0) }
    for network in trusted where network.prefix == 0 {
      reader.note(
        path, reader.position(path), "\(network) is everybody", "whoever reaches a listener can then be anyone")
    }
    return NodeConfiguration.Identity(
      trusted: trusted, isAsserted: reader.boolean(["identity", "assert"]),
      isShownToUsers: reader.boolean(["identity", "to_users"]), stripped: reader.texts(["identity", "strip"]),
      certificates: resolveCertificates(domains, asksClients: profiles.values.contains { $0.verifyClient != .off }))
  }

  /// The file for secrets, of which whoever starts the node is told.
  mutating func resolveKeyLog() -> String? {
    let path = ["tls", "key_log"]
    guard let name = reader.text(path) else { return nil }
    let file = SettingsSources.resolve(name, from: reader.file)
    reader.note(
      path, reader.position(path), "the secrets of all TLS connections are written to \(file)",
      "whoever has them can read everything: take this out when the fault is found, and remove the file")
    return file
  }

  mutating func readCertificates(_ path: [String]) -> [UInt8]? {
    guard let (octets, position) = readFile(path) else { return nil }
    checkCertificates(octets, path, position)
    return octets
  }
}

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
        certificatePEM: readCertificates(path + ["certificate"]) ?? [],
        privateKeyPEM: readKey(path + ["private_key"]) ?? [],
        caListPEM: readCertificates(path + ["ca_list"]),
        verifyClient: ClientVerification(rawValue: reader.text(path + ["verify_client"]) ?? "") ?? .off,
        minimumVersion: minimum, maximumVersion: maximum,
        cipherList: reader.text(path + ["cipher_list"]), ciphersuites: reader.text(path + ["ciphersuites"]),
        serverNames: reader.texts(path + ["server_name"]))
      profile.sessionTickets = reader.boolean(path + ["session_tickets"])
      profile.revocation = resolveRevocation(path, verifies: profile.verifyClient != .off)
      profile.revocation.stapling = resolveStapling(path)
      for server in profile.serverNames {
        if let owner = owners[server] {
          reader.fail(
            path + ["server_name"], reader.position(path + ["server_name"]),
            "'\(server)' selects tls.server.\(owner) already", "keep it in one profile")
        }
        owners[server] = name
      }
      profiles[name] = profile
    }
    return profiles
  }

  /// The profiles for connections that we open; `default` is there even when the file has none.
  mutating func resolveClientProfiles() -> [String: TLSClientProfile] {
    var profiles: [String: TLSClientProfile] = [:]
    for name in reader.names(under: ["tls", "client"]).map(\.name) + ["default"] where profiles[name] == nil {
      let path = ["tls", "client", name]
      let (minimum, maximum) = resolveVersions(path)
      var profile = TLSClientProfile(
        certificatePEM: readCertificates(path + ["certificate"]), privateKeyPEM: readKey(path + ["private_key"]),
        caListPEM: readCertificates(path + ["ca_list"]),
        verifyCertificate: reader.boolean(path + ["verify_certificate"]),
        minimumVersion: minimum, maximumVersion: maximum)
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

  private mutating func resolveVersions(_ path: [String]) -> (minimum: TLSVersion, maximum: TLSVersion) {
    let minimum = TextRule.readVersion(reader.text(path + ["min_version"]) ?? "") ?? .v12
    let maximum = TextRule.readVersion(reader.text(path + ["max_version"]) ?? "") ?? .v13
    if minimum > maximum {
      failFirstGiven(
        [path + ["min_version"], path + ["max_version"]], "min_version is newer than max_version",
        "raise the one or lower the other")
    }
    return (minimum, maximum)
  }

  mutating func readCertificates(_ path: [String]) -> [UInt8]? {
    guard let (octets, position) = readFile(path) else { return nil }
    let text = String(decoding: octets, as: UTF8.self)
    if !text.contains("-----BEGIN CERTIFICATE-----"), !text.contains("-----BEGIN TRUSTED CERTIFICATE-----") {
      reader.fail(
        path, position, "the file holds no certificate in PEM",
        "PEM starts with -----BEGIN CERTIFICATE-----; openssl x509 -inform DER converts")
    }
    return octets
  }

  private mutating func readKey(_ path: [String]) -> [UInt8]? {
    guard let (octets, position) = readFile(path) else { return nil }
    let text = String(decoding: octets, as: UTF8.self)
    if !text.contains("PRIVATE KEY-----") {
      reader.fail(
        path, position, "the file holds no private key in PEM", "give the key that belongs to the certificate")
    } else if text.contains("ENCRYPTED") {
      reader.fail(path, position, "the private key has a pass phrase", "openssl pkey -in OLD -out NEW takes it off")
    }
    return octets
  }
}

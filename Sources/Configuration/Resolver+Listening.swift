internal import Structures

/// Listeners and the domains served on them.
extension Resolver {
  /// The listeners; two on one port are an error.
  mutating func resolveListeners() -> [NodeConfiguration.Listener] {
    var listeners: [NodeConfiguration.Listener] = []
    for (index, position) in reader.names(under: ["listen"]) {
      let path = ["listen", index]
      guard let text = reader.text(path + ["address"]), let (transport, address) = TextRule.readListener(text) else {
        continue
      }
      let listener = NodeConfiguration.Listener(
        transport: transport, address: address, advertise: reader.text(path + ["advertise"]),
        profile: reader.text(path + ["profile"]) ?? "default")
      let rival = listeners.first {
        $0.address == address && address.port != 0 && ($0.transport == .udp) == (transport == .udp)
      }
      if let rival {
        reader.fail(
          path, position, "\(rival.transport.name):\(address) stands in the list already", "give it another port")
      }
      listeners.append(listener)
    }
    return listeners
  }

  /// The address of a listener as a host; nil when it stands for all addresses of the host.
  static func specificHost(of listener: NodeConfiguration.Listener?) -> String? {
    guard let address = listener?.address.address, !address.isUnspecified else { return nil }
    var octets: [UInt8] = []
    address.appendAsHost(to: &octets)
    return String(decoding: octets, as: UTF8.self)
  }

  /// Reports TLS listeners whose profile does not exist.
  mutating func checkProfiles(of listeners: [NodeConfiguration.Listener], _ profiles: [String: TLSServerProfile]) {
    // A profile that has an error of its own is not missing.
    let known = reader.names(under: ["tls", "server"]).map(\.name)
    for (index, position) in reader.names(under: ["listen"]) {
      let path = ["listen", index]
      guard let text = reader.text(path + ["address"]), TextRule.readListener(text)?.transport == .tls else { continue }
      let profile = reader.text(path + ["profile"]) ?? "default"
      guard !known.contains(profile) else { continue }
      reader.fail(
        path, reader.position(path + ["profile"]) ?? position, "there is no tls.server.\(profile) for \(text)",
        "add it with certificate and private_key (apus cert server makes them), or listen without tls")
    }
  }

  /// The domains; a name that belongs to two of them is an error.
  mutating func resolveDomains() -> [NodeConfiguration.Domain] {
    var domains: [NodeConfiguration.Domain] = []
    var owners: [String: String] = [:]
    for (name, position) in reader.names(under: ["domains"]) {
      let path = ["domains", name]
      let algorithms: [DigestAlgorithm]? =
        reader.position(path + ["algorithms"]) == nil ? nil : resolveAlgorithms(path + ["algorithms"])
      _ = reader.value(path + ["algorithms"])
      let domain = NodeConfiguration.Domain(
        name: name, aliases: reader.texts(path + ["aliases"]), realm: reader.text(path + ["realm"]),
        algorithms: algorithms)
      for alias in [name] + domain.aliases {
        if let owner = owners[alias] {
          let place = reader.position(path + ["aliases"]) ?? position
          reader.fail(path, place, "'\(alias)' is a name of \(owner) already", "keep it in one domain")
        }
        owners[alias] = name
      }
      domains.append(domain)
    }
    return domains
  }

  /// Digest algorithms of a setting; an empty list is an error.
  mutating func resolveAlgorithms(_ path: [String]) -> [DigestAlgorithm] {
    let algorithms = reader.texts(path).compactMap { DigestAlgorithm(token: $0) }
    if algorithms.isEmpty, let position = reader.position(path),
      reader.errors.allSatisfy({ $0.key != SettingsReader.name(of: path) })
    {
      reader.fail(path, position, "the list is empty", "give MD5, SHA-256 or SHA-512-256, or drop the key")
    }
    return algorithms
  }
}

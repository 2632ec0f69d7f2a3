/// Whom certificates prove.
extension Resolver {
  /// The rules in the order of the file. `asksClients`: whether any server profile asks for certificates.
  mutating func resolveCertificates(
    _ domains: [NodeConfiguration.Domain], asksClients: Bool
  ) -> [CertificateRule] {
    var rules: [CertificateRule] = []
    let all = ["identity", "certificates"]
    for (index, position) in reader.names(under: all) {
      let path = all + [index]
      let text = reader.text(path + ["match"]) ?? ""
      guard let match = CertificateRule.Match(text),
        let proof = resolveProof(match, text, path + ["proves"], position, domains)
      else { continue }
      if proof == .trusted, match.isAnybody {
        reader.note(
          path, position, "every certificate that is verified makes its holder a trusted peer",
          "write a narrower match, unless ca_list has an authority of your own alone")
      }
      rules.append(CertificateRule(match, proof))
    }
    if !rules.isEmpty, !asksClients {
      reader.note(
        all, reader.names(under: all).first?.position, "no server profile asks clients for a certificate",
        "set verify_client: optional or require in tls.server.default")
    }
    return rules
  }

  private mutating func resolveProof(
    _ match: CertificateRule.Match, _ text: String, _ path: [String], _ position: Position,
    _ domains: [NodeConfiguration.Domain]
  ) -> CertificateRule.Proof? {
    let position = reader.position(path) ?? position
    switch reader.text(path) ?? "" {
    case "trusted": return .trusted
    case "user":
      if match.namesUser { return .namedUser }
      reader.fail(path, position, "'\(text)' names no user", "write the user, as in proves: sip:alice@example.test")
    case "domain":
      if match.namesDomain { return .namedDomain }
      reader.fail(path, position, "'\(text)' names no domain", "write the domain, as in proves: sip:example.test")
    case let uri:
      guard let address = SIPAddress(uri) else { return nil }
      guard address.port == nil, address.parameters.isEmpty else {
        reader.fail(path, position, "'\(uri)' has a port or parameters", "write sip:user@domain or sip:domain")
        return nil
      }
      let owner = domains.first { $0.name == address.host || $0.aliases.contains(address.host) }
      if let owner { return address.user.map { .user($0, domain: owner.name) } ?? .domain(owner.name) }
      reader.fail(
        path, position, "\(address.host) is not a domain of this node", "add it under domains, or drop this")
    }
    return nil
  }
}

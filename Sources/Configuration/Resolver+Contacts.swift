internal import Structures

/// Contacts of gateways that don't register.
extension Resolver {
  /// The contacts in the order of the file; each belongs to a user of one of the domains.
  mutating func resolveContacts(
    _ domains: [NodeConfiguration.Domain], _ listen: [NodeConfiguration.Listener]
  ) -> [NodeConfiguration.StaticContact] {
    var contacts: [NodeConfiguration.StaticContact] = []
    for (index, position) in reader.names(under: ["registrar", "contacts"]) {
      let path = ["registrar", "contacts", index]
      let q = reader.text(path + ["q"]).flatMap(TextRule.readPreference) ?? 1_000
      guard let address = reader.text(path + ["address"]).flatMap(SIPAddress.init),
        let contact = reader.text(path + ["contact"]).flatMap(SIPAddress.init),
        let (user, domain) = checkOwner(address, path, domains), checkContact(contact, path, domains, listen)
      else { continue }
      let found = NodeConfiguration.StaticContact(user: user, domain: domain, uri: Array(contact.text.utf8), q: q)
      if contacts.contains(where: { $0.user == user && $0.domain == domain && $0.uri == found.uri }) {
        reader.fail(path, position, "\(address.text) has this contact already", "keep one of them")
      }
      contacts.append(found)
    }
    return contacts
  }

  private mutating func checkOwner(
    _ address: SIPAddress, _ path: [String], _ domains: [NodeConfiguration.Domain]
  ) -> (user: [UInt8], domain: String)? {
    let path = path + ["address"]
    guard let user = address.user, address.port == nil, address.parameters.isEmpty else {
      reader.fail(
        path, reader.position(path), "'\(address.text)' is not the address of a user",
        "write sip:user@domain, without port and parameters")
      return nil
    }
    guard let domain = domains.first(where: { $0.name == address.host || $0.aliases.contains(address.host) }) else {
      reader.fail(
        path, reader.position(path), "\(address.host) is not a domain of this node",
        "add it under domains, or drop this")
      return nil
    }
    return (user, domain.name)
  }

  private mutating func checkContact(
    _ contact: SIPAddress, _ path: [String], _ domains: [NodeConfiguration.Domain],
    _ listen: [NodeConfiguration.Listener]
  ) -> Bool {
    let path = path + ["contact"]
    let isOurPort = contact.port.map { port in listen.contains { $0.address.port == port } } ?? true
    if isOurPort, domains.contains(where: { $0.name == contact.host || $0.aliases.contains(contact.host) }) {
      reader.fail(
        path, reader.position(path), "'\(contact.text)' leads back to this node",
        "write the address and port of the gateway itself")
      return false
    }
    if let transport = contact.parameters["transport"],
      !TransportProtocol.allCases.contains(where: { "\($0.name)" == transport })
    {
      reader.fail(
        path, reader.position(path), "transport '\(transport)' is not spoken here", "write udp, tcp or tls, or drop it")
      return false
    }
    if IPAddress(contact.host.filter { $0 != "[" && $0 != "]" }) == nil {
      reader.note(
        path, reader.position(path), "this version doesn't look up names, so \(contact.host) is never reached",
        "write its IP address")
    }
    return true
  }
}

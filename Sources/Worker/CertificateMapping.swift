import Configuration
import SIPMessage
import SIPServer
import Structures
import TLSEngine

/// What certificates prove by the settings `identity.certificates`.
struct CertificateMapping: Equatable {
  /// What one certificate proves.
  struct Finding: Equatable {
    /// Its holder is a peer of our trust domain.
    var isTrusted = false
    /// For whom he speaks.
    var peer = ProvenPeer()
  }

  private let rules: [CertificateRule]
  /// The own names of the node's domains, by these and by their aliases.
  private let domains: [String: String]

  init(_ configuration: NodeConfiguration) {
    rules = configuration.identity.certificates
    var names: [String: String] = [:]
    for domain in configuration.domains {
      for name in [domain.name] + domain.aliases where names[name] == nil { names[name] = domain.name }
    }
    domains = names
  }

  /// Whether no certificate proves anything.
  var isEmpty: Bool { rules.isEmpty }

  /// What a certificate proves that was verified. All rules that match count.
  func finding(_ certificate: PeerCertificate) -> Finding {
    var finding = Finding()
    for rule in rules {
      switch rule.match {
      case .user(let scheme, let name, let host):
        for uri in certificate.names.uris {
          guard let named = NamedByURI(uri), named.scheme == scheme, let user = named.user, name.matches(user),
            host.matches(named.host.utf8)
          else { continue }
          add(rule.proof, user, named.host, to: &finding)
        }
      case .domain(let scheme, let host):
        for uri in certificate.names.uris {
          guard let named = NamedByURI(uri), named.scheme == scheme, named.user == nil, host.matches(named.host.utf8)
          else { continue }
          add(rule.proof, nil, named.host, to: &finding)
        }
      case .uri(let pattern):
        for uri in certificate.names.uris where pattern.matches(uri.utf8) { add(rule.proof, nil, nil, to: &finding) }
      case .dnsName(let pattern):
        for name in certificate.names.dnsNames where pattern.matches(name.utf8) {
          add(rule.proof, nil, Self.host(name), to: &finding)
        }
      case .commonName(let pattern):
        // A longer one than names may be was cut when it was read.
        guard let name = certificate.names.commonName, pattern.matches(name.utf8) else { continue }
        let at = name.lastIndex(of: "@")
        let host = at.map { String(name[name.index(after: $0)...]) } ?? name
        add(rule.proof, at.map { Array(name[..<$0].utf8) }, Self.host(host), to: &finding)
      case .fingerprint(let octets):
        if certificate.fingerprint == octets { add(rule.proof, nil, nil, to: &finding) }
      }
    }
    return finding
  }

  /// A host in small letters; nil when it can't be one of ours: Unicode takes letters outside of ASCII for letters in it.
  private static func host(_ name: String) -> String? {
    name.utf8.allSatisfy { $0 < 0x80 } ? name.lowercased() : nil
  }

  /// Adds what a rule says of a name that matched it.
  private func add(_ proof: CertificateRule.Proof, _ user: [UInt8]?, _ host: String?, to finding: inout Finding) {
    switch proof {
    case .trusted: finding.isTrusted = true
    case .user(let user, let domain): add(user, domain, to: &finding)
    case .domain(let domain): add(nil, domain, to: &finding)
    case .namedUser:
      if let user, let host, let domain = domains[host] { add(user, domain, to: &finding) }
    case .namedDomain:
      if user == nil, let host, let domain = domains[host] { add(nil, domain, to: &finding) }
    }
  }

  private func add(_ user: [UInt8]?, _ domain: String, to finding: inout Finding) {
    let domain = Array(domain.utf8)
    if let user {
      finding.peer.add(user: user.span, domain: domain.span)
    } else {
      finding.peer.add(domain: domain.span)
    }
  }
}

/// A SIP or SIPS URI of a certificate that is nothing but scheme, host and perhaps user: what else may stand in one would need
/// rules of its own on when two of them mean the same.
private struct NamedByURI {
  let scheme: String
  /// The user part with escapes undone.
  let user: [UInt8]?
  /// In small letters.
  let host: String

  init?(_ text: String) {
    let octets = Array(text.utf8)
    guard octets.count <= NamePattern.maximumName, let uri = try? SIPURI(octets.span, ByteRange(0, octets.count)),
      uri.isSIP, uri.password == nil, uri.port == nil, uri.parameters.isEmpty, uri.headers.isEmpty
    else { return nil }
    scheme = uri.scheme == .sips ? "sips" : "sip"
    user = uri.user.map { range in
      var name: [UInt8] = []
      octets.span.appendUnescaped(range, to: &name)
      return name
    }
    host = String(decoding: octets[uri.host.positions], as: UTF8.self).lowercased()
  }
}

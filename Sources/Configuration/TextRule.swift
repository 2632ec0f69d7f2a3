internal import Structures

extension TextRule {
  /// The text in the form in which it is used: names of hosts in small letters, IPv6 addresses in brackets.
  func read(_ text: String) throws(ValueProblem) -> String {
    switch self {
    case .name:
      guard !text.isEmpty, text.utf8.count <= 64, text.utf8.allSatisfy(Self.isNameOctet) else {
        throw refusal(of: text)
      }
      return text
    case .host:
      guard let host = Self.readHost(text) else { throw refusal(of: text) }
      return host
    case .hostAndPort:
      guard let (host, port) = Self.readHostAndPort(text) else { throw refusal(of: text) }
      return port.map { "\(host):\($0)" } ?? host
    case .domain:
      guard Self.isHostName(text) else { throw refusal(of: text) }
      return text.lowercased()
    case .listener:
      guard Self.readListener(text) != nil else { throw refusal(of: text) }
      return text
    case .network:
      guard let network = IPNetwork(text) else { throw refusal(of: text) }
      return network.description
    case .headerField:
      let name = text.lowercased()
      guard Self.isToken(name), !Self.neededFields.contains(name) else { throw refusal(of: text) }
      return name
    case .algorithm:
      guard let algorithm = DigestAlgorithm(token: text) else { throw refusal(of: text) }
      return "\(algorithm.token)"
    case .tlsVersion:
      guard Self.readVersion(text) != nil else { throw Self.versionProblem(text) }
      return text
    case .hostPattern:
      let host = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
      guard host != text ? Self.isHostName(host) : Self.readHost(text) != nil else { throw refusal(of: text) }
      return text.lowercased()
    case .quotable:
      let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != 0x22 && $0 != 0x5C }
      guard !text.isEmpty, isPlain else { throw refusal(of: text) }
      return text
    case .uri:
      guard SIPAddress(text) != nil else { throw refusal(of: text) }
      return text
    case .preference:
      guard Self.readPreference(text) != nil else { throw refusal(of: text) }
      return text
    case .certificateMatch:
      guard CertificateRule.Match(text) != nil else { throw refusal(of: text) }
      return text
    case .certificateProof:
      guard ["user", "domain", "trusted"].contains(text) || SIPAddress(text) != nil else { throw refusal(of: text) }
      return text
    case .redisURL:
      _ = try RedisURL(text)
      return text
    case .ciphers, .any:
      guard !text.isEmpty else { throw ValueProblem(problem: "the text is empty", remedy: "give one or drop the key") }
      return text
    }
  }

  /// The rule with an article, as an error names it.
  var noun: String {
    switch self {
    case .name: "a name of letters, digits, '.', '_' and '-'"
    case .host: "a host name or an IP address"
    case .hostAndPort: "a host name or an IP address, with or without :port"
    case .domain: "a host name"
    case .listener: "an address to listen on"
    case .network: "an IP address or a network"
    case .headerField: "the name of a header field that may be missing"
    case .algorithm: "a digest algorithm"
    case .tlsVersion: "a TLS version"
    case .hostPattern: "a host name, an IP address or a pattern such as *.example.test"
    case .quotable: "a text without quotes and backslashes"
    case .uri: "a SIP or SIPS URI"
    case .preference: "a number from 0 to 1 with at most three digits behind the point"
    case .certificateMatch: "what a certificate can be known by"
    case .certificateProof: "what a certificate can prove"
    case .redisURL: "the address of a Redis server"
    case .ciphers, .any: "a text"
    }
  }

  private func refusal(of text: String) -> ValueProblem {
    let remedy =
      switch self {
      case .listener: "write transport:address:port, such as tls:0.0.0.0:5061, tcp:[::1]:5060 or udp:192.0.2.1"
      case .network: "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32, with no bit set behind the prefix"
      case .headerField: "give a name such as X-Account; those that routing, dialogs and bodies need can't be named"
      case .algorithm: "give MD5, SHA-256 or SHA-512-256"
      case .uri: "write sip:user@host, with :port and ;transport=tcp where they are needed"
      case .certificateMatch:
        "write uri:sip:*@example.test, dns:gateway.example.test, cn:NAME or sha256:HEX; * may stand twice, in hosts "
          + "within a label"
      case .certificateProof: "write user, domain, trusted, sip:user@domain or sip:domain"
      default: "give \(noun)"
      }
    return ValueProblem(problem: "'\(text)' is not \(noun)", remedy: remedy)
  }
}

extension TextRule {
  /// Without these a message can't be routed, matched, proved or read, or means something else; long and compact names.
  private static let neededFields: Set<String> = [
    "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "max-forwards", "contact", "m", "route", "record-route",
    "content-length", "l", "content-type", "c", "content-encoding", "e", "content-disposition", "authorization",
    "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info", "require", "proxy-require",
    "supported", "k", "unsupported", "expires", "min-expires", "event", "o", "allow-events", "u", "subscription-state",
    "refer-to", "r", "replaces", "rseq", "rack", "path", "service-route", "sip-etag", "sip-if-match", "session-expires",
    "x", "min-se", "privacy",
  ]

  private static func isToken(_ text: String) -> Bool {
    let signs = Set("-.!%*_+`'~".utf8)
    return !text.isEmpty && text.utf8.count <= 64
      && text.utf8.allSatisfy { $0.isLetter || $0.decimalDigit != nil || signs.contains($0) }
  }

  private static func isNameOctet(_ octet: UInt8) -> Bool {
    octet.isLetter || octet.decimalDigit != nil || octet == 0x2D || octet == 0x2E || octet == 0x5F
  }

  /// Whether the text is a host name: labels of letters, digits and `-` (RFC 3261 §25.1), at most 253 octets. A
  /// trailing dot or a last label of digits only is refused.
  static func isHostName(_ text: String) -> Bool {
    guard !text.isEmpty, text.utf8.count <= 253 else { return false }
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    for label in labels {
      guard !label.isEmpty, label.utf8.count <= 63, !label.hasPrefix("-"), !label.hasSuffix("-") else { return false }
      guard label.utf8.allSatisfy({ $0.isLetter || $0.decimalDigit != nil || $0 == 0x2D }) else { return false }
    }
    return !(labels.last?.utf8.allSatisfy { $0.decimalDigit != nil } ?? true)
  }

  /// The host in the form of a SIP URI: a name in small letters, an address, IPv6 in brackets; nil when the text is none.
  public static func readHost(_ text: String) -> String? {
    let inner = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    if let address = IPAddress(inner), address.family == .v6 || inner == text {
      var octets: [UInt8] = []
      address.appendAsHost(to: &octets)
      return String(decoding: octets, as: UTF8.self)
    }
    return isHostName(text) ? text.lowercased() : nil
  }

  /// Host and, where given, port from 1; nil when the text is neither form.
  public static func readHostAndPort(_ text: String) -> (host: String, port: UInt16?)? {
    if let host = readHost(text) { return (host, nil) }
    guard let colon = text.lastIndex(of: ":"), let port = readPort(text[text.index(after: colon)...]), port > 0,
      let host = readHost(String(text[..<colon])), !host.hasPrefix("[") || text.hasPrefix("[")
    else { return nil }
    return (host, port)
  }

  /// Transport, address and port (that of the transport where none is given); nil when the text is no listener.
  static func readListener(_ text: String) -> (transport: TransportProtocol, address: SocketAddress)? {
    guard let colon = text.firstIndex(of: ":"),
      let transport = TransportProtocol.allCases.first(where: { "\($0.name)" == text[..<colon].lowercased() })
    else { return nil }
    let rest = text[text.index(after: colon)...]
    if rest.hasPrefix("[") {
      guard let close = rest.firstIndex(of: "]"),
        let address = IPAddress(String(rest[rest.index(after: rest.startIndex)..<close])), address.family == .v6
      else { return nil }
      return readPort(behind: rest[rest.index(after: close)...], of: transport).map {
        (transport, SocketAddress(address, port: $0))
      }
    }
    let end = rest.firstIndex(of: ":") ?? rest.endIndex
    guard let address = IPAddress(String(rest[..<end])), address.family == .v4 else { return nil }
    return readPort(behind: rest[end...], of: transport).map { (transport, SocketAddress(address, port: $0)) }
  }

  /// The version; nil when the text is none that we speak.
  static func readVersion(_ text: String) -> TLSVersion? {
    switch text.lowercased() {
    case "tlsv1", "tlsv1.0", "tls1.0", "1.0": .v10
    case "tlsv1.1", "tls1.1", "1.1": .v11
    case "tlsv1.2", "tls1.2", "1.2": .v12
    case "tlsv1.3", "tls1.3", "1.3": .v13
    default: nil
    }
  }

  private static func readPort(behind text: Substring, of transport: TransportProtocol) -> UInt16? {
    if text.isEmpty { return transport.defaultPort }
    guard text.hasPrefix(":") else { return nil }
    return readPort(text.dropFirst())
  }

  private static func readPort(_ text: Substring) -> UInt16? {
    guard !text.isEmpty, text.utf8.allSatisfy({ $0.decimalDigit != nil }) else { return nil }
    return UInt16(text)
  }
}

extension UInt8 {
  /// Whether the octet is an ASCII letter.
  fileprivate var isLetter: Bool { lowercased >= 0x61 && lowercased <= 0x7A }
}

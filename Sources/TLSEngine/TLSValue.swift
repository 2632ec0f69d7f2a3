import Structures

/// The names by which rules and templates ask for what is known of a TLS connection. SER calls them `@tls.…`, Kamailio and OpenSIPS `$tls_…`.
public enum TLSValueName: String, CaseIterable, Sendable {
  case version = "tls.version"
  case cipher = "tls.cipher"
  /// Bits of the cipher's key.
  case bits = "tls.bits"
  /// The name that the client sent (RFC 6066 §3).
  case serverName = "tls.sni"
  case isResumed = "tls.resumed"

  case isPeerVerified = "tls.peer.verified"
  case peerSubject = "tls.peer.subject"
  case peerIssuer = "tls.peer.issuer"
  /// The last common name of the subject.
  case peerCommonName = "tls.peer.cn"
  /// All subject alternative names of the types URI, DNS and IP address.
  case peerNames = "tls.peer.san"
  /// In hexadecimal.
  case peerSerial = "tls.peer.serial"
  /// In seconds since 1970.
  case peerNotBefore = "tls.peer.not_before"
  /// In seconds since 1970.
  case peerNotAfter = "tls.peer.not_after"
  /// SHA-256, in hexadecimal with colons.
  case peerFingerprint = "tls.peer.fingerprint"
  case isPeerRevoked = "tls.peer.revoked"

  case mySubject = "tls.my.subject"
  case myIssuer = "tls.my.issuer"
  case myCommonName = "tls.my.cn"
  case myNames = "tls.my.san"
  case mySerial = "tls.my.serial"
  case myNotBefore = "tls.my.not_before"
  case myNotAfter = "tls.my.not_after"
  case myFingerprint = "tls.my.fingerprint"
}

/// What one of the names stands for.
public enum TLSValue: Equatable, Sendable {
  case text(String)
  case number(Int64)
  case flag(Bool)

  /// As a template writes it; flags as `1` and `0`.
  public var text: String {
    switch self {
    case .text(let text): text
    case .number(let number): "\(number)"
    case .flag(let flag): flag ? "1" : "0"
    }
  }
}

/// What is known of one TLS connection, by the names that rules and templates have for it.
public struct TLSValues: Sendable {
  private let facts: TLSFacts
  private let certificate: PeerCertificate?
  private let isRevoked: Bool?

  /// The values of a connection. `certificate`: ours, if we showed one; `isRevoked`: what is known of the peer's, nil when it wasn't looked up.
  public init(_ facts: TLSFacts, certificate: PeerCertificate?, isRevoked: Bool? = nil) {
    self.facts = facts
    self.certificate = certificate
    self.isRevoked = isRevoked
  }

  /// What a name stands for; nil when the connection has nothing of the kind, for instance no certificate of the peer.
  public subscript(name: TLSValueName) -> TLSValue? {
    switch name {
    case .version: .text(facts.version)
    case .cipher: .text(facts.cipher)
    case .bits: .number(Int64(facts.cipherBits))
    case .serverName: facts.serverName.map { .text($0) }
    case .isResumed: .flag(facts.isResumed)
    case .isPeerVerified: .flag(facts.isVerified)
    case .isPeerRevoked: facts.peer == nil ? nil : isRevoked.map { .flag($0) }
    case .peerSubject, .peerIssuer, .peerCommonName, .peerNames, .peerSerial, .peerNotBefore, .peerNotAfter,
      .peerFingerprint:
      facts.peer?[name]
    case .mySubject, .myIssuer, .myCommonName, .myNames, .mySerial, .myNotBefore, .myNotAfter, .myFingerprint:
      certificate?[name]
    }
  }

  /// The same by the text of a name; nil also when there is no such name.
  public subscript(named text: String) -> TLSValue? { TLSValueName(rawValue: text).flatMap { self[$0] } }
}

extension PeerCertificate {
  fileprivate subscript(name: TLSValueName) -> TLSValue? {
    switch name {
    case .peerSubject, .mySubject: .text(subject)
    case .peerIssuer, .myIssuer: .text(issuer)
    case .peerCommonName, .myCommonName: names.commonName.map { .text($0) }
    case .peerNames, .myNames: alternativeNames.isEmpty ? nil : .text(alternativeNames.joined(separator: ", "))
    case .peerSerial, .mySerial: .text(serial)
    case .peerNotBefore, .myNotBefore: .number(notBefore)
    case .peerNotAfter, .myNotAfter: .number(notAfter)
    case .peerFingerprint, .myFingerprint: fingerprint.isEmpty ? nil : .text(fingerprintText)
    case .version, .cipher, .bits, .serverName, .isResumed, .isPeerVerified, .isPeerRevoked: nil
    }
  }

  /// Subject alternative names as openssl writes them: `URI:sip:a.test`, `DNS:a.test`, `IP Address:192.0.2.1`.
  private var alternativeNames: [String] {
    names.uris.map { "URI:\($0)" } + names.dnsNames.map { "DNS:\($0)" } + names.addresses.map { "IP Address:\($0)" }
  }

  /// The fingerprint as openssl writes it: `AB:CD:…`.
  public var fingerprintText: String {
    let digits = Array("0123456789ABCDEF")
    return fingerprint.map { String([digits[Int($0 >> 4)], digits[Int($0 & 15)]]) }.joined(separator: ":")
  }
}

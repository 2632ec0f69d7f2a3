import COpenSSL

/// What has to be known of a peer's certificate to find out later that it was revoked: who issued it and its serial number,
/// and so on upwards. Survives the SSL object of its connection. There is none for peers that proved nothing.
public final class PeerChain {
  /// One certificate.
  struct Link {
    let issuer: CertificateIssuer
    /// The serial number, most significant octet first.
    let serial: [UInt8]
  }

  /// Certificates of a chain that are kept at most, roots not counted.
  private static let maximumLength = 8

  /// The profile under which the certificate was proved.
  public let profile: String
  /// Which side we were.
  public let role: TLSContext.Role
  /// From the peer's own certificate upwards, without the root.
  let links: [Link]
  /// The question for the status of the peer's own certificate; nil when its profile doesn't want to know it, or nobody can be
  /// asked.
  public let query: OCSPQuery?
  /// Whether it must have sent a response along (RFC 7633): a server in a full handshake whose certificate demands it.
  public let demandsStaple: Bool

  /// Reads the chain that a connection proved.
  init?(_ connection: OpaquePointer, context: TLSContext) {
    guard copenssl_is_verified(connection), let leaf = copenssl_peer_certificate(connection) else { return nil }
    var links: [Link] = []
    var subject = copenssl_proved(connection, 0)
    if subject == nil {
      // RFC 8446 §2.2: a resumed session has the peer's own certificate only, at most.
      if let issuer = context.issuer(of: leaf), let link = Self.link(leaf, issuer) { links.append(link) }
    }
    while let certificate = subject, links.count < Self.maximumLength,
      let above = copenssl_proved(connection, Int32(links.count + 1)),
      let issuer = context.issuers.intern(above), let link = Self.link(certificate, issuer)
    {
      links.append(link)
      subject = above
    }
    self.links = links
    let address = context.ocsp.mode == .off ? nil : context.ocsp.responder ?? TLSEngine.responder(of: leaf)
    query = links.first.flatMap { link in address.flatMap { OCSPQuery(link, responder: $0) } }
    demandsStaple = context.role == .client && !copenssl_is_resumed(connection) && copenssl_demands_staple(leaf)
    profile = context.profile
    role = context.role
  }

  /// What a response says of the peer's own certificate, whoever asked for it.
  public func read(_ response: [UInt8]) -> OCSPAnswer? { links.first.map { OCSPAnswer(response, for: $0) } }

  static func link(_ certificate: OpaquePointer, _ issuer: CertificateIssuer) -> Link? {
    let serial = [UInt8](unsafeUninitializedCapacity: Int(copenssl_serial_size)) { buffer, count in
      count = Int(max(0, copenssl_serial_octets(certificate, buffer.baseAddress)))
    }
    return serial.isEmpty ? nil : Link(issuer: issuer, serial: serial)
  }
}

extension PeerChain: CustomStringConvertible {
  /// Serial number and issuer of the peer's own certificate, for logs.
  public var description: String { links.first.map { "\($0)" } ?? "unknown issuer" }
}

extension PeerChain.Link: CustomStringConvertible {
  /// Serial number and issuer, for logs.
  var description: String {
    let digits = serial.map { octet in
      let text = String(octet, radix: 16, uppercase: true)
      return text.count == 1 ? "0" + text : text
    }
    return "serial \(digits.joined()) of \(issuer.subject)"
  }
}

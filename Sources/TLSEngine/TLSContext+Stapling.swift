import COpenSSL

/// A certificate of ours, and the response that goes along with it to clients that ask (RFC 6066 §8).
public final class StapledCertificate {
  private let context: OpaquePointer
  private let certificate: OpaquePointer
  /// The subject as RFC 2253 §2 writes it.
  public let subject: String
  /// Whether the certificate demands a response (RFC 7633).
  public let isDemanded: Bool
  /// The question whose answer is sent along.
  public let query: OCSPQuery

  /// Borrows both, which the owner of this keeps.
  init(context: OpaquePointer, certificate: OpaquePointer, query: OCSPQuery) {
    self.context = context
    self.certificate = certificate
    self.query = query
    subject = PeerCertificate(reading: certificate).subject
    isDemanded = copenssl_demands_staple(certificate)
  }

  /// Sends this response along from now on; empty: none.
  public func staple(_ response: [UInt8]) {
    _ = copenssl_set_staple(context, certificate, response, response.count)
  }
}

extension TLSContext {
  /// Certificates of one context at most: one for each kind of key.
  private static let maximumCertificates: Int32 = 9

  /// Finds what can be stapled. A certificate that demands it and doesn't get it would be refused by its clients.
  func useStapling(_ wanted: Bool?) throws(TLSError) {
    for index in 0..<Self.maximumCertificates {
      var issuer: OpaquePointer?
      guard let certificate = copenssl_own_certificate(pointer, index, &issuer) else { return }
      defer { copenssl_certificate_free(issuer) }
      let isDemanded = copenssl_demands_staple(certificate)
      if let missing = add(certificate, issuer, wanted), wanted == true || isDemanded {
        let reason = isDemanded ? "it demands a stapled answer (RFC 7633), but" : "stapling:"
        throw TLSError(.configuration, "certificate: \(reason) \(missing)")
      }
    }
  }

  /// Why nothing can be stapled to the certificate; nil: it can.
  private func add(_ certificate: OpaquePointer, _ issuer: OpaquePointer?, _ wanted: Bool?) -> String? {
    if wanted == false { return "stapling is off" }
    guard let responder = ocsp.responder ?? responder(of: certificate) else {
      return "it names no OCSP responder: give ocsp_responder"
    }
    guard let issuer, let known = issuers.intern(issuer), let link = PeerChain.link(certificate, known),
      let query = OCSPQuery(link, responder: responder)
    else { return "its issuer is unknown: put the issuer's certificate behind it, or into ca_list" }
    stapled.append(StapledCertificate(context: pointer, certificate: certificate, query: query))
    return nil
  }
}

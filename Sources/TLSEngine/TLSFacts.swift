import COpenSSL

/// What a handshake agreed upon.
public struct TLSFacts: Hashable, Sendable {
  /// `TLSv1.2` or `TLSv1.3`.
  public let version: String
  /// The cipher suite in OpenSSL's words, for instance `TLS_AES_256_GCM_SHA384`.
  public let cipher: String
  /// Bits of its key.
  public let cipherBits: Int
  /// The name that the client sent (RFC 6066 §3).
  public let serverName: String?
  /// Whether an earlier session was continued.
  public let isResumed: Bool
  /// Whether the peer's certificate was asked for, came and was proved.
  public let isVerified: Bool
  /// The peer's certificate, proved or not; nil when it sent none.
  public let peer: PeerCertificate?
}

/// What is told about a certificate in logs and lists.
public struct PeerCertificate: Hashable, Sendable {
  /// The subject as RFC 2253 §2 writes it.
  public let subject: String
  /// The issuer as RFC 2253 §2 writes it.
  public let issuer: String
  /// The serial number in hexadecimal.
  public let serial: String
  /// From when on it holds, in seconds since 1970; 0 when that can't be read.
  public let notBefore: Int64
  /// When it expires, in seconds since 1970; 0 when that can't be read.
  public let notAfter: Int64
  /// The SHA-256 of the whole certificate: 32 octets; none when it can't be computed.
  public let fingerprint: [UInt8]
  /// Whom it names.
  public let names: CertificateNames

  /// A certificate from what was read of it.
  public init(
    subject: String, issuer: String, serial: String, notBefore: Int64, notAfter: Int64, fingerprint: [UInt8],
    names: CertificateNames
  ) {
    self.subject = subject
    self.issuer = issuer
    self.serial = serial
    self.notBefore = notBefore
    self.notAfter = notAfter
    self.fingerprint = fingerprint
    self.names = names
  }

  init(reading certificate: OpaquePointer) {
    subject = Self.text(of: certificate, copenssl_subject)
    issuer = Self.text(of: certificate, copenssl_issuer)
    serial = Self.text(of: certificate, copenssl_serial)
    notBefore = copenssl_not_before(certificate)
    notAfter = copenssl_not_after(certificate)
    fingerprint = Self.fingerprint(of: certificate)
    names = CertificateNames(reading: certificate)
  }

  /// Reads the first certificate of a PEM text; nil when there is none.
  public init?(pem: [UInt8]) {
    guard let certificate = copenssl_certificate_parse(pem, pem.count) else {
      copenssl_clear_errors()
      return nil
    }
    defer { copenssl_certificate_free(certificate) }
    self.init(reading: certificate)
  }

  private static func fingerprint(of certificate: OpaquePointer) -> [UInt8] {
    var octets = [UInt8](repeating: 0, count: 32)
    return copenssl_fingerprint(certificate, &octets) == 1 ? octets : []
  }

  /// Text of at most 1,024 bytes: names are as long as their makers like.
  private static func text(
    of certificate: OpaquePointer, _ write: (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int32) -> Int32
  ) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1_024) { buffer in
      let length = write(certificate, buffer.baseAddress, Int32(buffer.count))
      return String(decoding: UnsafeRawBufferPointer(buffer).prefix(Int(max(0, length))), as: UTF8.self)
    }
  }
}

import COpenSSL

/// Why TLS failed, taken from OpenSSL at the place of the failure.
public struct TLSError: Error, Hashable, Sendable {
  /// What is counted together.
  public enum Kind: UInt8, CaseIterable, Sendable {
    /// What the peer sent is not TLS.
    case notTLS
    /// The two ends have no protocol version in common.
    case version
    /// The two ends have no cipher suite in common.
    case cipher
    /// We didn't accept the peer's certificate, for none of the reasons below.
    case certificate
    /// The peer's certificate, or one above it, has expired.
    case expired
    /// The peer's certificate, or one above it, is not valid yet.
    case notYetValid
    /// Nobody whom we trust issued the peer's certificate.
    case unknownAuthority
    /// The peer issued its certificate itself.
    case selfSigned
    /// The peer's certificate is for something else (RFC 5280 §4.2.1.12, RFC 5924).
    case purpose
    /// There are more authorities above the peer's certificate than its profile permits.
    case chainTooLong
    /// The peer has to show a certificate and showed none.
    case noCertificate
    /// The peer's certificate is good but belongs to somebody else (RFC 5922 §7.3).
    case identity
    /// The peer's certificate, or one above it, was revoked (RFC 5280 §6.3).
    case revoked
    /// A list of revoked certificates is too old, or not valid yet, to say that the peer's certificate is good.
    case crlExpired
    /// Whether the peer's certificate is revoked can't be found out, and its profile wants to know (RFC 6960).
    case ocspUnavailable
    /// The peer refused us by an alert (RFC 8446 §6.2).
    case alert
    /// The peer left.
    case closed
    /// The system failed to carry the octets.
    case system
    /// Certificates, keys or settings that were given to us can't be used.
    case configuration
    /// Anything else.
    case other
  }

  /// What it counts as.
  public let kind: Kind
  /// The reason in OpenSSL's words, for instance `tlsv1 alert unknown ca`.
  public let text: String

  /// An error with a reason for the log.
  public init(_ kind: Kind, _ text: String) {
    self.kind = kind
    self.text = text
  }

  /// What OpenSSL's error queue says, which is empty afterwards. `verification` completes a refused certificate.
  static func take(verification: String? = nil) -> TLSError {
    let error = copenssl_take_error()
    let text = error.text.map { String(cString: $0) } ?? "unknown error"
    guard error.library == copenssl_library_ssl else { return TLSError(.other, text) }
    switch error.reason {
    case copenssl_reason_certificate_verify_failed:
      return TLSError(.certificate, verification.map { "\(text): \($0)" } ?? text)
    case copenssl_reason_wrong_version_number, copenssl_reason_http_request: return TLSError(.notTLS, text)
    case copenssl_reason_unsupported_protocol, copenssl_reason_version_too_low, copenssl_reason_version_too_high,
      copenssl_reason_no_protocols_available, copenssl_reason_wrong_ssl_version, copenssl_alert_protocol_version:
      return TLSError(.version, text)
    case copenssl_reason_no_shared_cipher: return TLSError(.cipher, text)
    case copenssl_reason_peer_did_not_return_a_certificate: return TLSError(.noCertificate, text)
    case copenssl_reason_alert...: return TLSError(.alert, text)
    default: return TLSError(.other, text)
    }
  }

  /// The peer's fatal alert, in the words that OpenSSL has for it.
  static func alert(_ number: Int32) -> TLSError { TLSError(.alert, "tlsv1 alert \(alertName(number))") }

  /// An alert by its number (RFC 8446 §6).
  static func alertName(_ number: Int32) -> String {
    String(
      decoding: String(cString: copenssl_alert_name(number)).utf8.map { $0 == 0x5F ? 0x20 : $0 | 0x20 }, as: UTF8.self)
  }

  /// The same for what an administrator gave: `subject` names it.
  static func configuration(_ subject: String) -> TLSError {
    let text = copenssl_take_error().text.map { String(cString: $0) } ?? "not usable"
    return TLSError(.configuration, "\(subject): \(text)")
  }
}

extension TLSError: CustomStringConvertible {
  /// The reason.
  public var description: String { text }
}

/// The version of the OpenSSL library in use, for instance `OpenSSL 3.0.17 1 Jul 2025`.
public var tlsLibraryVersion: String { String(cString: copenssl_version()) }

/// The TLS versions that can be asked for. Older ones are not offered (RFC 8996).
public enum TLSVersion: UInt8, Sendable, Comparable, CaseIterable {
  /// TLS 1.2 (RFC 5246).
  case v12 = 12
  /// TLS 1.3 (RFC 8446).
  case v13 = 13

  /// Orders by age.
  public static func < (left: TLSVersion, right: TLSVersion) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// How a server treats the certificate of a client.
public enum ClientVerification: String, Sendable, CaseIterable {
  /// It is not asked for.
  case off
  /// It is asked for; a client without one is served, one with a bad one is not.
  case optional
  /// A client without a good one is not served.
  case require
}

/// How accepted connections are secured: one entry of `tls.server`.
public struct TLSServerProfile: Sendable, Equatable {
  /// The certificate and its chain, leaf first.
  public var certificatePEM: [UInt8]
  /// The private key of the leaf, not encrypted.
  public var privateKeyPEM: [UInt8]
  /// The authorities that may have issued client certificates; nil: those of the system.
  public var caListPEM: [UInt8]?
  /// Whether clients show a certificate.
  public var verifyClient: ClientVerification
  /// The oldest version accepted.
  public var minimumVersion: TLSVersion
  /// The newest version accepted.
  public var maximumVersion: TLSVersion
  /// Cipher suites of TLS 1.2 in OpenSSL's words; nil: OpenSSL's choice.
  public var cipherList: String?
  /// Cipher suites of TLS 1.3 in OpenSSL's words; nil: OpenSSL's choice.
  public var ciphersuites: String?
  /// Names sent by clients (RFC 6066 §3) that select this profile on any TLS listener, in small letters.
  public var serverNames: [String]
  /// Whether clients get session tickets, by which they go on with a session after they come again.
  public var sessionTickets = true
  /// What is done about revoked certificates.
  public var revocation = RevocationProfile()

  /// A profile with the defaults of the settings.
  public init(
    certificatePEM: [UInt8], privateKeyPEM: [UInt8], caListPEM: [UInt8]? = nil,
    verifyClient: ClientVerification = .off, minimumVersion: TLSVersion = .v12, maximumVersion: TLSVersion = .v13,
    cipherList: String? = nil, ciphersuites: String? = nil, serverNames: [String] = []
  ) {
    self.certificatePEM = certificatePEM
    self.privateKeyPEM = privateKeyPEM
    self.caListPEM = caListPEM
    self.verifyClient = verifyClient
    self.minimumVersion = minimumVersion
    self.maximumVersion = maximumVersion
    self.cipherList = cipherList
    self.ciphersuites = ciphersuites
    self.serverNames = serverNames
  }
}

/// How connections that we open are secured: one entry of `tls.client`.
public struct TLSClientProfile: Sendable, Equatable {
  /// The certificate shown to servers that ask, with its chain; nil: none.
  public var certificatePEM: [UInt8]?
  /// Its private key; given exactly when the certificate is.
  public var privateKeyPEM: [UInt8]?
  /// The authorities that may have issued server certificates; nil: those of the system.
  public var caListPEM: [UInt8]?
  /// Whether the server's certificate and its identity (RFC 5922 §7) are checked.
  public var verifyCertificate: Bool
  /// The oldest version offered.
  public var minimumVersion: TLSVersion
  /// The newest version offered.
  public var maximumVersion: TLSVersion
  /// What is done about revoked certificates.
  public var revocation = RevocationProfile()

  /// A profile with the defaults of the settings.
  public init(
    certificatePEM: [UInt8]? = nil, privateKeyPEM: [UInt8]? = nil, caListPEM: [UInt8]? = nil,
    verifyCertificate: Bool = true, minimumVersion: TLSVersion = .v12, maximumVersion: TLSVersion = .v13
  ) {
    self.certificatePEM = certificatePEM
    self.privateKeyPEM = privateKeyPEM
    self.caListPEM = caListPEM
    self.verifyCertificate = verifyCertificate
    self.minimumVersion = minimumVersion
    self.maximumVersion = maximumVersion
  }
}

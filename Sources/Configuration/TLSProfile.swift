/// The TLS versions that can be asked for; the two oldest are spoken only where they are named (RFC 8996).
public enum TLSVersion: UInt8, Sendable, Comparable, CaseIterable {
  /// TLS 1.0 (RFC 2246).
  case v10 = 10
  /// TLS 1.1 (RFC 4346).
  case v11 = 11
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
  /// Certificates with their chains, leaf first, and their keys; each with a key of another kind.
  public var pairs: [TLSKeyPair]
  /// The authorities that may have issued client certificates; nil: those of the system.
  public var caListPEM: [UInt8]?
  /// Whether clients show a certificate.
  public var verifyClient: ClientVerification
  /// The oldest version accepted.
  public var minimumVersion: TLSVersion
  /// The newest version accepted.
  public var maximumVersion: TLSVersion
  /// Ciphers, limits and the like.
  public var choices: TLSChoices
  /// Names sent by clients (RFC 6066 §3) that select this profile on any TLS listener, in small letters; `*.domain` is all
  /// below it.
  public var serverNames: [String]
  /// Whether clients get session tickets, by which they go on with a session after they come again.
  public var sessionTickets = true
  /// What is done about revoked certificates.
  public var revocation = RevocationProfile()

  /// A profile with the defaults of the settings.
  public init(
    pairs: [TLSKeyPair], caListPEM: [UInt8]? = nil, verifyClient: ClientVerification = .off,
    minimumVersion: TLSVersion = .v12, maximumVersion: TLSVersion = .v13, choices: TLSChoices = TLSChoices(),
    serverNames: [String] = []
  ) {
    self.pairs = pairs
    self.caListPEM = caListPEM
    self.verifyClient = verifyClient
    self.minimumVersion = minimumVersion
    self.maximumVersion = maximumVersion
    self.choices = choices
    self.serverNames = serverNames
  }
}

/// How connections that we open are secured: one entry of `tls.client`.
public struct TLSClientProfile: Sendable, Equatable {
  /// Certificates shown to servers that ask, with their chains and keys; each with a key of another kind.
  public var pairs: [TLSKeyPair]
  /// The authorities that may have issued server certificates; nil: those of the system.
  public var caListPEM: [UInt8]?
  /// Whether the server's certificate and its identity (RFC 5922 §7) are checked.
  public var verifyCertificate: Bool
  /// The oldest version offered.
  public var minimumVersion: TLSVersion
  /// The newest version offered.
  public var maximumVersion: TLSVersion
  /// Ciphers, limits and the like.
  public var choices: TLSChoices
  /// The domains, hosts and addresses for which this profile is used, in small letters; `*.domain` is all below it.
  public var domains: [String]
  /// Whether a certificate for `*.domain` is good for the hosts of that domain, against RFC 5922 §7.2.
  public var allowsWildcards: Bool
  /// What is done about revoked certificates.
  public var revocation = RevocationProfile()

  /// A profile with the defaults of the settings.
  public init(
    pairs: [TLSKeyPair] = [], caListPEM: [UInt8]? = nil, verifyCertificate: Bool = true,
    minimumVersion: TLSVersion = .v12, maximumVersion: TLSVersion = .v13, choices: TLSChoices = TLSChoices(),
    domains: [String] = [], allowsWildcards: Bool = false
  ) {
    self.pairs = pairs
    self.caListPEM = caListPEM
    self.verifyCertificate = verifyCertificate
    self.minimumVersion = minimumVersion
    self.maximumVersion = maximumVersion
    self.choices = choices
    self.domains = domains
    self.allowsWildcards = allowsWildcards
  }
}

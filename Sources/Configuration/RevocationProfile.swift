/// What is done about revoked certificates on the connections of one TLS profile.
public struct RevocationProfile: Sendable, Equatable {
  /// A file with lists of revoked certificates.
  public struct File: Sendable, Equatable {
    /// Its resolved path.
    public var path: String
    /// Its octets, PEM or DER.
    public var octets: [UInt8]
  }

  /// Which certificates of a chain are looked up.
  public enum Depth: String, Sendable, CaseIterable {
    /// The peer's own.
    case leaf
    /// The peer's own and those above it.
    case chain
  }

  /// What a list does whose next one is overdue.
  public enum Expiry: String, Sendable, CaseIterable {
    /// Nobody is accepted by it.
    case reject
    /// It goes on as if it were new, with a warning.
    case warn
  }

  /// What an unknown status of a peer's certificate means.
  public enum OCSPMode: String, Sendable, CaseIterable {
    /// Nobody is asked.
    case off
    /// The peer comes in.
    case soft
    /// It doesn't.
    case hard
  }

  /// `crl`: the files, those of directories in the order of their names.
  public var lists: [File] = []
  /// `crl`: files and directories as they are given, resolved.
  public var listPaths: [String] = []
  /// `crl_check`: which certificates are looked up.
  public var depth = Depth.chain
  /// `crl_expired`: what a list does whose next one is overdue.
  public var expiry = Expiry.reject
  /// `ocsp`: whether the status of a peer's certificate is asked for, and what it means when it can't be found out.
  public var ocsp = OCSPMode.off
  /// `ocsp_responder`: the URL that is asked in place of the one that the certificate names.
  public var responder: String?
  /// `ocsp_timeout`: how long an answer is waited for.
  public var ocspTime = Duration.seconds(3)
  /// `ocsp_recheck`: how often it is asked again for peers that are connected; nil: never.
  public var recheck: Duration?
  /// `stapling`: whether clients that ask get the status of the certificate along with it; nil: if it names a responder. Only in
  /// server profiles.
  public var stapling: Bool?

  /// A profile with the defaults of the settings.
  public init() {}
}

extension NodeConfiguration {
  /// Whether anything has to be fetched by HTTP, for which the node has a process of its own.
  public var fetches: Bool {
    let profiles = tlsServer.values.map(\.revocation) + tlsClient.values.map(\.revocation)
    return profiles.contains { $0.ocsp != .off }
      || tlsServer.values.contains { profile in
        profile.revocation.stapling
          ?? profile.pairs.contains { CertificateText.namesResponder($0.certificatePEM) }
      }
  }

  /// Files and directories that are read again when they change, without anybody asking for it.
  public var watchedPaths: [String] {
    let profiles = tlsServer.values.map(\.revocation) + tlsClient.values.map(\.revocation)
    let choices = tlsServer.values.map(\.choices) + tlsClient.values.map(\.choices)
    return Set(profiles.flatMap(\.listPaths) + choices.flatMap(\.files)).sorted()
  }
}

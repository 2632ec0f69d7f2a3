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

  /// `crl`: the files, those of directories in the order of their names.
  public var lists: [File] = []
  /// `crl`: files and directories as they are given, resolved.
  public var listPaths: [String] = []
  /// `crl_check`: which certificates are looked up.
  public var depth = Depth.chain
  /// `crl_expired`: what a list does whose next one is overdue.
  public var expiry = Expiry.reject

  /// A profile with the defaults of the settings.
  public init() {}
}

extension NodeConfiguration {
  /// Files and directories that are read again when they change, without anybody asking for it.
  public var watchedPaths: [String] {
    let profiles = tlsServer.values.map(\.revocation) + tlsClient.values.map(\.revocation)
    return Set(profiles.flatMap(\.listPaths)).sorted()
  }
}

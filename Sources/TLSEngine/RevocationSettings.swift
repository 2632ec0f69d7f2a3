/// How it is found out that a certificate was revoked before its time.
public struct RevocationSettings: Sendable {
  /// A file with lists of revoked certificates (RFC 5280 §5).
  public struct File: Sendable {
    /// How messages name it.
    public var name: String
    /// One list in DER, or any number in PEM.
    public var octets: [UInt8]

    /// A file that was read.
    public init(name: String, octets: [UInt8]) {
      self.name = name
      self.octets = octets
    }
  }

  /// Which certificates of a chain are looked up.
  public enum Depth: Sendable {
    /// The peer's own. It must have a list of its issuer.
    case leaf
    /// The peer's own, and those above it as far as there are lists of their issuers.
    case chain
  }

  /// The files; empty: no lists are looked at.
  public var lists: [File] = []
  /// Which certificates are looked up.
  public var depth = Depth.chain
  /// Whether a list whose next one is overdue counts as if it were new; else it refuses everybody.
  public var toleratesExpiredLists = false

  /// Settings with every default.
  public init() {}
}

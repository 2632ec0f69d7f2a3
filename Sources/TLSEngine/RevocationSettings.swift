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

  /// Whether the status of a peer's certificate is asked for while it connects, and what it means when it can't be found out.
  public struct OCSP: Sendable {
    /// What an unknown status means.
    public enum Mode: Sendable {
      /// Nobody is asked.
      case off
      /// The peer comes in.
      case soft
      /// It doesn't.
      case hard
    }

    /// What an unknown status means.
    public var mode = Mode.off
    /// The URL that is asked in place of the one that the certificate names.
    public var responder: String?
    /// How long an answer is waited for.
    public var limit = Duration.seconds(3)
    /// How often the status of peers that are connected is asked for again; nil: never.
    public var recheck: Duration?

    /// Settings with every default.
    public init() {}
  }

  /// The files; empty: no lists are looked at.
  public var lists: [File] = []
  /// Which certificates are looked up.
  public var depth = Depth.chain
  /// Whether a list whose next one is overdue counts as if it were new; else it refuses everybody.
  public var toleratesExpiredLists = false
  /// Whether the status of a peer's certificate is asked for.
  public var ocsp = OCSP()
  /// Whether clients that ask get the status of our certificate along with it (RFC 6066 §8); nil: where that is possible.
  public var stapling: Bool?

  /// Settings with every default.
  public init() {}
}

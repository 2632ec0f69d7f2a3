import COpenSSL
import CTLSRecords
import Glibc
import Structures

/// The versions of TLS that are spoken (RFC 9325 §3.1.1); the two oldest only where they are asked for (RFC 8996).
public enum TLSProtocolVersion: Int32, Sendable, Comparable {
  /// TLS 1.0.
  case v10 = 0x0301
  /// TLS 1.1.
  case v11 = 0x0302
  /// TLS 1.2.
  case v12 = 0x0303
  /// TLS 1.3.
  case v13 = 0x0304

  /// Older first.
  public static func < (left: TLSProtocolVersion, right: TLSProtocolVersion) -> Bool { left.rawValue < right.rawValue }
}

/// What is asked of the peer's certificate.
public enum PeerVerification: Int32, Sendable {
  /// A server asks for none; a client accepts any.
  case off = 0
  /// A server asks; a certificate that comes must be good. For a client the same as ``required``.
  case optional = 1
  /// No good certificate, no connection.
  case required = 2
}

/// What connections of one kind have in common. Keys and certificates are octets in PEM form, never paths: who reads
/// the files need not be who uses them.
public struct TLSSettings: Sendable {
  /// Names the profile; sessions are resumed within it only.
  public var profile = "default"
  /// Our certificates and their keys, each with a key of another kind; a server must have one.
  public var pairs: [KeyPair] = []
  /// The authorities that the peer's certificate must come from; nil: those that the system trusts.
  public var authorities: [UInt8]?
  /// What is asked of the peer; nil: off for a server, required for a client.
  public var verification: PeerVerification?
  /// The oldest version spoken.
  public var minimumVersion = TLSProtocolVersion.v12
  /// The newest version spoken.
  public var maximumVersion = TLSProtocolVersion.v13
  /// Cipher suites of TLS 1.2 in OpenSSL's notation; nil: those with forward secrecy and authenticated encryption.
  public var cipherList: String?
  /// Cipher suites of TLS 1.3 in OpenSSL's notation; nil: OpenSSL's choice.
  public var cipherSuites: String?
  /// Whether suites that don't encrypt may be spoken, if the list names them.
  public var permitsNull = false
  /// Groups for the key exchange in OpenSSL's notation, the preferred first; nil: X25519, P-256, P-384.
  public var groups: String?
  /// Authorities above the peer's own certificate at most; nil: OpenSSL's choice, which is 100.
  public var verifyDepth: Int?
  /// Whether a peer's certificate for `*.example.test` is good for every host of that domain, against RFC 5922 §7.2.
  public var allowsWildcards = false
  /// From the TCP connection to the end of the handshake; nil: as long as for all.
  public var handshakeTime: Duration?
  /// Without any progress while octets wait to be sent; nil: as long as for all.
  public var sendTime: Duration?
  /// How it is found out that the peer's certificate was revoked.
  public var revocation = RevocationSettings()

  /// Whether connections go on without their SSL object where they can, as ``TLSSession`` says.
  public var detaches = true

  /// Where the secrets of its connections are written; nil: nowhere.
  public var keyLog: KeyLog?

  /// Settings with every default.
  public init() {}
}

/// An OpenSSL context: one role with one certificate. Sessions keep it alive, so that it may be replaced at any time.
public final class TLSContext {
  /// Which side of the handshake its sessions take.
  public enum Role: Sendable {
    /// Accepts.
    case server
    /// Connects.
    case client
  }

  /// Which side of the handshake its sessions take.
  public let role: Role
  /// What is asked of the peer.
  public let verification: PeerVerification
  /// Whether its connections go on without their SSL object where they can.
  public let detaches: Bool
  /// Whether wildcards in peers' certificates count.
  public let allowsWildcards: Bool
  /// From the TCP connection to the end of the handshake; nil: as long as for all.
  public let handshakeTime: Duration?
  /// Without any progress while octets wait to be sent; nil: as long as for all.
  public let sendTime: Duration?
  /// The name of the profile.
  public let profile: String
  /// The lists of revoked certificates that peers are looked up in.
  public let lists: [RevocationList]
  /// Whether the status of peers' certificates is asked for.
  public let ocsp: RevocationSettings.OCSP
  /// Certificates of ours for which responses are wanted.
  public internal(set) var stapled: [StapledCertificate] = []
  let depth: RevocationSettings.Depth
  let issuers: IssuerTable
  private let ticketKeys: TicketKeyRing?
  /// The time in seconds since 1970, by which certificates of continued sessions are looked at.
  var clock: () -> Int64 = { Int64(time(nil)) }
  /// The certificate that we show; nil for a client without one.
  public let certificate: PeerCertificate?
  private let keyLog: KeyLog?
  let pointer: OpaquePointer
  private(set) var named = NameTable<TLSContext>()
  private var isRetired = false
  /// Sessions that began with it and are no further.
  private var handshakes = 0

  /// A context ready for use; the error names what can't be used and why. What has to be kept of peers' certificates goes to
  /// `issuers`, which contexts may share. A server's session tickets are sealed with `tickets`; nil: it gives out none.
  public init(
    _ role: Role, _ settings: TLSSettings, issuers: IssuerTable = IssuerTable(), tickets: TicketKeyRing? = nil
  ) throws(TLSError) {
    self.role = role
    profile = settings.profile
    self.issuers = issuers
    depth = settings.revocation.depth
    ocsp = settings.revocation.ocsp
    var lists: [RevocationList] = []
    for file in settings.revocation.lists { lists += try issuers.lists(of: file) }
    self.lists = lists
    certificate = settings.chain.flatMap { PeerCertificate(pem: $0) }
    keyLog = settings.keyLog
    verification = settings.verification ?? (role == .client ? .required : .off)
    let (oldest, newest) = (settings.minimumVersion.rawValue, settings.maximumVersion.rawValue)
    guard let pointer = copenssl_context(role == .server, oldest, newest) else { throw .configuration("TLS context") }
    self.pointer = pointer
    detaches = settings.detaches
    ticketKeys = tickets
    allowsWildcards = settings.allowsWildcards
    (handshakeTime, sendTime) = (settings.handshakeTime, settings.sendTime)
    tlsrecords_prepare(pointer)
    copenssl_set_verify(pointer, verification.rawValue)
    // First, for what is allowed holds for certificates too.
    try useChoices(settings)
    try useIdentities(settings.pairs)
    try useAuthorities(settings)
    try useLists(settings.revocation)
    if role == .server { try useStapling(settings.revocation.stapling) }
    // RFC 6066 §8: whoever verifies asks, so that a revoked server's own word is heard.
    if role == .client, verification != .off { _ = copenssl_want_staple(pointer) }
    if role == .server { try useTickets(settings) }
    if let keyLog {
      tlsrecords_set_key_log(copenssl_key_log_line)
      if copenssl_set_key_log(pointer, keyLog.descriptor) != 1 { throw .configuration("key log") }
    }
  }

  deinit { copenssl_context_free(pointer) }

  /// Forgets what ``setContext(_:forServerName:)`` told this context and those that it knows: contexts that know each other
  /// live for ever. To be called when connections begin with others from now on. Handshakes that are under way go on by the
  /// names of before: what they are for, and what is asked of the peer, may not change in the middle.
  public func retire() {
    if isRetired { return }
    isRetired = true
    for context in named.values { context.retire() }
    forgetNames()
  }

  /// A server's session begins with it. To be followed by ``endHandshake()``.
  func beginHandshake() { handshakes += 1 }

  /// What the session ends with is known, or that it never will be.
  func endHandshake() {
    handshakes -= 1
    forgetNames()
  }

  private func forgetNames() { if isRetired, handshakes == 0 { named = NameTable() } }

  /// Serves clients that name `serverName` (RFC 6066 §3; letters compared without case, `*.domain` is all below it) from `context`, all others from this one.
  public func setContext(_ context: TLSContext, forServerName serverName: String) {
    named.set(context, for: serverName)
    copenssl_set_name_callback(
      pointer,
      { name, argument in
        guard let name, let argument else { return nil }
        let owner = Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
        return owner.named[String(cString: name)]?.pointer
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  private func useAuthorities(_ settings: TLSSettings) throws(TLSError) {
    if verification == .off { return }
    guard let authorities = settings.authorities else {
      if copenssl_use_system_trust(pointer) != 1 { throw .configuration("CA list of the system") }
      return
    }
    if copenssl_use_trust(pointer, authorities, authorities.count) != 1 { throw .configuration("CA list") }
  }

  /// A session is continued under its own profile only, and only while that asks for the same proof of the peer.
  private func useTickets(_ settings: TLSSettings) throws(TLSError) {
    var facts = Array(settings.profile.utf8) + [0, UInt8(truncatingIfNeeded: verification.rawValue)]
    facts += "\(settings.verifyDepth ?? -1) ".utf8
    facts += settings.authorities ?? []
    var identity: [UInt8] = []
    CryptographicHash(.sha256).append(hashOf: facts.span, to: &identity)
    // At most 32 octets, which is what SHA-256 has.
    if copenssl_set_session_identity(pointer, identity, identity.count) != 1 { throw .configuration("profile") }
    try judgeSessions()
    guard let ticketKeys else { return copenssl_forbid_tickets(pointer) }
    if copenssl_use_tickets(pointer, ticketKeys.pointer) != 1 { throw .configuration("ticket keys") }
  }
}

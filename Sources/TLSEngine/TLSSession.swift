import COpenSSL
import CTLSRecords
import Glibc
import Structures

/// How far a handshake came.
public enum HandshakeStep: Equatable, Sendable {
  /// Established: ``TLSSession/facts`` can be asked, octets can flow.
  case done
  /// The socket must be readable before the next step.
  case wantRead
  /// The socket must be writable before the next step.
  case wantWrite
  /// It will never be established.
  case failed(TLSError)
}

/// What became of an attempt to read or write.
public enum TLSResult: Equatable, Sendable {
  /// So many octets, at least one.
  case octets(Int)
  /// The socket must be readable first; it may be so already, when what was read carried no octets (a ticket, a new key).
  case wantRead
  /// The socket must be writable first.
  case wantWrite
  /// The peer sends no more; whether it said so (close_notify, RFC 8446 §6.1) or just closed its connection.
  case endOfFile(isClean: Bool)
  /// The session is of no more use.
  case failed(TLSError)
}

/// TLS on one connected non-blocking socket. The socket stays its owner's, who closes it after the session is gone.
///
/// OpenSSL does the handshake. Then the session is *detached*, if its context wants that and the suite permits it: the SSL
/// object is freed, and records are sealed and opened by `CTLSRecords`, with the keys that were agreed upon, at a fiftieth of
/// the memory. Everything stands behind this type, so that nobody else knows the difference.
public final class TLSSession {
  /// Nil once it is taken and the session detached: an old context isn't kept alive by idle connections.
  private var context: TLSContext?
  private var connection: OpaquePointer?
  private(set) var records: OpaquePointer?
  /// Whom a server's certificate must name, or the name that a client sent.
  private var name: String?
  private var kept = KeptFacts()
  private let descriptor: Int32
  private let isServer: Bool
  /// Whether its context counts it among the handshakes under way.
  private var isCounted = false
  private(set) var isUsable = true
  /// Whether another process may use its keys.
  private(set) var isLent = false
  /// Whether the handshake is finished.
  public private(set) var isEstablished = false
  /// The response that the server sent along with its certificate (RFC 6066 §8); empty when it sent none.
  public private(set) var staple: [UInt8] = []
  /// Who issued the certificate that the peer proved; nil without one, and before the handshake is done.
  public private(set) var peerChain: PeerChain?

  /// The context that the handshake ended with, where the client's server name chose it. A detached session tells it once.
  public func takeContext() -> TLSContext? {
    guard isEstablished else { return nil }
    return isDetached ? context.take() : context
  }

  /// A session on a connected socket. A client's `peerName` is the domain, host or address literal that it means to
  /// reach: it is sent as server name (RFC 6066 §3) unless it is a literal, and, with verification on, the peer's
  /// certificate must name it.
  public init(_ context: TLSContext, descriptor: Int32, peerName: String? = nil) throws(TLSError) {
    guard let connection = copenssl_connection(context.pointer, descriptor, context.role == .server) else {
      throw .take()
    }
    self.context = context
    self.connection = connection
    self.descriptor = descriptor
    isServer = context.role == .server
    if context.detaches { records = tlsrecords_watch(connection) }
    if isServer {
      context.beginHandshake()
      isCounted = true
    }
    guard context.role == .client, let peerName else { return }
    name = peerName
    guard CertificateNames.literal(peerName) == nil else { return }
    if copenssl_set_server_name(connection, peerName) != 1 { throw .take() }
  }

  /// A session that another process had.
  init(records: OpaquePointer, descriptor: Int32, isServer: Bool, name: String?, isResumed: Bool) {
    self.records = records
    self.descriptor = descriptor
    self.isServer = isServer
    self.name = name
    kept = KeptFacts(isResumed: isResumed)
    isEstablished = true
  }

  /// Whether the peer showed a certificate.
  var hasPeerCertificate: Bool { peerChain != nil || kept.hasPeer }

  /// Whether an earlier session was continued.
  var isResumed: Bool { kept.isResumed }

  /// Whom it was to reach, or the name that the client sent.
  var sentName: String? { name }

  func lend() { (isUsable, isLent) = (false, true) }

  func endLoan() { (isUsable, isLent) = (true, false) }

  /// Ends the use of its keys, and tells the peer nothing.
  func abandon() {
    (isUsable, isLent) = (false, false)
    if let records = records.take() { tlsrecords_free(records) }
  }

  deinit {
    endHandshake()
    if let connection { copenssl_connection_free(connection) }
    if let records { tlsrecords_free(records) }
  }

  /// Whether it goes on without its SSL object.
  public var isDetached: Bool { connection == nil }

  /// One step of the handshake; call again when the socket is ready for what it wants.
  public func handshake() -> HandshakeStep {
    guard isUsable, let connection else { return .failed(TLSError(.other, "session is closed")) }
    let result = copenssl_handshake(connection)
    switch result.status {
    case copenssl_done:
      if let refusal = checkIdentity(connection) {
        isUsable = false
        copenssl_shutdown(connection)
        return .failed(refusal)
      }
      isEstablished = true
      let used = usedContext(of: connection)
      endHandshake()
      context = used
      peerChain = context.flatMap { PeerChain(connection, context: $0) }
      if !isServer { staple = readStaple(connection) }
      detach(connection)
      return .done
    case copenssl_want_read: return .wantRead
    case copenssl_want_write: return .wantWrite
    default:
      let error = failure(result)
      endHandshake()
      return .failed(error)
    }
  }

  private func endHandshake() {
    guard isCounted else { return }
    isCounted = false
    context?.endHandshake()
  }

  /// At once after the handshake nothing of what follows is inside the SSL object: nothing can get lost.
  private func detach(_ connection: OpaquePointer) {
    guard let records else { return }
    guard tlsrecords_take_over(records, connection) else {
      tlsrecords_free(records)
      self.records = nil
      return
    }
    kept = KeptFacts(of: connection)
    if isServer { name = copenssl_server_name(connection).map { String(cString: $0) } }
    self.connection = nil
    tlsrecords_release(connection)
  }

  /// Reads into `buffer` from `offset` to its end.
  public func read(into buffer: inout [UInt8], from offset: Int = 0) -> TLSResult {
    guard isUsable else { return .endOfFile(isClean: false) }
    let room = buffer.count - offset
    precondition(offset >= 0 && room > 0)
    return buffer.withUnsafeMutableBytes {
      let start = $0.baseAddress?.advanced(by: offset)
      guard let connection else { return outcome(tlsrecords_read(records, descriptor, start, room)) }
      return outcome(copenssl_read(connection, start, room))
    }
  }

  /// Writes the first octets of `octets`, as many as the socket takes. After a `want` the same octets must come first
  /// in the next call, with more behind them if need be.
  public func write(_ octets: Span<UInt8>) -> TLSResult {
    guard isUsable else { return .endOfFile(isClean: false) }
    if octets.isEmpty { return .octets(0) }
    return octets.withUnsafeBufferPointer {
      guard let connection else { return outcome(tlsrecords_write(records, descriptor, $0.baseAddress, $0.count)) }
      return outcome(copenssl_write(connection, $0.baseAddress, $0.count))
    }
  }

  /// Whether a read gets octets without the socket being readable.
  public var hasPending: Bool {
    guard isUsable else { return false }
    guard let connection else { return tlsrecords_has_pending(records) }
    return copenssl_pending(connection) > 0
  }

  /// Says that we send no more (close_notify), if that can be done at once. The session can't be used afterwards.
  public func shutdown() {
    guard isUsable, isEstablished else { return }
    isUsable = false
    if let connection { copenssl_shutdown(connection) } else { tlsrecords_shutdown(records, descriptor) }
  }

  /// Takes new keys for what is sent, and asks the peer for new ones too if it `asks` (RFC 8446 §4.6.3). False unless the
  /// session is detached and speaks TLS 1.3. Done without being asked, long before the keys are used up.
  public func updateKeys(asks: Bool) -> Bool {
    guard isUsable, isDetached else { return false }
    return tlsrecords_update_keys(records, descriptor, asks) != 0
  }

  /// What was agreed upon; call it after the handshake.
  public var facts: TLSFacts {
    guard let connection else {
      guard let records else { return kept.facts(version: 0, suite: 0, serverName: nil) }
      let sent = name.flatMap { isServer || CertificateNames.literal($0) == nil ? $0 : nil }
      return kept.facts(version: tlsrecords_version(records), suite: tlsrecords_suite(records), serverName: sent)
    }
    return TLSFacts(
      version: String(cString: copenssl_protocol_name(connection)),
      cipher: String(cString: copenssl_cipher_name(connection)), cipherBits: Int(copenssl_cipher_bits(connection)),
      serverName: copenssl_server_name(connection).map { String(cString: $0) },
      isResumed: copenssl_is_resumed(connection), isVerified: copenssl_is_verified(connection),
      peer: copenssl_peer_certificate(connection).map { PeerCertificate(reading: $0) })
  }

  private func readStaple(_ connection: OpaquePointer) -> [UInt8] {
    var octets: UnsafePointer<UInt8>?
    let length = copenssl_staple(connection, &octets)
    return Array(UnsafeBufferPointer(start: octets, count: length))
  }

  /// The context that the client's server name chose, or the one that the session began with.
  private func usedContext(of connection: OpaquePointer) -> TLSContext? {
    let used = copenssl_connection_context(connection)
    guard let context, used != context.pointer else { return context }
    return context.named.values.first(where: { $0.pointer == used }) ?? context
  }

  /// RFC 5922 §7.3: a server that isn't authenticated for the domain is left at once.
  private func checkIdentity(_ connection: OpaquePointer) -> TLSError? {
    guard let context, context.role == .client, context.verification != .off, let name else { return nil }
    guard let certificate = copenssl_peer_certificate(connection) else {
      return TLSError(.noCertificate, "peer did not return a certificate")
    }
    let names = CertificateNames(reading: certificate)
    if names.authenticate(name, allowsWildcards: context.allowsWildcards) { return nil }
    let found = names.identities.isEmpty ? "no name" : names.identities.joined(separator: ", ")
    return TLSError(.identity, "certificate is for \(found), not for \(name)")
  }

  private func outcome(_ result: copenssl_result) -> TLSResult {
    switch result.status {
    case copenssl_done: return .octets(Int(result.count))
    case copenssl_want_read: return .wantRead
    case copenssl_want_write: return .wantWrite
    case copenssl_closed: return .endOfFile(isClean: true)
    case copenssl_cut:
      isUsable = false
      return .endOfFile(isClean: false)
    default: return .failed(failure(result))
    }
  }

  private func outcome(_ result: tlsrecords_result) -> TLSResult {
    switch result.status {
    case tlsrecords_done: return .octets(Int(result.count))
    case tlsrecords_want_read: return .wantRead
    case tlsrecords_want_write: return .wantWrite
    case tlsrecords_closed: return .endOfFile(isClean: true)
    default: break
    }
    isUsable = false
    switch result.status {
    case tlsrecords_cut: return .endOfFile(isClean: false)
    case tlsrecords_system: return .failed(TLSError(.system, String(cString: copenssl_system_text(result.error))))
    case tlsrecords_alerted: return .failed(.alert(result.error))
    case tlsrecords_exhausted: return .failed(TLSError(.other, "keys used up"))
    default: return .failed(TLSError(.other, "record refused: \(TLSError.alertName(result.error))"))
    }
  }

  private func failure(_ result: copenssl_result) -> TLSError {
    isUsable = false
    switch result.status {
    case copenssl_closed, copenssl_cut: return TLSError(.closed, "connection closed by peer")
    case copenssl_system: return TLSError(.system, String(cString: copenssl_system_text(result.error)))
    default:
      guard let connection else { return .take() }
      return TLSError.take(verification: copenssl_verify_error(connection).map { String(cString: $0) })
        .specified(
          byVerification: copenssl_verify_code(connection), lists: usedContext(of: connection)?.lists ?? [],
          now: Int64(time(nil)))
    }
  }
}

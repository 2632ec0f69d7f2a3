import COpenSSL
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
/// Everything that OpenSSL knows of a connection stands behind this type, so that an established one can go on without
/// its SSL object. That is why read_ahead is off: after the handshake no octet of the peer may be inside OpenSSL.
public final class TLSSession {
  private let context: TLSContext
  private let connection: OpaquePointer
  /// Whom the peer's certificate must name; nil: nobody in particular.
  private let expectedName: String?
  private var isUsable = true
  /// Whether the handshake is finished.
  public private(set) var isEstablished = false
  /// Who issued the certificate that the peer proved; nil without one, and before the handshake is done.
  public private(set) var peerChain: PeerChain?

  /// A session on a connected socket. A client's `peerName` is the domain, host or address literal that it means to
  /// reach: it is sent as server name (RFC 6066 §3) unless it is a literal, and, with verification on, the peer's
  /// certificate must name it.
  public init(_ context: TLSContext, descriptor: Int32, peerName: String? = nil) throws(TLSError) {
    guard let connection = copenssl_connection(context.pointer, descriptor, context.role == .server) else {
      throw .take()
    }
    self.context = context
    self.connection = connection
    expectedName = context.role == .client && context.verification != .off ? peerName : nil
    guard context.role == .client, let peerName, CertificateNames.literal(peerName) == nil else { return }
    if copenssl_set_server_name(connection, peerName) != 1 { throw .take() }
  }

  deinit { copenssl_connection_free(connection) }

  /// One step of the handshake; call again when the socket is ready for what it wants.
  public func handshake() -> HandshakeStep {
    guard isUsable else { return .failed(TLSError(.other, "session is closed")) }
    let result = copenssl_handshake(connection)
    switch result.status {
    case copenssl_done:
      if let refusal = checkIdentity() {
        isUsable = false
        copenssl_shutdown(connection)
        return .failed(refusal)
      }
      isEstablished = true
      peerChain = PeerChain(connection, context: usedContext)
      return .done
    case copenssl_want_read: return .wantRead
    case copenssl_want_write: return .wantWrite
    default: return .failed(failure(result))
    }
  }

  /// Reads into `buffer` from `offset` to its end; never more than one record.
  public func read(into buffer: inout [UInt8], from offset: Int = 0) -> TLSResult {
    guard isUsable else { return .endOfFile(isClean: false) }
    let room = buffer.count - offset
    precondition(offset >= 0 && room > 0)
    return outcome(
      buffer.withUnsafeMutableBytes { copenssl_read(connection, $0.baseAddress?.advanced(by: offset), room) })
  }

  /// Writes the first octets of `octets`, as many as the socket takes. After a `want` the same octets must come first
  /// in the next call, with more behind them if need be.
  public func write(_ octets: Span<UInt8>) -> TLSResult {
    guard isUsable else { return .endOfFile(isClean: false) }
    if octets.isEmpty { return .octets(0) }
    return outcome(octets.withUnsafeBufferPointer { copenssl_write(connection, $0.baseAddress, $0.count) })
  }

  /// Octets that a read gets without the socket being readable.
  public var pending: Int { isUsable ? Int(copenssl_pending(connection)) : 0 }

  /// Says that we send no more (close_notify), if that can be done at once. The session can't be used afterwards.
  public func shutdown() {
    guard isUsable, isEstablished else { return }
    isUsable = false
    copenssl_shutdown(connection)
  }

  /// What was agreed upon; call it after the handshake.
  public var facts: TLSFacts {
    TLSFacts(
      version: String(cString: copenssl_protocol_name(connection)),
      cipher: String(cString: copenssl_cipher_name(connection)), cipherBits: Int(copenssl_cipher_bits(connection)),
      serverName: copenssl_server_name(connection).map { String(cString: $0) },
      isResumed: copenssl_is_resumed(connection), isVerified: copenssl_is_verified(connection),
      peer: copenssl_peer_certificate(connection).map { PeerCertificate(reading: $0) })
  }

  /// The response that the server sent along with its certificate; empty when it sent none.
  public var staple: [UInt8] {
    // A server would be given what it sent itself.
    guard context.role == .client else { return [] }
    var octets: UnsafePointer<UInt8>?
    let length = copenssl_staple(connection, &octets)
    return Array(UnsafeBufferPointer(start: octets, count: length))
  }

  /// The context that the client's server name chose, or the one that the session began with.
  private var usedContext: TLSContext {
    let used = copenssl_connection_context(connection)
    if used == context.pointer { return context }
    return context.named.values.first { $0.pointer == used } ?? context
  }

  /// RFC 5922 §7.3: a server that isn't authenticated for the domain is left at once.
  private func checkIdentity() -> TLSError? {
    guard let expectedName else { return nil }
    guard let certificate = copenssl_peer_certificate(connection) else {
      return TLSError(.noCertificate, "peer did not return a certificate")
    }
    let names = CertificateNames(reading: certificate)
    if names.authenticate(expectedName) { return nil }
    let found = names.identities.isEmpty ? "no name" : names.identities.joined(separator: ", ")
    return TLSError(.identity, "certificate is for \(found), not for \(expectedName)")
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

  private func failure(_ result: copenssl_result) -> TLSError {
    isUsable = false
    switch result.status {
    case copenssl_closed, copenssl_cut: return TLSError(.closed, "connection closed by peer")
    case copenssl_system: return TLSError(.system, String(cString: copenssl_system_text(result.error)))
    default:
      return TLSError.take(verification: copenssl_verify_error(connection).map { String(cString: $0) })
        .specified(
          byVerification: copenssl_verify_code(connection), lists: usedContext.lists, now: Int64(time(nil)))
    }
  }
}

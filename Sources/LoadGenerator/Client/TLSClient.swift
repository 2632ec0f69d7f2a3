import CLoadGenerator
import Structures

/// A step of TLS that isn't finished or can't be.
enum TLSOutcome {
  /// So many octets went through; the handshake is complete (0).
  case done(Int)
  /// The socket must be readable first.
  case wantsRead
  /// The socket must be writable first.
  case wantsWrite
  /// The peer ended the connection.
  case closed
  /// The connection is broken; why.
  case failed(String)
}

/// Settings, certificates and saved sessions that all client connections of a process share. Wraps SSL_CTX.
final class TLSClientContext {
  /// The numbers behind macros of OpenSSL that Swift can't see.
  private enum Control {
    static let setMode: Int32 = 33
    static let sessionCacheMode: Int32 = 44
    static let setHostName: Int32 = 55
    static let setMinimumVersion: Int32 = 123
    static let setMaximumVersion: Int32 = 124
    static let readAhead: Int32 = 41
    static let noSessionCacheClient = 0x0001 | 0x0300
  }
  static let version12 = 0x0303
  static let version13 = 0x0304

  fileprivate let context: OpaquePointer
  fileprivate let serverName: [CChar]
  fileprivate let verifies: Bool

  /// Reads the files that `settings` name; throws a sentence that says which can't be used.
  init(_ settings: TLSClientSettings) throws(LoadError) {
    guard let context = SSL_CTX_new(TLS_client_method()) else { throw LoadError(problem: "OpenSSL has no memory") }
    self.context = context
    serverName = Array((settings.serverName ?? "").utf8CString)
    verifies = settings.authorities != nil
    SSL_CTX_ctrl(
      context, Control.setMode,
      Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER), nil)
    SSL_CTX_ctrl(context, Control.readAhead, 1, nil)
    let (lowest, highest) = settings.versions.bounds
    SSL_CTX_ctrl(context, Control.setMinimumVersion, lowest, nil)
    SSL_CTX_ctrl(context, Control.setMaximumVersion, highest, nil)
    try load(settings)
    guard settings.resumes else { return }
    SSL_CTX_ctrl(context, Control.sessionCacheMode, Control.noSessionCacheClient, nil)
    SSL_CTX_sess_set_new_cb(context) { ssl, session in
      guard let ssl, let owner = SSL_get_ex_data(ssl, 0) else { return 0 }
      Unmanaged<TLSClientLink>.fromOpaque(owner).takeUnretainedValue().keep(session)
      return 1
    }
  }

  deinit { SSL_CTX_free(context) }

  private func load(_ settings: TLSClientSettings) throws(LoadError) {
    if let file = settings.certificate {
      guard SSL_CTX_use_certificate_chain_file(context, file) == 1,
        SSL_CTX_use_PrivateKey_file(context, settings.privateKey ?? file, SSL_FILETYPE_PEM) == 1
      else { throw LoadError(problem: "cannot use the client certificate \(file): \(TLSClientContext.lastError())") }
    }
    if let file = settings.authorities {
      guard SSL_CTX_load_verify_locations(context, file, nil) == 1 else {
        throw LoadError(problem: "cannot read the authorities in \(file): \(TLSClientContext.lastError())")
      }
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    }
    if let list = settings.ciphers {
      guard SSL_CTX_set_cipher_list(context, list) == 1 || SSL_CTX_set_ciphersuites(context, list) == 1 else {
        throw LoadError(problem: "OpenSSL knows none of the cipher suites \(list)")
      }
    }
  }

  /// The text of the oldest error that OpenSSL noted; forgets all of them.
  static func lastError() -> String {
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0, let reason = ERR_reason_error_string(code) else { return "connection reset" }
    return String(cString: reason)
  }

  fileprivate func name(_ ssl: OpaquePointer) {
    guard serverName.count > 1 else { return }
    serverName.withUnsafeBufferPointer { name in
      guard let base = name.baseAddress else { return }
      _ = SSL_ctrl(ssl, Control.setHostName, 0, UnsafeMutableRawPointer(mutating: base))
      if verifies { SSL_set1_host(ssl, base) }
    }
  }
}

/// The TLS state of one connection. Wraps SSL over a connected socket.
final class TLSClientLink {
  private var ssl: OpaquePointer?
  private var session: OpaquePointer?
  private let context: TLSClientContext

  init(_ context: TLSClientContext) { self.context = context }

  deinit {
    reset()
    if let session { SSL_SESSION_free(session) }
  }

  /// Starts anew over a socket; offers the session that was kept when `resume` is set.
  func start(_ descriptor: Int32, resume: Bool) -> Bool {
    reset()
    guard let ssl = SSL_new(context.context), SSL_set_fd(ssl, descriptor) == 1 else { return false }
    self.ssl = ssl
    context.name(ssl)
    SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
    if resume, let session { SSL_set_session(ssl, session) }
    SSL_set_connect_state(ssl)
    return true
  }

  /// Tells the peer that nothing more will come. What was sent before is not lost.
  func finish() {
    guard let ssl else { return }
    SSL_shutdown(ssl)
    ERR_clear_error()
  }

  /// Gives the state of the connection up; a kept session stays.
  func reset() {
    if let ssl { SSL_free(ssl) }
    ssl = nil
  }

  /// Whether a session was kept that ``start(_:resume:)`` can offer.
  var hasSession: Bool { session != nil }
  /// Whether the server took the session that was offered.
  var isResumed: Bool { ssl.map { SSL_session_reused($0) == 1 } ?? false }
  /// Whether octets wait inside the TLS state, which the socket doesn't report.
  var hasPending: Bool { ssl.map { SSL_has_pending($0) == 1 } ?? false }

  fileprivate func keep(_ fresh: OpaquePointer?) {
    if let session { SSL_SESSION_free(session) }
    session = fresh
  }

  func handshake() -> TLSOutcome {
    guard let ssl else { return .closed }
    let result = SSL_do_handshake(ssl)
    return result == 1 ? .done(0) : outcome(ssl, result)
  }

  func read(into buffer: inout [UInt8], from offset: Int) -> TLSOutcome {
    guard let ssl else { return .closed }
    let result = buffer.withUnsafeMutableBytes { bytes in
      SSL_read(ssl, bytes.baseAddress.map { $0 + offset }, Int32(bytes.count - offset))
    }
    return result > 0 ? .done(Int(result)) : outcome(ssl, result)
  }

  func write(_ octets: Span<UInt8>) -> TLSOutcome {
    guard let ssl else { return .closed }
    let result = octets.withUnsafeBufferPointer { SSL_write(ssl, $0.baseAddress, Int32($0.count)) }
    return result > 0 ? .done(Int(result)) : outcome(ssl, result)
  }

  private func outcome(_ ssl: OpaquePointer, _ result: Int32) -> TLSOutcome {
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ: return .wantsRead
    case SSL_ERROR_WANT_WRITE: return .wantsWrite
    case SSL_ERROR_ZERO_RETURN: return .closed
    default: return .failed(TLSClientContext.lastError())
    }
  }
}

/// The hash functions of the digest scheme.
final class MessageDigests {
  private let md5 = EVP_MD_fetch(nil, "MD5", nil)
  private let sha256 = EVP_MD_fetch(nil, "SHA256", nil)
  private let context = EVP_MD_CTX_new()

  deinit {
    EVP_MD_CTX_free(context)
    EVP_MD_free(md5)
    EVP_MD_free(sha256)
  }

  /// Appends the hash of `octets` in small hexadecimal letters.
  func appendHexadecimal(_ isSHA256: Bool, _ octets: [UInt8], to output: inout [UInt8]) {
    var hash = InlineArray<32, UInt8>(repeating: 0)
    let length = isSHA256 ? 32 : 16
    EVP_DigestInit_ex(context, isSHA256 ? sha256 : md5, nil)
    octets.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    var span = hash.mutableSpan
    span.withUnsafeMutableBufferPointer { _ = EVP_DigestFinal_ex(context, $0.baseAddress, nil) }
    for index in 0..<length { output.append(hexadecimal: UInt64(hash[index]), digits: 2) }
  }
}

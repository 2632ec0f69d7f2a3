import COpenSSL

/// Whether what a client proved in an earlier handshake still counts: of its certificates OpenSSL looks at none again when a
/// session is continued, and each continuation gives out a ticket that is as good as the first.
extension TLSContext {
  /// Has OpenSSL ask ``permitsContinuation(of:)`` of the context that serves the client.
  func judgeSessions() throws(TLSError) {
    let good = copenssl_set_session_judge(
      pointer,
      { used, certificate, argument in
        guard let certificate, let argument else { return false }
        let first = Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
        let context = first.pointer == used ? first : first.named.values.first { $0.pointer == used }
        return context?.permitsContinuation(of: certificate) ?? false
      }, Unmanaged.passUnretained(self).toOpaque())
    if good != 1 { throw .configuration("session tickets") }
  }

  /// Whether a session may go on in which the client proved this certificate; else there is a full handshake.
  private func permitsContinuation(of certificate: OpaquePointer) -> Bool {
    let now = clock()
    guard copenssl_not_before(certificate) <= now, now <= copenssl_not_after(certificate) else { return false }
    // RFC 8446 §2.2: the session has no chain, and lists are looked at along chains.
    if !lists.isEmpty { return false }
    // Without the issuer nobody can be asked for the status.
    return ocsp.mode == .off || issuer(of: certificate) != nil
  }
}

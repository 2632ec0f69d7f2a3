import COpenSSL

/// Lists of revoked certificates in a context.
extension TLSContext {
  /// Has the lists looked at in each handshake. One that bears the name of a trusted authority must be signed by it.
  func useLists(_ settings: RevocationSettings) throws(TLSError) {
    guard !lists.isEmpty, verification != .off else { return }
    for list in lists where copenssl_crl_is_trusted(pointer, list.pointer) == 0 {
      throw TLSError(.configuration, "\(list.file): the signature isn't that of \(list.issuer)")
    }
    let pointers: [OpaquePointer?] = lists.map(\.pointer)
    let added = copenssl_use_crls(
      pointer, pointers, Int32(pointers.count), settings.depth == .chain, settings.toleratesExpiredLists)
    if added != 1 { throw .configuration("lists of revoked certificates") }
  }

  /// Why a peer that was accepted before can't stay: its certificate, or one above it, is revoked by now. Nil: it may.
  public func revocation(of chain: PeerChain) -> TLSError? {
    if lists.isEmpty { return nil }
    let links = chain.links.prefix(depth == .leaf ? 1 : chain.links.count)
    for (position, link) in links.enumerated() where lists.contains(where: { $0.revokes(link) }) {
      return TLSError(.revoked, "\(position == 0 ? "certificate" : "certificate of an authority") revoked: \(link)")
    }
    return nil
  }

  /// The issuer of a peer's certificate of which nothing else is known: one that issued others, or a trusted one.
  func issuer(of certificate: OpaquePointer) -> CertificateIssuer? {
    if let known = issuers.issuer(of: certificate) { return known }
    guard let trusted = copenssl_trusted_issuer(pointer, certificate) else { return nil }
    defer { copenssl_certificate_free(trusted) }
    return issuers.intern(trusted)
  }
}

extension TLSError {
  /// The same error as what it is when the result of the verification tells more.
  func specified(byVerification code: Int, lists: [RevocationList], now: Int64) -> TLSError {
    guard kind == .certificate else { return self }
    switch code {
    case copenssl_code_revoked: return TLSError(.revoked, text)
    case copenssl_code_crl_expired, copenssl_code_crl_not_yet_valid:
      let late = lists.filter { list in list.nextUpdate.map { $0 <= now } ?? false }.map(\.file)
      return TLSError(.crlExpired, late.isEmpty ? text : "\(text) (\(late.joined(separator: ", ")))")
    default: return Self.kind(ofVerification: code).map { TLSError($0, text) } ?? self
    }
  }

  private static func kind(ofVerification code: Int) -> Kind? {
    switch code {
    case copenssl_code_expired: .expired
    case copenssl_code_not_yet_valid: .notYetValid
    case copenssl_code_self_signed: .selfSigned
    case copenssl_code_self_signed_in_chain, copenssl_code_no_issuer, copenssl_code_no_local_issuer,
      copenssl_code_unverified_leaf:
      .unknownAuthority
    case copenssl_code_purpose, copenssl_code_invalid_authority: .purpose
    case copenssl_code_chain_too_long: .chainTooLong
    default: nil
    }
  }
}

import COpenSSL

/// Which ciphers, groups and versions a context speaks.
extension TLSContext {
  /// Suites of TLS 1.2 with forward secrecy and authenticated encryption (RFC 9325 §4.2).
  static let standardCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20"
  /// What older versions need besides: they have no authenticated encryption.
  static let oldCiphers = standardCiphers + ":ECDHE+AES:kRSA+AES"
  /// Groups of RFC 9325 §4.2, the fastest first.
  static let standardGroups = "X25519:P-256:P-384"

  /// Makes the choices of the settings, and allows as little as they need.
  func useChoices(_ settings: TLSSettings) throws(TLSError) {
    let isOld = settings.minimumVersion < .v12
    let list = settings.cipherList ?? (isOld ? Self.oldCiphers : Self.standardCiphers)
    // Below level 1 OpenSSL has neither SHA-1 signatures, which TLS before 1.2 is bound to, nor suites that don't encrypt.
    copenssl_set_security(pointer, isOld || settings.permitsNull ? 0 : 2)
    if copenssl_set_ciphers(pointer, list) != 1 { throw .configuration("cipher list") }
    if let suites = settings.cipherSuites, copenssl_set_suites(pointer, suites) != 1 {
      throw .configuration("cipher suites")
    }
    if copenssl_set_groups(pointer, settings.groups ?? Self.standardGroups) != 1 { throw .configuration("groups") }
    if let depth = settings.verifyDepth { copenssl_set_depth(pointer, Int32(clamping: depth)) }
  }
}

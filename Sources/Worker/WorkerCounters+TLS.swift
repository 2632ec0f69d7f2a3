import TLSEngine

extension WorkerCounters {
  /// Failed handshakes by what they failed for; those for revocation stand among its counters.
  static let handshakeFailures: [(kind: TLSError.Kind, counter: String)] = [
    (.notTLS, "tls.failed_not_tls"),
    (.version, "tls.failed_version"),
    (.cipher, "tls.failed_cipher"),
    (.certificate, "tls.failed_certificate"),
    (.expired, "tls.failed_expired"),
    (.notYetValid, "tls.failed_not_yet_valid"),
    (.unknownAuthority, "tls.failed_unknown_ca"),
    (.selfSigned, "tls.failed_self_signed"),
    (.purpose, "tls.failed_purpose"),
    (.chainTooLong, "tls.failed_chain_too_long"),
    (.noCertificate, "tls.failed_no_certificate"),
    (.identity, "tls.failed_identity"),
    (.alert, "tls.failed_alert"),
    (.closed, "tls.failed_closed"),
  ]

  /// Where the numbers come from.
  static func failureSources() -> [(name: String, value: (Readings) -> UInt64)] {
    handshakeFailures.map { kind, counter in (counter, { $0.io.handshakeFailures[Int(kind.rawValue)] }) }
  }
}

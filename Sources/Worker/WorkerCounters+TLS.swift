import TLSEngine
import Transport

/// What is counted of TLS.
extension WorkerCounters {
  static func tlsSources() -> [(name: String, value: (Readings) -> UInt64)] {
    agreedSources() + failureSources() + [
      ("tls.failed_timeout", { $0.io.deadlines[Int(TransportDeadline.handshake.rawValue)] }),
      (
        "tls.failed_other",
        { failures($0, .other) + failures($0, .system) + failures($0, .configuration) }
      ),
      ("tls.days_left", { $0.daysLeft }), ("tls.key_log", { $0.isKeyLogOn ? 1 : 0 }),
    ]
  }

  private static func agreedSources() -> [(name: String, value: (Readings) -> UInt64)] {
    [
      ("tls.opened_connections", { UInt64(max(0, $0.io.tls.open)) }), ("tls.accepted", { $0.io.tls.accepted }),
      ("tls.connected", { $0.io.tls.connected }), ("tls.resumed", { $0.io.tls.resumed }),
      ("tls.verified", { $0.io.tls.verified }), ("tls.version_tlsv1", { $0.io.tls[.v10] }),
      ("tls.version_tlsv1_1", { $0.io.tls[.v11] }), ("tls.version_tlsv1_2", { $0.io.tls[.v12] }),
      ("tls.version_tlsv1_3", { $0.io.tls[.v13] }), ("tls.cipher_aes128_gcm", { $0.io.tls[.aes128GCM] }),
      ("tls.cipher_aes256_gcm", { $0.io.tls[.aes256GCM] }),
      ("tls.cipher_chacha20_poly1305", { $0.io.tls[.chacha20] }), ("tls.cipher_other", { $0.io.tls[.other] }),
    ]
  }

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

  private static func failures(_ readings: Readings, _ kind: TLSError.Kind) -> UInt64 {
    readings.io.handshakeFailures[Int(kind.rawValue)]
  }
}

import TLSEngine
import Transport

/// What is counted of TLS.
extension WorkerCounters {
  static func tlsSources() -> [(name: String, value: (Readings) -> UInt64)] {
    agreedSources() + failureSources() + [
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

  private static func failureSources() -> [(name: String, value: (Readings) -> UInt64)] {
    [
      ("tls.failed_timeout", { $0.io.deadlines[Int(TransportDeadline.handshake.rawValue)] }),
      ("tls.failed_not_tls", { failures($0, .notTLS) }), ("tls.failed_version", { failures($0, .version) }),
      ("tls.failed_cipher", { failures($0, .cipher) }), ("tls.failed_certificate", { failures($0, .certificate) }),
      ("tls.failed_no_certificate", { failures($0, .noCertificate) }),
      ("tls.failed_identity", { failures($0, .identity) }), ("tls.failed_alert", { failures($0, .alert) }),
      ("tls.failed_closed", { failures($0, .closed) }),
      ("tls.failed_other", { failures($0, .other) + failures($0, .system) + failures($0, .configuration) }),
    ]
  }

  private static func failures(_ readings: Readings, _ kind: TLSError.Kind) -> UInt64 {
    readings.io.handshakeFailures[Int(kind.rawValue)]
  }
}

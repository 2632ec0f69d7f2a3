import Configuration
import SIPServer
import Structures
import TLSEngine
import Transport

/// Rows about TLS: connections and profiles.
extension ControlRows {
  /// A connection in a list. `user`: who is at its other end, if that is known.
  static func connection(_ report: ConnectionReport, user: [UInt8]?, at now: Instant) -> JSONValue {
    .object(members(report, user: user, at: now))
  }

  /// A connection with all that is known of it. `values` has what rules and templates get by these names.
  static func connectionInFull(
    _ report: ConnectionReport, user: [UInt8]?, proven: [[UInt8]], at now: Instant
  ) -> JSONValue {
    let peer = report.tls?.peer
    // A connection whose peer is found revoked ends.
    let isRevoked = report.flow.isVerified ? false : nil as Bool?
    let values = report.tls.map { TLSValues($0, certificate: report.certificate, isRevoked: isRevoked) }
    let named = TLSValueName.allCases.map { JSONValue.Member($0.rawValue, json(values?[$0])) }
    return .object(
      members(report, user: user, at: now) + [
        .init("cipher_bits", report.tls.map { .count($0.cipherBits) } ?? .null),
        .init("verified", report.tls.map { .bool($0.isVerified) } ?? .null),
        .init("trusted", .bool(report.flow.isTrusted)),
        .init("proves", .array(proven.map { .string(text($0)) })),
        .init("subject", peer.map { .string(text(Array($0.subject.utf8))) } ?? .null),
        .init("issuer", peer.map { .string(text(Array($0.issuer.utf8))) } ?? .null),
        .init("serial", .text(peer?.serial)), .init("not_after", peer.map { .count($0.notAfter) } ?? .null),
        .init("values", .object(named)),
      ])
  }

  /// A profile with its certificate.
  static func profile(_ entry: ProfileCertificates.Entry, at now: Int64) -> JSONValue {
    let certificate = entry.certificate
    let left = certificate.map { JSONValue.decimal(Double(ProfileCertificates.daysLeft($0.notAfter, at: now))) }
    return .object([
      .init("role", .string(entry.role.description)), .init("profile", .string(entry.profile)),
      .init("subject", .text(certificate?.subject)), .init("issuer", .text(certificate?.issuer)),
      .init("serial", .text(certificate?.serial)), .init("fingerprint", .text(certificate?.fingerprintText)),
      .init("not_after", certificate.map { .count($0.notAfter) } ?? .null), .init("days_left", left ?? .null),
    ])
  }

  private static func members(_ report: ConnectionReport, user: [UInt8]?, at now: Instant) -> [JSONValue.Member] {
    [
      .init("id", .string(name(of: report.flow))), .init("state", .string(report.state.description)),
      .init("direction", .string(report.isAccepted ? "accepted" : "opened")),
      .init("age", .count(max(0, (now - report.since).components.seconds))),
      .init("remote", .string("\(report.flow.remote)")), .init("local", .string("\(report.flow.local)")),
      .init("profile", .text(report.profile)),
      .init("version", .text(report.tls?.version)), .init("cipher", .text(report.tls?.cipher)),
      .init("server_name", .text(report.tls?.serverName)),
      .init("resumed", report.tls.map { .bool($0.isResumed) } ?? .null),
      .init("user", user.map { .string(text($0)) } ?? .null),
      .init("queued_bytes", .count(report.queuedBytes)), .init("suspect", .bool(report.isSuspect)),
    ]
  }

  private static func json(_ value: TLSValue?) -> JSONValue {
    switch value {
    case .text(let text): .string(self.text(Array(text.utf8)))
    case .number(let number): .decimal(Double(number))
    case .flag(let flag): .bool(flag)
    case nil: .null
    }
  }
}

import TLSEngine

/// The certificates of the TLS profiles that a worker serves by, for administrators.
struct ProfileCertificates {
  /// One profile.
  struct Entry {
    /// `server` or `client`.
    let role: StaticString
    let profile: String
    /// The certificate that is shown; nil for a client profile without one.
    let certificate: PeerCertificate?
  }

  /// Seconds of a day.
  private static let day: Int64 = 86_400

  /// Server profiles first, each by their names.
  private(set) var entries: [Entry] = []
  /// When the first of the certificates expires, in seconds since 1970; nil without any.
  private(set) var earliestEnd: Int64?

  /// No profiles.
  init() {}

  init(_ contexts: TLSContexts) {
    let servers = contexts.server.sorted { $0.key < $1.key }
    let clients = contexts.client.sorted { $0.key < $1.key }
    entries =
      servers.map { Entry(role: "server", profile: $0.key, certificate: $0.value.certificate) }
      + clients.map { Entry(role: "client", profile: $0.key, certificate: $0.value.certificate) }
    earliestEnd = entries.compactMap { $0.certificate?.notAfter }.min()
  }

  /// Whole days until a moment; negative once it has passed.
  static func daysLeft(_ end: Int64, at now: Int64) -> Int64 {
    let (days, rest) = (end - now).quotientAndRemainder(dividingBy: day)
    return rest < 0 ? days - 1 : days
  }

  /// Whole days that all certificates are good for; 0 when one isn't any more, or there is none.
  func daysLeft(at now: Int64) -> UInt64 { UInt64(max(0, earliestEnd.map { Self.daysLeft($0, at: now) } ?? 0)) }
}

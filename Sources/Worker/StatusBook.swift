import TLSEngine

/// What is known of the status of certificates, by the question for it. Holds so many; forgets those whose time is over.
struct StatusBook {
  /// What is known of a certificate.
  enum Status: Equatable {
    case good
    case revoked
    /// It can't be found out, and why.
    case unknown(String)
  }

  /// Certificates at most.
  static let most = 4_096
  /// How long an answer holds that doesn't say when the next is due, in seconds.
  static let shortLife: Int64 = 60
  /// How long an answer holds at most, in seconds: its own time may be years.
  static let longestLife: Int64 = 7 * 86_400
  /// How long nobody is asked again after a failure, in seconds.
  static let failureLife: Int64 = 5

  /// `since`: when it was known to be so; 0 for failures.
  private var entries: [[UInt8]: (status: Status, since: Int64, until: Int64)] = [:]

  /// How many are known.
  var count: Int { entries.count }

  /// What is known of a certificate at a moment in seconds since 1970; nil: it has to be asked.
  func status(of question: [UInt8], at now: Int64) -> Status? {
    guard let entry = entries[question], now < entry.until else { return nil }
    return entry.status
  }

  /// Keeps what an answer says, unless what is known is newer; returns what is known then. Answers can be kept and shown
  /// again, for instance by a server that was revoked meanwhile.
  mutating func note(_ answer: OCSPAnswer, to question: [UInt8], at now: Int64) -> Status {
    let next = answer.nextUpdate ?? now + Self.shortLife
    let until = min(next, now + Self.longestLife)
    if let known = newer(than: answer, question, now) { return known }
    switch answer.status {
    case .good: return keep(.good, question, answer.thisUpdate, until, now)
    case .revoked: return keep(.revoked, question, answer.thisUpdate, until, now)
    case .unknown:
      let status = Status.unknown("the responder doesn't know it")
      return keep(status, question, answer.thisUpdate, now + Self.failureLife, now)
    case .useless(let reason): return noteFailure(reason, of: question, at: now)
    }
  }

  /// Keeps that nothing can be found out for now. What was known before and holds goes on.
  mutating func noteFailure(_ reason: String, of question: [UInt8], at now: Int64) -> Status {
    if let known = status(of: question, at: now), known == .good || known == .revoked { return known }
    return keep(.unknown(reason), question, 0, now + Self.failureLife, now)
  }

  private func newer(than answer: OCSPAnswer, _ question: [UInt8], _ now: Int64) -> Status? {
    guard let entry = entries[question], now < entry.until else { return nil }
    // Of two answers at one time nobody knows the order.
    let isNewer = entry.status == .revoked ? entry.since >= answer.thisUpdate : entry.since > answer.thisUpdate
    return isNewer ? entry.status : nil
  }

  private mutating func keep(
    _ status: Status, _ question: [UInt8], _ since: Int64, _ until: Int64, _ now: Int64
  ) -> Status {
    if entries.count >= Self.most, entries[question] == nil {
      entries = entries.filter { $0.value.until > now }
      // Any will do: it is asked for again.
      if entries.count >= Self.most, let victim = entries.keys.first { entries[victim] = nil }
    }
    entries[question] = (status, since, until)
    return status
  }
}

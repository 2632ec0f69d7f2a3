import Logging
import Reactor
import Structures
import TLSEngine

/// Keeps the responses that go along with our certificates (RFC 6066 §8): fetches each, checks it, and fetches it anew at half
/// of its time.
final class StapleKeeper: DeadlineOwner {
  /// The response for one certificate.
  private struct Kept {
    var response: [UInt8] = []
    /// Until when it may be sent, in seconds since 1970.
    var until: Int64 = 0
    var next = Instant(nanoseconds: 0)
    var failures = 0
    var isAsked = false
  }

  /// How long an answer is waited for.
  private static let limit = Duration.seconds(10)
  /// How long an answer without an end is sent, in seconds; the next is fetched at half of it.
  private static let shortLife: Int64 = 600
  /// Seconds between two fetches at least and at most, when they go well.
  static let refreshes: ClosedRange<Int64> = 5...86_400
  /// Seconds to the next try after the first failure; doubled to the longest.
  private static let retries: ClosedRange<Int64> = 5...300

  private let admin: AdminChannel
  private let loop: EventLoop
  var log: Logger
  private let speaksForNode: Bool
  private var deadline: DeadlineID?
  private var certificates: [StapledCertificate] = []
  private var kept: [[UInt8]: Kept] = [:]

  init(admin: AdminChannel, loop: EventLoop, log: Logger, speaksForNode: Bool) {
    self.admin = admin
    self.loop = loop
    self.log = log
    self.speaksForNode = speaksForNode
  }

  /// Certificates with a response now.
  var count: Int { certificates.count { !(kept[$0.query.request]?.response.isEmpty ?? true) } }

  /// Whether a certificate lacks what it demands.
  var lacksDemanded: Bool {
    certificates.contains { $0.isDemanded && kept[$0.query.request]?.response.isEmpty ?? true }
  }

  /// These certificates are shown from now on; the same as before keep their responses.
  func adopt(_ certificates: [StapledCertificate]) {
    self.certificates = certificates
    let wanted = Set(certificates.map(\.query.request))
    kept = kept.filter { wanted.contains($0.key) }
    let now = System.wallSeconds
    for certificate in certificates {
      let entry = kept[certificate.query.request, default: Kept(next: loop.now)]
      kept[certificate.query.request] = entry
      if entry.until > now { certificate.staple(entry.response) }
    }
    work()
  }

  func deadlinePassed(_: DeadlineID) { work() }

  /// When a response is to be fetched anew: at half of its time, in seconds since 1970.
  static func refresh(of answer: OCSPAnswer, at now: Int64) -> Int64 {
    let end = answer.nextUpdate ?? answer.thisUpdate + shortLife
    let half = answer.thisUpdate + (end - answer.thisUpdate) / 2
    return min(max(half, now + refreshes.lowerBound), now + refreshes.upperBound)
  }

  // MARK: Steps

  private func work() {
    let now = System.wallSeconds
    for certificate in certificates {
      let key = certificate.query.request
      guard var entry = kept[key] else { continue }
      if !entry.response.isEmpty, entry.until <= now {
        entry.response = []
        spread([], key)
        tell(.error, "stapling: the answer about \(certificate.subject) has expired, none is sent along")
      }
      let isDue = !entry.isAsked && entry.next <= loop.now
      entry.isAsked = entry.isAsked || isDue
      kept[key] = entry
      if isDue { ask(certificate) }
    }
    schedule()
  }

  private func ask(_ certificate: StapledCertificate) {
    let query = certificate.query
    let problem = admin.post(query.request, mediaType: OCSPQuery.mediaType, to: query.responder, within: Self.limit) {
      [weak self] outcome in
      switch outcome {
      case .body(let octets): self?.answered(certificate, octets)
      case .failure(let reason): self?.failed(certificate, reason)
      }
      self?.schedule()
    }
    if let problem { failed(certificate, problem) }
  }

  private func answered(_ certificate: StapledCertificate, _ response: [UInt8]) {
    let key = certificate.query.request
    let answer = certificate.query.read(response)
    guard var entry = kept[key] else { return }
    switch answer.status {
    case .good: break
    case .revoked:
      entry.response = []
      kept[key] = entry
      spread([], key)
      return failed(certificate, "the certificate is REVOKED: replace it")
    case .unknown: return failed(certificate, "the responder doesn't know the certificate")
    case .useless(let reason): return failed(certificate, reason)
    }
    let now = System.wallSeconds
    let isFirst = entry.response.isEmpty
    entry = Kept(response: response, until: answer.nextUpdate ?? answer.thisUpdate + Self.shortLife)
    let seconds = Self.refresh(of: answer, at: now) - now
    entry.next = loop.now + .seconds(seconds)
    kept[key] = entry
    spread(response, key)
    let news = isFirst ? "sent along from now on" : "renewed"
    tell(.info, "stapling: the answer about \(certificate.subject) is \(news), the next is fetched in \(seconds) s")
  }

  private func failed(_ certificate: StapledCertificate, _ reason: String) {
    let key = certificate.query.request
    guard var entry = kept[key] else { return }
    entry.isAsked = false
    let wait = min(Self.retries.lowerBound << Int64(min(entry.failures, 10)), Self.retries.upperBound)
    entry.failures += 1
    entry.next = loop.now + .seconds(wait)
    kept[key] = entry
    tell(
      .warning,
      "stapling: no answer about \(certificate.subject) from \(certificate.query.responder), the next try is in \(wait) s: \(reason)"
    )
  }

  /// To all contexts that show the certificate.
  private func spread(_ response: [UInt8], _ key: [UInt8]) {
    for certificate in certificates where certificate.query.request == key { certificate.staple(response) }
  }

  private func tell(_ level: Logger.Level, _ text: String) {
    if speaksForNode { log.log(level: level, "\(text)") }
  }

  private func schedule() {
    let now = System.wallSeconds
    let times = kept.values.flatMap { entry -> [Instant] in
      let end = entry.response.isEmpty ? nil : loop.now + .seconds(max(0, entry.until - now))
      return [entry.isAsked ? nil : entry.next, end].compactMap(\.self)
    }
    let deadline = deadline ?? loop.addDeadline(self)
    self.deadline = deadline
    if let next = times.min() { loop.schedule(deadline, at: next) } else { loop.cancel(deadline) }
  }
}

import Reactor
import Structures
import TLSEngine

/// Asks again, now and then, for the status of the certificates of peers that are connected; a few at a time.
final class StatusRechecks: DeadlineOwner {
  /// Questions in a row that are sent at once; the others as answers come.
  private static let most = 8

  weak var desk: RevocationDesk?
  private let loop: EventLoop
  private var deadline: DeadlineID?
  /// By profile and role: how often, how long an answer is waited for, and when next.
  private var profiles: [String: (every: Duration, limit: Duration, next: Instant)] = [:]
  private var queue: [(query: OCSPQuery, limit: Duration)] = []

  init(loop: EventLoop) { self.loop = loop }

  /// These contexts are in force now.
  func adopt(_ contexts: TLSContexts) {
    var profiles: [String: (every: Duration, limit: Duration, next: Instant)] = [:]
    for context in Array(contexts.server.values) + Array(contexts.client.values) where context.ocsp.mode != .off {
      guard let every = context.ocsp.recheck else { continue }
      let key = Self.key(context.role, context.profile)
      let next = self.profiles[key].map { min($0.next, loop.now + every) } ?? loop.now + every
      profiles[key] = (every, context.ocsp.limit, next)
    }
    self.profiles = profiles
    schedule()
  }

  func deadlinePassed(_: DeadlineID) {
    var due: [String: Duration] = [:]
    for (key, profile) in profiles where profile.next <= loop.now {
      due[key] = profile.limit
      profiles[key]?.next = loop.now + profile.every
    }
    gather(due)
    for _ in 0..<Self.most { work() }
    schedule()
  }

  /// Sends one more question.
  func work() {
    guard let first = queue.first else { return }
    queue.removeFirst()
    // What can't be asked now is asked at the next time.
    if desk?.recheck(first.query, within: first.limit) != true { queue = [] }
  }

  private func gather(_ due: [String: Duration]) {
    var seen = Set(queue.map(\.query.request))
    for (_, chain) in desk?.peers ?? [] {
      guard let query = chain.query, let limit = due[Self.key(chain.role, chain.profile)],
        seen.insert(query.request).inserted
      else { continue }
      queue.append((query, limit))
    }
  }

  private func schedule() {
    let deadline = deadline ?? loop.addDeadline(self)
    self.deadline = deadline
    if let next = profiles.values.map(\.next).min() { loop.schedule(deadline, at: next) } else { loop.cancel(deadline) }
  }

  private static func key(_ role: TLSContext.Role, _ profile: String) -> String {
    (role == .server ? "server " : "client ") + profile
  }
}

internal import Structures

/// How a new configuration gets into force: in all workers of a node or in none. Does no I/O.
///
/// ```
///            begin                    all prepared: commit to all
///   idle ──────────────► preparing ─────────────────────────────► idle
///                            │ one refused, one gone, 10 s: abort to all
///                            └──────────────────────────────────► idle
/// ```
/// A worker that is started meanwhile got the old configuration: it is asked too, as soon as it serves.
struct ReloadMachine: Sendable {
  /// Orders to the owner.
  enum Action: Sendable, Equatable {
    /// Ask the worker of a slot whether it could serve by the new configuration.
    case prepare(slot: Int, version: UInt64)
    /// All could: the new configuration holds from now on, also for workers started from now on.
    case adopt(version: UInt64)
    /// Let the worker of a slot serve by it.
    case commit(slot: Int, version: UInt64)
    /// Let the worker of a slot forget it.
    case abort(slot: Int, version: UInt64)
    /// The old configuration stays in force.
    case refuse(Reason)
  }

  /// Why the old configuration stays in force.
  enum Reason: Sendable, Equatable {
    /// A worker can't serve by the new one.
    case refused(slot: Int, String)
    /// A worker ended meanwhile.
    case gone(slot: Int)
    /// A worker did not answer in time.
    case silent(slot: Int)
    /// The node is asked to end.
    case ends
  }

  private enum Participant: Equatable {
    /// It does not serve yet.
    case starting
    case asked
    case prepared
  }

  private enum State {
    case idle
    case preparing(version: UInt64, deadline: Instant, [Int: Participant])
  }

  /// How long all workers together may take: they read certificates and users again.
  static let prepareTime = Duration.seconds(10)

  private var state = State.idle
  private var lastVersion: UInt64 = 0

  /// Whether a configuration is being prepared.
  var isUnderWay: Bool {
    if case .preparing = state { true } else { false }
  }

  /// When ``deadlineReached(_:into:)`` is due; nil: not before another input.
  var nextDeadline: Instant? {
    if case .preparing(_, let deadline, _) = state { deadline } else { nil }
  }

  // MARK: - Inputs

  /// A new configuration has been read; `ready` are the slots whose workers serve, `starting` those whose workers will.
  mutating func begin(ready: [Int], starting: [Int], _ now: Instant, into actions: inout [Action]) {
    guard case .idle = state else { return }
    lastVersion += 1
    var participants: [Int: Participant] = [:]
    for slot in starting { participants[slot] = .starting }
    for slot in ready {
      participants[slot] = .asked
      actions.append(.prepare(slot: slot, version: lastVersion))
    }
    state = .preparing(version: lastVersion, deadline: now + Self.prepareTime, participants)
    adoptIfPrepared(&actions)
  }

  /// A worker is being started; it has the configuration in force.
  mutating func started(slot: Int) {
    guard case .preparing(let version, let deadline, var participants) = state else { return }
    participants[slot] = .starting
    state = .preparing(version: version, deadline: deadline, participants)
  }

  /// A worker serves.
  mutating func ready(slot: Int, into actions: inout [Action]) {
    guard case .preparing(let version, let deadline, var participants) = state, participants[slot] == .starting
    else { return }
    participants[slot] = .asked
    actions.append(.prepare(slot: slot, version: version))
    state = .preparing(version: version, deadline: deadline, participants)
  }

  /// A worker could serve by the configuration of a number.
  mutating func prepared(slot: Int, version: UInt64, into actions: inout [Action]) {
    guard case .preparing(version, let deadline, var participants) = state, participants[slot] == .asked else { return }
    participants[slot] = .prepared
    state = .preparing(version: version, deadline: deadline, participants)
    adoptIfPrepared(&actions)
  }

  /// A worker could not.
  mutating func refused(slot: Int, version: UInt64, _ reason: String, into actions: inout [Action]) {
    guard case .preparing(version, _, let participants) = state, participants[slot] != nil else { return }
    abort(.refused(slot: slot, reason), &actions)
  }

  /// A worker ended.
  mutating func gone(slot: Int, into actions: inout [Action]) {
    guard case .preparing(let version, let deadline, var participants) = state, participants[slot] != nil else {
      return
    }
    participants[slot] = nil
    state = .preparing(version: version, deadline: deadline, participants)
    abort(.gone(slot: slot), &actions)
  }

  /// The node is asked to end.
  mutating func stopAsked(into actions: inout [Action]) {
    if isUnderWay { abort(.ends, &actions) }
  }

  /// ``nextDeadline`` has come.
  mutating func deadlineReached(_ now: Instant, into actions: inout [Action]) {
    guard case .preparing(_, let deadline, let participants) = state, now >= deadline else { return }
    let silent = participants.filter { $0.value != .prepared }.keys.min() ?? 0
    abort(.silent(slot: silent), &actions)
  }

  // MARK: - Steps

  private mutating func adoptIfPrepared(_ actions: inout [Action]) {
    guard case .preparing(let version, _, let participants) = state,
      participants.values.allSatisfy({ $0 == .prepared })
    else { return }
    state = .idle
    actions.append(.adopt(version: version))
    for slot in participants.keys.sorted() { actions.append(.commit(slot: slot, version: version)) }
  }

  private mutating func abort(_ reason: Reason, _ actions: inout [Action]) {
    guard case .preparing(let version, _, let participants) = state else { return }
    state = .idle
    for slot in participants.keys.sorted() where participants[slot] != .starting {
      actions.append(.abort(slot: slot, version: version))
    }
    actions.append(.refuse(reason))
  }
}

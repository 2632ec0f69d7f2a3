internal import Structures

/// When the private Redis is started, started again and ended. Does no I/O.
///
/// ```
///         start              end                  back-off passed
///   off ────────► running ────────► waiting ──────────────────────► running
///                    │ stopAsked       │ stopAsked
///                    ▼                 ▼
///                 stopping ──end──► finished
/// ```
/// It never ends the node: workers serve without it what they hold themselves.
struct RedisMachine: Sendable {
  /// Orders to the owner.
  enum Action: Sendable, Equatable {
    /// Start the process.
    case spawn
    /// Ask it to write what it holds and to end.
    case terminate
    /// End it at once.
    case kill
    /// Tell the administrator.
    case report(Report)
    /// It is gone, as was asked.
    case finish
  }

  /// What the administrator should know.
  enum Report: Sendable, Equatable {
    case ended(SupervisorMachine.WorkerEnd, startsAgainAfter: Duration)
    case cutShort
  }

  /// Where it is.
  enum State: Sendable, Equatable {
    case off
    case running(since: Instant)
    case waiting(until: Instant)
    case stopping(killAt: Instant)
    case killed
    case finished
  }

  /// How long it may take to end: it only has to write what it holds of its append-only file.
  static let stopTime = Duration.seconds(5)

  private(set) var state = State.off
  /// Ends in a row without a longer time of service between them.
  private var failures = 0

  // MARK: - Inputs

  /// The process runs already.
  mutating func adopt(_ now: Instant) { state = .running(since: now) }

  /// The node starts.
  mutating func start(_ now: Instant, into actions: inout [Action]) {
    guard state == .off else { return }
    state = .running(since: now)
    actions.append(.spawn)
  }

  /// The process ended, or could not be started.
  mutating func ended(_ end: SupervisorMachine.WorkerEnd, _ now: Instant, into actions: inout [Action]) {
    switch state {
    case .running(let since):
      failures = now - since >= SupervisorMachine.stableAfter ? 1 : failures + 1
      let delay = SupervisorMachine.delay(failures: failures)
      actions.append(.report(.ended(end, startsAgainAfter: delay)))
      if delay == .zero {
        state = .running(since: now)
        actions.append(.spawn)
      } else {
        state = .waiting(until: now + delay)
      }
    case .stopping, .killed:
      finish(&actions)
    case .off, .waiting, .finished:
      break
    }
  }

  /// The workers are gone: it can end too.
  mutating func stopAsked(_ now: Instant, into actions: inout [Action]) {
    switch state {
    case .running:
      state = .stopping(killAt: now + Self.stopTime)
      actions.append(.terminate)
    case .off, .waiting:
      finish(&actions)
    case .stopping, .killed, .finished:
      break
    }
  }

  /// ``nextDeadline`` has come.
  mutating func deadlineReached(_ now: Instant, into actions: inout [Action]) {
    switch state {
    case .waiting(let until) where now >= until:
      state = .running(since: now)
      actions.append(.spawn)
    case .stopping(let killAt) where now >= killAt:
      state = .killed
      actions.append(.report(.cutShort))
      actions.append(.kill)
    case .off, .running, .waiting, .stopping, .killed, .finished:
      break
    }
  }

  // MARK: - Queries

  /// When ``deadlineReached(_:into:)`` is due; nil: not before another input.
  var nextDeadline: Instant? {
    switch state {
    case .waiting(let until): until
    case .stopping(let killAt): killAt
    case .off, .running, .killed, .finished: nil
    }
  }

  private mutating func finish(_ actions: inout [Action]) {
    state = .finished
    actions.append(.finish)
  }
}

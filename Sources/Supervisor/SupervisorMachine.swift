public import Configuration
public import Structures

/// What the supervisor decides: when workers are started, believed dead, replaced and stopped. Does no I/O.
///
/// A slot goes through
/// ```
///          spawn            ready                    silence of 3 s
///   down ────────► starting ──────► ready ─────────────────────────► killed
///    ▲               │  │ 10 s       │ exit                            │
///    │               │  └───────────┼────────────────► killed ──exit──┤
///    │               │ exit          ▼                                 │
///    │               └──────────► waiting ◄────────────────────────────┘
///    └── when stopping                │ back-off passed: starting, next generation
/// ```
/// A worker that is to be replaced stays ready until the next process of its slot has taken over from it (``SupervisorMachine+Roll``).
///
/// A first worker that ends before it was ever ready ends the supervisor: what keeps it from serving is in the
/// configuration or the host, and starting it again would only hide it.
public struct SupervisorMachine: Sendable {
  /// The state of a slot.
  enum SlotState: Sendable, Equatable {
    case down
    case starting(deadline: Instant)
    case ready(since: Instant, heard: Instant)
    case killed
    case waiting(until: Instant)
  }

  struct Slot {
    var state = SlotState.down
    var generation: UInt16 = 0
    /// The generation that was given out last.
    var lastGeneration: UInt16 = 0
    /// The process that is to take over.
    var successor: Successor?
    /// Those that were taken over from and have yet to end.
    var retired: [Retired] = []
    /// Ends in a row without a longer time of service between them.
    var failures = 0
    var wasEverReady = false
  }

  enum Phase: Equatable {
    case running
    case stopping(since: Instant, killAt: Instant)
    case finished
  }

  /// How long a worker may take to get ready: ten seconds, a thousand times what it takes.
  static let startTimeout = Duration.seconds(10)
  /// A worker that served so long had no fault from its start: its end is the first of a row.
  static let stableAfter = Duration.seconds(1)
  /// The second start in a row waits so long, each further one twice as long, up to ``longestDelay``.
  static let firstDelay = Duration.milliseconds(100)
  static let longestDelay = Duration.seconds(5)
  /// How long workers may take to drain.
  static let drainTime = Duration.seconds(5)
  /// Asking twice within this time is asking once: some programs signal a process and then its group.
  static let sameWish = Duration.seconds(1)
  /// How long workers may take to stop.
  static let stopTime = Duration.seconds(1)

  var slots: [Slot]
  private(set) var phase = Phase.running
  var isAnnounced = false
  private var status: Int32 = 0
  /// Slots whose workers are to be replaced, the one whose turn it is first.
  var replacements: [Int] = []
  /// Whether none may begin just now; see ``hold(_:_:into:)``.
  var isHeld = false

  /// A machine for so many slots, at least 1.
  public init(slots count: Int) {
    precondition(count > 0)
    slots = Array(repeating: Slot(), count: count)
  }

  // MARK: - Inputs

  /// The listeners are open: workers can start.
  public mutating func start(_ now: Instant, into actions: inout [Action]) {
    for index in slots.indices { spawn(index, now, &actions) }
  }

  /// A message came from the worker of a slot.
  public mutating func received(
    _ message: ControlMessage, slot: Int, generation: UInt16, _ now: Instant, into actions: inout [Action]
  ) {
    guard slots[slot].generation == generation else {
      return receivedFromOther(message, slot: slot, generation: generation, now, into: &actions)
    }
    switch (slots[slot].state, message) {
    case (.starting, .ready):
      slots[slot].state = .ready(since: now, heard: now)
      slots[slot].wasEverReady = true
      actions.append(.report(.started(slot: slot, generation: generation)))
      announce(&actions)
      if replacements.first == slot { replacements.removeFirst() }
      replaceNext(now, &actions)
    case (.ready(let since, _), .heartbeat), (.ready(let since, _), .ready):
      slots[slot].state = .ready(since: since, heard: now)
    case (.starting, _), (.ready, _), (.down, _), (.killed, _), (.waiting, _):
      break
    }
  }

  /// The process of a slot ended, or could not be started.
  public mutating func ended(
    _ end: WorkerEnd, slot: Int, generation: UInt16, _ now: Instant, into actions: inout [Action]
  ) {
    guard slots[slot].generation == generation else {
      return otherEnded(end, slot: slot, generation: generation, now, into: &actions)
    }
    if successorTakes(slot, end, now, into: &actions) { return }
    let state = slots[slot].state
    switch state {
    case .down, .waiting: return
    case .ready(let since, _):
      slots[slot].failures = now - since >= Self.stableAfter ? 1 : slots[slot].failures + 1
    case .starting, .killed:
      slots[slot].failures += 1
    }
    slots[slot].state = .down
    switch phase {
    case .running: restart(slot, end, after: state, now, &actions)
    case .stopping, .finished: finishIfDown(&actions)
    }
  }

  /// ``nextDeadline`` was reached.
  public mutating func deadlineReached(_ now: Instant, into actions: inout [Action]) {
    if case .stopping(_, let killAt) = phase {
      guard now >= killAt else { return }
      for index in slots.indices {
        if isAlive(index), slots[index].state != .killed {
          actions.append(.report(.cutShort(slot: index)))
          kill(index, &actions)
        }
        killOthers(index, into: &actions)
      }
      return
    }
    for index in slots.indices {
      let generation = slots[index].generation
      rollDeadlineReached(index, now, into: &actions)
      switch slots[index].state {
      case .starting(let deadline) where now >= deadline:
        actions.append(.report(.slowToStart(slot: index, generation: generation)))
        kill(index, &actions)
      case .ready(_, let heard) where now >= heard + ControlMessage.heartbeatTimeout:
        actions.append(.report(.hangs(slot: index, generation: generation)))
        kill(index, &actions)
      case .waiting(let until) where now >= until:
        spawn(index, now, &actions)
      case .down, .starting, .ready, .killed, .waiting:
        break
      }
    }
  }

  /// The administrator wants the node to end after what is under way; asked again, at once.
  public mutating func drainAsked(_ now: Instant, into actions: inout [Action]) {
    switch phase {
    case .running: stop(with: .drain, within: Self.drainTime, now, &actions)
    case .stopping(let since, _):
      if now - since >= Self.sameWish { stop(with: .stop, within: Self.stopTime, now, &actions) }
    case .finished: break
    }
  }

  /// The administrator wants the node to end at once.
  public mutating func stopAsked(_ now: Instant, into actions: inout [Action]) {
    guard phase != .finished else { return }
    stop(with: .stop, within: Self.stopTime, now, &actions)
  }

  /// The administrator wants the workers of these slots to be replaced: one after the other, each when the one before is ready.
  public mutating func restartAsked(_ indices: [Int], _ now: Instant, into actions: inout [Action]) {
    guard phase == .running else { return }
    for index in indices where slots.indices.contains(index) && !replacements.contains(index) {
      replacements.append(index)
    }
    replaceNext(now, &actions)
  }

  // MARK: - Queries

  /// When ``deadlineReached(_:into:)`` is due; nil: not before another input.
  public var nextDeadline: Instant? {
    switch phase {
    case .finished: return nil
    case .stopping(_, let killAt):
      return slots.indices.contains { isAlive($0) && slots[$0].state != .killed || slots[$0].hasOthersToKill }
        ? killAt : nil
    case .running:
      return
        (slots.compactMap { slot in
          switch slot.state {
          case .down, .killed: nil
          case .starting(let deadline): deadline
          case .ready(_, let heard): heard + ControlMessage.heartbeatTimeout
          case .waiting(let until): until
          }
        } + slots.flatMap(\.rollDeadlines)).min()
    }
  }

  /// The slots whose workers serve.
  var readySlots: [Int] {
    slots.indices.filter { if case .ready = slots[$0].state { true } else { false } }
  }

  /// The slots whose workers were started and don't serve yet.
  var startingSlots: [Int] {
    slots.indices.filter { if case .starting = slots[$0].state { true } else { false } }
  }

  /// The state of a slot, for tests.
  func state(of slot: Int) -> SlotState { slots[slot].state }

  /// The state of a slot in a word, for administrators.
  func stateName(of slot: Int) -> String {
    switch slots[slot].state {
    case .down: "down"
    case .starting: "starting"
    case .ready:
      if slots[slot].successor != nil { "hands over" } else { replacements.contains(slot) ? "to be replaced" : "ready" }
    case .killed: "killed"
    case .waiting: "waiting"
    }
  }

  // MARK: - Steps

  /// Lets the next worker that is to be replaced leave, unless one is being replaced. One that doesn't serve is being replaced anyway.
  mutating func replaceNext(_ now: Instant, _ actions: inout [Action]) {
    guard phase == .running, !isHeld else { return }
    while let index = replacements.first {
      switch slots[index].state {
      case .ready: return spawnSuccessor(index, now, into: &actions)
      case .killed, .starting, .waiting, .down: return
      }
    }
  }

  private mutating func spawn(_ index: Int, _ now: Instant, _ actions: inout [Action]) {
    // 65,535 generations later the oldest name comes back: connections of that process are long gone.
    slots[index].generation = nextGeneration(index)
    slots[index].state = .starting(deadline: now + Self.startTimeout)
    actions.append(.spawn(slot: index, generation: slots[index].generation))
  }

  mutating func nextGeneration(_ index: Int) -> UInt16 {
    slots[index].lastGeneration = slots[index].lastGeneration == .max ? 1 : slots[index].lastGeneration + 1
    return slots[index].lastGeneration
  }

  private mutating func kill(_ index: Int, _ actions: inout [Action]) {
    slots[index].state = .killed
    actions.append(.kill(slot: index))
  }

  private mutating func restart(
    _ index: Int, _ end: WorkerEnd, after state: SlotState, _ now: Instant, _ actions: inout [Action]
  ) {
    guard slots[index].wasEverReady else {
      actions.append(.report(.neverReady(slot: index, end)))
      status = 1
      stop(with: .stop, within: Self.stopTime, now, &actions)
      return
    }
    var whileStarting = false
    if case .starting = state { whileStarting = true }
    let generation = slots[index].generation
    actions.append(.report(.ended(slot: index, generation: generation, end, whileStarting: whileStarting)))
    // Processes that were to take over, or had been taken over from, have nothing that could be reached.
    actions.append(
      .tellOthers(than: index, .slotEnded(slot: UInt16(index), generation: slots[index].lastGeneration)))
    let delay = Self.delay(failures: slots[index].failures)
    actions.append(.report(.startsAgain(slot: index, after: delay)))
    if delay == .zero {
      spawn(index, now, &actions)
    } else {
      slots[index].state = .waiting(until: now + delay)
    }
  }

  /// None after the first end of a row, then 100 ms, doubled each time up to 5 s.
  static func delay(failures: Int) -> Duration {
    failures <= 1 ? .zero : min(firstDelay * (1 << min(failures - 2, 16)), longestDelay)
  }

  private mutating func stop(
    with message: ControlMessage, within time: Duration, _ now: Instant, _ actions: inout [Action]
  ) {
    var killAt = now + time
    var since = now
    if case .stopping(let first, let earlier) = phase { (since, killAt) = (first, min(killAt, earlier)) }
    phase = .stopping(since: since, killAt: killAt)
    for index in slots.indices {
      switch slots[index].state {
      case .down, .waiting: slots[index].state = .down
      case .starting, .ready: actions.append(.send(slot: index, message))
      case .killed: break
      }
      endRoll(index, with: message, into: &actions)
    }
    finishIfDown(&actions)
  }

  mutating func finishIfDown(_ actions: inout [Action]) {
    guard !slots.indices.contains(where: { isAlive($0) || slots[$0].hasOthers }) else { return }
    phase = .finished
    actions.append(.finish(status: status))
  }

  private func isAlive(_ index: Int) -> Bool {
    switch slots[index].state {
    case .down, .waiting: false
    case .starting, .ready, .killed: true
    }
  }

  private mutating func announce(_ actions: inout [Action]) {
    guard !isAnnounced, slots.allSatisfy(\.wasEverReady) else { return }
    isAnnounced = true
    actions.append(.announceReady)
  }
}

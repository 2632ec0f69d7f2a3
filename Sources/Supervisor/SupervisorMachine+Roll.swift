internal import Configuration
internal import Structures

/// Replacing workers while they serve: one slot after the other, each by a process that takes everything over from the one before.
///
/// ```
///   successor:  starting ──ready──► taking over ──tookOver──► it is the slot's process; the one before is retired until it ends
///                  │ end, 10 s           │ end, 60 s
///                  └─────────────────────┴──► the one before goes on, and no other slot is replaced
/// ```
/// At most two earlier processes of a slot live: before there are three, the roll waits.
extension SupervisorMachine {
  /// A process that is to take a slot over.
  struct Successor: Sendable {
    let generation: UInt16
    /// When it must be ready, or have taken over.
    var deadline: Instant
    var isTakingOver = false
    var isKilled = false
  }

  /// A process that was taken over from.
  struct Retired: Sendable {
    let generation: UInt16
    let killAt: Instant
    var isKilled = false
  }

  /// A machine whose workers serve, of these generations and with the generation that was given out last of each slot, and processes that were
  /// taken over from, with the time that is left to each. They were started by the program before.
  init(
    inheriting workers: [(generation: UInt16, last: UInt16)],
    retired: [(slot: Int, generation: UInt16, left: Duration)], _ now: Instant
  ) {
    self.init(slots: workers.count)
    isAnnounced = true
    for (index, worker) in workers.enumerated() {
      slots[index].state = .ready(since: now, heard: now)
      (slots[index].generation, slots[index].lastGeneration) = (worker.generation, worker.last)
      slots[index].wasEverReady = true
    }
    for (slot, generation, left) in retired {
      slots[slot].retired.append(Retired(generation: generation, killAt: now + left))
    }
  }

  /// Whether all slots serve and no process is on its way to take one over, or waits to be replaced.
  var isQuiet: Bool { readySlots.count == slots.count && !isHandingOver && replacements.isEmpty && phase == .running }

  /// How long a process that was taken over from may go on.
  func timeLeft(_ slot: Int, _ generation: UInt16, _ now: Instant) -> Duration {
    slots[slot].retired.first { $0.generation == generation }.map { max(.zero, $0.killAt - now) } ?? .zero
  }

  /// How long a process may take to take everything over.
  static let takeOverTime = Duration.seconds(60)
  /// How long a process that was taken over from may go on with what it has begun: longer than any transaction lasts.
  static let retiredTime = Duration.seconds(200)
  static let mostRetired = 2

  /// Whether a process is on its way to take a slot over.
  var isHandingOver: Bool { slots.contains { $0.successor != nil } }

  /// No worker is replaced from now on, or the next one is: a process that is started must have the settings that all have.
  mutating func hold(_ holds: Bool, _ now: Instant, into actions: inout [Action]) {
    if holds == isHeld { return }
    isHeld = holds
    if !holds { replaceNext(now, &actions) }
  }

  /// Starts the process that takes over, unless earlier ones have yet to end.
  mutating func spawnSuccessor(_ index: Int, _ now: Instant, into actions: inout [Action]) {
    guard slots[index].successor == nil, slots[index].retired.count < Self.mostRetired else { return }
    let generation = nextGeneration(index)
    slots[index].successor = Successor(generation: generation, deadline: now + Self.startTimeout)
    actions.append(.report(.replaces(slot: index, generation: slots[index].generation)))
    actions.append(.spawnSuccessor(slot: index, generation: generation))
  }

  /// A message came from a process that isn't the slot's.
  mutating func receivedFromOther(
    _ message: ControlMessage, slot: Int, generation: UInt16, _ now: Instant, into actions: inout [Action]
  ) {
    guard var successor = slots[slot].successor, successor.generation == generation, !successor.isKilled else { return }
    switch message {
    case .ready where !successor.isTakingOver:
      successor.isTakingOver = true
      successor.deadline = now + Self.takeOverTime
      slots[slot].successor = successor
      actions.append(.handOver(slot: slot))
    case .tookOver where successor.isTakingOver:
      slots[slot].retired.append(Retired(generation: slots[slot].generation, killAt: now + Self.retiredTime))
      promote(slot, now, into: &actions)
    default: break
    }
  }

  private mutating func promote(_ slot: Int, _ now: Instant, into actions: inout [Action]) {
    guard let successor = slots[slot].successor else { return }
    slots[slot].successor = nil
    slots[slot].generation = successor.generation
    slots[slot].state = .ready(since: now, heard: now)
    actions.append(.promote(slot: slot))
    actions.append(.report(.started(slot: slot, generation: successor.generation)))
    if replacements.first == slot { replacements.removeFirst() }
    replaceNext(now, &actions)
  }

  /// The slot's process has ended. True when the one that was taking over has the slot now.
  mutating func successorTakes(_ slot: Int, _ end: WorkerEnd, _ now: Instant, into actions: inout [Action]) -> Bool {
    guard let successor = slots[slot].successor, !successor.isKilled else { return false }
    guard successor.isTakingOver, phase == .running else {
      // It has nothing yet: the slot is started anew, as after any end.
      slots[slot].successor = nil
      slots[slot].retired.append(Retired(generation: successor.generation, killAt: now, isKilled: true))
      actions.append(.killOther(slot: slot, generation: successor.generation))
      return false
    }
    actions.append(.report(.ended(slot: slot, generation: slots[slot].generation, end, whileStarting: false)))
    promote(slot, now, into: &actions)
    return true
  }

  /// A process has ended that isn't the slot's.
  mutating func otherEnded(
    _ end: WorkerEnd, slot: Int, generation: UInt16, _ now: Instant, into actions: inout [Action]
  ) {
    if let successor = slots[slot].successor, successor.generation == generation {
      slots[slot].successor = nil
      replacements = []
      if phase == .running {
        actions.append(.report(.ended(slot: slot, generation: generation, end, whileStarting: true)))
        actions.append(.report(.rollEnded(slot: slot)))
        if successor.isTakingOver { actions.append(.send(slot: slot, .goOn)) }
      }
    }
    slots[slot].retired.removeAll { $0.generation == generation }
    if phase == .running { replaceNext(now, &actions) } else { finishIfDown(&actions) }
  }

  mutating func rollDeadlineReached(_ index: Int, _ now: Instant, into actions: inout [Action]) {
    if let successor = slots[index].successor, !successor.isKilled, now >= successor.deadline {
      actions.append(.report(.slowToStart(slot: index, generation: successor.generation)))
      killSuccessor(index, into: &actions)
    }
    for position in slots[index].retired.indices where !slots[index].retired[position].isKilled {
      guard now >= slots[index].retired[position].killAt else { continue }
      slots[index].retired[position].isKilled = true
      actions.append(.report(.cutShort(slot: index)))
      actions.append(.killOther(slot: index, generation: slots[index].retired[position].generation))
    }
  }

  private mutating func killSuccessor(_ slot: Int, into actions: inout [Action]) {
    guard let successor = slots[slot].successor, !successor.isKilled else { return }
    slots[slot].successor?.isKilled = true
    actions.append(.killOther(slot: slot, generation: successor.generation))
  }

  /// The node ends: so do processes that are on their way in or out.
  mutating func endRoll(_ index: Int, with message: ControlMessage, into actions: inout [Action]) {
    replacements = []
    killSuccessor(index, into: &actions)
    for retired in slots[index].retired where !retired.isKilled {
      actions.append(.sendOther(slot: index, generation: retired.generation, message))
    }
  }

  mutating func killOthers(_ index: Int, into actions: inout [Action]) {
    killSuccessor(index, into: &actions)
    for position in slots[index].retired.indices where !slots[index].retired[position].isKilled {
      slots[index].retired[position].isKilled = true
      actions.append(.killOther(slot: index, generation: slots[index].retired[position].generation))
    }
  }
}

extension SupervisorMachine.Slot {
  /// Whether processes live that aren't the slot's.
  var hasOthers: Bool { successor != nil || !retired.isEmpty }
  var hasOthersToKill: Bool { successor?.isKilled == false || retired.contains { !$0.isKilled } }

  var rollDeadlines: [Instant] {
    var deadlines = retired.filter { !$0.isKilled }.map(\.killAt)
    if let successor, !successor.isKilled { deadlines.append(successor.deadline) }
    return deadlines
  }
}

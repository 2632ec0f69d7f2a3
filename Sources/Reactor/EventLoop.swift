import CLinux
import Structures

/// One thread's loop over epoll: tells handlers that their descriptors are ready and owners that their deadlines passed.
///
/// A turn waits, reads the clock once, delivers events, then deadlines. Before it waits and at its end it runs the hooks
/// of ``TurnPhase/decide``, then those of ``TurnPhase/flush``. Handlers may register, unregister and schedule whatever they like meanwhile: an event that was
/// fetched for a descriptor since closed, or closed and opened anew, is recognised by its generation and dropped.
public final class EventLoop {
  /// The two kinds of work at the end of a turn, in this order.
  public enum TurnPhase: Sendable {
    /// Draws conclusions from what happened; may send.
    case decide
    /// Writes what was sent.
    case flush
  }

  private struct Registration {
    var handler: (any EventHandler)?
    var generation: UInt32 = 0
    var interest: Events = []
  }

  private static let batchCapacity = 256

  private let epoll: Descriptor
  private var registrations: [Registration] = []
  private var batch = [clinux_event](repeating: clinux_event(), count: batchCapacity)
  private var wheel: TimerWheel
  private var owners: [(any DeadlineOwner)?] = []
  private var freePositions: [UInt32] = []
  private var decideHooks: [() -> Void] = []
  private var flushHooks: [() -> Void] = []
  private var turnsAgain = false
  private var isStopped = false

  /// The clock as it was when the current turn began; outside a turn, when the last one did.
  public private(set) var now: Instant
  /// What the loop did so far.
  public private(set) var counters = LoopCounters()

  /// A loop without handlers. Throws when the system has no descriptor left.
  public init() throws(SystemError) {
    epoll = Descriptor(owning: try SystemError.check("epoll_create1", clinux_epoll_create()))
    now = System.monotonicNow
    wheel = TimerWheel(start: now)
  }

  // MARK: Descriptors

  /// Reports `interest` of a descriptor to `handler` until ``unregister(_:)``, which must come before the descriptor is
  /// closed. The loop keeps the handler alive meanwhile.
  public func register(_ descriptor: Int32, _ interest: Events, handler: any EventHandler) throws(SystemError) {
    precondition(descriptor >= 0)
    let index = Int(descriptor)
    while registrations.count <= index { registrations.append(Registration()) }
    precondition(registrations[index].handler == nil, "descriptor registered twice")
    try control(clinux_epoll_add, descriptor, interest)
    registrations[index].handler = handler
    registrations[index].interest = interest
    counters.descriptors += 1
  }

  /// Changes what is reported of a registered descriptor; costs nothing when it is that already.
  public func modify(_ descriptor: Int32, _ interest: Events) {
    guard isRegistered(descriptor), registrations[Int(descriptor)].interest != interest else { return }
    // It can only fail for want of kernel memory; the old interest then stays and the next change tries again.
    guard (try? control(clinux_epoll_modify, descriptor, interest)) != nil else { return }
    registrations[Int(descriptor)].interest = interest
  }

  /// Reports nothing more of the descriptor, not even what was fetched in this turn already.
  public func unregister(_ descriptor: Int32) {
    guard isRegistered(descriptor) else { return }
    _ = clinux_epoll_control(epoll.number, clinux_epoll_delete, descriptor, 0, 0)
    registrations[Int(descriptor)].handler = nil
    registrations[Int(descriptor)].generation &+= 1
    counters.descriptors -= 1
  }

  private func isRegistered(_ descriptor: Int32) -> Bool {
    descriptor >= 0 && Int(descriptor) < registrations.count && registrations[Int(descriptor)].handler != nil
  }

  private func control(_ operation: Int32, _ descriptor: Int32, _ interest: Events) throws(SystemError) {
    let data = UInt64(registrations[Int(descriptor)].generation) << 32 | UInt64(descriptor)
    let result = clinux_epoll_control(epoll.number, operation, descriptor, interest.rawValue, data)
    try SystemError.check("epoll_ctl", result)
  }

  // MARK: Deadlines

  /// Makes room for one deadline of `owner`, which the loop keeps alive until ``removeDeadline(_:)``.
  public func addDeadline(_ owner: any DeadlineOwner) -> DeadlineID {
    counters.deadlines += 1
    if let position = freePositions.popLast() {
      owners[Int(position)] = owner
      return DeadlineID(position: position)
    }
    owners.append(owner)
    return DeadlineID(position: UInt32(owners.count - 1))
  }

  /// Sets the deadline, in place of an earlier setting. It is reported at it or up to 4.2 ms later, never before.
  public func schedule(_ deadline: DeadlineID, at instant: Instant) {
    wheel.schedule(deadline.position, at: instant)
  }

  /// Forgets the setting.
  public func cancel(_ deadline: DeadlineID) {
    wheel.cancel(deadline.position)
  }

  /// Gives the deadline up: its name may be given to another owner.
  public func removeDeadline(_ deadline: DeadlineID) {
    guard owners[Int(deadline.position)] != nil else { return }
    wheel.cancel(deadline.position)
    owners[Int(deadline.position)] = nil
    freePositions.append(deadline.position)
    counters.deadlines -= 1
  }

  // MARK: Turns

  /// Runs `hook` before the loop waits and at the end of each turn, for as long as the loop lives. Hooks of a phase run in the order of their arrival.
  public func addHook(_ phase: TurnPhase, _ hook: @escaping () -> Void) {
    switch phase {
    case .decide: decideHooks.append(hook)
    case .flush: flushHooks.append(hook)
    }
  }

  /// The next turn doesn't wait: somebody left work for it.
  public func turnAgain() { turnsAgain = true }

  /// Turns until ``stop()``.
  public func run() throws(SystemError) {
    isStopped = false
    while !isStopped { try runOnce(until: nil) }
  }

  /// Ends ``run()`` after the current turn.
  public func stop() { isStopped = true }

  /// One turn: waits for events, for the next deadline, or until `limit` (nil: for ever), whichever comes first.
  public func runOnce(until limit: Instant?) throws(SystemError) {
    // What was sent outside a turn, at start for instance, must not wait for the first event.
    runHooks()
    let wait = waitMilliseconds(until: limit)
    let count = batch.withUnsafeMutableBufferPointer {
      clinux_epoll_wait(epoll.number, $0.baseAddress, Int32($0.count), wait)
    }
    now = System.monotonicNow
    try SystemError.check("epoll_wait", count)
    for index in 0..<Int(count) { deliver(batch[index]) }
    while let position = wheel.popExpired(now) {
      owners[Int(position)]?.deadlinePassed(DeadlineID(position: position))
    }
    runHooks()
    counters.turns += 1
    counters.record(turn: System.monotonicNow - now)
  }

  private func waitMilliseconds(until limit: Instant?) -> Int32 {
    defer { turnsAgain = false }
    if turnsAgain { return 0 }
    let next = min(limit ?? .distantFuture, wheel.nextDeadline ?? .distantFuture)
    if next == .distantFuture { return -1 }
    let ahead = next.nanoseconds - System.monotonicNow.nanoseconds
    if ahead <= 0 { return 0 }
    // Rounded up: waking early would only mean to wait again.
    return Int32(clamping: (ahead - 1) / 1_000_000 + 1)
  }

  private func deliver(_ event: clinux_event) {
    let index = Int(event.data & 0xFFFF_FFFF)
    let generation = UInt32(truncatingIfNeeded: event.data >> 32)
    guard index < registrations.count, registrations[index].generation == generation,
      let handler = registrations[index].handler
    else {
      counters.staleEvents += 1
      return
    }
    counters.events += 1
    handler.ready(Events(rawValue: event.events))
  }

  private func runHooks() {
    for hook in decideHooks { hook() }
    for hook in flushHooks { hook() }
  }
}

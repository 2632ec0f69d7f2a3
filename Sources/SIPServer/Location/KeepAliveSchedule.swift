import Structures

/// When which UDP binding is kept alive next, and how often in a row its client gave no answer.
///
/// Owned by ``ServerCore``; named by the handles of ``OwnedBindings``, at whose positions its own lists lie. A handle whose binding is gone comes
/// up once more at most.
struct KeepAliveSchedule {
  private struct State {
    var name: UInt64 = 0
    var generation: UInt32 = 0
    var missed: UInt16 = 0
    /// That of the question which is not answered yet; generation 0 when there is none.
    var transaction = SlotHandle(index: 0, generation: 0)
    var wasRefused = false
  }

  private var states: [State] = []
  /// Where each binding, whatever its flow, is kept alive: a client that came from a new address isn't looked for at its old one.
  private var places: [UInt64: SlotHandle] = [:]
  private var wheel: TimerWheel

  init(start: Instant) { wheel = TimerWheel(start: start) }

  /// How many bindings are kept alive.
  var count: Int { wheel.count }
  /// When ``popExpired(_:)`` should be asked next; nil when there is none.
  var nextDeadline: Instant? { wheel.nextDeadline }

  /// Begins to keep a binding alive; `name` is the same for the same binding over another flow, which is left to itself.
  mutating func start(_ handle: SlotHandle, name: UInt64, at instant: Instant) {
    let position = Int(handle.index)
    while states.count <= position { states.append(State()) }
    stop(SlotHandle(index: handle.index, generation: states[position].generation))
    if let old = places[name] { stop(old) }
    places[name] = handle
    states[position] = State(name: name, generation: handle.generation)
    wheel.schedule(handle.index, at: instant)
  }

  mutating func schedule(_ handle: SlotHandle, at instant: Instant) {
    if isKnown(handle) { wheel.schedule(handle.index, at: instant) }
  }

  /// Takes one that is due.
  mutating func popExpired(_ now: Instant) -> SlotHandle? {
    while let position = wheel.popExpired(now) {
      let handle = SlotHandle(index: position, generation: states[Int(position)].generation)
      if handle.generation != 0 { return handle }
    }
    return nil
  }

  /// Ends it.
  mutating func stop(_ handle: SlotHandle) {
    guard isKnown(handle) else { return }
    let name = states[Int(handle.index)].name
    if places[name] == handle { places[name] = nil }
    wheel.cancel(handle.index)
    states[Int(handle.index)] = State()
  }

  /// A question was sent.
  mutating func asked(_ handle: SlotHandle, by transaction: SlotHandle) {
    if isKnown(handle) { states[Int(handle.index)].transaction = transaction }
  }

  /// The transaction of the question that is not answered yet; nil when there is none.
  func openTransaction(_ handle: SlotHandle) -> SlotHandle? {
    guard isKnown(handle), states[Int(handle.index)].transaction.generation != 0 else { return nil }
    return states[Int(handle.index)].transaction
  }

  /// The client gave a sign of life.
  mutating func answered(_ handle: SlotHandle) {
    guard isKnown(handle) else { return }
    let name = states[Int(handle.index)].name
    states[Int(handle.index)] = State(name: name, generation: handle.generation)
  }

  /// The client gave no answer; returns how often now.
  mutating func missed(_ handle: SlotHandle) -> Int {
    guard isKnown(handle) else { return 0 }
    let position = Int(handle.index)
    states[position].transaction = SlotHandle(index: 0, generation: 0)
    if states[position].missed < .max { states[position].missed += 1 }
    return Int(states[position].missed)
  }

  /// The network says that the client isn't there; returns how often it gave no answer now, and 0 when a question is open, which then fails.
  mutating func refused(_ handle: SlotHandle) -> Int {
    guard isKnown(handle), openTransaction(handle) == nil else { return 0 }
    states[Int(handle.index)].wasRefused = true
    return missed(handle)
  }

  /// What was sent last brought no refusal: where no answer is asked for, that must do.
  mutating func passedUnanswerable(_ handle: SlotHandle) {
    guard isKnown(handle) else { return }
    let position = Int(handle.index)
    if !states[position].wasRefused { states[position].missed = 0 }
    states[position].wasRefused = false
  }

  private func isKnown(_ handle: SlotHandle) -> Bool {
    Int(handle.index) < states.count && handle.generation != 0
      && states[Int(handle.index)].generation == handle.generation
  }
}

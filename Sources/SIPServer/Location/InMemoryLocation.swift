import Structures

/// The bindings of all addresses of record, in memory: the model of every location (RFC 3261 §10.3, §16.5).
///
/// Owned by one thread. Times are Unix seconds. A binding that has ended is not there, whether or not it was removed already. A lookup
/// allocates nothing unless a binding has just ended.
public struct InMemoryLocation {
  private struct Entry {
    let aor: [UInt8]
    let hash: UInt64
    var set: BindingSet
  }

  private var entries = SlotTable<Entry>()
  private var index = HashIndex()
  private var wheel: TimerWheel
  /// How many live or not yet removed bindings there are.
  public private(set) var bindingCount = 0
  private var lapsedCount = 0
  /// How many bindings there may be; a mere refresh is always possible.
  private let maximum: Int

  /// An empty location; `now` is the present, `maximum` the most bindings that it takes.
  public init(now: Int64, maximum: Int = .max) {
    self.maximum = maximum
    wheel = TimerWheel(start: Instant(unixSeconds: now))
  }

  /// How many addresses of record have bindings, or had some that lapsed with their flow.
  public var count: Int { entries.count }

  /// The live bindings of an address of record; nil when there is none. A set without bindings tells of some that lapsed with their flow.
  public mutating func lookup(aor: Span<UInt8>, now: Int64) -> BindingSet? {
    guard let position = find(aor), let set = set(at: position) else { return nil }
    if set.earliestExpiry > now { return set }
    let live = set.live(at: now)
    store(live, at: position)
    return live.isVacant ? nil : live
  }

  /// Carries out an update, all of it or nothing.
  public mutating func update(_ update: RegistrationUpdate) -> UpdateOutcome {
    let present = lookup(aor: update.aor.span, now: update.now) ?? .empty
    let outcome = update.applied(to: present)
    guard case .done(let set, _) = outcome, set !== present else { return outcome }
    if set.count > present.count, set.count - present.count > maximum - bindingCount { return .full }
    store(set, aor: update.aor)
    return outcome
  }

  /// Removes the bindings of an address of record whose stored flow still is `flow`, and no others: the client may have registered
  /// again elsewhere, and a client behind a proxy is not gone with that proxy's connection (``Binding/isDirect``). Returns how many were
  /// removed.
  @discardableResult
  public mutating func remove(aor: Span<UInt8>, flow: FlowID) -> Int {
    guard let position = find(aor), let set = set(at: position) else { return 0 }
    let rest = set.withoutFlow(flow, limit: min(BindingSet.maxLapsed, maximum - lapsedCount + set.lapsed.count))
    if rest !== set { store(rest, at: position) }
    return set.count - rest.count
  }

  /// When ``removeExpired(_:limit:)`` should be called next, in Unix seconds; nil when nothing is stored. May be early; late by
  /// a second at most.
  public var nextExpiry: Int64? {
    wheel.nextDeadline.map(\.unixSecondsRoundedUp)
  }

  /// Removes what has ended, of at most `limit` addresses of record; returns how many bindings were removed. Lookups don't depend on it.
  @discardableResult
  public mutating func removeExpired(_ now: Int64, limit: Int = 1_000) -> Int {
    let before = bindingCount
    for _ in 0..<limit {
      guard let position = wheel.popExpired(Instant(unixSeconds: now)) else { break }
      if let set = set(at: position) { store(set.live(at: now), at: position) }
    }
    return before - bindingCount
  }

  private func find(_ aor: Span<UInt8>) -> UInt32? {
    index.find(Self.hash(aor)) { position in
      entries.handle(at: position).flatMap { entries[$0] }.map { $0.aor.span.equals(aor) } ?? false
    }
  }

  private func set(at position: UInt32) -> BindingSet? {
    entries.handle(at: position).flatMap { entries[$0] }?.set
  }

  private mutating func store(_ set: BindingSet, aor: [UInt8]) {
    if let position = find(aor.span) {
      store(set, at: position)
    } else if !set.isVacant {
      let entry = Entry(aor: aor, hash: Self.hash(aor.span), set: set)
      let handle = entries.insert(entry)
      index.insert(entry.hash, handle.index)
      bindingCount += set.count
      lapsedCount += set.lapsed.count
      wheel.schedule(handle.index, at: Instant(unixSeconds: set.earliestExpiry))
    }
  }

  /// Replaces the set at a position; a vacant one takes the address of record away.
  private mutating func store(_ set: BindingSet, at position: UInt32) {
    guard let handle = entries.handle(at: position), let entry = entries[handle] else { return }
    bindingCount += set.count - entry.set.count
    lapsedCount += set.lapsed.count - entry.set.lapsed.count
    if set.isVacant {
      index.remove(entry.hash, position)
      entries.remove(handle)
      wheel.cancel(position)
    } else {
      entries.update(handle) { $0.set = set }
      wheel.schedule(position, at: Instant(unixSeconds: set.earliestExpiry))
    }
  }

  /// Keyed per process, as the addresses are chosen by peers.
  private static func hash(_ aor: Span<UInt8>) -> UInt64 {
    var hasher = Hasher()
    aor.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

import Structures

/// Which nonces are in use, by which flow and how often: so that no answer to a challenge counts twice (RFC 7616 §3.3, §5.5).
///
/// A nonce belongs to the first flow that uses it. Its first use has to come soon after it was given out; so a nonce whose flow is gone
/// has to be remembered for that time only, and an unknown nonce that is older was used before or comes from elsewhere. The table is
/// bounded: where it is full it forgets what it has known longest, and refuses unknown nonces that are not younger than that.
///
/// A nonce that may have been used at another worker is claimed first, once for all workers; meanwhile its flow waits.
struct NonceTable {
  /// How soon after its issue a nonce has to be used for the first time, in seconds. A client that is later is told that its nonce
  /// is stale and uses another without asking its user.
  static let firstUse: Int64 = 30

  /// What a use of a nonce comes to.
  enum Use {
    /// It is good.
    case accepted
    /// It is good, and the first one of a nonce that belongs to the flow from now on.
    case first
    /// The nonce has to be claimed; ``claimed(_:_:)`` is awaited.
    case toClaim
    /// The nonce is being claimed for this flow.
    case waiting
    /// The nonce must not be used so: by another flow than its own, with a count that was used, or for the first time too late.
    case refused
  }

  private enum State {
    /// Another worker may have seen it; the answer is on its way.
    case claiming
    /// Claimed, not used yet.
    case fresh
    /// Used.
    case used
  }

  private struct Entry {
    let nonce: Nonce
    var state: State
    /// The flow that it belongs to; nil when that is gone.
    var flow: FlowID? = nil
    /// The highest count used.
    var highest: UInt32 = 0
    /// Which of the 64 counts up to the highest were used; the lowest bit stands for the highest.
    var used: UInt64 = 0
    /// The neighbours in the list of its flow.
    var next = NonceTable.none
    var previous = NonceTable.none
  }

  private static let none = UInt32.max

  private var entries = SlotTable<Entry>()
  private var byWord = HashIndex()
  /// The first entry of each flow: one flow may have all the nonces there are.
  private var heads: [FlowID: UInt32] = [:]
  private var wheel: TimerWheel
  private let capacity: Int
  /// How long a nonce in use is remembered after its issue, in seconds.
  private let lifetime: Int64
  /// Where to forget next when the table is full: positions are filled in turn, so this is about the one filled longest ago.
  private var oldest: UInt32 = 0
  /// Unknown nonces issued then or before are refused: they might have been forgotten.
  private var forgotten = Int64.min
  /// The latest time heard of, in Unix seconds.
  private var latest: Int64

  init(capacity: Int, lifetime: Int64, now: Int64) {
    self.capacity = max(capacity, 1)
    self.lifetime = lifetime
    latest = now
    wheel = TimerWheel(start: Instant(unixSeconds: now))
  }

  /// How many nonces are remembered.
  var count: Int { entries.count }

  /// Notes a use of a genuine nonce.
  ///
  /// `count` is `nc`. Over a stream it must rise with each use; datagrams overtake each other, so there it may be any of
  /// the last 64 that was not used. nil, for a client that doesn't count, uses the nonce up. `isSole` tells that nobody but this worker can have seen a
  /// first use of the nonce; else it is claimed, unless `mayClaim` is false.
  mutating func use(_ nonce: Nonce, flow: FlowID, count: UInt32?, isSole: Bool, mayClaim: Bool, now: Int64) -> Use {
    removeExpired(now)
    guard let position = byWord.find(nonce.word, { self[$0]?.nonce == nonce }) else {
      guard now - nonce.issued <= Self.firstUse, nonce.issued > forgotten, isSole || mayClaim else { return .refused }
      var entry = Entry(nonce: nonce, state: isSole ? .fresh : .claiming)
      if isSole { Self.note(count, in: &entry, isStream: flow.isStream) }
      insert(entry, of: flow)
      return isSole ? .first : .toClaim
    }
    guard let handle = entries.handle(at: position), var entry = entries[handle] else { return .refused }
    let isUnbound = entry.flow == nil
    guard isUnbound || entry.flow == flow else { return .refused }
    if entry.state == .claiming { return isUnbound || !mayClaim ? .refused : .waiting }
    guard Self.note(count, in: &entry, isStream: flow.isStream) else { return .refused }
    entries.update(handle) { $0 = entry }
    if isUnbound {
      link(handle, to: flow)
      schedule(position, isBound: true, entry.nonce)
    }
    return .accepted
  }

  /// The answer to a claim has come. What was taken is remembered as used up, so that it isn't claimed again; where nobody can say, nothing is.
  mutating func claimed(_ nonce: Nonce, _ outcome: ClaimOutcome) {
    guard let position = byWord.find(nonce.word, { self[$0]?.nonce == nonce }),
      let handle = entries.handle(at: position),
      entries[handle]?.state == .claiming
    else { return }
    switch outcome {
    case .granted: entries.update(handle) { $0.state = .fresh }
    case .unavailable: remove(position)
    case .taken:
      unlink(handle)
      entries.update(handle) {
        $0.state = .used
        $0.highest = .max
        $0.used = .max
      }
      schedule(position, isBound: false, nonce)
    }
  }

  /// Lets go of the nonces of a flow that is gone.
  mutating func flowClosed(_ flow: FlowID) {
    while let position = heads[flow], let handle = entries.handle(at: position), let entry = entries[handle] {
      unlink(handle)
      if latest - entry.nonce.issued > Self.firstUse {
        remove(position)
      } else {
        schedule(position, isBound: false, entry.nonce)
      }
    }
  }

  /// Forgets what needs not be remembered any longer.
  mutating func removeExpired(_ now: Int64) {
    latest = max(latest, now)
    while let position = wheel.popExpired(Instant(unixSeconds: now)) { remove(position) }
  }

  private subscript(position: UInt32) -> Entry? {
    entries.handle(at: position).flatMap { entries[$0] }
  }

  private mutating func insert(_ entry: Entry, of flow: FlowID) {
    if entries.count >= capacity {
      forgotten = max(forgotten, self[oldest]?.nonce.issued ?? forgotten)
      remove(oldest)
      oldest = (oldest + 1) % UInt32(truncatingIfNeeded: capacity)
    }
    let handle = entries.insert(entry)
    byWord.insert(entry.nonce.word, handle.index)
    link(handle, to: flow)
    schedule(handle.index, isBound: true, entry.nonce)
  }

  private mutating func remove(_ position: UInt32) {
    guard let handle = entries.handle(at: position) else { return }
    unlink(handle)
    guard let entry = entries.remove(handle) else { return }
    byWord.remove(entry.nonce.word, position)
    wheel.cancel(position)
  }

  /// Remembers an entry to the last second at which its nonce would be accepted.
  private mutating func schedule(_ position: UInt32, isBound: Bool, _ nonce: Nonce) {
    let end = nonce.issued + (isBound ? max(lifetime, Self.firstUse) : Self.firstUse) + 1
    wheel.schedule(position, at: Instant(unixSeconds: end))
  }

  // MARK: The list of each flow

  private mutating func link(_ handle: SlotHandle, to flow: FlowID) {
    let head = heads[flow] ?? Self.none
    entries.update(handle) {
      $0.flow = flow
      $0.next = head
    }
    if let other = entries.handle(at: head) { entries.update(other) { $0.previous = handle.index } }
    heads[flow] = handle.index
  }

  /// Takes an entry from its flow, if it has one.
  private mutating func unlink(_ handle: SlotHandle) {
    guard let entry = entries[handle], let flow = entry.flow else { return }
    if let next = entries.handle(at: entry.next) { entries.update(next) { $0.previous = entry.previous } }
    if let previous = entries.handle(at: entry.previous) {
      entries.update(previous) { $0.next = entry.next }
    } else {
      heads[flow] = entry.next == Self.none ? nil : entry.next
    }
    entries.update(handle) {
      $0.flow = nil
      $0.next = Self.none
      $0.previous = Self.none
    }
  }

  /// Whether a count may be used now; notes it then.
  @discardableResult
  private static func note(_ count: UInt32?, in entry: inout Entry, isStream: Bool) -> Bool {
    if entry.state == .fresh {
      entry.state = .used
      entry.highest = count ?? .max
      entry.used = count == nil ? .max : 1
      return true
    }
    guard let count else { return false }
    if count > entry.highest {
      let step = count - entry.highest
      entry.used = step < 64 ? entry.used << UInt64(step) | 1 : 1
      entry.highest = count
      return true
    }
    let age = entry.highest - count
    guard !isStream, age < 64, entry.used & 1 << UInt64(age) == 0 else { return false }
    entry.used |= 1 << UInt64(age)
    return true
  }
}

extension FlowID {
  fileprivate var isStream: Bool {
    if case .stream = self { return true }
    return false
  }
}

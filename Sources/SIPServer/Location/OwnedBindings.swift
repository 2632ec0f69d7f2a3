import Structures

/// The bindings that came in over this worker, by the flow that they hang on: they are given up with it, and who sends over a flow is known by them.
///
/// Owned by ``ServerCore``. The location service has the truth; this is what the worker itself knows without asking.
struct OwnedBindings {
  /// One of them.
  struct Entry {
    /// The canonical address of record.
    let aor: [UInt8]
    /// See ``BindingIdentity``.
    let identity: BindingIdentity
    /// The binding as it was written last.
    var binding: Binding
    fileprivate let hash: UInt64
    fileprivate var next = OwnedBindings.none
    fileprivate var previous = OwnedBindings.none
  }

  fileprivate static let none = UInt32.max
  private var entries = SlotTable<Entry>()
  /// By address of record. After each update an address has no more entries than bindings, so runs of equal hashes stay short.
  private var index = HashIndex()
  private var heads: [FlowID: UInt32] = [:]
  private var newcomers: [SlotHandle] = []
  /// When each ends, by the civil clock.
  private var expiries: TimerWheel
  private let maximum: Int

  /// None yet; `now` is the present in Unix seconds, `maximum` the most bindings that are noted.
  init(now: Int64, maximum: Int = .max) {
    self.maximum = maximum
    expiries = TimerWheel(start: Instant(unixSeconds: now))
  }

  /// How many bindings there are.
  var count: Int { entries.count }
  /// How many stream flows have any. Looks at all flows.
  var streamCount: Int {
    heads.keys.count { flow in
      if case .stream = flow { true } else { false }
    }
  }

  /// Takes up what an update left of the bindings of its address of record: those that hang on its flow. Those that are no more, over whatever
  /// flow they were, are forgotten. Returns whether any hangs on the flow.
  @discardableResult
  mutating func note(_ update: RegistrationUpdate, _ set: BindingSet, hashing: any Hashing) -> Bool {
    let flow = update.flow.id
    let hash = Self.hash(update.aor.span)
    while let position = index.find(hash, { isGone($0, update.aor, set, hashing) }) {
      guard let (handle, entry) = entry(at: position) else { break }
      remove(handle, entry)
    }
    var isBound = false
    for binding in set.bindings where binding.flow.id == flow && binding.isDirect {
      put(binding, update.aor, hash, hashing)
      isBound = true
    }
    return isBound
  }

  /// Forgets what has ended, at most `limit` bindings; `now` is in Unix seconds. The location service needs no word of it.
  mutating func removeExpired(_ now: Int64, limit: Int = 1_000) {
    for _ in 0..<limit {
      guard let position = expiries.popExpired(Instant(unixSeconds: now)), let (handle, entry) = entry(at: position)
      else {
        return
      }
      remove(handle, entry)
    }
  }

  /// Takes out all bindings of a flow and returns them.
  mutating func removeAll(over flow: FlowID) -> [Entry] {
    var removed: [Entry] = []
    while let (handle, entry) = entry(at: heads[flow] ?? Self.none) {
      remove(handle, entry)
      removed.append(entry)
    }
    return removed
  }

  /// A binding by its handle; nil when it is no more.
  subscript(handle: SlotHandle) -> Entry? { entries[handle] }

  /// Takes out one binding and returns it.
  mutating func remove(_ handle: SlotHandle) -> Entry? {
    guard let entry = entries[handle] else { return nil }
    remove(handle, entry)
    return entry
  }

  /// The bindings of a flow.
  func handles(over flow: FlowID) -> [SlotHandle] {
    var found: [SlotHandle] = []
    var position = heads[flow] ?? Self.none
    while let (handle, entry) = entry(at: position) {
      found.append(handle)
      position = entry.next
    }
    return found
  }

  /// Takes the bindings over datagram flows that came up since it was last asked.
  mutating func takeNewcomers() -> [SlotHandle] {
    if newcomers.isEmpty { return [] }
    defer { newcomers.removeAll() }
    return newcomers
  }

  /// What is known of who sends over a flow: the binding of `aor` that hangs on it.
  func identity(over flow: FlowID, aor: Span<UInt8>) -> BindingIdentity {
    if heads.isEmpty { return .none }
    let found = index.find(Self.hash(aor)) { position in
      guard let entry = entry(at: position)?.1 else { return false }
      return entry.binding.flow.id == flow && entry.aor.span.equals(aor)
    }
    return found.flatMap { entry(at: $0)?.1.identity } ?? .none
  }

  /// One of the addresses of record that are registered over a flow; nil when there is none.
  func firstRecord(over flow: FlowID) -> [UInt8]? { entry(at: heads[flow] ?? Self.none)?.1.aor }

  /// The address of record that is registered over a flow, if it is only one.
  func onlyRecord(over flow: FlowID) -> [UInt8]? {
    guard let first = entry(at: heads[flow] ?? Self.none)?.1 else { return nil }
    var position = first.next
    while let entry = entry(at: position)?.1 {
      if entry.aor != first.aor { return nil }
      position = entry.next
    }
    return first.aor
  }

  private func isGone(_ position: UInt32, _ aor: [UInt8], _ set: BindingSet, _ hashing: any Hashing) -> Bool {
    guard let entry = entry(at: position)?.1, entry.aor == aor else { return false }
    return !set.bindings.contains { binding in
      binding.flow.id == entry.binding.flow.id && BindingIdentity(binding, hashing: hashing) == entry.identity
    }
  }

  // MARK: The list of each flow

  private func entry(at position: UInt32) -> (SlotHandle, Entry)? {
    guard position != Self.none, let handle = entries.handle(at: position), let entry = entries[handle] else {
      return nil
    }
    return (handle, entry)
  }

  private mutating func put(_ binding: Binding, _ aor: [UInt8], _ hash: UInt64, _ hashing: any Hashing) {
    let identity = BindingIdentity(binding, hashing: hashing)
    let flow = binding.flow.id
    let known = index.find(hash) { position in
      guard let entry = self.entry(at: position)?.1 else { return false }
      return entry.identity == identity && entry.binding.flow.id == flow && entry.aor == aor
    }
    if let known, let handle = entries.handle(at: known) {
      entries.update(handle) { $0.binding = binding }
      expiries.schedule(known, at: Instant(unixSeconds: binding.expires))
      return
    }
    guard count < maximum else { return }
    let head = heads[flow] ?? Self.none
    var entry = Entry(aor: aor, identity: identity, binding: binding, hash: hash)
    entry.next = head
    let handle = entries.insert(entry)
    if let (old, _) = self.entry(at: head) { entries.update(old) { $0.previous = handle.index } }
    heads[flow] = handle.index
    if case .datagram = flow { newcomers.append(handle) }
    index.insert(hash, handle.index)
    expiries.schedule(handle.index, at: Instant(unixSeconds: binding.expires))
  }

  private mutating func remove(_ handle: SlotHandle, _ entry: Entry) {
    if let (next, _) = self.entry(at: entry.next) { entries.update(next) { $0.previous = entry.previous } }
    if let (previous, _) = self.entry(at: entry.previous) {
      entries.update(previous) { $0.next = entry.next }
    } else {
      heads[entry.binding.flow.id] = entry.next == Self.none ? nil : entry.next
    }
    index.remove(entry.hash, handle.index)
    expiries.cancel(handle.index)
    entries.remove(handle)
  }

  /// Keyed per process, as peers choose the addresses.
  private static func hash(_ aor: Span<UInt8>) -> UInt64 {
    var hasher = Hasher()
    aor.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

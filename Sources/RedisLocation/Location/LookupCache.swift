import SIPServer
import Structures

/// What lookups brought lately, for 60 s at most: whoever is called again is found without asking.
///
/// Owned by ``LocationMachine``, which puts nothing in that it may not have been told to forget. Bounded in octets; the oldest go first.
/// Absence is never in it.
struct LookupCache {
  private struct Entry {
    let aor: [UInt8]
    let hash: UInt64
    var set: BindingSet
    var version: UInt64
    var until: Instant
    var size: Int
    /// See ``LookupCache/generation``.
    let generation: UInt32
    /// The neighbours in order of arrival.
    var older = LookupCache.none
    var newer = LookupCache.none
  }

  private static let none = UInt32.max
  /// What an entry takes beside its set: itself, its places in two indexes, the address.
  private static let overhead = 224
  /// How long an entry lives at most.
  static let lifetime = Duration.seconds(60)

  private var entries = SlotTable<Entry>()
  private var index = HashIndex()
  /// The entries by the stream flows that lead to their contacts.
  private var flows = HashIndex()
  private var oldest = LookupCache.none
  private var newest = LookupCache.none
  private let maximum: Int
  /// About how many octets of memory it takes.
  private(set) var octets = 0
  /// Entries of earlier generations count no more; they go some at a time, so that forgetting all takes no long turn.
  private var generation: UInt32 = 1
  /// How many addresses of record are in it.
  private(set) var count = 0

  /// An empty cache of at most `maximum` octets; with 0 it stays empty.
  init(maximum: Int) { self.maximum = maximum }

  /// The set and its version; nil when there is none that still counts.
  func find(_ aor: Span<UInt8>, _ hash: UInt64, at now: Instant) -> (set: BindingSet, version: UInt64)? {
    guard let entry = position(aor, hash).flatMap({ entries.handle(at: $0) }).flatMap({ entries[$0] }),
      entry.until > now, entry.generation == generation
    else { return nil }
    return (entry.set, entry.version)
  }

  /// Puts a set in, in place of an older one; one without bindings only takes that away.
  mutating func insert(
    _ aor: [UInt8], _ hash: UInt64, _ set: BindingSet, version: UInt64, until: Instant
  ) {
    remove(aor.span, hash)
    let size = set.size + aor.count + Self.overhead
    guard !set.isEmpty, size <= maximum else { return }
    while octets + size > maximum, let handle = entries.handle(at: oldest) { remove(handle) }
    var entry = Entry(
      aor: aor, hash: hash, set: set, version: version, until: until, size: size, generation: generation)
    entry.older = newest
    let handle = entries.insert(entry)
    if let before = entries.handle(at: newest) { entries.update(before) { $0.newer = handle.index } }
    newest = handle.index
    if oldest == Self.none { oldest = handle.index }
    index.insert(hash, handle.index)
    octets += size
    count += 1
    eachFlow(of: set) { flows.insert($0, handle.index) }
  }

  /// Replaces a set by one that leads to the same places.
  mutating func refresh(_ aor: Span<UInt8>, _ hash: UInt64, _ set: BindingSet, version: UInt64) {
    guard let handle = position(aor, hash).flatMap({ entries.handle(at: $0) }) else { return }
    guard entries[handle]?.generation == generation else { return }
    entries.update(handle) {
      $0.set = set
      $0.version = version
    }
  }

  /// Forgets an address of record unless what is known of it is of a certain version.
  mutating func remove(_ aor: Span<UInt8>, _ hash: UInt64, unless version: UInt64 = 0) {
    guard let handle = position(aor, hash).flatMap({ entries.handle(at: $0) }), let entry = entries[handle] else {
      return
    }
    if version == 0 || entry.version != version { remove(handle) }
  }

  /// Forgets everything.
  mutating func removeAll() {
    generation &+= 1
    count = 0
  }

  /// Forgets the oldest that count no more, some at a time.
  mutating func prune(at now: Instant) {
    for _ in 0..<4_096 {
      guard let handle = entries.handle(at: oldest), let entry = entries[handle],
        entry.until <= now || entry.generation != generation
      else { return }
      remove(handle)
    }
  }

  /// The addresses of record that have a contact over a flow.
  func records(over flow: StreamFlow) -> [[UInt8]] {
    var found: [[UInt8]] = []
    _ = flows.find(Self.hash(flow)) { position in
      guard let entry = entries.handle(at: position).flatMap({ entries[$0] }), entry.generation == generation else {
        return false
      }
      if entry.set.bindings.contains(where: { $0.flow.id == .stream(flow) }) { found.append(entry.aor) }
      return false
    }
    return found
  }

  private func position(_ aor: Span<UInt8>, _ hash: UInt64) -> UInt32? {
    if entries.count == 0 { return nil }
    return index.find(hash) { position in
      entries.handle(at: position).flatMap { entries[$0] }.map { $0.aor.span.equals(aor) } ?? false
    }
  }

  private mutating func remove(_ handle: SlotHandle) {
    guard let entry = entries.remove(handle) else { return }
    index.remove(entry.hash, handle.index)
    eachFlow(of: entry.set) { flows.remove($0, handle.index) }
    octets -= entry.size
    if entry.generation == generation { count -= 1 }
    if let older = entries.handle(at: entry.older) { entries.update(older) { $0.newer = entry.newer } }
    if let newer = entries.handle(at: entry.newer) { entries.update(newer) { $0.older = entry.older } }
    if oldest == handle.index { oldest = entry.newer }
    if newest == handle.index { newest = entry.older }
  }

  private func eachFlow(of set: BindingSet, _ body: (UInt64) -> Void) {
    for binding in set.bindings {
      if case .stream(let flow) = binding.flow.id { body(Self.hash(flow)) }
    }
  }

  private static func hash(_ flow: StreamFlow) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(flow)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

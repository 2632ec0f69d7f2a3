import Structures

/// The records: what this worker knows of the addresses of record that have bindings of its own.
extension OwnedBindings {
  /// One of them.
  struct Record {
    /// Two octets of length, the address of record, the encoded set: one block of memory for all that is known.
    var octets: [UInt8]
    let hash: UInt64
    /// The first entry.
    var first = OwnedBindings.none
    var standing = RecordStanding()
  }

  /// How a record stands towards what the location has; kept by the location service, see ``OwnedBindings/isKept``.
  package struct RecordStanding: Sendable {
    /// What the location calls the state that it had when the record was last the same; 0 when that is not known.
    package var version: UInt64 = 0
    /// Under which subscription to changes the record was the whole truth; 0: under none.
    package var subscription: UInt32 = 0
    /// When that was found last, in seconds of the monotonic clock.
    package var confirmedAt: UInt32 = 0
    /// When the location last took what is here, in seconds of the monotonic clock.
    package var writtenAt: UInt32 = 0
    /// How often the record changed here, round and round.
    package var changes: UInt16 = 0
    /// It was refreshed here and the location has yet to hear of it.
    package var isDirty = false
    /// The location may have lost what is here, or never got it: what it lacks comes back.
    package var isLost = false
    /// It stands in the queue of those to be written.
    package var isQueued = false

    /// Nothing is known.
    package init() {}
  }

  /// The record of an address of record with its ``hash(_:)``; nil when no binding of it is this worker's.
  package func record(of aor: Span<UInt8>, _ hash: UInt64) -> UInt32? {
    if records.count == 0 { return nil }
    return index.find(hash) { position in
      guard let octets = octets(at: position) else { return false }
      let all = octets.span
      return all.extracting(2..<Self.start(octets)).equals(aor)
    }
  }

  /// How many records there are.
  package var recordCount: Int { records.count }

  /// A name of the record at a position that no later one has; nil when there is none.
  package func handle(at position: UInt32) -> SlotHandle? { records.handle(at: position) }

  /// Whether the named record is still there.
  package func contains(_ handle: SlotHandle) -> Bool { records.contains(handle) }

  /// The address of record of a record.
  package func aor(at position: UInt32) -> [UInt8]? {
    octets(at: position).map { Array($0[2..<Self.start($0)]) }
  }

  /// The whole set as it was last known here.
  package func set(at position: UInt32) -> BindingSet? {
    octets(at: position).flatMap { BindingCodec.read($0, from: Self.start($0)) }
  }

  /// The bindings of the set that are this worker's, and those that have lapsed.
  package func ownSet(at position: UInt32) -> BindingSet {
    guard let set = set(at: position) else { return .empty }
    let own = set.bindings.filter { isOwn($0, position) }
    return .of(own, lapsed: set.lapsed)
  }

  package func standing(at position: UInt32) -> RecordStanding? {
    records.handle(at: position).flatMap { records[$0]?.standing }
  }

  /// Changes how a record stands.
  package func updateStanding(at position: UInt32, _ change: (inout RecordStanding) -> Void) {
    if let handle = records.handle(at: position) { records.update(handle) { change(&$0.standing) } }
  }

  /// Takes up the whole set as it is known now. Entries whose bindings are no more in it are forgotten.
  package func store(_ set: BindingSet, at position: UInt32) {
    guard let handle = records.handle(at: position), let record = records[handle] else { return }
    var gone: [SlotHandle] = []
    var place = record.first
    while let (entry, link) = link(at: place) {
      if !set.bindings.contains(where: { isBinding($0, of: link) }) { gone.append(entry) }
      place = link.sibling
    }
    // What lies in the scratch is copied, so that the record takes no more memory than it needs.
    scratch.removeAll(keepingCapacity: true)
    scratch += record.octets[..<Self.start(record.octets)]
    BindingCodec.append(set, to: &scratch)
    let octets = scratch.withUnsafeBufferPointer { Array($0) }
    records.update(handle) {
      $0.octets = octets
      $0.standing.changes &+= 1
    }
    expiries.schedule(position, at: Instant(unixSeconds: set.earliestExpiry))
    for entry in gone {
      if let link = links[entry] { remove(entry, link) }
    }
  }

  /// Forgets a record without entries of which the location knows all. Returns whether it is gone.
  @discardableResult
  package func dropIfVacant(_ position: UInt32) -> Bool {
    guard let handle = records.handle(at: position), let record = records[handle] else { return true }
    guard record.first == Self.none else { return false }
    index.remove(record.hash, position)
    expiries.cancel(position)
    records.remove(handle)
    return true
  }

  /// Forgets what has ended, of at most `limit` addresses of record; `now` is in Unix seconds. The location service needs no word of it.
  func removeExpired(_ now: Int64, limit: Int = 1_000) {
    for _ in 0..<limit {
      guard let position = expiries.popExpired(Instant(unixSeconds: now)) else { return }
      guard let set = set(at: position) else { continue }
      store(set.live(at: now), at: position)
      dropIfVacant(position)
    }
  }

  func makeRecord(_ aor: [UInt8], _ hash: UInt64, _ set: BindingSet) -> UInt32 {
    var octets: [UInt8] = []
    octets.append(bigEndian: UInt64(min(aor.count, 65_535)), 2)
    octets += aor.prefix(65_535)
    let handle = records.insert(Record(octets: octets, hash: hash))
    index.insert(hash, handle.index)
    store(set, at: handle.index)
    return handle.index
  }

  /// The positions of all records.
  package var positions: [UInt32] {
    var positions: [UInt32] = []
    positions.reserveCapacity(records.count)
    records.forEach { handle, _ in positions.append(handle.index) }
    return positions
  }

  func isOwn(_ binding: Binding, _ position: UInt32) -> Bool {
    var place = records.handle(at: position).flatMap { records[$0]?.first } ?? Self.none
    while let (_, link) = link(at: place) {
      if isBinding(binding, of: link) { return true }
      place = link.sibling
    }
    return false
  }

  private func octets(at position: UInt32) -> [UInt8]? {
    records.handle(at: position).flatMap { records[$0]?.octets }
  }

  /// Where the set begins.
  private static func start(_ octets: [UInt8]) -> Int {
    octets.count < 2 ? octets.count : min(octets.count, 2 + Int(octets[0]) << 8 + Int(octets[1]))
  }
}

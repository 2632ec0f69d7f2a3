/// Positions found by a hash, of which the lower 32 bits count. Several positions may share a hash: the owner compares what they stand for.
///
/// Open addressing with linear probing; removal closes the gap, so there are no tombstones and a table in a steady state allocates nothing.
/// Hashes of what peers choose must come from a keyed function (`Hasher` is one).
public struct HashIndex: Sendable {
  @usableFromInline
  struct Entry: Sendable {
    @usableFromInline var hash: UInt32
    @usableFromInline var position: UInt32
  }

  @inlinable static var free: UInt32 { .max }
  @usableFromInline var entries: [Entry]
  /// How many positions are in the index.
  public private(set) var count = 0

  /// An empty index.
  public init() {
    entries = Array(repeating: Entry(hash: 0, position: Self.free), count: 64)
  }

  /// The place of a hash before it is cut to the size of the table: numbers that follow each other lie apart, for a long run of
  /// entries makes every removal slow.
  @inlinable
  static func home(_ hash: UInt32) -> Int { Int(hash &* 0x9E37_79B1) }

  /// Adds a position under a hash.
  public mutating func insert(_ hash: UInt64, _ position: UInt32) {
    if count * 4 >= entries.count * 3 { grow() }
    place(UInt32(truncatingIfNeeded: hash), position)
    count += 1
  }

  /// Removes a position that was added under a hash; does nothing when it wasn't.
  public mutating func remove(_ hash: UInt64, _ position: UInt32) {
    let mask = entries.count - 1
    let hash = UInt32(truncatingIfNeeded: hash)
    var slot = Self.home(hash) & mask
    while entries[slot].position != Self.free {
      if entries[slot].hash == hash, entries[slot].position == position {
        closeGap(at: slot)
        count -= 1
        return
      }
      slot = (slot + 1) & mask
    }
  }

  /// The first position under a hash that `matches`; nil when there is none.
  @inlinable
  public func find(_ hash: UInt64, _ matches: (UInt32) -> Bool) -> UInt32? {
    let mask = entries.count - 1
    let hash = UInt32(truncatingIfNeeded: hash)
    var slot = Self.home(hash) & mask
    while entries[slot].position != Self.free {
      if entries[slot].hash == hash, matches(entries[slot].position) { return entries[slot].position }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// How far from the place that its hash names an entry lies at most. Looks at all entries: to see that nobody makes the index slow.
  public var longestProbe: Int {
    let mask = entries.count - 1
    return entries.indices.lazy.filter { entries[$0].position != Self.free }
      .map { ($0 &- Self.home(entries[$0].hash)) & mask }.max() ?? 0
  }

  private mutating func place(_ hash: UInt32, _ position: UInt32) {
    let mask = entries.count - 1
    var slot = Self.home(hash) & mask
    while entries[slot].position != Self.free { slot = (slot + 1) & mask }
    entries[slot] = Entry(hash: hash, position: position)
  }

  /// Moves later entries of the same run back, so that each stays reachable from the slot its hash names.
  private mutating func closeGap(at start: Int) {
    let mask = entries.count - 1
    var gap = start
    var slot = (start + 1) & mask
    while entries[slot].position != Self.free {
      let home = Self.home(entries[slot].hash) & mask
      if (slot &- home) & mask >= (slot &- gap) & mask {
        entries[gap] = entries[slot]
        gap = slot
      }
      slot = (slot + 1) & mask
    }
    entries[gap].position = Self.free
  }

  private mutating func grow() {
    let old = entries
    entries = Array(repeating: Entry(hash: 0, position: Self.free), count: old.count * 2)
    for entry in old where entry.position != Self.free { place(entry.hash, entry.position) }
  }
}

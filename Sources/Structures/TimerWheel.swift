/// One deadline for each position of a ``SlotTable`` (or any dense index), kept in a wheel of buckets.
///
/// Scheduling, moving and cancelling cost the same however many deadlines are pending and allocate nothing once
/// the highest position was seen. A deadline is reported at the first tick boundary (``tickNanoseconds``) at or after
/// it: never early, at most one tick late.
public struct TimerWheel: Sendable {
  /// Width of a bucket: 4,194,304 ns, about 4.2 ms.
  public static let tickNanoseconds: Int64 = 1 << tickShift
  private static let tickShift: Int64 = 22
  /// One turn of the wheel is 8,192 ticks, about 34 s: longer than Timer F, so that hardly any entry is met twice.
  private static let bucketCount = 8_192
  private static let none = UInt32.max

  private struct Entry {
    var deadline = Int64.max
    var next = TimerWheel.none
    var previous = TimerWheel.none
    var bucket = TimerWheel.none
  }

  private var entries: [Entry] = []
  private var heads: [UInt32]
  private var occupied: [UInt64]
  /// The first tick that has not been popped empty yet.
  private var cursor: Int64
  /// How many deadlines are pending.
  public private(set) var count = 0

  /// A wheel that starts to turn at `start`.
  public init(start: Instant) {
    cursor = start.nanoseconds >> Self.tickShift
    heads = Array(repeating: Self.none, count: Self.bucketCount)
    occupied = Array(repeating: 0, count: Self.bucketCount / 64)
  }

  /// Sets the deadline of a position, in place of one that it had.
  public mutating func schedule(_ position: UInt32, at deadline: Instant) {
    while entries.count <= Int(position) { entries.append(Entry()) }
    if entries[Int(position)].bucket != Self.none {
      if entries[Int(position)].deadline == deadline.nanoseconds { return }
      unlink(position)
    }
    let bucket = UInt32(truncatingIfNeeded: max(tick(of: deadline.nanoseconds), cursor) & Int64(Self.bucketCount - 1))
    let head = heads[Int(bucket)]
    entries[Int(position)] = Entry(deadline: deadline.nanoseconds, next: head, previous: Self.none, bucket: bucket)
    if head != Self.none { entries[Int(head)].previous = position }
    heads[Int(bucket)] = position
    occupied[Int(bucket >> 6)] |= 1 << UInt64(bucket & 63)
    count += 1
  }

  /// Forgets the deadline of a position; does nothing when it has none.
  public mutating func cancel(_ position: UInt32) {
    guard Int(position) < entries.count, entries[Int(position)].bucket != Self.none else { return }
    unlink(position)
  }

  /// Takes one position whose deadline has passed, together with it; nil when none is left.
  public mutating func popExpired(_ now: Instant) -> UInt32? {
    let last = now.nanoseconds >> Self.tickShift
    while cursor <= last {
      guard let ahead = distanceToOccupied(), cursor + ahead <= last else {
        cursor = last + 1
        return nil
      }
      cursor += ahead
      var position = heads[Int(cursor & Int64(Self.bucketCount - 1))]
      while position != Self.none {
        if tick(of: entries[Int(position)].deadline) <= cursor {
          unlink(position)
          return position
        }
        position = entries[Int(position)].next
      }
      cursor += 1
    }
    return nil
  }

  /// When ``popExpired(_:)`` should be asked next; nil when nothing is pending. May be early by whole turns of the wheel,
  /// never late.
  public var nextDeadline: Instant? {
    guard let ahead = distanceToOccupied() else { return nil }
    return Instant(nanoseconds: (cursor + ahead) << Self.tickShift)
  }

  /// The tick at whose start `deadline` has passed: rounded up, so that nothing fires early.
  private func tick(of deadline: Int64) -> Int64 {
    let (raised, overflow) = deadline.addingReportingOverflow(Self.tickNanoseconds - 1)
    return (overflow ? deadline : raised) >> Self.tickShift
  }

  private mutating func unlink(_ position: UInt32) {
    let entry = entries[Int(position)]
    if entry.previous != Self.none {
      entries[Int(entry.previous)].next = entry.next
    } else {
      heads[Int(entry.bucket)] = entry.next
      if entry.next == Self.none { occupied[Int(entry.bucket >> 6)] &= ~(1 << UInt64(entry.bucket & 63)) }
    }
    if entry.next != Self.none { entries[Int(entry.next)].previous = entry.previous }
    entries[Int(position)] = Entry()
    count -= 1
  }

  /// Ticks from the cursor to the next bucket that holds anything; nil when all are empty.
  private func distanceToOccupied() -> Int64? {
    if count == 0 { return nil }
    let start = Int(cursor & Int64(Self.bucketCount - 1))
    let words = occupied.count
    for step in 0...words {
      let word = (start >> 6 + step) % words
      var bits = occupied[word]
      if step == 0 { bits &= ~0 << UInt64(start & 63) }
      if step == words { bits &= (1 << UInt64(start & 63)) - 1 }
      if bits != 0 {
        let bucket = word << 6 + bits.trailingZeroBitCount
        return Int64((bucket - start + Self.bucketCount) & (Self.bucketCount - 1))
      }
    }
    return nil
  }
}

import Structures

/// When octets were written to a connection of which the peer may not have acknowledged all.
///
/// Writes that lie less than a third of the limit apart are kept as one span: what is in it counts as old as its beginning, so it is found
/// dead up to a third early, never late.
struct AcknowledgementWatch {
  private struct Span {
    var first = Instant.distantFuture
    var last = Instant.distantFuture
  }

  private static let capacity = 3

  private var spans = InlineArray<3, Span>(repeating: Span())
  private var count = 0

  /// The earliest write that may be unacknowledged; nil when nothing is watched.
  var oldest: Instant? { count == 0 ? nil : spans[0].first }

  /// Octets were written; returns whether nothing was watched before.
  mutating func note(_ now: Instant, limit: Duration) -> Bool {
    guard count > 0 else {
      spans[0] = Span(first: now, last: now)
      count = 1
      return true
    }
    if count < Self.capacity, now - spans[count - 1].first >= limit / 3 {
      spans[count] = Span(first: now, last: now)
      count += 1
    } else {
      spans[count - 1].last = now
    }
    return false
  }

  /// An acknowledgement came at this time: what was written before counts as arrived.
  mutating func acknowledge(until time: Instant) {
    var kept = 0
    for index in 0..<count where spans[index].last > time {
      spans[kept] = Span(first: max(spans[index].first, time), last: spans[index].last)
      kept += 1
    }
    count = kept
  }

  /// Everything that was written is acknowledged, or given up.
  mutating func clear() { count = 0 }
}

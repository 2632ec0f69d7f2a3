/// A moment of the monotonic clock, in nanoseconds since an origin that the clock's owner chose.
///
/// Pure modules never read a clock: every input carries the instant at which it happened.
public struct Instant: Comparable, Hashable, Sendable {
  /// Nanoseconds since the clock's origin.
  public let nanoseconds: Int64

  /// Makes the instant that lies `nanoseconds` after the origin.
  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// An instant later than any that is reached.
  public static let distantFuture = Instant(nanoseconds: .max)

  /// The instant that lies `nanoseconds` later; saturates at ``distantFuture``.
  @inlinable
  public func adding(nanoseconds more: Int64) -> Instant {
    let (sum, overflow) = nanoseconds.addingReportingOverflow(more)
    return Instant(nanoseconds: overflow ? .max : sum)
  }

  /// The instant that lies `duration` later; saturates at ``distantFuture``.
  public static func + (instant: Instant, duration: Duration) -> Instant {
    instant.adding(nanoseconds: duration.nanoseconds)
  }

  /// The time that passed since `earlier`; negative when it lies ahead.
  public static func - (later: Instant, earlier: Instant) -> Duration {
    .nanoseconds(later.nanoseconds - earlier.nanoseconds)
  }

  /// Orders by time.
  @inlinable
  public static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}

extension Duration {
  /// The whole duration in nanoseconds; saturates at the ends of `Int64` (292 years).
  public var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    if carried { return seconds < 0 ? .min : .max }
    return sum
  }
}

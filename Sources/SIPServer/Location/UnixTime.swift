import Structures

extension Instant {
  /// A moment of the civil clock, for a ``TimerWheel`` that turns by it. A time beyond the range of nanoseconds never comes.
  init(unixSeconds seconds: Int64) {
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    self.init(nanoseconds: overflow ? .max : nanoseconds)
  }

  /// The first whole second at or after the moment.
  var unixSecondsRoundedUp: Int64 {
    nanoseconds / 1_000_000_000 + (nanoseconds % 1_000_000_000 > 0 ? 1 : 0)
  }
}

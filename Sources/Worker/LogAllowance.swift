import Structures

/// How many lines peers may cause: anybody who can connect can cause one for each attempt.
struct LogAllowance {
  /// Lines in a row.
  static let most = 200
  /// One more line each 20 ms, which makes 50 a second.
  static let interval = Duration.milliseconds(20)

  private var left = most
  private var counted: Instant
  /// Lines that were not written since this was asked last.
  private var suppressed = 0

  /// A full allowance.
  init(_ now: Instant) { counted = now }

  /// Whether one more line may be written now.
  mutating func take(_ now: Instant) -> Bool {
    let earned = (now - counted).nanoseconds / Self.interval.nanoseconds
    if earned > 0 {
      left = Int(min(Int64(Self.most), Int64(left) + earned))
      counted = now
    }
    if left == 0 {
      suppressed += 1
      return false
    }
    left -= 1
    return true
  }

  /// How many lines were not written since the last call.
  mutating func takeSuppressed() -> Int {
    defer { suppressed = 0 }
    return suppressed
  }
}

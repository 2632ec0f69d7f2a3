import Structures

/// How long to wait before the next attempt: doubling from a shortest to a longest time, and each at random between its half and its whole,
/// so that many workers don't come back at the same moment.
struct BackOff {
  private let shortest: Int64
  private let longest: Int64
  private var attempts: Int64 = 0
  private var random: UInt64

  init(shortest: Duration, longest: Duration, seed: UInt64) {
    self.shortest = max(1, shortest.nanoseconds)
    self.longest = max(self.shortest, longest.nanoseconds)
    random = seed
  }

  /// The wait before the next attempt, in nanoseconds.
  mutating func next() -> Int64 {
    var wait = shortest
    for _ in 0..<attempts where wait < longest { wait = min(wait * 2, longest) }
    attempts = min(attempts + 1, 32)
    // SplitMix64.
    random &+= 0x9E37_79B9_7F4A_7C15
    var word = random
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    word ^= word >> 31
    return wait / 2 + Int64(word % UInt64(wait / 2 + 1))
  }

  /// The last attempt was a success.
  mutating func reset() { attempts = 0 }
}

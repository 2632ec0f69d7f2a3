import Structures

/// What an ``EventLoop`` did, for metrics and for tests that look for leaks.
public struct LoopCounters: Sendable {
  /// Descriptors registered now.
  public internal(set) var descriptors = 0
  /// Deadlines with an owner now, scheduled or not.
  public internal(set) var deadlines = 0
  /// Turns so far.
  public internal(set) var turns: UInt64 = 0
  /// Events delivered so far.
  public internal(set) var events: UInt64 = 0
  /// Events dropped because their descriptor had been unregistered within the same turn.
  public internal(set) var staleEvents: UInt64 = 0
  /// The longest turn so far, from waking up to waiting again: how late everything else in the loop was then.
  public internal(set) var longestTurn: Duration = .zero
  /// Turns longer than 10 ms.
  public internal(set) var slowTurns: UInt64 = 0

  mutating func record(turn: Duration) {
    if turn > longestTurn { longestTurn = turn }
    if turn > .milliseconds(10) { slowTurns += 1 }
  }
}

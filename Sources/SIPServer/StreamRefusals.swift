import Structures

/// The addresses that could not be reached by TCP in the last five minutes, so that the next large request goes there by UDP at once
/// (RFC 3261 §18.1.1). No more than a fixed number; when there are more all are forgotten, which costs one vain try each.
struct StreamRefusals {
  private static let capacity = 1_024
  private static let lifetime = Duration.seconds(300)

  private var ends: [SocketAddress: Instant] = [:]

  /// Somebody could not be reached.
  mutating func insert(_ address: SocketAddress, at now: Instant) {
    if ends.count >= Self.capacity, ends[address] == nil {
      ends = ends.filter { $0.value > now }
      if ends.count >= Self.capacity { ends.removeAll(keepingCapacity: true) }
    }
    ends[address] = now + Self.lifetime
  }

  /// Whether somebody could not be reached of late.
  func contains(_ address: SocketAddress, at now: Instant) -> Bool {
    ends[address].map { $0 > now } ?? false
  }
}

import Structures

/// The commands of one connection that have no reply yet, oldest first: a ring that grows and is never given back.
struct PendingCommands {
  private struct Entry {
    var token: UInt64
    var deadline: Instant
  }

  private var ring: [Entry] = []
  private var head = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// When the oldest must have its reply.
  var nextDeadline: Instant { count > 0 ? ring[head].deadline : .distantFuture }

  mutating func append(_ token: UInt64, deadline: Instant) {
    if count == ring.count { grow() }
    ring[(head + count) & (ring.count - 1)] = Entry(token: token, deadline: deadline)
    count += 1
  }

  /// Takes the oldest; nil when there is none.
  mutating func popFirst() -> UInt64? {
    guard count > 0 else { return nil }
    let token = ring[head].token
    head = (head + 1) & (ring.count - 1)
    count -= 1
    return token
  }

  /// The size is a power of two.
  private mutating func grow() {
    var larger: [Entry] = []
    larger.reserveCapacity(max(16, ring.count * 2))
    for offset in 0..<count { larger.append(ring[(head + offset) & (ring.count - 1)]) }
    while larger.count < max(16, ring.count * 2) { larger.append(Entry(token: 0, deadline: .distantFuture)) }
    ring = larger
    head = 0
  }
}

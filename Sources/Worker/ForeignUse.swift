import Structures

/// What a worker remembers of its connections that other workers of the node use.
struct ForeignUse {
  /// A message that was sent for another process, in case it fails.
  struct Order {
    /// The slot of that process.
    let slot: UInt16
    /// Its generation.
    let generation: UInt16
    /// Its own name for what failed.
    let tag: UInt64
  }

  /// How many of the last messages can fail with a word to whoever ordered them. Whoever isn't told waits for his transaction's timeout.
  private static let capacity: UInt64 = 8_192

  /// Responses whose owner was gone: dropped (RFC 6026 §7.3).
  var dropped: UInt64 = 0
  private var orders: [Order] = []
  private var ordered: UInt64 = 0
  /// The slots that use a connection, each a bit (slot modulo 64).
  private var users: [UInt64: UInt64] = [:]

  /// Notes an order; returns the tag that the transport is given for it, which no transaction has.
  mutating func note(_ order: Order) -> UInt64 {
    let place = Int(ordered % Self.capacity)
    if place == orders.count { orders.append(order) } else { orders[place] = order }
    ordered += 1
    return ordered << 2 | 3
  }

  /// The order that a tag was given for; nil when it is forgotten, or the tag is the core's.
  func order(_ tag: UInt64) -> Order? {
    let number = tag >> 2
    guard tag & 3 == 3, number > 0, number <= ordered, ordered - number < Self.capacity else { return nil }
    return orders[Int((number - 1) % Self.capacity)]
  }

  /// Whether a tag was made here.
  static func isForeign(_ tag: UInt64) -> Bool { tag & 3 == 3 }

  /// A slot uses a connection of ours.
  mutating func use(_ connection: UInt64, by slot: UInt16) {
    users[connection, default: 0] |= 1 << UInt64(slot % 64)
  }

  /// Slots use a connection that comes to us.
  mutating func use(_ connection: UInt64, bySlots slots: UInt64) { users[connection, default: 0] |= slots }

  /// All slots know a connection of ours.
  mutating func useByAll(_ connection: UInt64) { users[connection] = .max }

  /// The slots that use a connection; 0 for none.
  func users(of connection: UInt64) -> UInt64 { users.isEmpty ? 0 : users[connection] ?? 0 }

  /// A connection is gone.
  mutating func forget(_ connection: UInt64) {
    if !users.isEmpty { users[connection] = nil }
  }
}

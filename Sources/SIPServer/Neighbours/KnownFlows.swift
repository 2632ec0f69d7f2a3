import Structures

/// Over which flows an INVITE came lately that no other worker had, more or less: a fixed number of places, each for the last of all flows that
/// share it. Who is forgotten is asked for once more.
struct KnownFlows {
  private static let capacity = 16_384

  private var places: [UInt64] = []

  /// Notes a flow.
  mutating func insert(_ flow: FlowID) {
    if places.isEmpty { places = Array(repeating: 0, count: Self.capacity) }
    let hash = Self.hash(flow)
    places[Self.place(hash)] = hash
  }

  /// Whether a flow was noted.
  func contains(_ flow: FlowID) -> Bool {
    let hash = Self.hash(flow)
    return !places.isEmpty && places[Self.place(hash)] == hash
  }

  private static func place(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 50) }

  /// Not keyed: nobody gains by being taken for another.
  private static func hash(_ flow: FlowID) -> UInt64 {
    var word: UInt64
    switch flow {
    case .stream(let stream): word = stream.connection ^ UInt64(stream.slot) << 32 ^ stream.epoch
    case .datagram(let datagram):
      let address = datagram.remote.address
      word = (address.high &* 0x9E37_79B9_7F4A_7C15) ^ address.low
      word ^= UInt64(datagram.remote.port) << 40 ^ UInt64(datagram.listener) << 56
    }
    word = (word ^ word >> 32) &* 0x9E37_79B9_7F4A_7C15
    word = (word ^ word >> 29) &* 0xBF58_476D_1CE4_E5B9
    return (word ^ word >> 32) | 1
  }
}

/// How many requests are offered to the other workers: strangers can cause it, and each costs every worker some microseconds.
struct OfferAllowance {
  /// Offers in a row.
  private static let most: Int64 = 200
  /// One more each 2 ms, which makes 500 a second.
  private static let interval = Duration.milliseconds(2).nanoseconds

  private var left = most
  private var counted: Instant

  /// A full allowance.
  init(_ now: Instant) { counted = now }

  /// Whether one more may be made now.
  mutating func take(_ now: Instant) -> Bool {
    let earned = (now - counted).nanoseconds / Self.interval
    if earned > 0 {
      left = min(Self.most, left + earned)
      counted = counted.adding(nanoseconds: earned * Self.interval)
    }
    if left <= 0 { return false }
    left -= 1
    return true
  }
}

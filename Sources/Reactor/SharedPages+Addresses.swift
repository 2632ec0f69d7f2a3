/// How many connections each worker has, in all and of each peer address, so that limits hold for the node.
///
/// Addresses stand as hashes in rows of eight words, a cache line: the row is 12 bits of the hash, and a word has 31 others, then 20 bits of
/// connections and 12 of handshakes. Everybody must use the same keyed hash. An address for which its row has no room isn't told, so others
/// let more of its connections in than they should: at most what each worker alone would. Two workers that accept in the same moment may
/// both take the last place.
extension SharedPages {
  /// What a worker, or several, have of an address.
  public struct AddressUse: Equatable, Sendable {
    /// Accepted connections.
    public var connections: Int
    /// TLS handshakes under way with them.
    public var handshakes: Int

    /// A use from its parts.
    public init(connections: Int, handshakes: Int) {
      self.connections = connections
      self.handshakes = handshakes
    }
  }

  private static let rowLength = 8
  private static let rowCount = 4_096
  /// How many addresses a page has room for.
  static let addressCapacity = rowLength * rowCount
  private static let maximumConnections = 1 << 20 - 1
  private static let maximumHandshakes = 1 << 12 - 1

  /// Tells how many stream connections the worker has.
  public func setStreams(slot: Int, _ count: Int) {
    store(slot, Self.streamsWord, UInt64(clamping: count))
  }

  /// How many stream connections the workers of all slots but one have.
  public func streams(exceptOf slot: Int) -> Int {
    var sum = 0
    // Whatever stands there, the sum stays a number.
    for other in 0..<slots where other != slot { sum += Int(min(load(other, Self.streamsWord), 1 << 32)) }
    return sum
  }

  /// Tells what the worker has of the address with this hash; without connections it is forgotten.
  public func setAddress(slot: Int, hash: UInt64, _ use: AddressUse) {
    let row = Self.row(hash)
    let mark = Self.mark(hash)
    var free: Int?
    for word in row..<row + Self.rowLength {
      let entry = load(slot, word)
      if entry >> 32 == mark { return store(slot, word, Self.entry(mark, use)) }
      if entry == 0, free == nil { free = word }
    }
    if let free, use.connections > 0 { store(slot, free, Self.entry(mark, use)) }
  }

  /// What the workers of all slots but one have of the address with this hash.
  public func address(hash: UInt64, exceptOf slot: Int) -> AddressUse {
    var sum = AddressUse(connections: 0, handshakes: 0)
    let row = Self.row(hash)
    let mark = Self.mark(hash)
    for other in 0..<slots where other != slot {
      for word in row..<row + Self.rowLength {
        let entry = load(other, word)
        guard entry >> 32 == mark else { continue }
        sum.connections += Int(entry >> 12 & UInt64(Self.maximumConnections))
        sum.handshakes += Int(entry & UInt64(Self.maximumHandshakes))
      }
    }
    return sum
  }

  private static func entry(_ mark: UInt64, _ use: AddressUse) -> UInt64 {
    if use.connections <= 0 { return 0 }
    let connections = UInt64(min(use.connections, maximumConnections))
    let handshakes = UInt64(min(max(0, use.handshakes), maximumHandshakes))
    return mark << 32 | connections << 12 | handshakes
  }

  private static func row(_ hash: UInt64) -> Int {
    firstAddress + Int(hash & UInt64(rowCount - 1)) * rowLength
  }

  private static func mark(_ hash: UInt64) -> UInt64 { hash >> 32 | 1 }
}

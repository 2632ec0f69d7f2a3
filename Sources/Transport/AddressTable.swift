import Structures

/// Counts accepted connections and handshakes for each peer address. An IPv6 peer owns its whole /64 and is counted by it.
struct AddressTable {
  private struct Use {
    var connections = 0
    var handshakes = 0
  }

  private var uses: [IPAddress: Use] = [:]
  /// The other workers of the node; nil when there are none.
  private let node: NodeCounts?

  /// An empty table; what is put into it counts for the node.
  init(node: NodeCounts? = nil) { self.node = node }

  /// Addresses with any connection.
  var count: Int { uses.count }

  /// What an address is counted under.
  static func key(_ address: IPAddress) -> IPAddress {
    address.family == .v4 ? address : IPAddress(v6: address.high, 0)
  }

  /// Connections and handshakes of an address, those of the other workers of the node included.
  func use(_ key: IPAddress) -> (connections: Int, handshakes: Int) {
    let own = uses[key] ?? Use()
    guard let others = node?.others(key) else { return (own.connections, own.handshakes) }
    return (own.connections + others.connections, own.handshakes + others.handshakes)
  }

  mutating func add(_ key: IPAddress, isHandshake: Bool) {
    change(key) {
      $0.connections += 1
      if isHandshake { $0.handshakes += 1 }
    }
  }

  mutating func endHandshake(_ key: IPAddress) {
    guard uses[key] != nil else { return }
    change(key) { $0.handshakes -= 1 }
  }

  mutating func remove(_ key: IPAddress) {
    guard uses[key] != nil else { return }
    change(key) { $0.connections -= 1 }
  }

  /// Tells the others of all of them.
  func tellAll() {
    for (key, use) in uses { node?.tell(key, connections: use.connections, handshakes: use.handshakes) }
  }

  private mutating func change(_ key: IPAddress, _ body: (inout Use) -> Void) {
    var use = uses[key] ?? Use()
    body(&use)
    uses[key] = use.connections == 0 ? nil : use
    node?.tell(key, connections: use.connections, handshakes: use.handshakes)
  }
}

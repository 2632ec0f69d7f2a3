import Structures

/// Counts accepted connections and handshakes for each peer address. An IPv6 peer owns its whole /64 and is counted by it.
struct AddressTable {
  private struct Use {
    var connections = 0
    var handshakes = 0
  }

  private var uses: [IPAddress: Use] = [:]

  /// Addresses with any connection.
  var count: Int { uses.count }

  /// What an address is counted under.
  static func key(_ address: IPAddress) -> IPAddress {
    address.family == .v4 ? address : IPAddress(v6: address.high, 0)
  }

  func connections(_ key: IPAddress) -> Int { uses[key]?.connections ?? 0 }

  func handshakes(_ key: IPAddress) -> Int { uses[key]?.handshakes ?? 0 }

  mutating func add(_ key: IPAddress, isHandshake: Bool) {
    uses[key, default: Use()].connections += 1
    if isHandshake { uses[key, default: Use()].handshakes += 1 }
  }

  mutating func endHandshake(_ key: IPAddress) {
    uses[key]?.handshakes -= 1
  }

  mutating func remove(_ key: IPAddress) {
    guard var use = uses[key] else { return }
    use.connections -= 1
    uses[key] = use.connections == 0 ? nil : use
  }
}

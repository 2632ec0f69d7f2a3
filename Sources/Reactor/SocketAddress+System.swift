import CLinux
import Structures

extension SocketAddress {
  /// The address in the form that the C wrappers take.
  var system: clinux_address {
    clinux_address(high: address.high, low: address.low, port: port, family: address.family.rawValue)
  }

  /// An address from the C wrappers; nil when it is neither IPv4 nor IPv6.
  init?(_ system: clinux_address) {
    switch system.family {
    case 4: self.init(IPAddress(v4: UInt32(truncatingIfNeeded: system.low)), port: system.port)
    case 6: self.init(IPAddress(v6: system.high, system.low), port: system.port)
    default: return nil
    }
  }
}

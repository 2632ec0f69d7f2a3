/// A block of addresses that begin with the same bits (RFC 4291 §2.3).
public struct IPNetwork: Hashable, Sendable {
  /// The first address of the block.
  public let address: IPAddress
  /// How many bits are the same: at most 32 for IPv4, 128 for IPv6.
  public let prefix: Int

  /// A block; nil when the prefix is too long or the address has bits behind it. One of IPv4-mapped addresses is taken as one of IPv4.
  public init?(_ address: IPAddress, prefix: Int) {
    let isMapped = address.unmapped != address
    self.address = address.unmapped
    self.prefix = isMapped ? prefix - 96 : prefix
    guard (0...(self.address.family == .v4 ? 32 : 128)).contains(self.prefix) else { return nil }
    let (high, low) = mask
    guard self.address.high & ~high == 0, self.address.low & ~low == 0 else { return nil }
  }

  /// Reads `192.0.2.0/24`, `2001:db8::/32`, or an address alone, which is a block of one; nil when the text is neither.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    guard parts.count == 2 else {
      self.init(address, prefix: address.family == .v4 ? 32 : 128)
      return
    }
    guard !parts[1].isEmpty, parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ $0.decimalDigit != nil }),
      let prefix = Int(parts[1])
    else { return nil }
    self.init(address, prefix: prefix)
  }

  /// Whether an address lies in the block; an IPv4-mapped IPv6 address counts as the IPv4 address in it.
  public func contains(_ other: IPAddress) -> Bool {
    let other = other.unmapped
    guard other.family == address.family else { return false }
    let (high, low) = mask
    return other.high & high == address.high && other.low & low == address.low
  }

  /// The bits that are the same, in both halves of the address.
  private var mask: (high: UInt64, low: UInt64) {
    if address.family == .v4 { return (UInt64.max, ~(UInt64(0xFFFF_FFFF) >> UInt64(prefix))) }
    return (~(UInt64.max >> UInt64(min(prefix, 64))), ~(UInt64.max >> UInt64(max(prefix - 64, 0))))
  }
}

extension IPNetwork: CustomStringConvertible {
  /// The block as it is read.
  public var description: String {
    prefix == (address.family == .v4 ? 32 : 128) ? "\(address)" : "\(address)/\(prefix)"
  }
}

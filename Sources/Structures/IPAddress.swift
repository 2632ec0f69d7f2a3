/// An IPv4 or IPv6 address as a value. An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) stays what it was read as.
public struct IPAddress: Hashable, Sendable {
  /// The address families.
  public enum Family: UInt8, Sendable {
    case v4 = 4
    case v6 = 6
  }

  /// The first eight octets of an IPv6 address in network order; 0 for IPv4.
  public let high: UInt64
  /// The last eight octets of an IPv6 address, or an IPv4 address in the low 32 bits.
  public let low: UInt64
  /// Which family the address is of. Stands last, so that a port fits in behind it.
  public let family: Family

  /// An IPv4 address from its 32 bits in network order (`127.0.0.1` is `0x7F00_0001`).
  public init(v4 bits: UInt32) {
    family = .v4
    high = 0
    low = UInt64(bits)
  }

  /// An IPv6 address from its two halves.
  public init(v6 high: UInt64, _ low: UInt64) {
    family = .v6
    self.high = high
    self.low = low
  }

  /// Reads the whole of `text` as an IPv4 address in dotted form or an IPv6 address without brackets; nil when it is neither.
  public init?(_ text: Span<UInt8>) {
    if let address = Self.readV4(text, from: 0) {
      self.init(v4: address)
    } else if let (high, low) = Self.readV6(text) {
      self.init(v6: high, low)
    } else {
      return nil
    }
  }

  /// Reads a whole string; see ``init(_:)-(Span<UInt8>)``.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    self.init(bytes.span)
  }

  /// `0.0.0.0` or `::`.
  public var isUnspecified: Bool { high == 0 && low == 0 }

  /// Whether the address is in 127.0.0.0/8 or `::1`.
  public var isLoopback: Bool {
    switch family {
    case .v4: low >> 24 == 127
    case .v6: high == 0 && low == 1
    }
  }

  /// Whether the address is in 169.254.0.0/16 or fe80::/10: it means something on one link only.
  public var isLinkLocal: Bool {
    switch family {
    case .v4: low >> 16 == 0xA9FE
    case .v6: high >> 54 == 0x3FA
    }
  }

  /// Broadcast (255.255.255.255) or multicast: never a place to send a response or request to.
  public var isMulticastOrBroadcast: Bool {
    switch family {
    case .v4: low >> 28 == 0xE || low == 0xFFFF_FFFF
    case .v6: high >> 56 == 0xFF
    }
  }

  /// The IPv4 address inside an IPv4-mapped IPv6 address; any other address unchanged.
  public var unmapped: IPAddress {
    family == .v6 && high == 0 && low >> 32 == 0xFFFF ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : self
  }

  /// Appends the address as text (IPv6 in the form of RFC 5952 §4, without brackets).
  public func append(to output: inout [UInt8]) {
    switch family {
    case .v4: appendV4(UInt32(truncatingIfNeeded: low), to: &output)
    case .v6: appendV6(to: &output)
    }
  }

  /// Appends the address as it stands in a URI or a Via: IPv6 in brackets.
  public func appendAsHost(to output: inout [UInt8]) {
    if family == .v6 { output.append(UInt8(ascii: "[")) }
    append(to: &output)
    if family == .v6 { output.append(UInt8(ascii: "]")) }
  }

  private func appendV4(_ bits: UInt32, to output: inout [UInt8]) {
    output.append(addingCapacity: 15) { output in
      for shift: UInt32 in [24, 16, 8, 0] {
        output.append(decimal: UInt64(bits >> shift & 0xFF))
        if shift > 0 { output.append(UInt8(ascii: ".")) }
      }
    }
  }

  private func group(_ index: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: index < 4 ? high >> UInt64(48 - 16 * index) : low >> UInt64(112 - 16 * index))
  }

  private func appendV6(to output: inout [UInt8]) {
    if high == 0, low >> 32 == 0xFFFF {
      output.append(contentsOf: "::ffff:".utf8)
      appendV4(UInt32(truncatingIfNeeded: low), to: &output)
      return
    }
    // RFC 5952 §4.2: the longest run of at least two zero groups, the first of equals.
    var best = (start: 8, count: 1)
    var index = 0
    while index < 8 {
      var end = index
      while end < 8, group(end) == 0 { end += 1 }
      if end - index > best.count { best = (index, end - index) }
      index = max(end, index + 1)
    }
    index = 0
    while index < 8 {
      if index == best.start {
        output.append(contentsOf: "::".utf8)
        index += best.count
        continue
      }
      if index > 0, index != best.start + best.count || best.start == 8 { output.append(UInt8(ascii: ":")) }
      output.append(hexadecimal: group(index))
      index += 1
    }
  }

  private static func readV4(_ text: Span<UInt8>, from start: Int) -> UInt32? {
    var bits: UInt32 = 0
    var position = start
    for part in 0..<4 {
      if part > 0 {
        guard position < text.count, text[position] == UInt8(ascii: ".") else { return nil }
        position += 1
      }
      var value: UInt32 = 0
      let first = position
      while position < text.count, position - first < 3, let digit = text[position].decimalDigit {
        value = value * 10 + UInt32(digit)
        position += 1
      }
      guard position > first, value <= 255 else { return nil }
      bits = bits << 8 | value
    }
    return position == text.count ? bits : nil
  }

  private static func readV6(_ text: Span<UInt8>) -> (UInt64, UInt64)? {
    guard text.count >= 2, text.count <= 45 else { return nil }
    var groups = InlineArray<8, UInt16>(repeating: 0)
    var count = 0
    var gap: Int?
    var position = 0
    if text[0] == UInt8(ascii: ":") {
      guard text[1] == UInt8(ascii: ":") else { return nil }
      gap = 0
      position = 2
    }
    while position < text.count {
      guard count < 8 else { return nil }
      if count <= 6, let tail = readV4(text, from: position) {
        groups[count] = UInt16(tail >> 16)
        groups[count + 1] = UInt16(tail & 0xFFFF)
        count += 2
        position = text.count
        break
      }
      var value: UInt16 = 0
      let first = position
      while position < text.count, position - first < 4, let digit = text[position].hexadecimalDigit {
        value = value << 4 | UInt16(digit)
        position += 1
      }
      guard position > first else { return nil }
      groups[count] = value
      count += 1
      if position == text.count { break }
      guard text[position] == UInt8(ascii: ":") else { return nil }
      position += 1
      if position == text.count { return nil }
      if text[position] == UInt8(ascii: ":") {
        guard gap == nil else { return nil }
        gap = count
        position += 1
      }
    }
    guard gap == nil ? count == 8 : count < 8 else { return nil }
    var full = InlineArray<8, UInt16>(repeating: 0)
    let head = gap ?? count
    for index in 0..<head { full[index] = groups[index] }
    for index in head..<count { full[8 - count + index] = groups[index] }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for index in 0..<4 {
      high = high << 16 | UInt64(full[index])
      low = low << 16 | UInt64(full[index + 4])
    }
    return (high, low)
  }
}

extension IPAddress: CustomStringConvertible {
  /// The address as text, without brackets.
  public var description: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}

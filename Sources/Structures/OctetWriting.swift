/// Writing into memory that is there already: `output.append(addingCapacity:)` looks once whether an array must grow, for all that is written
/// in its closure. What doesn't fit in the capacity traps, so the caller adds up the lengths beforehand.
extension OutputSpan<UInt8> {
  /// The most digits that a decimal number has.
  public static var decimalDigits: Int { 20 }

  /// Appends the octets of a view.
  @inlinable
  public mutating func append(_ octets: Span<UInt8>) {
    octets.withUnsafeBufferPointer { append(copying: $0) }
  }

  /// Appends a literal.
  @inlinable
  public mutating func append(_ literal: StaticString) {
    literal.withUTF8Buffer { append(copying: $0) }
  }

  @inlinable
  mutating func append(copying octets: UnsafeBufferPointer<UInt8>) {
    precondition(octets.count <= freeCapacity, "no room for these octets")
    withUnsafeMutableBufferPointer { target, count in
      guard let from = octets.baseAddress, let to = target.baseAddress else { return }
      (to + count).initialize(from: from, count: octets.count)
      count += octets.count
    }
  }

  /// Appends a number in decimal.
  @inlinable
  public mutating func append(decimal number: UInt64) {
    // Most numbers in a message are small: octets of an address, ports, a hop count.
    if number < 1_000 {
      let low = UInt32(truncatingIfNeeded: number)
      if low >= 100 { append(digit: low / 100) }
      if low >= 10 { append(digit: low / 10 % 10) }
      append(digit: low % 10)
      return
    }
    append(decimal: number / 1_000)
    let rest = UInt32(truncatingIfNeeded: number % 1_000)
    append(digit: rest / 100)
    append(digit: rest / 10 % 10)
    append(digit: rest % 10)
  }

  @inlinable
  @inline(__always)
  mutating func append(digit: UInt32) { append(UInt8(truncatingIfNeeded: digit) + 0x30) }

  /// Appends the low `length` octets of a number (1 to 8) in network order.
  @inlinable
  @inline(__always)
  public mutating func append(bigEndian number: UInt64, _ length: Int) {
    precondition(length >= 1 && length <= 8 && length <= freeCapacity, "no room for this number")
    let ordered = (number &<< UInt64(truncatingIfNeeded: 64 &- 8 &* length)).bigEndian
    withUnsafeBytes(of: ordered) { octets in
      withUnsafeMutableBufferPointer { target, count in
        guard let from = octets.baseAddress, let to = target.baseAddress else { return }
        UnsafeMutableRawPointer(to + count).copyMemory(from: from, byteCount: length)
        count += length
      }
    }
  }

  /// Appends octets in base64url without padding (RFC 4648 §5), ``base64URLLength(_:)`` letters.
  public mutating func append(base64URL octets: Span<UInt8>) {
    precondition(Self.base64URLLength(octets.count) <= freeCapacity, "no room for these letters")
    withUnsafeMutableBufferPointer { target, count in
      guard var to = target.baseAddress?.advanced(by: count) else { return }
      let letters = Self.letters.utf8Start
      var index = 0
      Base64URLPairs.table.withUnsafeBufferPointer { pairs in
        while index + 3 <= octets.count {
          let bits = Int(octets[index]) << 16 | Int(octets[index + 1]) << 8 | Int(octets[index + 2])
          UnsafeMutableRawPointer(to).storeBytes(of: pairs[bits >> 12], as: UInt16.self)
          UnsafeMutableRawPointer(to + 2).storeBytes(of: pairs[bits & 4_095], as: UInt16.self)
          to += 4
          index += 3
        }
      }
      if index < octets.count {
        let hasTwo = index + 1 < octets.count
        let bits = Int(octets[index]) << 16 | (hasTwo ? Int(octets[index + 1]) << 8 : 0)
        to[0] = letters[bits >> 18]
        to[1] = letters[bits >> 12 & 63]
        if hasTwo { to[2] = letters[bits >> 6 & 63] }
      }
      count += Self.base64URLLength(octets.count)
    }
  }

  fileprivate static var letters: StaticString { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" }

  /// How many letters `count` octets are in base64url.
  @inlinable public static func base64URLLength(_ count: Int) -> Int { (count * 8 + 5) / 6 }
}

/// Twelve bits as two letters, in the order in which they stand in memory.
private enum Base64URLPairs {
  static let table: [UInt16] = (0..<4_096).map { bits in
    let letters = OutputSpan<UInt8>.letters.utf8Start
    return UInt16(littleEndian: UInt16(letters[bits >> 6]) | UInt16(letters[bits & 63]) << 8)
  }
}

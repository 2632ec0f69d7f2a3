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

  @inline(__always)
  private mutating func append(digit: UInt32) { append(UInt8(truncatingIfNeeded: digit) + 0x30) }

  /// Appends the low `length` octets of a number (1 to 8) in network order.
  @inlinable
  public mutating func append(bigEndian number: UInt64, _ length: Int) {
    precondition(length >= 1 && length <= 8 && length <= freeCapacity, "no room for this number")
    withUnsafeMutableBufferPointer { target, count in
      guard let base = target.baseAddress else { return }
      var shift = UInt64(truncatingIfNeeded: length) &* 8
      for index in 0..<length {
        shift &-= 8
        base[count &+ index] = UInt8(truncatingIfNeeded: number &>> shift)
      }
      count += length
    }
  }

  /// Appends octets in base64url without padding (RFC 4648 §5), ``base64URLLength(_:)`` letters.
  public mutating func append(base64URL octets: Span<UInt8>) {
    var index = 0
    while index + 3 <= octets.count {
      appendLetters(UInt32(octets[index]) << 16 | UInt32(octets[index + 1]) << 8 | UInt32(octets[index + 2]), 4)
      index += 3
    }
    switch octets.count - index {
    case 2: appendLetters(UInt32(octets[index]) << 16 | UInt32(octets[index + 1]) << 8, 3)
    case 1: appendLetters(UInt32(octets[index]) << 16, 2)
    default: break
    }
  }

  /// How many letters `count` octets are in base64url.
  @inlinable public static func base64URLLength(_ count: Int) -> Int { (count * 8 + 5) / 6 }

  /// Appends the letters for the highest 6, 12, 18 or 24 of 24 bits.
  @inline(__always)
  private mutating func appendLetters(_ bits: UInt32, _ count: Int) {
    let letters: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    var shift: UInt32 = 24
    for _ in 0..<count {
      shift -= 6
      append(letters.utf8Start[Int(bits >> shift & 63)])
    }
  }
}

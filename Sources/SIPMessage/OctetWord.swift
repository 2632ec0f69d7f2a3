/// Up to eight octets as one number, so that comparing a name with a literal is comparing two numbers.
struct OctetWord: Equatable, ExpressibleByStringLiteral {
  /// The first octet is the lowest one of the number; those that are missing are 0.
  let bits: UInt64

  @inline(__always)
  init(bits: UInt64) {
    self.bits = bits
  }

  /// A literal of one to eight octets; the compiler makes a number of it.
  @inline(__always)
  init(stringLiteral literal: StaticString) {
    var word: UInt64 = 0
    for index in 0..<literal.utf8CodeUnitCount { word |= UInt64(literal.utf8Start[index]) << UInt64(index * 8) }
    bits = word
  }

  /// The same with ASCII capitals made small. Signs from `@` to `_` change too, but into nothing that a name could hold.
  @inline(__always)
  var lowercased: OctetWord { OctetWord(bits: bits | (bits & 0x4040_4040_4040_4040) >> 1) }

  /// The first `count` octets.
  @inline(__always)
  func prefix(_ count: Int) -> OctetWord {
    count < 8 ? OctetWord(bits: bits & (1 &<< UInt64(truncatingIfNeeded: count &* 8) &- 1)) : self
  }

  /// Whether the first `count` octets are ASCII letters, digits and hyphens; true when `count` isn't above 0.
  @inline(__always)
  func isPlain(_ count: Int) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    // Adding lifts an octet that isn't below a bound into its top bit. Beyond ASCII the sums spill over; such octets have their top bit
    // set, which makes the answer false whatever the others are.
    let letters = lowercased.bits
    let isLetter = (letters &+ ones &* (0x80 - 0x61)) & ~(letters &+ ones &* (0x80 - 0x7B))
    let isDigit = (bits &+ ones &* (0x80 - 0x30)) & ~(bits &+ ones &* (0x80 - 0x3A))
    let isHyphen = ~((bits ^ ones &* 0x2D) &+ ones &* 0x7F)
    let tops = OctetWord(bits: ones << 7).prefix(max(count, 0)).bits
    return (isLetter | isDigit | isHyphen) & ~bits & tops == tops
  }

  /// How many octets it has, when the last one isn't 0.
  @inline(__always)
  var count: Int { 8 - bits.leadingZeroBitCount / 8 }
}

extension UnsafeBufferPointer where Element == UInt8 {
  /// The position of the first LF at or behind `start`, eight octets at a time; nil when there is none.
  ///
  /// The one place in the module that reads without bounds checks: both loops stay below `count`.
  func firstLineFeed(from start: Int) -> Int? {
    guard let base = baseAddress else { return nil }
    let raw = UnsafeRawPointer(base)
    let low: UInt64 = 0x0101_0101_0101_0101
    let high: UInt64 = 0x8080_8080_8080_8080
    var index = start
    while index + 8 <= count {
      // An octet becomes 0 where it was LF; the subtraction then borrows into its top bit.
      let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ (low &* 0x0A)
      let hits = (word &- low) & ~word & high
      if hits != 0 { return index + hits.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < count {
      if base[index] == 0x0A { return index }
      index += 1
    }
    return nil
  }
}

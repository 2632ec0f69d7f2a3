extension [UInt8] {
  /// Appends octets in base64url without padding (RFC 4648 §5): letters, digits, `-` and `_`, all of which a SIP token may hold.
  public mutating func append(base64URL octets: Span<UInt8>) {
    var bits: UInt32 = 0
    var count = 0
    for index in octets.indices {
      bits = bits << 8 | UInt32(octets[index])
      count += 8
      while count >= 6 {
        count -= 6
        append(Self.letter(UInt8(truncatingIfNeeded: bits >> UInt32(count)) & 63))
      }
    }
    if count > 0 { append(Self.letter(UInt8(truncatingIfNeeded: bits << UInt32(6 - count)) & 63)) }
  }

  /// Appends the octets that base64url text stands for; returns false, and appends nothing, when it is no such text.
  public mutating func append(decodingBase64URL text: Span<UInt8>) -> Bool {
    let start = count
    var bits: UInt32 = 0
    var held = 0
    for index in text.indices {
      guard let value = Self.value(text[index]) else {
        removeSubrange(start..<count)
        return false
      }
      bits = bits << 6 | UInt32(value)
      held += 6
      if held >= 8 {
        held -= 8
        append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    // Left-over bits are zero in what we write; anything else would be a second spelling of the same octets.
    if held >= 6 || bits & ((1 << UInt32(held)) - 1) != 0 {
      removeSubrange(start..<count)
      return false
    }
    return true
  }

  private static func letter(_ value: UInt8) -> UInt8 {
    switch value {
    case 0..<26: 0x41 + value
    case 26..<52: 0x61 + value - 26
    case 52..<62: 0x30 + value - 52
    case 62: 0x2D
    default: 0x5F
    }
  }

  private static func value(_ letter: UInt8) -> UInt8? {
    switch letter {
    case 0x41...0x5A: letter - 0x41
    case 0x61...0x7A: letter - 0x61 + 26
    case 0x30...0x39: letter - 0x30 + 52
    case 0x2D: 62
    case 0x5F: 63
    default: nil
    }
  }
}

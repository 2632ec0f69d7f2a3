extension [UInt8] {
  /// Appends octets in base64url without padding (RFC 4648 §5): letters, digits, `-` and `_`, all of which a SIP token may hold.
  public mutating func append(base64URL octets: Span<UInt8>) {
    append(addingCapacity: OutputSpan.base64URLLength(octets.count)) { $0.append(base64URL: octets) }
  }

  /// Appends the octets that base64url text stands for; returns false, and appends nothing, when it is no such text.
  public mutating func append(decodingBase64URL text: Span<UInt8>) -> Bool {
    let start = count
    var isText = false
    append(addingCapacity: text.count) { isText = Self.decode(text, to: &$0) }
    if !isText { removeSubrange(start..<count) }
    return isText
  }

  private static func decode(_ text: Span<UInt8>, to output: inout OutputSpan<UInt8>) -> Bool {
    var bits: UInt32 = 0
    var held: UInt32 = 0
    for index in text.indices {
      guard let value = Self.value(text[index]) else { return false }
      bits = bits << 6 | UInt32(value)
      held &+= 6
      if held >= 8 {
        held &-= 8
        output.append(UInt8(truncatingIfNeeded: bits &>> held))
      }
    }
    // Left-over bits are zero in what we write; anything else would be a second spelling of the same octets.
    return held < 6 && bits & ((1 &<< held) - 1) == 0
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

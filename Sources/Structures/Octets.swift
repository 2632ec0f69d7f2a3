extension UInt8 {
  /// The value of an ASCII decimal digit; nil for any other octet.
  @inlinable public var decimalDigit: UInt8? {
    self >= 0x30 && self <= 0x39 ? self - 0x30 : nil
  }

  /// The value of an ASCII hexadecimal digit of either case; nil for any other octet.
  @inlinable public var hexadecimalDigit: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x41...0x46: self - 0x37
    case 0x61...0x66: self - 0x57
    default: nil
    }
  }

  /// The octet with ASCII capitals made small.
  @inlinable public var lowercased: UInt8 {
    self >= 0x41 && self <= 0x5A ? self | 0x20 : self
  }
}

extension [UInt8] {
  /// Appends the octets of a view.
  @inlinable
  public mutating func append(_ octets: Span<UInt8>) {
    octets.withUnsafeBufferPointer { append(contentsOf: $0) }
  }

  /// Appends a literal.
  @inlinable
  public mutating func append(_ literal: StaticString) {
    literal.withUTF8Buffer { append(contentsOf: $0) }
  }

  /// Appends the low `length` octets of a number (1 to 8) in network order.
  public mutating func append(bigEndian number: UInt64, _ length: Int) {
    append(addingCapacity: length) { $0.append(bigEndian: number, length) }
  }

  /// Appends what `body` appends, behind its length in so many octets (1 to 8) in network order; ``PartReader/counted(_:_:)`` reads it.
  public mutating func append(counted width: Int, _ body: (inout [UInt8]) -> Void) {
    let start = count
    append(bigEndian: 0, width)
    body(&self)
    let length = UInt64(count - start - width)
    for octet in 0..<width {
      self[start + octet] = UInt8(truncatingIfNeeded: length >> UInt64(8 * (width - 1 - octet)))
    }
  }

  /// Appends a number in decimal.
  public mutating func append(decimal number: UInt64) {
    append(addingCapacity: OutputSpan.decimalDigits) { $0.append(decimal: number) }
  }

  /// Appends a number in hexadecimal, small letters, without leading zeros.
  public mutating func append(hexadecimal number: UInt16) {
    var started = false
    for shift: UInt16 in [12, 8, 4, 0] {
      let digit = UInt8(truncatingIfNeeded: number >> shift & 0xF)
      if digit != 0 || started || shift == 0 {
        started = true
        append(digit < 10 ? digit + 0x30 : digit + 0x57)
      }
    }
  }

  /// Appends octets in hexadecimal, two small letters each.
  public mutating func append(hexadecimal octets: Span<UInt8>) {
    for index in octets.indices {
      let octet = octets[index]
      let (upper, lower) = (octet >> 4, octet & 0xF)
      append(upper < 10 ? upper + 0x30 : upper + 0x57)
      append(lower < 10 ? lower + 0x30 : lower + 0x57)
    }
  }
}

extension Span where Element == UInt8 {
  /// Whether the octets are those of `literal`.
  @inlinable
  public func equals(_ literal: StaticString) -> Bool {
    guard count == literal.utf8CodeUnitCount else { return false }
    let other = literal.utf8Start
    return withUnsafeBufferPointer { octets in
      for index in octets.indices where octets[index] != other[index] { return false }
      return true
    }
  }

  /// Whether the octets are those of `literal`, ASCII letters compared without case. `literal` is in small letters.
  @inlinable
  public func equalsIgnoringCase(_ literal: StaticString) -> Bool {
    guard count == literal.utf8CodeUnitCount else { return false }
    let other = literal.utf8Start
    return withUnsafeBufferPointer { octets in
      for index in octets.indices where octets[index].lowercased != other[index] { return false }
      return true
    }
  }

  /// Whether both hold the same octets.
  @inlinable
  public func equals(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return withUnsafeBufferPointer { left in
      other.withUnsafeBufferPointer { right in
        for index in left.indices where left[index] != right[index] { return false }
        return true
      }
    }
  }

  /// Whether both hold the same octets, ASCII letters compared without case.
  @inlinable
  public func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return withUnsafeBufferPointer { left in
      other.withUnsafeBufferPointer { right in
        for index in left.indices where left[index].lowercased != right[index].lowercased { return false }
        return true
      }
    }
  }

  /// The octets as text; octets that are not UTF-8 are replaced.
  public var text: String {
    withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }

  /// The octets as an array of their own.
  public var array: [UInt8] {
    withUnsafeBufferPointer { Array($0) }
  }
}

extension Span where Element == UInt8 {
  /// The number that `length` octets (1 to 8) at a position are in network order. The octets must be there.
  @inlinable
  public func bigEndian(_ position: Int, _ length: Int) -> UInt64 {
    var number: UInt64 = 0
    for index in position..<position + length { number = number << 8 | UInt64(self[index]) }
    return number
  }

  /// A number that depends on `seed` and on every octet, the same on every machine: for telling texts apart that nobody chose to be taken for
  /// each other. No hash for tables or secrets.
  @inlinable
  @inline(__always)
  public func mixed(into seed: UInt64) -> UInt64 {
    withUnsafeBytes { octets in
      var word = (seed ^ UInt64(truncatingIfNeeded: octets.count)) &* 0x9E37_79B9_7F4A_7C15
      var index = 0
      while index + 8 <= octets.count {
        let next = UInt64(littleEndian: octets.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        word = (word ^ word &>> 32 ^ next) &* 0x9E37_79B9_7F4A_7C15
        index += 8
      }
      var rest: UInt64 = 0
      while index < octets.count {
        rest = rest &<< 8 | UInt64(octets[index])
        index += 1
      }
      word = (word ^ word &>> 32 ^ rest) &* 0x9E37_79B9_7F4A_7C15
      return word ^ word &>> 32
    }
  }
}

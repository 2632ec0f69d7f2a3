/// A set of ASCII octets, tested with one shift. The sets are those of RFC 3261 §25.1.
struct OctetClass {
  private let low: UInt64
  private let high: UInt64

  @inline(__always)
  private init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// `token`
  @inline(__always) static var token: OctetClass { OctetClass(low: 0x03FF_6CA2_0000_0000, high: 0x47FF_FFFF_87FF_FFFE) }
  /// `word`, the parts of a Call-ID
  @inline(__always) static var word: OctetClass { OctetClass(low: 0xD7FF_EFA6_0000_0000, high: 0x6FFF_FFFF_BFFF_FFFE) }
  /// `user`, with the percent sign of an escape
  @inline(__always) static var user: OctetClass { OctetClass(low: 0xABFF_FFF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
  /// `password`, with the percent sign of an escape
  @inline(__always) static var password: OctetClass {
    OctetClass(low: 0x23FF_7FF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
  }
  /// `hostname`, with the underscore that many names have
  @inline(__always) static var host: OctetClass { OctetClass(low: 0x03FF_6000_0000_0000, high: 0x07FF_FFFE_87FF_FFFE) }
  /// `paramchar`, with the percent sign of an escape
  @inline(__always) static var parameter: OctetClass {
    OctetClass(low: 0x07FF_EFF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE)
  }
  /// `hname` and `hvalue` with their separators
  @inline(__always) static var header: OctetClass {
    OctetClass(low: 0xA7FF_EFF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE)
  }
  /// `uric`, for URIs of other schemes
  @inline(__always) static var uric: OctetClass { OctetClass(low: 0xAFFF_FFF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFF) }
  /// `unreserved`
  @inline(__always) static var unreserved: OctetClass {
    OctetClass(low: 0x03FF_6782_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
  }
  /// The octets of a URI scheme after its first letter
  @inline(__always) static var scheme: OctetClass {
    OctetClass(low: 0x03FF_6800_0000_0000, high: 0x07FF_FFFE_07FF_FFFE)
  }

  /// Whether the octet is in the set.
  @inline(__always)
  func contains(_ octet: UInt8) -> Bool {
    if octet < 64 { return low >> UInt64(octet) & 1 != 0 }
    return octet < 128 && high >> UInt64(octet & 63) & 1 != 0
  }
}

extension Span where Element == UInt8 {
  /// Whether all octets of the range are in the set; true for an empty range.
  @inline(__always)
  func all(_ range: Range<Int>, in set: OctetClass) -> Bool {
    for index in range where !set.contains(self[index]) { return false }
    return true
  }

  /// Like ``all(_:in:)``, and every percent sign begins an escape of two hexadecimal digits.
  func allEscaped(_ range: Range<Int>, in set: OctetClass) -> Bool {
    var index = range.lowerBound
    while index < range.upperBound {
      let octet = self[index]
      guard set.contains(octet) else { return false }
      if octet == UInt8(ascii: "%") {
        guard index + 2 < range.upperBound, self[index + 1].hexadecimalDigit != nil,
          self[index + 2].hexadecimalDigit != nil
        else { return false }
        index += 2
      }
      index += 1
    }
    return true
  }

  /// The position of the first `octet` in the range; nil when there is none.
  @inline(__always)
  func first(_ octet: UInt8, in range: Range<Int>) -> Int? {
    for index in range where self[index] == octet { return index }
    return nil
  }

  /// Skips SP, HT and the CRLF of a folded line.
  @inline(__always)
  func skipSpace(_ position: Int, _ end: Int) -> Int {
    var index = position
    while index < end, self[index].isLinearSpace { index += 1 }
    return index
  }

  /// The end of the range without white space behind it.
  @inline(__always)
  func trimSpace(_ start: Int, _ end: Int) -> Int {
    var index = end
    while index > start, self[index - 1].isLinearSpace { index -= 1 }
    return index
  }

  /// The end of the run of `set` that begins at `position`.
  @inline(__always)
  func run(_ position: Int, _ end: Int, of set: OctetClass) -> Int {
    var index = position
    while index < end, set.contains(self[index]) { index += 1 }
    return index
  }

  /// The position behind a quoted string that begins at `position`; nil when it doesn't end.
  func endOfQuoted(_ position: Int, _ end: Int) -> Int? {
    var index = position + 1
    while index < end {
      switch self[index] {
      case UInt8(ascii: "\""): return index + 1
      case UInt8(ascii: "\\"): index += 2
      default: index += 1
      }
    }
    return nil
  }
}

extension UInt8 {
  /// SP, HT, CR or LF: line breaks inside a value are folds, the parser has seen to that.
  @inline(__always) var isLinearSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0D || self == 0x0A }
}

extension StaticString {
  /// The octet at a position.
  @inline(__always)
  subscript(index: Int) -> UInt8 {
    withUTF8Buffer { $0[index] }
  }
}

import CLinux
import CLoadGenerator
import Structures

/// A stretch of a buffer: where it starts and how long it is.
struct Slice: Equatable {
  var start: Int32 = 0
  var length: Int32 = 0

  init() {}

  init(_ start: Int, _ end: Int) {
    self.start = Int32(start)
    length = Int32(end - start)
  }

  var isEmpty: Bool { length == 0 }
  var range: Range<Int> { Int(start)..<Int(start + length) }
}

extension Span where Element == UInt8 {
  /// The position of the first `octet` at or after `position`; nil when there is none.
  @inline(__always)
  func position(of octet: UInt8, from position: Int) -> Int? {
    guard position < count else { return nil }
    let found = withUnsafeBufferPointer { buffer -> Int in
      guard let base = buffer.baseAddress else { return -1 }
      return clinux_find_octet(base + position, buffer.count - position, octet)
    }
    return found < 0 ? nil : position + found
  }

  /// Whether the octets at a position are those of `literal`.
  @inline(__always)
  func matches(_ literal: StaticString, at position: Int) -> Bool {
    let length = literal.utf8CodeUnitCount
    guard position >= 0, position + length <= count else { return false }
    return withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return length == 0 }
      return cload_equal(base + position, literal.utf8Start, length)
    }
  }

  /// Whether a stretch of octets is the same as another buffer.
  @inline(__always)
  func isSame(as other: [UInt8]) -> Bool {
    guard count == other.count else { return false }
    return withUnsafeBufferPointer { left in
      other.withUnsafeBufferPointer { right in
        guard let one = left.baseAddress, let two = right.baseAddress else { return true }
        return cload_equal(one, two, left.count)
      }
    }
  }

  /// The decimal number that the whole span is; nil when it is none or larger than 2^40.
  var decimal: Int? {
    if isEmpty { return nil }
    var number = 0
    for index in indices {
      guard let digit = self[index].decimalDigit, number < 1 << 40 else { return nil }
      number = number * 10 + Int(digit)
    }
    return number
  }

  /// `digits` hexadecimal digits at a position as a number; nil when they aren't there.
  @inline(__always)
  func hexadecimal(at position: Int, digits: Int) -> UInt64? {
    guard position >= 0, position + digits <= count else { return nil }
    var number: UInt64 = 0
    for index in position..<position + digits {
      guard let digit = self[index].hexadecimalDigit else { return nil }
      number = number << 4 | UInt64(digit)
    }
    return number
  }
}

extension [UInt8] {
  /// Appends a slice of another buffer.
  @inline(__always)
  mutating func append(_ octets: Span<UInt8>, _ slice: Slice) {
    octets.extracting(slice.range).withUnsafeBufferPointer { append(contentsOf: $0) }
  }

  /// Appends `digits` hexadecimal digits of a number, leading zeros included.
  @inline(__always)
  mutating func append(hexadecimal number: UInt64, digits: Int) {
    var shift = UInt64(digits * 4)
    while shift > 0 {
      shift -= 4
      let digit = UInt8(truncatingIfNeeded: number >> shift & 0xF)
      append(digit < 10 ? digit + 0x30 : digit + 0x57)
    }
  }

  /// Appends a text's UTF-8; for what is prepared before the load runs.
  mutating func append(text: String) { append(contentsOf: text.utf8) }

  /// The buffer as text; octets that are not UTF-8 are replaced.
  var text: String { String(decoding: self, as: UTF8.self) }
}

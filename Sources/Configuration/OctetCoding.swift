internal import Structures

/// Appends numbers and length-prefixed octets: the form in which a supervisor hands the configuration to its workers.
struct OctetWriter {
  private(set) var octets: [UInt8] = []

  /// Appends one octet.
  mutating func write(octet: UInt8) {
    octets.append(octet)
  }

  /// Appends a number of at most 32 bits in network order; a greater one is cut, which only a file of 4 GiB could reach.
  mutating func write(count: Int) {
    let value = UInt32(clamping: count)
    for shift: UInt32 in [24, 16, 8, 0] { octets.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  /// Appends a number of 64 bits in network order.
  mutating func write(number: UInt64) {
    write(count: Int(number >> 32))
    write(count: Int(number & 0xFFFF_FFFF))
  }

  /// Appends octets behind their count.
  mutating func write(block: [UInt8]) {
    write(count: block.count)
    octets.append(contentsOf: block)
  }

  /// Appends text as UTF-8 behind its count of octets.
  mutating func write(text: String) {
    write(block: Array(text.utf8))
  }
}

/// Takes apart what ``OctetWriter`` wrote. Every read may fail; none traps, whatever the octets are.
struct OctetReader {
  private let octets: [UInt8]
  private var position = 0

  /// A reader at the first octet.
  init(_ octets: [UInt8]) {
    self.octets = octets
  }

  /// Octets not read yet.
  var remaining: Int { octets.count - position }

  /// The next octet; nil at the end.
  mutating func readOctet() -> UInt8? {
    guard remaining > 0 else { return nil }
    position += 1
    return octets[position - 1]
  }

  /// The next 32-bit number; nil when fewer octets are left.
  mutating func readCount() -> Int? {
    guard remaining >= 4 else { return nil }
    var value = 0
    for _ in 0..<4 {
      value = value << 8 | Int(octets[position])
      position += 1
    }
    return value
  }

  /// The next 64-bit number; nil when fewer octets are left.
  mutating func readNumber() -> UInt64? {
    guard let high = readCount(), let low = readCount() else { return nil }
    return UInt64(high) << 32 | UInt64(low)
  }

  /// The count of elements that take at least `size` octets each; nil when so many cannot follow.
  mutating func readCount(ofElementsWith size: Int) -> Int? {
    guard let count = readCount(), count <= remaining / size else { return nil }
    return count
  }

  /// The next counted octets; nil when fewer are left.
  mutating func readBlock() -> [UInt8]? {
    guard let count = readCount(), count <= remaining else { return nil }
    position += count
    return Array(octets[(position - count)..<position])
  }

  /// The next counted text; nil when it is cut or not UTF-8.
  mutating func readText() -> String? {
    guard let block = readBlock() else { return nil }
    return String(validating: block, as: UTF8.self)
  }
}

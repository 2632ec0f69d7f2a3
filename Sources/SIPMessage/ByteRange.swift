/// Part of a message's octets. Sixteen bits suffice: a message has at most 65,535 octets.
public struct ByteRange: Hashable, Sendable {
  // One number, so that it is copied as one.
  @usableFromInline let bits: UInt32

  /// A range from positions that lie within a message.
  @inlinable
  public init(_ start: Int, _ end: Int) {
    bits = UInt32(UInt16(truncatingIfNeeded: start)) | UInt32(UInt16(truncatingIfNeeded: end)) << 16
  }

  /// Position of the first octet.
  @inlinable public var start: UInt16 { UInt16(truncatingIfNeeded: bits) }
  /// Position behind the last octet.
  @inlinable public var end: UInt16 { UInt16(truncatingIfNeeded: bits >> 16) }
  /// How many octets it covers.
  @inlinable public var count: Int { Int(end) - Int(start) }
  /// Whether it covers none.
  @inlinable public var isEmpty: Bool { start == end }
  /// As a range of positions.
  @inlinable public var positions: Range<Int> { Int(start)..<max(Int(start), Int(end)) }
}

/// Part of a message's octets. Sixteen bits suffice: a message has at most 65,535 octets.
public struct ByteRange: Hashable, Sendable {
  /// Position of the first octet.
  public let start: UInt16
  /// Position behind the last octet.
  public let end: UInt16

  /// A range from positions that lie within a message.
  @inlinable
  public init(_ start: Int, _ end: Int) {
    self.start = UInt16(truncatingIfNeeded: start)
    self.end = UInt16(truncatingIfNeeded: end)
  }

  /// How many octets it covers.
  @inlinable public var count: Int { Int(end) - Int(start) }
  /// Whether it covers none.
  @inlinable public var isEmpty: Bool { start == end }
  /// As a range of positions.
  @inlinable public var positions: Range<Int> { Int(start)..<max(Int(start), Int(end)) }
}

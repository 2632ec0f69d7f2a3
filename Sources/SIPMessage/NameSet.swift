/// A set of header field names, as one number: whether a message has any of several fields is one comparison.
public struct NameSet: Equatable, Sendable, ExpressibleByArrayLiteral {
  /// The bit of its number for each name.
  @usableFromInline var bits: UInt64 = 0

  /// No name.
  @inlinable public init() {}

  /// Some names.
  @inlinable public init(arrayLiteral names: HeaderName...) {
    for name in names { insert(name) }
  }

  /// Whether no name is in it.
  @inlinable public var isEmpty: Bool { bits == 0 }

  /// Whether a name is in it.
  @inlinable public func contains(_ name: HeaderName) -> Bool { bits &>> UInt64(name.rawValue) & 1 != 0 }

  /// Whether it has a name in common with another one.
  @inlinable public func meets(_ other: NameSet) -> Bool { bits & other.bits != 0 }

  /// Adds a name.
  @inlinable public mutating func insert(_ name: HeaderName) { bits |= 1 &<< UInt64(name.rawValue) }

  /// Adds the names of another one.
  @inlinable public mutating func formUnion(_ other: NameSet) { bits |= other.bits }
}

extension Array {
  /// Removes all elements and keeps the memory. Costs next to nothing for an array that is empty already, unlike
  /// `removeAll(keepingCapacity:)`.
  @inlinable
  @inline(__always)
  public mutating func clear() {
    if !isEmpty { removeAll(keepingCapacity: true) }
  }
}

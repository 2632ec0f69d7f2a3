/// The live bindings of one address of record at one moment. It never changes: whoever looked it up may keep it.
public final class BindingSet: Sendable {
  /// A set without bindings.
  public static let empty = BindingSet([])

  /// The bindings by preference, highest first; those of one preference by when they were written, latest first
  /// (RFC 3261 §16.6, RFC 5627 §6.1).
  public let bindings: [Binding]
  /// When the first of them ends, in Unix seconds; the largest number when there is none.
  public let earliestExpiry: Int64

  /// A set of bindings given in any order. Of two that were written in the same second, the one given first stays first.
  public init(_ bindings: [Binding]) {
    var sorted: [Binding] = []
    sorted.reserveCapacity(bindings.count)
    for binding in bindings {
      var position = sorted.count
      while position > 0, Self.precedes(binding, sorted[position - 1]) { position -= 1 }
      sorted.insert(binding, at: position)
    }
    self.bindings = sorted
    earliestExpiry = sorted.reduce(.max) { min($0, $1.expires) }
  }

  /// How many bindings there are.
  public var count: Int { bindings.count }

  /// Whether there is none.
  public var isEmpty: Bool { bindings.isEmpty }

  /// The same set without what has ended at `now`; itself when nothing has.
  public func live(at now: Int64) -> BindingSet {
    if earliestExpiry > now { return self }
    let rest = bindings.filter { $0.expires > now }
    return rest.isEmpty ? .empty : BindingSet(rest)
  }

  /// Whether both lead requests to the same places: no binding more or less, and none that differs by more than a refresh.
  func hasSameTargets(as other: BindingSet) -> Bool {
    guard count == other.count else { return false }
    return bindings.allSatisfy { binding in
      other.bindings.contains { $0.uri == binding.uri && $0.isSameTarget(as: binding) }
    }
  }

  private static func precedes(_ left: Binding, _ right: Binding) -> Bool {
    left.q != right.q ? left.q > right.q : left.registeredAt > right.registeredAt
  }
}

import Structures

/// The live bindings of one address of record at one moment. It never changes: whoever looked it up may keep it.
public final class BindingSet: Sendable {
  /// A set without bindings.
  public static let empty = BindingSet([])

  /// How many bindings that have lapsed an address of record is remembered for.
  public static let maxLapsed = 16

  /// The bindings by preference, highest first; those of one preference by when they were written, latest first
  /// (RFC 3261 §16.6, RFC 5627 §6.1).
  public let bindings: [Binding]
  /// Bindings of instances that ended with their flow before their time. No request goes there, but the client doesn't know of it yet: when
  /// it comes back as if nothing had been, its temporary GRUUs still are what they were (RFC 5627 §3.2).
  let lapsed: [Binding]
  /// When the first of them ends, in Unix seconds; the largest number when there is none.
  public let earliestExpiry: Int64

  /// A set of bindings given in any order. Of two that were written in the same second, the one given first stays first.
  public convenience init(_ bindings: [Binding]) {
    self.init(bindings, lapsed: [])
  }

  /// A set of bindings given in any order, and those that have lapsed.
  init(_ bindings: [Binding], lapsed: [Binding]) {
    var sorted: [Binding] = []
    sorted.reserveCapacity(bindings.count)
    for binding in bindings {
      var position = sorted.count
      while position > 0, Self.precedes(binding, sorted[position - 1]) { position -= 1 }
      sorted.insert(binding, at: position)
    }
    self.bindings = sorted
    self.lapsed = lapsed
    earliestExpiry = lapsed.reduce(sorted.reduce(.max) { min($0, $1.expires) }) { min($0, $1.expires) }
  }

  /// How many bindings there are.
  public var count: Int { bindings.count }

  /// Whether there is none.
  public var isEmpty: Bool { bindings.isEmpty }

  /// Whether nothing would be lost if the set were.
  public var isVacant: Bool { bindings.isEmpty && lapsed.isEmpty }

  /// When the last of them ends, in Unix seconds, lapsed ones counted; 0 when there is none.
  public var latestExpiry: Int64 {
    lapsed.reduce(bindings.reduce(0) { max($0, $1.expires) }) { max($0, $1.expires) }
  }

  /// About how many octets of memory the set takes.
  public var size: Int {
    var size = 64
    for binding in bindings { size += binding.size }
    for binding in lapsed { size += binding.size }
    return size
  }

  /// The same set without what has ended at `now`; itself when nothing has.
  public func live(at now: Int64) -> BindingSet {
    if earliestExpiry > now { return self }
    return .of(bindings.filter { $0.expires > now }, lapsed: lapsed.filter { $0.expires > now })
  }

  /// The same set after the end of a flow: without the bindings that end with it (``Binding/isDirect``); itself when there is none. Of those
  /// that lapse so at most `limit` are kept in mind, the ones written last.
  public func withoutFlow(_ flow: FlowID, limit: Int = BindingSet.maxLapsed) -> BindingSet {
    let lost = bindings.filter { $0.flow.id == flow && $0.isDirect }
    if lost.isEmpty { return self }
    let known = (lost.filter { $0.instance != nil } + lapsed).sorted { $0.registeredAt > $1.registeredAt }
    return .of(bindings.filter { $0.flow.id != flow || !$0.isDirect }, lapsed: Array(known.prefix(max(0, limit))))
  }

  /// A set of bindings; the empty one when there is none.
  static func of(_ bindings: [Binding], lapsed: [Binding]) -> BindingSet {
    bindings.isEmpty && lapsed.isEmpty ? .empty : BindingSet(bindings, lapsed: lapsed)
  }

  /// Whether both lead requests to the same places: no binding more or less, and none that differs by more than a refresh.
  public func hasSameTargets(as other: BindingSet) -> Bool {
    guard count == other.count else { return false }
    return bindings.allSatisfy { binding in
      other.bindings.contains { $0.uri == binding.uri && $0.isSameTarget(as: binding) }
    }
  }

  private static func precedes(_ left: Binding, _ right: Binding) -> Bool {
    left.q != right.q ? left.q > right.q : left.registeredAt > right.registeredAt
  }
}

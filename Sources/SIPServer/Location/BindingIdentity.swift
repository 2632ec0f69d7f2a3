import Structures

/// What stays the same of a binding when its client comes back over another flow: the instance, or without one the contact.
/// Flow tokens carry it, so that a dialog outlives the connections of its parties (RFC 5626 §4.1, §5.3).
public struct BindingIdentity: Hashable, Sendable {
  /// What the hash is of.
  public enum Kind: UInt8, Sendable {
    /// Nothing is known of the binding but its address of record.
    case none = 0
    /// The contact URI.
    case contact = 1
    /// The instance.
    case instance = 2
  }

  /// What the hash is of.
  public let kind: Kind
  /// A keyed hash, the same in all workers of the cluster; 0 for ``Kind/none``.
  public let hash: UInt64
  /// The `reg-id` up to 255; 0 when there was none or nothing is known.
  public let regID: UInt8

  /// Of a binding of which nothing is known.
  public static let none = BindingIdentity(kind: .none, hash: 0, regID: 0)

  /// An identity read from a token.
  init(kind: Kind, hash: UInt64, regID: UInt8) {
    self.kind = kind
    self.hash = hash
    self.regID = regID
  }

  /// The identity of a binding.
  init(_ binding: Binding, hashing: any Hashing) {
    if let instance = binding.instance {
      let regID = binding.regID.map { UInt8(truncatingIfNeeded: min($0, 255)) } ?? 0
      self.init(kind: .instance, hash: hashing.shortMAC(instance.span), regID: regID)
    } else {
      let uri = binding.uri
      self.init(kind: .contact, hash: hashing.shortMAC(uri.span), regID: 0)
    }
  }
}

extension BindingSet {
  /// The bindings to which a request goes that was meant for a binding whose flow is gone, best first: those of the same instance, the one with the
  /// same `reg-id` before others. A client without an instance is known by its contact; if that changed, it can only be the one binding without an
  /// instance that the address of record has.
  func successors(of identity: BindingIdentity, hashing: any Hashing) -> [Binding] {
    var found: [Binding] = []
    for binding in bindings {
      let other = BindingIdentity(binding, hashing: hashing)
      guard other.kind == identity.kind, other.hash == identity.hash else { continue }
      if other.regID == identity.regID { found.insert(binding, at: 0) } else { found.append(binding) }
    }
    if !found.isEmpty || identity.kind == .instance { return found }
    let anonymous = bindings.filter { $0.instance == nil }
    if anonymous.count == 1 { return anonymous }
    return identity.kind == .none && count == 1 ? bindings : []
  }
}

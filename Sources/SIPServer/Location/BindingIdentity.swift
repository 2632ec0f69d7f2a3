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

  /// Of a binding of which nothing is known.
  public static let none = BindingIdentity(kind: .none, hash: 0)

  /// An identity read from a token.
  init(kind: Kind, hash: UInt64) {
    self.kind = kind
    self.hash = hash
  }

  /// The identity of a binding.
  init(_ binding: Binding, hashing: any Hashing) {
    self.init(instance: binding.instance, contact: binding.uri, hashing: hashing)
  }

  /// The identity of a binding of which the instance, if it has one, and the contact are known.
  init(instance: [UInt8]?, contact: [UInt8], hashing: any Hashing) {
    if let instance {
      self.init(kind: .instance, hash: hashing.shortMAC(instance.span))
    } else {
      self.init(kind: .contact, hash: hashing.shortMAC(contact.span))
    }
  }
}

extension BindingSet {
  /// The bindings to which a request goes that was meant for a binding whose flow is gone, best first: those of the same instance. A client without
  /// an instance is known by its contact; if that changed, it can only be the one binding without an instance that the address of record has.
  func successors(of identity: BindingIdentity, hashing: any Hashing) -> [Binding] {
    let same = bindings.filter { BindingIdentity($0, hashing: hashing) == identity }
    if !same.isEmpty || identity.kind == .instance { return same }
    let anonymous = bindings.filter { $0.instance == nil }
    if anonymous.count == 1 { return anonymous }
    return identity.kind == .none && count == 1 ? bindings : []
  }
}

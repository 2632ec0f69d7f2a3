import SIPMessage
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
  /// A keyed hash, the same in all workers of the cluster; 0 for ``Kind/none``. Of a contact the lower half is of its user and host alone, which
  /// stay when its client opens another connection.
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
      let text = contact.span
      let place = hashing.shortMAC(text.extracting(Self.place(of: text)))
      self.init(kind: .contact, hash: hashing.shortMAC(text) << 32 | place & 0xFFFF_FFFF)
    }
  }
}

extension BindingIdentity {
  /// User and host of a contact; all of it when it is no SIP URI.
  private static func place(of contact: Span<UInt8>) -> Range<Int> {
    guard let uri = try? SIPURI(contact, ByteRange(0, contact.count)), uri.isSIP else { return 0..<contact.count }
    return Int((uri.user ?? uri.host).start)..<Int(uri.host.end)
  }

  /// Whether another contact is of the same user at the same host.
  func isAtSamePlace(as other: BindingIdentity) -> Bool {
    kind == .contact && other.kind == .contact && hash & 0xFFFF_FFFF == other.hash & 0xFFFF_FFFF
  }
}

extension BindingSet {
  /// The bindings to which a request goes that was meant for a binding whose flow is gone, best first: those of the same instance. A client without
  /// an instance is known by its contact; if it has another port now, by being the only one of that user at that host.
  func successors(of identity: BindingIdentity, hashing: any Hashing) -> [Binding] {
    if identity.kind == .none { return count == 1 ? bindings : [] }
    let same = bindings.filter { BindingIdentity($0, hashing: hashing) == identity }
    if !same.isEmpty || identity.kind == .instance { return same }
    let similar = bindings.filter { BindingIdentity($0, hashing: hashing).isAtSamePlace(as: identity) }
    return similar.count == 1 ? similar : []
  }
}

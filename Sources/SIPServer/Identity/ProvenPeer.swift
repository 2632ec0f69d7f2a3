import Structures

/// For whom the peer at the other end of a connection speaks, because its certificate proves it: found out once, when the connection is opened.
public struct ProvenPeer: Sendable, Equatable {
  /// How many users and domains one certificate proves at most.
  public static let maximumNames = 16

  /// Keys of users, `user@domain`, and of whole domains, `@domain`; a domain under its own name, never an alias.
  public private(set) var names: [[UInt8]] = []

  /// A peer that speaks for nobody.
  public init() {}

  /// Adds a user, whose escapes are undone. One without a name is nobody.
  public mutating func add(user: Span<UInt8>, domain: Span<UInt8>) {
    if !user.isEmpty { add(user, domain) }
  }

  /// Adds all users of a domain.
  public mutating func add(domain: Span<UInt8>) {
    let nobody: [UInt8] = []
    add(nobody.span, domain)
  }

  private mutating func add(_ user: Span<UInt8>, _ domain: Span<UInt8>) {
    var name: [UInt8] = []
    name.reserveCapacity(user.count + 1 + domain.count)
    name.append(user)
    name.append(UInt8(ascii: "@"))
    name.append(domain)
    if names.count < Self.maximumNames, !domain.isEmpty, !names.contains(name) { names.append(name) }
  }

  /// Whether the peer speaks for the user with this key, `user@domain`.
  func speaks(for record: Span<UInt8>) -> Bool {
    guard let end = record.indices.last(where: { record[$0] == UInt8(ascii: "@") }), end > 0 else { return false }
    let domain = record.extracting(end..<record.count)
    for name in names where name.span.equals(record) || name.span.equals(domain) { return true }
    return false
  }

  /// Whether the peer speaks for all users of a domain.
  func speaks(forAllOf domain: Span<UInt8>) -> Bool {
    for name in names where name.first == UInt8(ascii: "@") && name.span.extracting(1..<name.count).equals(domain) {
      return true
    }
    return false
  }

  /// The key of the first user; nil when it speaks for domains alone.
  var firstUser: [UInt8]? { names.first { $0.first != UInt8(ascii: "@") } }
}

extension Span where Element == UInt8 {
  fileprivate func equals(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }
}

internal import Structures

/// The users of all domains with what their passwords became, looked up by the octets of a message.
///
/// HA1 is the hash of `user:realm:password` (RFC 7616 §3.4.2); the password itself is nowhere kept.
public struct UserTable: Sendable, Equatable {
  /// What is kept of one user.
  public struct User: Sendable, Equatable {
    /// The realm that the hashes were made for.
    public var realm: String
    /// Algorithms to offer to this user, best first; nil: those of the domain.
    public var algorithms: [DigestAlgorithm]?
    /// HA1 in raw octets (16 or 32), by ``DigestAlgorithm/rawValue``; nil where there is none.
    private var hashes: [[UInt8]?]

    /// A user without hashes.
    public init(realm: String, algorithms: [DigestAlgorithm]? = nil) {
      self.realm = realm
      self.algorithms = algorithms
      hashes = Array(repeating: nil, count: DigestAlgorithm.allCases.count)
    }

    /// The stored HA1 in raw octets; nil when there is none for the algorithm.
    public subscript(algorithm: DigestAlgorithm) -> [UInt8]? {
      get { hashes[Int(algorithm.rawValue)] }
      set { hashes[Int(algorithm.rawValue)] = newValue }
    }
  }

  private struct Entry: Sendable, Equatable {
    let domain: [UInt8]
    let name: [UInt8]
    var user: User
  }

  /// Sorted by domain, then by name, octet by octet.
  private var entries: [Entry] = []

  /// A table without users.
  public init() {}

  /// How many users there are.
  public var count: Int { entries.count }

  /// Whether there is no user.
  public var isEmpty: Bool { entries.isEmpty }

  /// Adds a user in place of one of the same name. `domain` is made small, `name` counts with its case
  /// (RFC 3261 §19.1.4).
  public mutating func set(_ user: User, domain: String, name: String) {
    let entry = Entry(domain: Array(domain.lowercased().utf8), name: Array(name.utf8), user: user)
    let position = lowerBound(domain: entry.domain.span, name: entry.name.span)
    if position < entries.count, entries[position].domain == entry.domain, entries[position].name == entry.name {
      entries[position].user = user
    } else {
      entries.insert(entry, at: position)
    }
  }

  /// The user of a domain; nil when there is none. `domain` may have capitals; nothing is allocated.
  public func find(domain: Span<UInt8>, name: Span<UInt8>) -> User? {
    let position = lowerBound(domain: domain, name: name)
    guard position < entries.count,
      Self.compare(entries[position].domain, domain, ignoringCase: true) == 0,
      Self.compare(entries[position].name, name, ignoringCase: false) == 0
    else { return nil }
    return entries[position].user
  }

  /// The first position whose entry is not before the given names.
  private func lowerBound(domain: Span<UInt8>, name: Span<UInt8>) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      var order = Self.compare(entries[middle].domain, domain, ignoringCase: true)
      if order == 0 { order = Self.compare(entries[middle].name, name, ignoringCase: false) }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// -1, 0 or 1 as `left` (a key of ours, already small where case is ignored) is before, equal to or after `right`.
  private static func compare(_ left: [UInt8], _ right: Span<UInt8>, ignoringCase: Bool) -> Int {
    for index in 0..<min(left.count, right.count) {
      let other = ignoringCase ? right[index].lowercased : right[index]
      if left[index] != other { return left[index] < other ? -1 : 1 }
    }
    return left.count == right.count ? 0 : left.count < right.count ? -1 : 1
  }
}

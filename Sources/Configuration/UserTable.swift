public import Structures

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

  /// A user with its names, to fill a table.
  public struct Record: Sendable, Equatable {
    /// The domain, in small letters.
    public let domain: [UInt8]
    /// The user part of the address of record; counts with its case (RFC 3261 §19.1.4).
    public let name: [UInt8]
    /// What is kept.
    public var user: User

    /// A record; the domain is made small.
    public init(domain: String, name: String, user: User) {
      self.domain = Array(domain.lowercased().utf8)
      self.name = Array(name.utf8)
      self.user = user
    }
  }

  /// Sorted by domain, then by name, octet by octet; each pair once.
  private var records: [Record] = []

  /// A table without users.
  public init() {}

  /// A table of some users; of two with the same names the last counts.
  public init(_ records: [Record]) {
    let sorted = records.enumerated().sorted { left, right in
      let order = Self.compare(left.element, right.element.domain.span, right.element.name.span)
      return order == 0 ? left.offset < right.offset : order < 0
    }
    for (_, record) in sorted {
      if let last = self.records.last, last.domain == record.domain, last.name == record.name {
        self.records.removeLast()
      }
      self.records.append(record)
    }
  }

  /// How many users there are.
  public var count: Int { records.count }

  /// Whether there is no user.
  public var isEmpty: Bool { records.isEmpty }

  /// The user of a domain; nil when there is none. `domain` may have capitals; `name` counts with its case. Nothing is
  /// allocated.
  public func find(domain: Span<UInt8>, name: Span<UInt8>) -> User? {
    var (low, high) = (0, records.count)
    while low < high {
      let middle = (low + high) / 2
      let order = Self.compare(records[middle], domain, name)
      if order == 0 { return records[middle].user }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// Less than 0, 0 or more as the record is before, at or after the names.
  private static func compare(_ record: Record, _ domain: Span<UInt8>, _ name: Span<UInt8>) -> Int {
    let order = compare(record.domain, domain, ignoringCase: true)
    return order == 0 ? compare(record.name, name, ignoringCase: false) : order
  }

  /// The same for two names, of which `left`, a key of ours, is small already where case is ignored.
  private static func compare(_ left: [UInt8], _ right: Span<UInt8>, ignoringCase: Bool) -> Int {
    for index in 0..<min(left.count, right.count) {
      let other = ignoringCase ? right[index].lowercased : right[index]
      if left[index] != other { return left[index] < other ? -1 : 1 }
    }
    return left.count - right.count
  }
}

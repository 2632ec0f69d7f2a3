import Structures

/// What is known for a while of users that are kept elsewhere (Redis): the answers to ``ServerActions/Question/user(query:key:)``.
///
/// Owned by ``ServerCore``; bounded. Times are Unix seconds. A lookup allocates nothing. What is older than ``doubt`` is asked for again before a
/// password is refused: it may have been changed, and nobody can tell a user who is remembered from one who isn't by how long a refusal takes.
final class UserCache: UserDirectory {
  /// How long a user is believed, in seconds.
  static let lifetime: Int64 = 60
  /// How long an answer counts that leads to a refusal, in seconds.
  static let doubt: Int64 = 3
  /// How long a user is remembered for times when nobody can be asked, in seconds since the answer.
  static let memory: Int64 = 3_600
  /// How long nobody is asked after there was no answer, in seconds.
  static let pause: Int64 = 1

  private struct Entry {
    /// `user@domain`, then the hashes in the order of their algorithms.
    let octets: [UInt8]
    let keyLength: Int
    /// A bit for each algorithm that there is a hash of, by raw value.
    let algorithms: UInt8
    let hash: UInt64
    /// When it was answered.
    let since: Int64
  }

  /// What each domain offers.
  var offers: any UserDirectory
  private let capacity: Int
  private var entries = SlotTable<Entry>()
  private var index = HashIndex()
  private var wheel: TimerWheel
  private var awayUntil = Int64.min
  /// Where to forget next when the cache is full: positions are filled in turn.
  private var oldest: UInt32 = 0

  /// An empty cache of so many users at most; `offers` says which algorithms a domain offers.
  init(offers: any UserDirectory, capacity: Int, now: Int64) {
    self.offers = offers
    self.capacity = max(capacity, 1)
    wheel = TimerWheel(start: Instant(unixSeconds: now))
  }

  /// How many answers are remembered.
  var count: Int { entries.count }

  /// Takes up an answer about `user@domain`.
  func take(_ answer: UserAnswer, key: Span<UInt8>, now: Int64) {
    switch answer {
    case .unavailable: awayUntil = now + Self.pause
    case .none:
      awayUntil = .min
      store(nil, key, now)
    case .found(let record):
      awayUntil = .min
      store(record, key, now)
    }
  }

  /// Forgets what is too old for everything.
  func removeExpired(_ now: Int64) {
    while let position = wheel.popExpired(Instant(unixSeconds: now)) { remove(position) }
  }

  // MARK: What is known

  func readiness(domain: Span<UInt8>, user: Span<UInt8>, now: Int64) -> UserReadiness {
    let isAway = now < awayUntil
    guard let entry = entry(domain, user) else { return isAway ? .away : .unknown }
    let age = now - entry.since
    if age >= 0, age <= Self.doubt { return .ready }
    // A user that there was not may have been added.
    if entry.algorithms == 0 || age >= Self.memory || age < 0 { return isAway ? .away : .unknown }
    if isAway { return .ready }
    return age < Self.lifetime ? .aging : .unknown
  }

  func appendHA1(
    domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]
  ) -> Bool {
    guard let entry = entry(domain, user), entry.algorithms & 1 << algorithm.rawValue != 0 else { return false }
    var start = entry.keyLength
    for other in HashAlgorithm.allCases
    where other.rawValue < algorithm.rawValue && entry.algorithms & 1 << other.rawValue != 0 {
      start += other.length
    }
    let octets = entry.octets
    output.append(hexadecimal: octets.span.extracting(start..<start + algorithm.length))
    return true
  }

  /// RFC 8760 §2.4: the same for all users, so that no challenge tells who there is. Each user needs a hash for the first that his client knows.
  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? {
    offers.algorithms(domain: domain, user: user)
  }

  // MARK: Storing

  private func store(_ record: UserRecord?, _ key: Span<UInt8>, _ now: Int64) {
    guard let at = key.indices.last(where: { key[$0] == UInt8(ascii: "@") }) else { return }
    let (user, domain) = (key.extracting(0..<at), key.extracting(at + 1..<key.count))
    if let known = position(domain, user) { remove(known) }
    if entries.count >= capacity {
      // Positions that are free already are passed by.
      while entries.handle(at: oldest) == nil { oldest = (oldest + 1) % UInt32(truncatingIfNeeded: capacity) }
      remove(oldest)
      oldest = (oldest + 1) % UInt32(truncatingIfNeeded: capacity)
    }
    var octets: [UInt8] = []
    octets.reserveCapacity(key.count + (record == nil ? 0 : 48))
    octets.append(key)
    var algorithms: UInt8 = 0
    for algorithm in HashAlgorithm.allCases {
      guard let hash = record?[algorithm] else { continue }
      algorithms |= 1 << algorithm.rawValue
      octets += hash
    }
    let entry = Entry(
      octets: octets, keyLength: key.count, algorithms: algorithms, hash: Self.hash(domain, user), since: now)
    let handle = entries.insert(entry)
    index.insert(entry.hash, handle.index)
    let end = now + (algorithms == 0 ? Self.doubt + 1 : Self.memory)
    wheel.schedule(handle.index, at: Instant(unixSeconds: end))
  }

  private func remove(_ position: UInt32) {
    guard let handle = entries.handle(at: position), let entry = entries.remove(handle) else { return }
    index.remove(entry.hash, position)
    wheel.cancel(position)
  }

  // MARK: Finding

  private func entry(_ domain: Span<UInt8>, _ user: Span<UInt8>) -> Entry? {
    position(domain, user).flatMap { entries.handle(at: $0) }.flatMap { entries[$0] }
  }

  private func position(_ domain: Span<UInt8>, _ user: Span<UInt8>) -> UInt32? {
    index.find(Self.hash(domain, user)) { position in
      guard let entry = entries.handle(at: position).flatMap({ entries[$0] }),
        entry.keyLength == user.count + 1 + domain.count
      else { return false }
      let octets = entry.octets
      return octets.span.extracting(0..<user.count).equals(user)
        && octets.span.extracting(user.count + 1..<entry.keyLength).equals(domain)
    }
  }

  /// Keyed per process, as strangers choose the names.
  private static func hash(_ domain: Span<UInt8>, _ user: Span<UInt8>) -> UInt64 {
    var hasher = Hasher()
    user.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    domain.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

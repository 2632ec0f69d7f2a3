import Structures

/// Who the users are and what their passwords became. Passwords themselves are nowhere kept.
public protocol UserDirectory {
  /// Appends HA1, the hash of `user:realm:password`, in small hexadecimal letters (RFC 7616 §3.4.2).
  ///
  /// Returns false, and appends nothing, when there is no such user or no hash for the algorithm. `domain` is the canonical name in
  /// small letters, `user` the name with quoting undone. Takes about as long for an unknown user as for a known one.
  func appendHA1(
    domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]
  ) -> Bool

  /// The algorithms to offer to a user of a domain, best first; nil: all that are configured. For an unknown user: those of the domain.
  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList?

  /// Whether ``appendHA1(domain:user:algorithm:to:)`` can say anything about a user now; `now` is in Unix seconds.
  func readiness(domain: Span<UInt8>, user: Span<UInt8>, now: Int64) -> UserReadiness
}

extension UserDirectory {
  /// A directory that has all its users at hand.
  public func readiness(domain: Span<UInt8>, user: Span<UInt8>, now: Int64) -> UserReadiness { .ready }
}

/// Whether a ``UserDirectory`` can answer for a user.
public enum UserReadiness: Sendable, Equatable {
  /// What it says holds, also that there is no such user.
  case ready
  /// What it says is good enough to believe a right password; before one is refused it has to ask.
  case aging
  /// It has to ask.
  case unknown
  /// It has to ask, and can't.
  case away
}

/// What is kept of a user elsewhere than in a file: HA1 for each algorithm, in raw octets.
public struct UserRecord: Sendable, Equatable {
  private var hashes: [[UInt8]?] = Array(repeating: nil, count: HashAlgorithm.allCases.count)

  /// A user without a hash, who can't prove anything.
  public init() {}

  /// HA1 (``HashAlgorithm/length`` octets; what has another length is not taken); nil when there is none for the algorithm.
  public subscript(algorithm: HashAlgorithm) -> [UInt8]? {
    get { hashes[Int(algorithm.rawValue)] }
    set { if newValue == nil || newValue?.count == algorithm.length { hashes[Int(algorithm.rawValue)] = newValue } }
  }
}

/// The answer to ``ServerActions/Question/user(query:key:)``.
public enum UserAnswer: Sendable, Equatable {
  /// There is such a user.
  case found(UserRecord)
  /// There is none.
  case none
  /// Nobody can say at present.
  case unavailable
}

/// The answer to ``ServerActions/Question/claim(query:key:)``.
public enum ClaimOutcome: Sendable, Equatable {
  /// Nobody had claimed it: it belongs to who asked.
  case granted
  /// It was claimed before.
  case taken
  /// Nobody can say at present.
  case unavailable
}

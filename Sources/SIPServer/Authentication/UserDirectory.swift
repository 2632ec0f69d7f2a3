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
}

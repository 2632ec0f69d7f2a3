/// The hash functions of the digest scheme (RFC 8760 §2.1).
public enum HashAlgorithm: UInt8, Sendable, CaseIterable {
  case md5, sha256, sha512_256

  /// The octets of a hash: 16, or 32.
  public var length: Int { self == .md5 ? 16 : 32 }

  /// The token in the `algorithm` parameter (RFC 8760 §2.1).
  public var token: StaticString {
    switch self {
    case .md5: "MD5"
    case .sha256: "SHA-256"
    case .sha512_256: "SHA-512-256"
    }
  }
}

/// Cryptography for the pure modules, which have none of their own. One value serves a whole worker; the keys are inside it and come
/// from the cluster's secret, so that every worker of the cluster computes the same.
public protocol Hashing: AnyObject {
  /// A keyed 64-bit check, to tell our own branches and tags from made-up ones. Not for secrets.
  func shortMAC(_ octets: Span<UInt8>) -> UInt64

  /// Appends the hash of `octets` (``HashAlgorithm/length`` octets).
  func appendHash(_ algorithm: HashAlgorithm, _ octets: Span<UInt8>, to output: inout [UInt8])

  /// Appends a keyed 256-bit check (HMAC-SHA-256) of `octets` under the key for nonces.
  func appendMAC(_ octets: Span<UInt8>, to output: inout [UInt8])

  /// Appends `octets` encrypted and authenticated: 16 octets longer, the same every time.
  func seal(_ octets: Span<UInt8>, to output: inout [UInt8])

  /// Appends what was sealed; returns false, and appends nothing, when it wasn't sealed with our key.
  func open(_ octets: Span<UInt8>, to output: inout [UInt8]) -> Bool

  /// 64 bits from a cryptographic random source.
  func randomWord() -> UInt64
}

extension Hashing {
  /// Whether two octet strings are the same, in a time that doesn't depend on where they differ.
  public func equalInConstantTime(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
  }
}

import COpenSSL
import Structures

/// Computes hashes of one algorithm again and again, without allocating.
public final class CryptographicHash {
  /// The algorithm.
  public let algorithm: HashAlgorithm
  private let digest: OpaquePointer?
  private let context: OpaquePointer?

  /// Fetches the algorithm from OpenSSL once; ``isAvailable`` tells whether it has it.
  public init(_ algorithm: HashAlgorithm) {
    self.algorithm = algorithm
    let name =
      switch algorithm {
      case .md5: "MD5"
      case .sha256: "SHA2-256"
      case .sha512_256: "SHA2-512/256"
      }
    digest = copenssl_digest_fetch(name)
    context = copenssl_digest_context()
    copenssl_clear_errors()
  }

  deinit {
    copenssl_digest_context_free(context)
    copenssl_digest_free(digest)
  }

  /// False where OpenSSL was configured without the algorithm, as a FIPS one is without MD5.
  public var isAvailable: Bool { digest != nil && context != nil }

  /// Appends the hash of `octets`, ``HashAlgorithm/length`` octets. The algorithm must be available.
  public func append(hashOf octets: Span<UInt8>, to output: inout [UInt8]) {
    precondition(isAvailable, "hash algorithm is not available")
    let start = output.count
    for _ in 0..<algorithm.length { output.append(0) }
    var good = copenssl_digest_start(context, digest)
    good &= octets.withUnsafeBufferPointer { copenssl_digest_add(context, $0.baseAddress, $0.count) }
    good &= output.withUnsafeMutableBufferPointer {
      copenssl_digest_end(context, $0.baseAddress?.advanced(by: start))
    }
    precondition(good == 1, "hash failed")
  }
}

import COpenSSL
import Structures

/// The cryptography of the pure modules for one worker, with keys derived from the cluster's secret: every worker of the
/// cluster computes the same.
public final class ClusterCryptography: Hashing {
  private let md5 = CryptographicHash(.md5)
  private let sha256 = CryptographicHash(.sha256)
  private let sha512 = CryptographicHash(.sha512_256)
  private let nonces: MessageAuthenticator
  private let names: ShortAuthenticator
  private let tokens: TokenCipher

  /// Derives the keys, each for its own purpose (RFC 5869 §3.2).
  public init(secret: Span<UInt8>) throws(TLSError) {
    var nonceKey = try Secrets.derive(from: secret, purpose: "apus nonce 1", length: 32)
    var nameKey = try Secrets.derive(from: secret, purpose: "apus name 1", length: ShortAuthenticator.keyLength)
    var tokenKey = try Secrets.derive(from: secret, purpose: "apus token 1", length: TokenCipher.keyLength)
    defer {
      Secrets.wipe(&nonceKey)
      Secrets.wipe(&nameKey)
      Secrets.wipe(&tokenKey)
    }
    nonces = try MessageAuthenticator(key: nonceKey.span)
    names = ShortAuthenticator(key: nameKey.span)
    tokens = try TokenCipher(key: tokenKey.span)
  }

  /// Whether this OpenSSL computes `algorithm`.
  public func isAvailable(_ algorithm: HashAlgorithm) -> Bool { hash(algorithm).isAvailable }

  /// See ``Hashing``; SipHash-2-4.
  public func shortMAC(_ octets: Span<UInt8>) -> UInt64 { names.code(for: octets) }

  /// See ``Hashing``.
  public func appendHash(_ algorithm: HashAlgorithm, _ octets: Span<UInt8>, to output: inout [UInt8]) {
    hash(algorithm).append(hashOf: octets, to: &output)
  }

  /// See ``Hashing``.
  public func appendMAC(_ octets: Span<UInt8>, to output: inout [UInt8]) { nonces.append(codeFor: octets, to: &output) }

  /// See ``Hashing``; AES-128-SIV.
  public func seal(_ octets: Span<UInt8>, to output: inout [UInt8]) { tokens.seal(octets, to: &output) }

  /// See ``Hashing``.
  public func open(_ octets: Span<UInt8>, to output: inout [UInt8]) -> Bool { tokens.open(octets, to: &output) }

  /// See ``Hashing``.
  public func randomWord() -> UInt64 {
    var word: UInt64 = 0
    let good = copenssl_random(&word, MemoryLayout<UInt64>.size)
    precondition(good == 1, "the random source failed")
    return word
  }

  private func hash(_ algorithm: HashAlgorithm) -> CryptographicHash {
    switch algorithm {
    case .md5: md5
    case .sha256: sha256
    case .sha512_256: sha512
    }
  }
}

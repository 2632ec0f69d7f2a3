import COpenSSL
import Structures

/// Encrypts and authenticates tokens with AES-128-SIV (RFC 5297): the same octets give the same token, so that no nonce
/// must be kept unique between workers.
public final class TokenCipher {
  /// Octets of a key.
  public static let keyLength = 32
  /// Octets that a token is longer than what is in it.
  public static let overhead = 16
  private let siv: OpaquePointer

  /// Takes a key of exactly 32 octets.
  public init(key: Span<UInt8>) throws(TLSError) {
    precondition(key.count == Self.keyLength)
    guard let siv = key.withUnsafeBufferPointer({ copenssl_siv_make($0.baseAddress) }) else { throw .take() }
    self.siv = siv
  }

  deinit { copenssl_siv_free(siv) }

  /// Appends `plain`, which must not be empty, sealed.
  public func seal(_ plain: Span<UInt8>, to output: inout [UInt8]) {
    precondition(!plain.isEmpty)
    var good: Int32 = 0
    output.append(addingCapacity: plain.count + Self.overhead) { output in
      output.withUnsafeMutableBufferPointer { target, count in
        good = plain.withUnsafeBufferPointer {
          copenssl_siv_seal(siv, $0.baseAddress, $0.count, target.baseAddress)
        }
        count = plain.count + Self.overhead
      }
    }
    precondition(good == 1, "AES-SIV failed")
  }

  /// Appends what was sealed; returns false, and appends nothing, when it wasn't sealed with this key.
  public func open(_ sealed: Span<UInt8>, to output: inout [UInt8]) -> Bool {
    guard sealed.count > Self.overhead else { return false }
    var good: Int32 = 0
    output.append(addingCapacity: sealed.count - Self.overhead) { output in
      output.withUnsafeMutableBufferPointer { target, count in
        good = sealed.withUnsafeBufferPointer {
          copenssl_siv_open(siv, $0.baseAddress, $0.count, target.baseAddress)
        }
        count = good == 1 ? sealed.count - Self.overhead : 0
      }
    }
    return good == 1
  }
}

import COpenSSL
import Structures

/// HMAC-SHA-256 (RFC 2104) under one key, computed again and again without allocating.
public final class MessageAuthenticator {
  /// Octets of a result.
  public static let length = 32
  private let context: OpaquePointer

  /// Takes a key of any length.
  public init(key: Span<UInt8>) throws(TLSError) {
    guard let context = key.withUnsafeBufferPointer({ copenssl_hmac($0.baseAddress, $0.count) }) else {
      throw .take()
    }
    self.context = context
  }

  deinit { copenssl_mac_free(context) }

  /// Appends the 32 octets for `octets`.
  public func append(codeFor octets: Span<UInt8>, to output: inout [UInt8]) {
    let start = output.count
    for _ in 0..<Self.length { output.append(0) }
    let good = octets.withUnsafeBufferPointer { source in
      output.withUnsafeMutableBufferPointer {
        copenssl_hmac_compute(context, source.baseAddress, source.count, $0.baseAddress?.advanced(by: start))
      }
    }
    precondition(good == 1, "HMAC failed")
  }
}

/// SipHash-2-4 with a 64-bit result under one key: tells our own short names from made-up ones; keeps no secret by itself.
public final class ShortAuthenticator {
  /// Octets of a key.
  public static let keyLength = 16
  private let context: OpaquePointer
  private var key: [UInt8]

  /// Takes a key of exactly 16 octets.
  public init(key: Span<UInt8>) throws(TLSError) {
    precondition(key.count == Self.keyLength)
    guard let context = copenssl_siphash() else { throw .take() }
    self.context = context
    self.key = key.withUnsafeBufferPointer(Array.init)
  }

  deinit {
    Secrets.wipe(&key)
    copenssl_mac_free(context)
  }

  /// The check of `octets`.
  public func code(for octets: Span<UInt8>) -> UInt64 {
    var result = InlineArray<8, UInt8>(repeating: 0)
    var target = result.mutableSpan
    let good = key.withUnsafeBufferPointer { key in
      octets.withUnsafeBufferPointer { source in
        target.withUnsafeMutableBufferPointer {
          copenssl_siphash_compute(context, key.baseAddress, source.baseAddress, source.count, $0.baseAddress)
        }
      }
    }
    precondition(good == 1, "SipHash failed")
    var word: UInt64 = 0
    // The reference implementation writes its result with the least octet first.
    for index in 0..<8 { word |= UInt64(result[index]) << UInt64(8 * index) }
    return word
  }
}

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
    var good: Int32 = 0
    output.append(addingCapacity: Self.length) { output in
      output.withUnsafeMutableBufferPointer { target, count in
        good = octets.withUnsafeBufferPointer {
          copenssl_hmac_compute(context, $0.baseAddress, $0.count, target.baseAddress)
        }
        count = Self.length
      }
    }
    precondition(good == 1, "HMAC failed")
  }
}

/// SipHash-2-4 with a 64-bit result under one key: tells our own short names from made-up ones; keeps no secret by itself.
///
/// Written out here because each message takes one or two: through OpenSSL, which sets up a context anew each time, it costs four times
/// as much.
public final class ShortAuthenticator {
  /// Octets of a key.
  public static let keyLength = 16
  private var key: [UInt8]

  /// Takes a key of exactly 16 octets.
  public init(key: Span<UInt8>) {
    precondition(key.count == Self.keyLength)
    self.key = key.withUnsafeBufferPointer(Array.init)
  }

  deinit { Secrets.wipe(&key) }

  /// The check of `octets`.
  public func code(for octets: Span<UInt8>) -> UInt64 {
    let key = self.key
    var state = State(key.span)
    var index = 0
    while index + 8 <= octets.count {
      state.compress(Self.word(octets, index))
      index += 8
    }
    // The last word has the length in its top octet.
    var last = UInt64(truncatingIfNeeded: octets.count) << 56
    for (place, position) in (index..<octets.count).enumerated() {
      last |= UInt64(octets[position]) << UInt64(8 * place)
    }
    state.compress(last)
    return state.finish()
  }

  /// Eight octets as a number, the least one first.
  private static func word(_ octets: Span<UInt8>, _ position: Int) -> UInt64 {
    UInt64(littleEndian: octets.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
  }

  /// The four words of the reference implementation.
  private struct State {
    var v0, v1, v2, v3: UInt64

    init(_ key: Span<UInt8>) {
      let (low, high) = (ShortAuthenticator.word(key, 0), ShortAuthenticator.word(key, 8))
      v0 = low ^ 0x736F_6D65_7073_6575
      v1 = high ^ 0x646F_7261_6E64_6F6D
      v2 = low ^ 0x6C79_6765_6E65_7261
      v3 = high ^ 0x7465_6462_7974_6573
    }

    mutating func compress(_ word: UInt64) {
      v3 ^= word
      round()
      round()
      v0 ^= word
    }

    mutating func finish() -> UInt64 {
      v2 ^= 0xFF
      round()
      round()
      round()
      round()
      return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func round() {
      v0 &+= v1
      v1 = rotated(v1, 13) ^ v0
      v0 = rotated(v0, 32)
      v2 &+= v3
      v3 = rotated(v3, 16) ^ v2
      v0 &+= v3
      v3 = rotated(v3, 21) ^ v0
      v2 &+= v1
      v1 = rotated(v1, 17) ^ v2
      v2 = rotated(v2, 32)
    }

    private func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 { word &<< count | word &>> (64 - count) }
  }
}

import COpenSSL
import Structures

/// Handling of secret octets.
public enum Secrets {
  /// Derives `length` octets from a secret for one purpose: HKDF with SHA-256 (RFC 5869). At most 8,160 octets.
  public static func derive(
    from secret: Span<UInt8>, salt: [UInt8] = [], purpose: String, length: Int
  ) throws(TLSError) -> [UInt8] {
    try derive(from: secret, salt: salt, information: Array(purpose.utf8), length: length)
  }

  /// The same with any octets as information.
  static func derive(
    from secret: Span<UInt8>, salt: [UInt8], information: [UInt8], length: Int
  ) throws(TLSError) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: length)
    let good = secret.withUnsafeBufferPointer {
      copenssl_hkdf($0.baseAddress, $0.count, salt, salt.count, information, information.count, &output, length)
    }
    if good != 1 { throw .take() }
    return output
  }

  /// Whether both are the same, in a time that depends on their length alone.
  public static func areEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return left.withUnsafeBufferPointer { first in
      right.withUnsafeBufferPointer { copenssl_equal(first.baseAddress, $0.baseAddress, first.count) }
    }
  }

  /// Overwrites a secret that is no longer needed, so that the compiler can't leave it out. Only this copy: make none.
  public static func wipe(_ secret: inout [UInt8]) {
    secret.withUnsafeMutableBytes { copenssl_wipe($0.baseAddress, $0.count) }
    secret.removeAll()
  }

  /// Octets from OpenSSL's random source.
  public static func random(_ count: Int) throws(TLSError) -> [UInt8] {
    var octets = [UInt8](repeating: 0, count: count)
    if copenssl_random(&octets, count) != 1 { throw .take() }
    return octets
  }
}

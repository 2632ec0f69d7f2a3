import TLSEngine

/// What TLS handshakes that succeeded agreed upon, counted.
public struct TLSTally: Sendable, Equatable {
  /// Versions that are counted apart.
  public enum Version: Int, CaseIterable, Sendable {
    case v10, v11, v12, v13

    init?(_ name: String) {
      switch name {
      case "TLSv1": self = .v10
      case "TLSv1.1": self = .v11
      case "TLSv1.2": self = .v12
      case "TLSv1.3": self = .v13
      default: return nil
      }
    }
  }

  /// Ciphers that are counted apart, whatever keys were exchanged and signed with.
  public enum Cipher: Int, CaseIterable, Sendable {
    case aes128GCM, aes256GCM, chacha20, other

    /// By the name of a suite as OpenSSL writes it.
    init(_ name: String) {
      func ends(_ end: StaticString) -> Bool {
        name.utf8.suffix(end.utf8CodeUnitCount).elementsEqual(
          UnsafeBufferPointer(start: end.utf8Start, count: end.utf8CodeUnitCount))
      }
      if ends("AES_128_GCM_SHA256") || ends("AES128-GCM-SHA256") {
        self = .aes128GCM
      } else if ends("AES_256_GCM_SHA384") || ends("AES256-GCM-SHA384") {
        self = .aes256GCM
      } else {
        self = ends("CHACHA20_POLY1305_SHA256") || ends("CHACHA20-POLY1305") ? .chacha20 : .other
      }
    }
  }

  /// Connections that peers opened.
  public private(set) var accepted: UInt64 = 0
  /// Connections that we opened.
  public private(set) var connected: UInt64 = 0
  /// Of both, those that continued an earlier session.
  public private(set) var resumed: UInt64 = 0
  /// Of both, those with a certificate of the peer that was verified.
  public private(set) var verified: UInt64 = 0
  /// Connections that are open now.
  public internal(set) var open = 0
  private var versions = [UInt64](repeating: 0, count: Version.allCases.count)
  private var ciphers = [UInt64](repeating: 0, count: Cipher.allCases.count)

  /// Counts a connection that can be used now.
  mutating func opened(_ facts: TLSFacts, isAccepted: Bool) {
    open += 1
    if isAccepted { accepted += 1 } else { connected += 1 }
    if facts.isResumed { resumed += 1 }
    if facts.isVerified { verified += 1 }
    if let version = Version(facts.version) { versions[version.rawValue] += 1 }
    ciphers[Cipher(facts.cipher).rawValue] += 1
  }

  /// How many had a version.
  public subscript(version: Version) -> UInt64 { versions[version.rawValue] }

  /// How many had a cipher.
  public subscript(cipher: Cipher) -> UInt64 { ciphers[cipher.rawValue] }
}

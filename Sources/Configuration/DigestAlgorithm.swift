/// A hash algorithm of digest authentication (RFC 8760 §2.1). The `-sess` forms are not offered.
public enum DigestAlgorithm: UInt8, Hashable, Sendable, CaseIterable {
  /// MD5, which every phone knows.
  case md5 = 0
  /// SHA-256.
  case sha256 = 1
  /// SHA-512/256: SHA-512 with its own start values, cut to 256 bits.
  case sha512_256 = 2

  /// The token as it stands in a challenge and in the files: `MD5`, `SHA-256`, `SHA-512-256`.
  public var token: StaticString {
    switch self {
    case .md5: "MD5"
    case .sha256: "SHA-256"
    case .sha512_256: "SHA-512-256"
    }
  }

  /// Bytes of its hash value: 16 or 32.
  public var byteCount: Int { self == .md5 ? 16 : 32 }

  /// The algorithm of a token, letters compared without case; nil when it is none of ours.
  public init?(token: some StringProtocol) {
    let wanted = token.lowercased()
    guard let found = Self.allCases.first(where: { "\($0.token)".lowercased() == wanted }) else { return nil }
    self = found
  }
}

public import Structures

/// The algorithms of digest authentication, by their name in the settings. The `-sess` forms are not offered.
public typealias DigestAlgorithm = HashAlgorithm

extension HashAlgorithm {
  /// The algorithm of a token, letters compared without case; nil when it is none of ours.
  public init?(token: some StringProtocol) {
    let wanted = token.lowercased()
    guard let found = Self.allCases.first(where: { "\($0.token)".lowercased() == wanted }) else { return nil }
    self = found
  }
}

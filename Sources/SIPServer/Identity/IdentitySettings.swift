import SIPMessage
import Structures

/// Whom the server believes, and whom it tells who its users are (RFC 3325).
public struct IdentitySettings: Sendable {
  /// Where the peers are that belong to our trust domain (RFC 3324 §2.3).
  public var trusted: [IPNetwork] = []
  /// Whether there are certificates that make their holders such peers (``Structures/Flow/isTrusted``).
  public var trustsCertificates = false
  /// Whether requests of users who proved who they are get a P-Asserted-Identity (RFC 3325 §5).
  public var isAsserted = true
  /// Whether our registered users are told asserted identities when nobody asked for privacy (RFC 3325 §7).
  public var isShownToUsers = true
  /// Names of the fields that only those may send through us whom we trust. `other` stands for ``strippedOthers``.
  private(set) var stripped: NameSet = [.assertedIdentity, .assertedService, .remotePartyID, .own]
  /// Those of them that ``SIPMessage/HeaderName`` doesn't have.
  private(set) var strippedOthers: [[UInt8]] = []
  /// Names of all fields that are looked at on the way to the next hop: most messages have none of them.
  private(set) var concerned: NameSet = [
    .assertedIdentity, .assertedService, .remotePartyID, .own, .preferredIdentity, .privacy,
  ]

  /// Nobody is believed.
  public init() {}

  /// Adds names, in small letters, to the fields that only those may send through us whom we trust.
  public mutating func strip(_ names: [[UInt8]]) {
    for name in names {
      let known = HeaderName(name.span)
      if known == .other { strippedOthers.append(name) }
      stripped.insert(known)
    }
    concerned.formUnion(stripped)
  }

  /// Whether there can be no such peer.
  var trustsNobody: Bool { trusted.isEmpty && !trustsCertificates }

  /// Whether an address belongs to our trust domain.
  func isTrusted(_ address: IPAddress) -> Bool {
    for network in trusted where network.contains(address) { return true }
    return false
  }
}

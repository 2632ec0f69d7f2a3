import COpenSSL
import Glibc

/// What is wrong with a certificate of ours, the certificates behind it and its key, before any peer finds it out.
public struct ChainReview {
  /// One thing that is wrong.
  public struct Finding: Hashable, Sendable {
    /// Which certificate of the file, from 1.
    public let index: Int
    /// What is wrong with it.
    public let problem: String
    /// What to do.
    public let remedy: String
    /// Whether peers that verify will refuse us.
    public let isFatal: Bool
  }

  /// Certificates in a file that are looked at; nobody's chain is so long.
  private static let maximumLength = 32

  /// The kind of the first certificate's key: `RSA`, `EC`, `ED25519`.
  public let keyKind: String
  /// Why the key can't be used with the first certificate; nil: it can, or none was given.
  public private(set) var keyProblem: String?
  /// What is wrong, in the order of the file.
  public private(set) var findings: [Finding] = []
  /// Whom the first certificate names.
  public let names: CertificateNames

  /// Looks at a chain and its key, both in PEM; nil when there is no certificate that can be read. `authorities` may hold the
  /// issuer of the last one; `now`: seconds since 1970.
  public init?(
    _ chain: [UInt8], key: [UInt8]? = nil, authorities: [UInt8]? = nil, isServer: Bool = true,
    now: Int64 = Int64(time(nil))
  ) {
    let certificates = Self.read(chain)
    defer { for certificate in certificates { copenssl_certificate_free(certificate) } }
    guard let leaf = certificates.first else { return nil }
    keyKind = String(cString: copenssl_key_kind(leaf))
    names = CertificateNames(reading: leaf)
    if let key { checkKey(key, certificates) }
    for (position, certificate) in certificates.enumerated() { checkDates(certificate, position + 1, now) }
    if !copenssl_serves(leaf, isServer) {
      add(
        1, "the certificate is not for a \(isServer ? "server" : "client") (extended key usage)",
        "have one made for \(isServer ? "serverAuth" : "clientAuth")", isFatal: true)
    }
    checkOrder(certificates)
    checkEnd(certificates, authorities)
  }

  private static func read(_ pem: [UInt8]) -> [OpaquePointer] {
    var certificates = [OpaquePointer?](repeating: nil, count: maximumLength)
    let count = copenssl_certificates_read(pem, pem.count, &certificates, Int32(maximumLength))
    return certificates.prefix(Int(max(0, count))).compactMap(\.self)
  }

  private mutating func add(_ index: Int, _ problem: String, _ remedy: String, isFatal: Bool) {
    findings.append(Finding(index: index, problem: problem, remedy: remedy, isFatal: isFatal))
  }

  private mutating func checkKey(_ pem: [UInt8], _ certificates: [OpaquePointer]) {
    guard let key = copenssl_key_parse(pem, pem.count) else { return copenssl_clear_errors() }
    defer { copenssl_key_free(key) }
    let owner = certificates.firstIndex { copenssl_key_belongs($0, key) }
    copenssl_clear_errors()
    guard let owner else {
      keyProblem = "it does not belong to the certificate \(subject(certificates[0]))"
      return
    }
    if owner > 0 { keyProblem = "it belongs to certificate \(owner + 1) of the file, which has to be the first" }
  }

  private mutating func checkDates(_ certificate: OpaquePointer, _ index: Int, _ now: Int64) {
    let who = index == 1 ? "the certificate" : "the certificate of \(subject(certificate))"
    if copenssl_not_after(certificate) < now {
      add(index, "\(who) has expired", "apus cert server makes a new one, or ask its authority", isFatal: true)
    } else if copenssl_not_before(certificate) > now {
      add(index, "\(who) is not valid yet", "look at the clock of this host and of who made it", isFatal: true)
    }
  }

  private mutating func checkOrder(_ certificates: [OpaquePointer]) {
    for position in certificates.indices.dropFirst() {
      let (below, above) = (certificates[position - 1], certificates[position])
      if copenssl_issued(above, below) { continue }
      let isElsewhere = certificates.indices.contains { $0 != position - 1 && copenssl_issued(certificates[$0], below) }
      add(
        position + 1,
        isElsewhere
          ? "wrong order: \(subject(above)) did not issue \(subject(below)), which stands before it"
          : "\(subject(above)) has nothing to do with \(subject(below)), which stands before it",
        "put each certificate behind the one that it issued, or take it out", isFatal: false)
    }
  }

  /// Whether the last one leads to a root: peers know roots, and nothing between.
  private mutating func checkEnd(_ certificates: [OpaquePointer], _ authorities: [UInt8]?) {
    guard let last = certificates.last, !copenssl_is_self_signed(last), certificates.count < Self.maximumLength,
      let authorities
    else { return }
    let known = Self.read(authorities)
    defer { for authority in known { copenssl_certificate_free(authority) } }
    guard let issuer = known.first(where: { copenssl_issued($0, last) }), !copenssl_is_self_signed(issuer) else {
      return
    }
    add(
      certificates.count, "the chain is incomplete: \(subject(issuer)), which issued the last certificate, is missing",
      "put its certificate behind the others, as peers know the root alone", isFatal: false)
  }

  private func subject(_ certificate: OpaquePointer) -> String { PeerCertificate(reading: certificate).subject }
}

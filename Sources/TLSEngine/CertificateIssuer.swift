import COpenSSL

/// A certificate that issued others. Kept once for all that it issued.
final class CertificateIssuer {
  let pointer: OpaquePointer

  /// Takes over one reference to the certificate.
  init(owning pointer: OpaquePointer) { self.pointer = pointer }

  deinit { copenssl_certificate_free(pointer) }

  /// The subject as RFC 2253 §2 writes it.
  var subject: String { PeerCertificate(reading: pointer).subject }
}

/// What contexts share: the issuers of the certificates of all peers, so that a peer costs a serial number and a reference; and
/// lists that were read, which take long to read if they are long.
public final class IssuerTable {
  /// Beyond so many it is looked which of them nobody needs any more.
  private static let sweepSize = 256

  private struct Digest: Hashable {
    var octets: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    static func == (left: Digest, right: Digest) -> Bool { left.octets == right.octets }

    func hash(into hasher: inout Hasher) { hasher.combine(octets.0) }
  }

  private var issuers: [Digest: CertificateIssuer] = [:]
  private var nextSweep = sweepSize
  private var lists: [String: (octets: [UInt8], lists: [RevocationList])] = [:]

  /// A table without any.
  public init() {}

  /// The issuer with this certificate.
  func intern(_ certificate: OpaquePointer) -> CertificateIssuer? {
    var digest = Digest()
    guard withUnsafeMutableBytes(of: &digest.octets, { copenssl_certificate_digest(certificate, $0.baseAddress) }) == 1
    else { return nil }
    if let issuer = issuers[digest] { return issuer }
    guard let retained = copenssl_certificate_retain(certificate) else { return nil }
    if issuers.count >= nextSweep { sweep() }
    let issuer = CertificateIssuer(owning: retained)
    issuers[digest] = issuer
    return issuer
  }

  /// One of those known that could have issued a certificate, by its names.
  func issuer(of certificate: OpaquePointer) -> CertificateIssuer? {
    issuers.values.first { copenssl_may_have_issued($0.pointer, certificate) }
  }

  /// The lists of a file, which is read unless it is the same as before.
  func lists(of file: RevocationSettings.File) throws(TLSError) -> [RevocationList] {
    if let known = lists[file.name], known.octets == file.octets { return known.lists }
    let read = try RevocationList.read(file)
    lists[file.name] = (file.octets, read)
    return read
  }

  /// Forgets the lists of all files but these.
  public func keepLists(of files: Set<String>) { lists = lists.filter { files.contains($0.key) } }

  private func sweep() {
    for digest in Array(issuers.keys) {
      guard var issuer = issuers.removeValue(forKey: digest) else { continue }
      if !isKnownUniquelyReferenced(&issuer) { issuers[digest] = issuer }
    }
    nextSweep = max(Self.sweepSize, 2 * issuers.count)
  }
}

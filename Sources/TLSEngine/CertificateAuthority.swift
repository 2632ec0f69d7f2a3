import COpenSSL
import Structures

/// A certificate with its private key, both as PEM text.
public struct CertificatePair: Sendable {
  /// The certificate.
  public let certificate: [UInt8]
  /// The private key (PKCS #8, RFC 5958), not encrypted.
  public let privateKey: [UInt8]

  /// A pair that was read from files.
  public init(certificate: [UInt8], privateKey: [UInt8]) {
    self.certificate = certificate
    self.privateKey = privateKey
  }
}

/// A certification authority of our own, for clusters and tests that have no other.
public final class CertificateAuthority {
  /// Kinds of keys.
  public enum KeyKind: Int32, Sendable, CaseIterable {
    /// ECDSA on P-256.
    case p256 = 0
    /// RSA with 2,048 bits.
    case rsa2048 = 2048
    /// RSA with 3,072 bits.
    case rsa3072 = 3072
  }

  /// The authority itself, to be kept.
  public let pair: CertificatePair
  private let certificate: OpaquePointer
  private let key: OpaquePointer

  /// Makes a new authority, valid for `days` from now.
  public init(name: String, key kind: KeyKind = .p256, days: Int) throws(TLSError) {
    guard let key = copenssl_key_make(kind.rawValue) else { throw .configuration("private key") }
    guard
      let certificate = copenssl_certificate_make(
        key, Self.commonName(name), nil, 0, copenssl_use_authority, Int32(clamping: days), nil, nil)
    else {
      copenssl_key_free(key)
      throw .configuration("certificate")
    }
    self.key = key
    self.certificate = certificate
    pair = CertificatePair(certificate: try Self.pem(of: certificate), privateKey: try Self.pem(ofKey: key))
  }

  /// Takes up an authority that was made before.
  public init(_ pair: CertificatePair) throws(TLSError) {
    guard let certificate = copenssl_certificate_parse(pair.certificate, pair.certificate.count) else {
      throw .configuration("certificate of the authority")
    }
    guard let key = copenssl_key_parse(pair.privateKey, pair.privateKey.count) else {
      copenssl_certificate_free(certificate)
      throw .configuration("private key of the authority")
    }
    self.certificate = certificate
    self.key = key
    self.pair = pair
    if !copenssl_key_belongs(certificate, key) {
      throw TLSError(.configuration, "private key of the authority: belongs to another certificate")
    }
  }

  deinit {
    copenssl_certificate_free(certificate)
    copenssl_key_free(key)
  }

  /// Makes a certificate for a server that is known by `names`: domains, hosts and address literals, at least one.
  ///
  /// Each name stands there as a SIP URI and in its own type: a URI switches the others off for SIP (RFC 5922 §7.1),
  /// clients that verify as for HTTP know DNS names and addresses only.
  public func makeServerCertificate(
    names: [String], key kind: KeyKind = .p256, days: Int
  ) throws(TLSError) -> CertificatePair {
    guard let first = names.first else { throw TLSError(.configuration, "certificate: no name given") }
    var alternatives: [Alternative] = []
    for name in names {
      if let address = CertificateNames.literal(name) {
        var uri = Array("sip:".utf8)
        address.appendAsHost(to: &uri)
        alternatives += [(copenssl_name_uri, uri), (copenssl_name_address, Self.octets(of: address))]
      } else {
        alternatives += [(copenssl_name_uri, Array("sip:\(name)".utf8)), (copenssl_name_dns, Array(name.utf8))]
      }
    }
    return try issue(to: first, alternatives, kind, days, use: copenssl_use_server)
  }

  /// Makes a certificate for a user, for instance `alice@example.test`.
  public func makeClientCertificate(
    user: String, key kind: KeyKind = .p256, days: Int
  ) throws(TLSError) -> CertificatePair {
    let uri: Alternative = (copenssl_name_uri, Array("sip:\(user)".utf8))
    return try issue(to: user, [uri], kind, days, use: copenssl_use_client)
  }

  private typealias Alternative = (type: Int32, octets: [UInt8])

  private func issue(
    to name: String, _ alternatives: [Alternative], _ kind: KeyKind, _ days: Int, use: Int32
  ) throws(TLSError) -> CertificatePair {
    if let bad = alternatives.first(where: { Self.isUnusable($0) }) {
      throw TLSError(.configuration, "certificate: \(String(decoding: bad.octets, as: UTF8.self)): not a usable name")
    }
    guard let subjectKey = copenssl_key_make(kind.rawValue) else { throw .configuration("private key") }
    defer { copenssl_key_free(subjectKey) }
    let certificate = Self.withPointers(to: alternatives) {
      copenssl_certificate_make(
        subjectKey, Self.commonName(name), $0.baseAddress, Int32($0.count), use, Int32(clamping: days),
        self.certificate, key)
    }
    guard let certificate else { throw .configuration("certificate") }
    defer { copenssl_certificate_free(certificate) }
    return CertificatePair(certificate: try Self.pem(of: certificate), privateKey: try Self.pem(ofKey: subjectKey))
  }

  /// Why a verifier that trusts this authority would refuse a server's (or a client's) certificate; nil: it would not.
  public func reasonAgainst(_ pair: CertificatePair, asServer: Bool) -> String? {
    guard let leaf = copenssl_certificate_parse(pair.certificate, pair.certificate.count) else { return "unreadable" }
    defer { copenssl_certificate_free(leaf) }
    let use = asServer ? copenssl_use_server : copenssl_use_client
    return copenssl_certificate_check(leaf, certificate, use).map { String(cString: $0) }
  }

  // MARK: Conversions

  /// All octets lie in one block while `body` runs.
  private static func withPointers<Result>(
    to alternatives: [Alternative], _ body: (UnsafeBufferPointer<copenssl_alternative>) -> Result
  ) -> Result {
    let block = alternatives.flatMap(\.octets)
    return block.withUnsafeBufferPointer { octets in
      var start = 0
      let entries = alternatives.map { alternative in
        defer { start += alternative.octets.count }
        return copenssl_alternative(
          type: alternative.type, octets: octets.baseAddress?.advanced(by: start), length: alternative.octets.count)
      }
      return entries.withUnsafeBufferPointer(body)
    }
  }

  /// Alternative names are printable ASCII without spaces (IA5String, RFC 5280 §4.2.1.6).
  private static func isUnusable(_ alternative: Alternative) -> Bool {
    if alternative.type == copenssl_name_address { return false }
    return alternative.octets.contains { $0 <= 0x20 || $0 >= 0x7F } || alternative.octets.count > 512
  }

  /// RFC 5280 §A.1: a common name has at most 64 characters.
  private static func commonName(_ name: String) -> String { String(name.prefix(64)) }

  private static func octets(of address: IPAddress) -> [UInt8] {
    func octets(_ word: UInt64, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * (count - 1 - $0))) }
    }
    return address.family == .v4 ? octets(address.low, 4) : octets(address.high, 8) + octets(address.low, 8)
  }

  private static func pem(of certificate: OpaquePointer) throws(TLSError) -> [UInt8] {
    var length = 0
    return try take(copenssl_certificate_pem(certificate, &length), length)
  }

  private static func pem(ofKey key: OpaquePointer) throws(TLSError) -> [UInt8] {
    var length = 0
    return try take(copenssl_key_pem(key, &length), length)
  }

  private static func take(_ pem: UnsafeMutablePointer<UInt8>?, _ length: Int) throws(TLSError) -> [UInt8] {
    guard let pem else { throw .configuration("PEM") }
    defer { copenssl_pem_free(pem, length) }
    return Array(UnsafeBufferPointer(start: pem, count: length))
  }
}

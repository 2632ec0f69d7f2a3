import COpenSSL

/// A list of revoked certificates (RFC 5280 §5).
public final class RevocationList {
  /// Lists of one file at most.
  private static let maximumPerFile = 1_024

  let pointer: OpaquePointer
  /// The file that it came from, as messages name it.
  public let file: String
  /// Its issuer as RFC 2253 §2 writes it.
  public let issuer: String
  /// When the next one is to come at the latest, in seconds since 1970; nil when it doesn't say.
  public let nextUpdate: Int64?
  /// Whether the issuer with this identity signed it; asked once for each.
  private var signers: [ObjectIdentifier: (issuer: CertificateIssuer, isSigner: Bool)] = [:]

  private init(owning pointer: OpaquePointer, file: String) {
    self.pointer = pointer
    self.file = file
    issuer = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1_024) { buffer in
      let length = copenssl_crl_issuer(pointer, buffer.baseAddress, Int32(buffer.count))
      return String(decoding: UnsafeRawBufferPointer(buffer).prefix(Int(max(0, length))), as: UTF8.self)
    }
    let next = copenssl_crl_next_update(pointer)
    nextUpdate = next == 0 ? nil : next
  }

  deinit { copenssl_crl_free(pointer) }

  /// Reads all lists of a file.
  static func read(_ file: RevocationSettings.File) throws(TLSError) -> [RevocationList] {
    var pointers = [OpaquePointer?](repeating: nil, count: maximumPerFile)
    let count = copenssl_crls_read(file.octets, file.octets.count, &pointers, Int32(maximumPerFile))
    guard count > 0 else { throw .configuration("\(file.name): no list of revoked certificates in PEM or DER") }
    return pointers[..<Int(count)].compactMap { pointer in
      pointer.map { RevocationList(owning: $0, file: file.name) }
    }
  }

  /// How near a list is to its end.
  public enum Age: Hashable, Sendable {
    /// The next one is due in three days or later, or at no set time.
    case fresh
    /// It is due within three days, in so many whole ones.
    case ending(days: Int)
    /// It is overdue, for so many whole days.
    case expired(days: Int)
  }

  /// How near it is to its end at a moment in seconds since 1970.
  public func age(at now: Int64) -> Age {
    guard let nextUpdate else { return .fresh }
    let day: Int64 = 86_400
    let left = nextUpdate - now
    if left <= 0 { return .expired(days: Int(-left / day)) }
    return left < 3 * day ? .ending(days: Int(left / day)) : .fresh
  }

  /// How many certificates it names.
  public var count: Int { Int(copenssl_crl_count(pointer)) }

  /// Whether it names a certificate, and is its issuer's.
  func revokes(_ link: PeerChain.Link) -> Bool {
    guard copenssl_crl_revokes(pointer, link.serial, link.serial.count) else { return false }
    if let known = signers[ObjectIdentifier(link.issuer)] { return known.isSigner }
    let isSigner = copenssl_crl_belongs(pointer, link.issuer.pointer) == 1
    // The issuer is kept, so that no other gets its identity.
    if signers.count < Self.maximumPerFile { signers[ObjectIdentifier(link.issuer)] = (link.issuer, isSigner) }
    return isSigner
  }
}

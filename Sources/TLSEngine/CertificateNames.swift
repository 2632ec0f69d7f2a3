import COpenSSL
import Structures

/// Whom a certificate names, and whether that is a given SIP domain (RFC 5922 §7.1, §7.2).
public struct CertificateNames: Hashable, Sendable {
  /// Subject alternative names of type URI.
  public let uris: [String]
  /// Subject alternative names of type DNS.
  public let dnsNames: [String]
  /// Subject alternative names of type IP address.
  public let addresses: [IPAddress]
  /// Whether there are subject alternative names of any type, these or others.
  public let hasAlternativeNames: Bool
  /// The last common name of the subject.
  public let commonName: String?

  /// Names as they were read.
  public init(
    uris: [String] = [], dnsNames: [String] = [], addresses: [IPAddress] = [], hasAlternativeNames: Bool? = nil,
    commonName: String? = nil
  ) {
    self.uris = uris
    self.dnsNames = dnsNames
    self.addresses = addresses
    self.hasAlternativeNames = hasAlternativeNames ?? !(uris.isEmpty && dnsNames.isEmpty && addresses.isEmpty)
    self.commonName = commonName
  }

  /// The SIP domain identities, in small letters: those of URIs if there is one, else DNS names, else, without any
  /// alternative name, the common name.
  public var identities: [String] {
    let fromURIs = uris.compactMap(Self.domain(ofURI:))
    if !fromURIs.isEmpty { return fromURIs }
    if !dnsNames.isEmpty { return dnsNames.filter(Self.isASCII).map { $0.lowercased() } }
    guard !hasAlternativeNames, let commonName, Self.isDNSName(commonName) else { return [] }
    return [commonName.lowercased()]
  }

  /// Whether the certificate speaks for `name`, a domain, host or address literal (IPv6 with or without brackets). With
  /// `allowsWildcards` the name `*.example.test` is every host of that domain, though RFC 5922 §7.2 forbids it.
  public func authenticate(_ name: String, allowsWildcards: Bool = false) -> Bool {
    if let literal = Self.literal(name) {
      // Deviation: RFC 5922 §7.1 knows no IP address names; peers that are configured by address have nothing else.
      // Pinned by "compares identities by the rules of RFC 5922".
      return addresses.contains(literal) || identities.contains { Self.literal($0) == literal }
    }
    // RFC 5922 §7.2: whole names, without case, and no wildcards: `*.example.com` is only itself.
    let small = name.lowercased()
    if identities.contains(small) { return true }
    // RFC 6125 §6.4.3: one label, the whole of it, and the leftmost. A certificate for all of a top-level domain is nobody's.
    guard allowsWildcards, let dot = small.firstIndex(of: "."), dot > small.startIndex else { return false }
    let parent = small[dot...]
    return parent.dropFirst().contains(".") && identities.contains("*" + parent)
  }

  /// The address that a host is, if it is one.
  static func literal(_ host: String) -> IPAddress? {
    guard host.hasPrefix("["), host.hasSuffix("]") else { return IPAddress(host) }
    return IPAddress(String(host.dropFirst().dropLast()))
  }

  /// RFC 5922 §7.1: the host of a `sip` URI that names no user; anything else is no domain identity.
  private static func domain(ofURI uri: String) -> String? {
    guard isASCII(uri) else { return nil }
    let text = uri.lowercased()
    guard text.hasPrefix("sip:"), !text.contains("@") else { return nil }
    let rest = text.dropFirst(4)
    let host =
      rest.hasPrefix("[") ? rest.prefix { $0 != "]" } + "]" : rest.prefix { $0 != ":" && $0 != ";" && $0 != "?" }
    return host.isEmpty ? nil : String(host)
  }

  /// RFC 5280 §4.2.1.6: names are IA5 strings. Others would be compared as Unicode does, by which different octets are equal.
  private static func isASCII(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

  private static func isDNSName(_ text: String) -> Bool {
    let allowed = text.utf8.allSatisfy {
      $0.decimalDigit != nil || (0x61...0x7A).contains($0.lowercased) || $0 == 0x2D || $0 == 0x2E
    }
    return allowed && !text.isEmpty && IPAddress(text) == nil
  }
}

extension CertificateNames {
  init(reading certificate: OpaquePointer) {
    var (uris, dnsNames, addresses): ([String], [String], [IPAddress]) = ([], [], [])
    let list = copenssl_names(certificate)
    if let list {
      defer { copenssl_names_free(list) }
      for index in 0..<copenssl_names_count(list) {
        var octets: UnsafePointer<UInt8>?
        var length = 0
        let type = copenssl_names_get(list, index, &octets, &length)
        let bytes = Array(UnsafeBufferPointer(start: octets, count: octets == nil ? 0 : length))
        switch type {
        case copenssl_name_uri: uris.append(String(decoding: bytes, as: UTF8.self))
        case copenssl_name_dns: dnsNames.append(String(decoding: bytes, as: UTF8.self))
        case copenssl_name_address: if let address = Self.address(bytes) { addresses.append(address) }
        default: break
        }
      }
    }
    self.init(
      uris: uris, dnsNames: dnsNames, addresses: addresses, hasAlternativeNames: list != nil,
      commonName: Self.readCommonName(certificate))
  }

  private static func address(_ bytes: [UInt8]) -> IPAddress? {
    func word(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    switch bytes.count {
    case 4: return IPAddress(v4: UInt32(word(0..<4)))
    case 16: return IPAddress(v6: word(0..<8), word(8..<16))
    default: return nil
    }
  }

  private static func readCommonName(_ certificate: OpaquePointer) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      let length = copenssl_common_name(certificate, buffer.baseAddress, Int32(buffer.count))
      if length < 0 { return nil }
      return String(decoding: UnsafeRawBufferPointer(buffer).prefix(Int(length)), as: UTF8.self)
    }
  }
}

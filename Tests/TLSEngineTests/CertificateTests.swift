import Structures
import Testing

@testable import TLSEngine

@Suite("Identities in certificates (RFC 5922 §7.1, §7.2)")
struct CertificateNamesTests {
  struct Row: Sendable {
    let names: CertificateNames
    let domain: String
    let matches: Bool
  }

  private static let loopback = IPAddress(v4: 0x7F00_0001)

  @Test(
    "compares identities by the rules of RFC 5922",
    arguments: [
      Row(names: CertificateNames(uris: ["sip:example.com"]), domain: "example.com", matches: true),
      Row(names: CertificateNames(uris: ["SIP:Example.COM"]), domain: "eXample.com", matches: true),
      Row(names: CertificateNames(uris: ["sip:example.com;transport=tls"]), domain: "example.com", matches: true),
      Row(names: CertificateNames(uris: ["sip:example.com:5061"]), domain: "example.com", matches: true),
      // A SIP URI switches DNS names off.
      Row(
        names: CertificateNames(uris: ["sip:example.com"], dnsNames: ["proxy.example.com"]),
        domain: "proxy.example.com", matches: false),
      // A URI that is no domain identity does not.
      Row(
        names: CertificateNames(uris: ["sip:alice@example.com"], dnsNames: ["example.com"]), domain: "example.com",
        matches: true),
      Row(
        names: CertificateNames(uris: ["https://example.com"], dnsNames: ["example.com"]), domain: "example.com",
        matches: true),
      Row(names: CertificateNames(uris: ["sip:alice@example.com"]), domain: "example.com", matches: false),
      Row(names: CertificateNames(uris: ["sips:example.com"]), domain: "example.com", matches: false),
      Row(names: CertificateNames(dnsNames: ["example.com"]), domain: "example.com", matches: true),
      Row(names: CertificateNames(dnsNames: ["*.example.com"]), domain: "foo.example.com", matches: false),
      Row(names: CertificateNames(dnsNames: ["*.example.com"]), domain: "*.example.com", matches: true),
      Row(names: CertificateNames(dnsNames: [".example.com"]), domain: "foo.example.com", matches: false),
      Row(names: CertificateNames(dnsNames: ["foo.example.com"]), domain: "example.com", matches: false),
      Row(names: CertificateNames(dnsNames: ["example.com\0.evil.test"]), domain: "example.com", matches: false),
      // The Kelvin sign, of which Unicode says that it is a K.
      Row(names: CertificateNames(dnsNames: ["ban\u{212A}.test"]), domain: "bank.test", matches: false),
      Row(names: CertificateNames(uris: ["sip:ban\u{212A}.test"]), domain: "bank.test", matches: false),
      Row(names: CertificateNames(uris: ["\u{17F}ip:bank.test"]), domain: "bank.test", matches: false),
      Row(names: CertificateNames(commonName: "example.com"), domain: "example.com", matches: true),
      Row(
        names: CertificateNames(dnsNames: ["other.test"], commonName: "example.com"), domain: "example.com",
        matches: false),
      Row(
        names: CertificateNames(hasAlternativeNames: true, commonName: "example.com"), domain: "example.com",
        matches: false),
      Row(names: CertificateNames(commonName: "Example Company"), domain: "Example Company", matches: false),
      Row(names: CertificateNames(addresses: [loopback]), domain: "127.0.0.1", matches: true),
      Row(names: CertificateNames(uris: ["sip:127.0.0.1"]), domain: "127.0.0.1", matches: true),
      Row(names: CertificateNames(uris: ["sip:[2001:DB8::1]:5061"]), domain: "[2001:db8:0::1]", matches: true),
      Row(names: CertificateNames(commonName: "127.0.0.1"), domain: "127.0.0.1", matches: false),
      Row(names: CertificateNames(dnsNames: ["localhost"]), domain: "127.0.0.1", matches: false),
      Row(names: CertificateNames(), domain: "example.com", matches: false),
    ])
  func rules(_ row: Row) {
    #expect(row.names.authenticate(row.domain) == row.matches)
  }
}

@Suite("Certification authority")
struct CertificateAuthorityTests {
  @Test(
    "makes server certificates that its verifier accepts, with each name twice",
    arguments: CertificateAuthority.KeyKind.allCases)
  func server(_ kind: CertificateAuthority.KeyKind) throws {
    let authority = try CertificateAuthority(name: "Test authority", key: kind, days: 10)
    let names = ["sip.example.test", "example.test", "192.0.2.1", "2001:db8::1"]
    let pair = try authority.makeServerCertificate(names: names, key: kind, days: 5)
    #expect(authority.reasonAgainst(pair, asServer: true) == nil)
    #expect(authority.reasonAgainst(pair, asServer: false) == nil)
    let certificate = try #require(PeerCertificate(pem: pair.certificate))
    #expect(certificate.subject == "CN=sip.example.test")
    #expect(certificate.issuer == "CN=Test authority")
    #expect(certificate.names.dnsNames == ["sip.example.test", "example.test"])
    #expect(
      certificate.names.uris == ["sip:sip.example.test", "sip:example.test", "sip:192.0.2.1", "sip:[2001:db8::1]"])
    #expect(certificate.names.addresses == [IPAddress("192.0.2.1"), IPAddress("2001:db8::1")])
    for name in names { #expect(certificate.names.authenticate(name)) }
    #expect(String(decoding: pair.privateKey, as: UTF8.self).hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
  }

  @Test("makes client certificates that are refused for a server")
  func client() throws {
    let authority = try CertificateAuthority(name: "Test authority", days: 10)
    let pair = try authority.makeClientCertificate(user: "alice@example.test", days: 5)
    #expect(authority.reasonAgainst(pair, asServer: false) == nil)
    #expect(authority.reasonAgainst(pair, asServer: true) != nil)
    let certificate = try #require(PeerCertificate(pem: pair.certificate))
    #expect(certificate.subject == "CN=alice@example.test")
    #expect(certificate.names.identities.isEmpty)
  }

  @Test("goes on from its stored form; another authority's verifier refuses")
  func stored() throws {
    let authority = try CertificateAuthority(name: "One", days: 10)
    let again = try CertificateAuthority(authority.pair)
    let pair = try again.makeServerCertificate(names: ["example.test"], days: 5)
    #expect(authority.reasonAgainst(pair, asServer: true) == nil)
    let stranger = try CertificateAuthority(name: "One", days: 10)
    #expect(stranger.reasonAgainst(pair, asServer: true) != nil)
    #expect(throws: TLSError.self) {
      try CertificateAuthority(
        CertificatePair(certificate: authority.pair.certificate, privateKey: stranger.pair.privateKey))
    }
  }

  @Test("gives every certificate its own serial number, and cuts a common name to 64 characters")
  func serials() throws {
    let authority = try CertificateAuthority(name: "One", days: 10)
    let long = String(repeating: "a", count: 60) + ".example.test"
    let (one, two) = (
      try #require(PeerCertificate(pem: try authority.makeServerCertificate(names: [long], days: 1).certificate)),
      try #require(PeerCertificate(pem: try authority.makeServerCertificate(names: [long], days: 1).certificate))
    )
    #expect(one.serial != two.serial)
    #expect(one.names.commonName == String(long.prefix(64)))
    #expect(one.names.authenticate(long))
  }

  @Test("refuses names that no certificate can carry", arguments: ["", "a b", "exämple.test"])
  func badNames(_ name: String) throws {
    let authority = try CertificateAuthority(name: "One", days: 10)
    #expect(throws: TLSError.self) { try authority.makeServerCertificate(names: name.isEmpty ? [] : [name], days: 1) }
  }
}

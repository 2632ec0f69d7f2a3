import Testing

@testable import TLSEngine

@Suite("Names that choose profiles")
struct NameTableTests {
  @Test(
    "a whole name goes before a pattern, a longer pattern before a shorter one",
    arguments: [
      ("a.wild.test", "exact"), ("A.WILD.test", "exact"), ("b.wild.test", "short"), ("x.y.wild.test", "short"),
      ("x.deep.wild.test", "long"), ("deep.wild.test", "short"), ("wild.test", nil), ("notwild.test", nil), ("", nil),
      (".wild.test", "short"), ("192.0.2.1", "address"), ("test", nil),
    ] as [(String, String?)])
  func lookUp(name: String, expected: String?) {
    var table = NameTable<String>()
    #expect(table.isEmpty)
    for (name, value) in [
      ("a.wild.test", "exact"), ("*.Wild.test", "short"), ("*.deep.wild.test", "long"), ("192.0.2.1", "address"),
    ] { table.set(value, for: name) }
    #expect(!table.isEmpty)
    #expect(table[name] == expected)
  }
}

@Suite("Wildcards in certificates, RFC 5922 §7.2 and RFC 6125 §6.4.3")
struct WildcardTests {
  @Test(
    "count only where they are allowed, for one whole label on the left",
    arguments: [
      ("a.example.test", true), ("A.EXAMPLE.TEST", true), ("a.b.example.test", false), ("example.test", false),
      (".example.test", false), ("a.example.org", false),
    ])
  func wildcard(name: String, isGood: Bool) {
    let names = CertificateNames(dnsNames: ["*.example.test"])
    #expect(names.authenticate(name, allowsWildcards: true) == isGood)
    #expect(!names.authenticate(name))
  }

  @Test("never for a whole top-level domain")
  func topLevel() {
    #expect(!CertificateNames(dnsNames: ["*.test"]).authenticate("example.test", allowsWildcards: true))
  }
}

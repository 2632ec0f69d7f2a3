import Structures
import Testing

@Suite("Networks")
struct IPNetworkTests {
  @Test(
    "hold the addresses that begin with their bits, and no other",
    arguments: [
      ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"], ["192.0.3.0", "192.0.1.255", "::c000:209"]),
      ("192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
      ("192.0.2.6/31", ["192.0.2.6", "192.0.2.7"], ["192.0.2.5", "192.0.2.8"]),
      ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "2001:db8::1"]),
      ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "2001:db7:ffff::", "32.1.13.184"]),
      ("2001:db8:0:1::/64", ["2001:db8:0:1:ffff::"], ["2001:db8:0:2::", "2001:db8::"]),
      ("2001:db8::8:0/109", ["2001:db8::8:0", "2001:db8::f:ffff"], ["2001:db8::7:ffff", "2001:db8:0:0:1::8:0"]),
      ("2001:db8::1", ["2001:db8::1"], ["2001:db8::", "2001:db8::2"]),
      ("::/0", ["::", "ffff::"], ["192.0.2.1", "::ffff:192.0.2.1"]),
    ])
  func contains(_ text: String, _ inside: [String], _ outside: [String]) throws {
    let network = try #require(IPNetwork(text))
    #expect(network.description == text)
    for address in inside { #expect(network.contains(try #require(IPAddress(address))), "\(address)") }
    for address in outside { #expect(!network.contains(try #require(IPAddress(address))), "\(address)") }
  }

  @Test("of IPv4-mapped addresses are networks of IPv4")
  func mapped() {
    #expect(IPNetwork("::ffff:192.0.2.0/120") == IPNetwork("192.0.2.0/24"))
    #expect(IPNetwork("::ffff:192.0.2.1") == IPNetwork("192.0.2.1"))
    #expect(IPNetwork("::ffff:0.0.0.0/95") == nil)
  }

  @Test(
    "are refused when they aren't written right or have bits behind the prefix",
    arguments: [
      "", "/", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+24", "192.0.2.1/24", "192.0.2.0/24/24",
      "192.0.2/24", "2001:db8::/129", "2001:db8::1/64", "[2001:db8::]/32", "example.test", "192.0.2.0/024x",
      "10.0.0.1/0",
    ])
  func refused(_ text: String) {
    #expect(IPNetwork(text) == nil)
  }
}

import Structures
import Testing

@Suite("An IP address")
struct IPAddressTests {
  @Test(
    "is read and written in the form of RFC 5952 §4",
    arguments: [
      ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
      ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8::192.0.2.1", "2001:db8::c000:201"),
      ("::ffff:192.0.2.10", "::ffff:192.0.2.10"), ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
      ("fe80::", "fe80::"), ("1::8", "1::8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ])
  func roundTrip(text: String, expected: String) {
    #expect(IPAddress(text)?.description == expected)
  }

  @Test(
    "is refused when malformed",
    arguments: [
      "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.", "a.b.c.d", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
      "2001:db8:::192.0.2.1", "1::2::3", "12345::", "::1.2.3", "1.2.3.4:5", "0001.2.3.4",
    ])
  func malformed(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test("with a port is read with brackets for IPv6 only")
  func socketAddress() {
    #expect(SocketAddress("127.0.0.1:5060")?.port == 5060)
    #expect(SocketAddress("[::1]:5061")?.description == "[::1]:5061")
    #expect(SocketAddress("::1:5061") == nil)
    #expect(SocketAddress("[127.0.0.1]:5061") == nil)
    #expect(SocketAddress("127.0.0.1:70000") == nil)
  }
}

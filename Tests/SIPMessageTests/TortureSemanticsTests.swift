import SIPMessage
import Structures
import Testing

/// What RFC 4475 §3.3 and RFC 4475 §3.4 build upon: the facts from which the roles behind the parser decide.
@Suite("What the torture messages of RFC 4475 §3.3 and RFC 5118 say")
struct TortureSemanticsTests {
  @Test("unkscm and novelsc: a Request-URI of another scheme is read as such, RFC 4475 §3.3.2, RFC 4475 §3.3.3")
  func schemes() throws {
    let unknown = try torture("rfc4475/unkscm")
    #expect(try unknown.requestURI().scheme == .other)
    #expect(unknown.text(unknown.requestURIRange) == "nobodyKnowsThisScheme:totallyopaquecontent")
    let novel = try torture("rfc4475/novelsc")
    #expect(try novel.requestURI().scheme == .other)
    #expect(novel.text(novel.requestURIRange) == "soap.beep://192.0.2.103:3002")
  }

  @Test("unksm2: other schemes in To, From and Contact are read, RFC 4475 §3.3.4")
  func unksm2() throws {
    let message = try torture("rfc4475/unksm2")
    #expect(try message.to().uri.scheme == .other)
    #expect(try message.from().uri.scheme == .other)
    #expect(message.tag(of: .from).map(message.text) == "3234233")
    #expect(try message.addresses(.contact).map { message.text($0.uri.range) } == ["name:John_Smith"])
  }

  @Test("bext01: every option tag is found, RFC 4475 §3.3.5")
  func bext01() throws {
    let message = try torture("rfc4475/bext01")
    #expect(message.values(.require).map(message.text) == ["nothingSupportsThis", "nothingSupportsThisEither"])
    #expect(
      message.values(.proxyRequire).map(message.text) == ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"])
    #expect(message.lists("nordoanyproxiessupportthis", in: .proxyRequire))
    #expect(!message.lists("nordoanyproxiessupportthis", in: .require))
  }

  @Test("invut and regaut01: what isn't known is kept as it is, RFC 4475 §3.3.6, RFC 4475 §3.3.7")
  func opaque() throws {
    let body = try torture("rfc4475/invut")
    #expect(body.string(.contentType) == "application/unknownformat")
    #expect(body.text(body.body) == "<audio>\r\n <pcmu port=\"443\"/>\r\n</audio>\r\n")
    #expect(try torture("rfc4475/regaut01").string(.authorization) == "NoOneKnowsThisScheme opaque-data=here")
  }

  @Test("bcast: the second Via names the broadcast address, RFC 4475 §3.3.10")
  func bcast() throws {
    let message = try torture("rfc4475/bcast")
    #expect(message.status == 200)
    #expect(try message.vias().map { message.text($0.host) } == ["192.0.2.198", "255.255.255.255"])
  }

  @Test("zeromf: Max-Forwards is zero and not missing, RFC 4475 §3.3.11")
  func zeromf() throws {
    #expect(try torture("rfc4475/zeromf").number(of: .maxForwards) == 0)
  }

  @Test("cparam01: without brackets a parameter is the Contact's, RFC 4475 §3.3.12")
  func cparam01() throws {
    let message = try torture("rfc4475/cparam01")
    let contact = try #require(try message.addresses(.contact).first)
    #expect(message.text(contact.uri.range) == "sip:+19725552222@gw1.example.net")
    #expect(message.parameter("unknownparam", of: contact) == "")
    #expect(message.parameter("unknownparam", of: contact.uri) == nil)
  }

  @Test("cparam02: within brackets a parameter is the URI's, RFC 4475 §3.3.13")
  func cparam02() throws {
    let message = try torture("rfc4475/cparam02")
    let contact = try #require(try message.addresses(.contact).first)
    #expect(message.text(contact.uri.range) == "sip:+19725552222@gw1.example.net;unknownparam")
    #expect(message.parameter("unknownparam", of: contact) == nil)
    #expect(message.parameter("unknownparam", of: contact.uri) == "")
  }

  @Test("regescrt: the header part stays in the Contact's URI, RFC 4475 §3.3.14")
  func regescrt() throws {
    let message = try torture("rfc4475/regescrt")
    let contact = try #require(try message.addresses(.contact).first)
    #expect(message.text(contact.uri.range) == "sip:user@example.com?Route=%3Csip:sip.example.com%3E")
    #expect(message.text(contact.uri.headers) == "?Route=%3Csip:sip.example.com%3E")
    #expect(!message.has(.route))
  }

  @Test("inv2543: no branch, no tag, no Max-Forwards, and the body goes to the end, RFC 4475 §3.4.1")
  func inv2543() throws {
    let message = try torture("rfc4475/inv2543")
    #expect(try message.topVia().branch == nil)
    #expect(message.tag(of: .from) == nil)
    #expect(!message.has(.maxForwards))
    #expect(message.body.count == 105)
    let recordRoute = try #require(try message.addresses(.recordRoute).first)
    #expect(message.parameter("maddr", of: recordRoute.uri) == "ss1.example.com")
    #expect(try message.parameter("user", of: message.to()) == "phone")
  }

  @Test("ipv6-good: IPv6 references are read in URIs and Via, RFC 5118 §4.1")
  func ipv6Good() throws {
    let message = try torture("rfc5118/ipv6-good")
    let uri = try message.requestURI()
    #expect(uri.hostKind == .v6)
    #expect(message.address(of: uri) == IPAddress("2001:db8::10"))
    #expect(try message.text(message.topVia().host) == "[2001:db8::9:1]")
    let contact = try #require(try message.addresses(.contact).first)
    #expect(message.address(of: contact.uri) == IPAddress("2001:db8::1"))
  }

  @Test("a port is a port outside the brackets only, RFC 5118 §4.3, RFC 5118 §4.4")
  func ports() throws {
    let inside = try torture("rfc5118/port-ambiguous")
    #expect(try inside.requestURI().port == nil)
    #expect(try inside.address(of: inside.requestURI()) == IPAddress("2001:db8::10:5070"))
    let outside = try torture("rfc5118/port-unambiguous")
    #expect(try outside.requestURI().port == 5070)
    #expect(try outside.address(of: outside.requestURI()) == IPAddress("2001:db8::10"))
  }

  @Test("received is read with brackets and without, RFC 5118 §4.5")
  func received() throws {
    let with = try torture("rfc5118/via-received-param-with-delim")
    #expect(try with.topVia().received.map(with.text) == "[2001:db8::9:255]")
    #expect(try with.topVia().branch.map(with.text) == "z9hG4bKas3-111")
    let without = try torture("rfc5118/via-received-param-no-delim")
    #expect(try without.topVia().received.map(without.text) == "2001:db8::9:255")
    #expect(try without.topVia().branch.map(without.text) == "z9hG4bKas3")
  }

  @Test("addresses of both families stand side by side, RFC 5118 §4.7")
  func mixed() throws {
    let message = try torture("rfc5118/mult-ip-in-header")
    let vias = try message.vias()
    #expect(vias.map { message.text($0.host) } == ["[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"])
    #expect(vias.map(\.port) == [6050, nil, nil])
    #expect(vias.last?.received.map(message.text) == "192.0.2.200")
  }

  @Test(
    "bodies with IPv6 addresses are kept as they are, RFC 5118 §4.6, RFC 5118 §4.8",
    arguments: [
      ("rfc5118/stream/ipv6-in-sdp", 251), ("rfc5118/stream/mult-ip-in-sdp", 189),
      ("rfc5118/stream/ipv4-mapped-ipv6", 245),
    ])
  func bodies(file: String, length: Int) throws {
    let message = try torture(file)
    #expect(message.body.count == length)
    #expect(Array(message.bytes[message.body.positions]) == Array(try fixture(file).suffix(length)))
  }

  @Test("an IPv4-mapped address is an address, its port stands outside, RFC 5118 §4.9")
  func mapped() throws {
    let message = try torture("rfc5118/ipv4-mapped-ipv6")
    let vias = try message.vias()
    #expect(vias.map { message.text($0.host) } == ["[::ffff:192.0.2.10]", "[::ffff:192.0.2.2]"])
    #expect(vias.map(\.port) == [19_823, nil])
    let contact = try #require(try message.addresses(.contact).first)
    #expect(message.address(of: contact.uri)?.unmapped == IPAddress("192.0.2.2"))
  }

  @Test("three colons mean what two mean, RFC 5118 §4.10")
  func colons() throws {
    let address = IPAddress("2001:db8::192.0.2.1")
    #expect(address != nil)
    for file in ["rfc5118/stream/ipv6-bug-abnf-3-colons", "rfc5118/stream/ipv6-correct-abnf-2-colons"] {
      let message = try torture(file)
      #expect(try message.requestURI().hostKind == .v6)
      #expect(try message.address(of: message.requestURI()) == address, "\(file)")
      #expect(try message.isEquivalent(message.to().uri, "sip:user@[2001:db8::192.0.2.1]"), "\(file)")
    }
  }
}

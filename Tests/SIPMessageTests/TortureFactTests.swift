import SIPMessage
import Structures
import Testing

/// What the sections of RFC 4475 point out about single messages.
@Suite("What the torture messages of RFC 4475 say")
struct TortureFactTests {
  @Test("wsinv: white space, folds, compact names and leading zeros change nothing, RFC 4475 §3.1.1.1")
  func wsinv() throws {
    let message = try torture("rfc4475/wsinv")
    #expect(try message.cseq().number == 9)
    #expect(try message.text(message.cseq().method) == "INVITE")
    #expect(message.number(of: .maxForwards) == 68)
    #expect(message.tag(of: .to).map(message.text) == "1918181833n")
    #expect(message.tag(of: .from).map(message.text) == "98asjd8")
    #expect(try message.text(message.from().displayName) == #""J Rosenberg \\\"""#)
    #expect(message.string(.subject) == "")
    #expect(message.string(named: "UnknownHeaderWithUnusualValue") == ";;,,;;,;")
    let uri = try message.requestURI()
    #expect(message.parameter("unknownparam", of: uri) == "")
    #expect(message.body.count == 150)
    let vias = try message.vias()
    #expect(vias.map { message.text($0.host) } == ["192.0.2.2", "spindle.example.com", "192.168.255.111"])
    #expect(vias.map(\.transport) == [.known(.udp), .known(.tcp), .known(.udp)])
    #expect(
      vias.map { $0.branch.map(message.text) } == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"])
    #expect(vias.map(\.hasMagicCookie) == [false, true, true])
    let route = try #require(try message.addresses(.route).first)
    #expect(message.parameter("lr", of: route.uri) == "")
    #expect(message.parameter("unknownwith", of: route.uri) == "value")
    #expect(message.parameter("unknown-no-value", of: route.uri) == "")
    let contact = try #require(try message.addresses(.contact).first)
    #expect(message.text(contact.displayName) == #""Quoted string \"\"""#)
    #expect(message.parameter("newparam", of: contact) == "newvalue")
    #expect(message.parameter("secondparam", of: contact) == "")
    #expect(message.parameter("q", of: contact) == "0.33")
  }

  @Test("intmeth: every legal character stands where the grammar has it, RFC 4475 §3.1.1.2")
  func intmeth() throws {
    let message = try torture("rfc4475/intmeth")
    let method = "!interesting-Method0123456789_*+`.%indeed'~"
    #expect(message.method == .other)
    #expect(message.text(message.methodToken) == method)
    #expect(try message.text(message.cseq().method) == method)
    #expect(try message.cseq().number == 139_122_385)
    let uri = try message.requestURI()
    #expect(uri.user.map(message.text) == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    #expect(uri.password.map(message.text) == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
    #expect(message.text(uri.host) == "example.com")
    let to = try message.to()
    #expect(
      Array(message.bytes[to.displayName.positions])
        == Array("\"BEL:\\\u{07} NUL:\\\u{00} DEL:\\\u{7F}\"".utf8))
    #expect(to.uri.user.map(message.text) == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    let from = try message.from()
    #expect(message.text(from.displayName) == "token1~` token2'+_ token3*%!.-")
    #expect(message.parameter("fromparam''~+*_!.-%", of: from) == "\"работающий\"")
    #expect(message.tag(of: .from).map(message.text) == "_token~1'+`*%!-.")
    #expect(message.string(.callID) == #"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#)
    #expect(message.string(named: "extensionHeader-!.%*+_`'~") == "\u{FEFF}大停電")
    #expect(try message.topVia().branch.map(message.text) == "z9hG4bK-.!%66*_+`'~")
    #expect(message.number(of: .maxForwards) == 255)
  }

  @Test("esc01: escapes in URIs are undone once for comparison, RFC 4475 §3.1.1.3")
  func esc01() throws {
    let message = try torture("rfc4475/esc01")
    let uri = try message.requestURI()
    #expect(uri.user.map(message.text) == "sips%3Auser%40example.com")
    #expect(message.text(uri.host) == "example.net")
    #expect(try message.isEquivalent(message.to().uri, "sip:user@example.com"))
    #expect(try message.from().uri.user.map(message.text) == "I%20have%20spaces")
    let contact = try #require(try message.addresses(.contact).first).uri
    #expect(try message.isEquivalent(contact, "sip:caller@host5.example.net;lr;name=value%2541"))
    #expect(try !message.isEquivalent(contact, "sip:caller@host5.example.net;lr;name=valueA"))
  }

  @Test("esc01: a parameter is found whose name is escaped, RFC 4475 §3.1.1.3")
  func escapedNames() throws {
    let message = try torture("rfc4475/esc01")
    let contact = try #require(try message.addresses(.contact).first).uri
    #expect(message.parameter("lr", of: contact) == "")
    #expect(message.parameter("name", of: contact) == "v%61lue%25%34%31")
  }

  @Test("escnull: an escaped NUL is part of the user, and two aren't one, RFC 4475 §3.1.1.4")
  func escnull() throws {
    let message = try torture("rfc4475/escnull")
    #expect(try message.to().uri.user.map(message.text) == "null-%00-null")
    #expect(try !message.isEquivalent(message.to().uri, "sip:null-@example.com"))
    let contacts = try message.addresses(.contact)
    try #require(contacts.count == 2)
    #expect(!message.areEquivalent(contacts[0].uri, contacts[1].uri))
  }

  @Test("esc02: a percent sign escapes nothing in methods, names and display names, RFC 4475 §3.1.1.5")
  func esc02() throws {
    let message = try torture("rfc4475/esc02")
    #expect(message.method == .other)
    #expect(message.text(message.methodToken) == "RE%47IST%45R")
    #expect(try message.text(message.to().displayName) == "\"%Z%45\"")
    #expect(try message.text(message.from().displayName) == "\"%Z%45\"")
    #expect(try message.addresses(.contact).map { $0.uri.user.map(message.text) } == ["alias1", "alias3"])
    #expect(message.string(named: "C%6Fntact") == "<sip:alias2@host2.example.com>")
  }

  @Test("lwsdisp: a display name may touch the bracket, RFC 4475 §3.1.1.6")
  func lwsdisp() throws {
    let message = try torture("rfc4475/lwsdisp")
    #expect(try message.text(message.from().displayName) == "caller")
    #expect(try message.isEquivalent(message.from().uri, "sip:caller@example.com"))
    #expect(message.tag(of: .from).map(message.text) == "323")
  }

  @Test("longreq: long values and 34 Via values are read to their end, RFC 4475 §3.1.1.7")
  func longreq() throws {
    let message = try torture("rfc4475/longreq")
    let vias = try message.vias()
    #expect(vias.count == 34)
    #expect(message.text(vias[0].host) == "sip33.example.com")
    let last = try #require(vias.last)
    #expect(last.received.map(message.text) == "192.0.2.5")
    #expect(last.branch.map(message.text) == "very" + String(repeating: "long", count: 50) + "branchvalue")
    let to = try message.to()
    #expect(to.uri.port == 6000)
    #expect(to.displayName.count == #""I have a user name of  proportion""#.utf8.count + 10 * "extreme".utf8.count)
    #expect(
      message.tag(of: .from).map(message.text) == "12" + String(repeating: "982", count: 50) + "424")
    #expect(try message.from().uri.user?.count == 5 * "amazinglylongcallername".utf8.count)
    #expect(message.body.count == 150)
  }

  @Test("dblreq: what follows the body isn't part of the message, RFC 4475 §3.1.1.8")
  func dblreq() throws {
    let message = try torture("rfc4475/dblreq")
    #expect(message.method == .register)
    #expect(message.body.isEmpty)
    #expect(message.bytes.count == 300)
  }

  @Test("dblreq: in a stream the INVITE is the next message, RFC 4475 §3.1.1.8")
  func dblreqStream() throws {
    let octets = try fixture("rfc4475/dblreq")
    var framer = StreamFramer(maximumHead: 32_768, maximumMessage: 65_535)
    #expect(framer.next(octets.span) == .message(length: 300))
    #expect(framer.next(octets.span.extracting(300..<octets.count)) == .keepAlive(length: 2, isPing: false))
    // Its body is five octets longer than announced: after the INVITE the connection is of no use any more.
    #expect(framer.next(octets.span.extracting(302..<octets.count)) == .message(length: 443))
    guard case .broken(.malformedStart, _) = framer.next(octets.span.extracting(745..<octets.count)) else {
      Issue.record("the rest is no message")
      return
    }
    let message = Message()
    message.load(octets.span.extracting(302..<745), limits: ParserLimits())
    #expect(message.check() == nil)
    #expect(message.method == .invite)
    #expect(message.body.count == 150)
  }

  @Test("semiuri: a user may have parameters and an escaped @, RFC 4475 §3.1.1.9")
  func semiuri() throws {
    let message = try torture("rfc4475/semiuri")
    let uri = try message.requestURI()
    #expect(uri.user.map(message.text) == "user;par=u%40example.net")
    #expect(message.text(uri.host) == "example.com")
    #expect(uri.parameters.isEmpty)
    #expect(message.values(.accept).count == 6)
  }

  @Test("transports: unknown transports are read, RFC 4475 §3.1.1.10")
  func transports() throws {
    let vias = try torture("rfc4475/transports").vias()
    #expect(vias.map(\.transport) == [.known(.udp), .other, .known(.tls), .other, .known(.tcp)])
  }

  @Test("mpart01: a binary body is kept octet by octet, RFC 4475 §3.1.1.11")
  func mpart01() throws {
    let message = try torture("rfc4475/mpart01")
    let octets = try fixture("rfc4475/mpart01")
    #expect(message.method == .message)
    #expect(message.body.count == 553)
    #expect(Array(message.bytes[message.body.positions]) == Array(octets.suffix(553)))
    #expect(message.bytes[message.body.positions].contains(0))
    let route = try #require(try message.addresses(.route).first)
    #expect(message.parameter("lr", of: route.uri) == nil)
  }

  @Test("unreason and noreason: any reason phrase will do, or none, RFC 4475 §3.1.1.12, RFC 4475 §3.1.1.13")
  func reasons() throws {
    let unusual = try torture("rfc4475/unreason")
    #expect(unusual.status == 200)
    #expect(unusual.text(unusual.reasonRange) == "= 2**3 * 5**2 но сто девяносто девять - простое")
    let none = try torture("rfc4475/noreason")
    #expect(none.status == 100)
    #expect(none.reasonRange.isEmpty)
  }

  @Test("badbranch: the cookie alone identifies nothing, RFC 4475 §3.2.1")
  func badbranch() throws {
    let message = try torture("rfc4475/badbranch")
    #expect(try message.topVia().branch.map(message.text) == "z9hG4bK")
    #expect(try !message.topVia().hasMagicCookie)
  }
}

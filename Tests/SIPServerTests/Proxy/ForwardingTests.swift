import SIPServer
import Structures
import Testing

@Suite("A forwarded request, RFC 3261 §16.6")
struct ForwardingTests {
  /// What bob gets of a request that alice sends as it stands, our branch and tokens replaced by words.
  private func forwarded(
    _ request: String, body: [UInt8] = [], _ transport: TransportProtocol = .udp, contact: String? = nil
  ) -> String {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", transport), node.peer("bob", .tls))
    node.register("bob", bob, contact: contact ?? "sip:bob@10.0.0.9;transport=tls")
    node.send(octets: Array(request.replacing("\n", with: "\r\n").utf8) + body, from: alice)
    node.settle()
    let message = node.received(by: bob).first ?? ""
    node.expectNothingLeft()
    return
      message
      .replacing(/branch=z9hG4bK[A-Za-z0-9_-]{32}/, with: "branch=OURS", maxReplacements: 1)
      .replacing(/sip:[A-Za-z0-9_-]{60,}@/, with: "sip:TOKEN@")
      .replacing("\r\n", with: "\n")
  }

  @Test("keeps every line as it came, folded and compact ones too, in their order; only what must change is spliced")
  func splices() {
    let request = """
      MESSAGE sip:bob@example.test SIP/2.0
      X-First :  one\t,two
      v:SIP / 2.0/UDP\t198.51.100.1:40001 ;branch=z9hG4bKx;p="a,b" , SIP/2.0/TCP lower.example;branch=z9hG4bKy
      VIA: SIP/2.0/UDP lowest.example:5099;maddr=224.0.0.1
      f: "A \\" <B>" <sip:alice@example.test>;tag=a
      T : Bob
       <sip:bob@example.test>
      i: c1@h
      CSeq: 0007   MESSAGE
      max-forwards:
       070
      Subject: folded
      \t twice
        over
      k: a, b
      c: text/plain
      unknown-header: \u{1F4DE} ,;"
      l: 2

      hi
      """
    let expected = """
      MESSAGE sip:bob@10.0.0.9;transport=tls SIP/2.0
      Via: SIP/2.0/TLS node1.example.test:5061;branch=OURS
      Max-Breadth: 60
      X-First :  one\t,two
      v:SIP / 2.0/UDP\t198.51.100.1:40001 ;branch=z9hG4bKx;p="a,b" , SIP/2.0/TCP lower.example;branch=z9hG4bKy
      VIA: SIP/2.0/UDP lowest.example:5099;maddr=224.0.0.1
      f: "A \\" <B>" <sip:alice@example.test>;tag=a
      T : Bob
       <sip:bob@example.test>
      i: c1@h
      CSeq: 0007   MESSAGE
      Max-Forwards: 69
      Subject: folded
      \t twice
        over
      k: a, b
      c: text/plain
      unknown-header: \u{1F4DE} ,;"
      l: 2

      hi
      """
    #expect(forwarded(request) == expected)
  }

  @Test("gets what it lacks: Max-Forwards of 70, Max-Breadth of 60, Content-Length of the datagram's body")
  func additions() {
    let request = """
      MESSAGE sip:bob@example.test SIP/2.0
      Via: SIP/2.0/UDP 198.51.100.1:40001;branch=z9hG4bKx
      From: <sip:alice@example.test>;tag=a
      To: <sip:bob@example.test>
      Call-ID: c1
      CSeq: 1 MESSAGE

      hello
      """
    let expected = """
      MESSAGE sip:bob@10.0.0.9;transport=tls SIP/2.0
      Via: SIP/2.0/TLS node1.example.test:5061;branch=OURS
      Max-Breadth: 60
      Via: SIP/2.0/UDP 198.51.100.1:40001;branch=z9hG4bKx
      From: <sip:alice@example.test>;tag=a
      To: <sip:bob@example.test>
      Call-ID: c1
      CSeq: 1 MESSAGE
      Max-Forwards: 70
      Content-Length: 5

      hello
      """
    #expect(forwarded(request) == expected)
  }

  @Test("is cut to its Content-Length, which octets behind it don't change")
  func surplus() {
    let request = """
      MESSAGE sip:bob@example.test SIP/2.0
      Via: SIP/2.0/UDP 198.51.100.1:40001;branch=z9hG4bKx
      From: <sip:alice@example.test>;tag=a
      To: <sip:bob@example.test>
      Call-ID: c1
      CSeq: 1 MESSAGE
      Max-Forwards: 1
      Content-Length: 3

      helloMESSAGE
      """
    #expect(forwarded(request).hasSuffix("Max-Forwards: 0\nContent-Length: 3\n\nhel"))
  }

  @Test("has its body octet for octet, zeros and line breaks included")
  func body() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    let body: [UInt8] = (0..<1_024).map { UInt8(truncatingIfNeeded: $0) } + [13, 10, 13, 10, 0, 0]
    let head = node.request("INFO", from: alice, "Content-Length: \(body.count)")
    node.send(octets: Array(TestNode.wire(head).utf8) + body, from: alice)
    node.settle()
    let octets = node.octets(by: bob).first ?? []
    #expect(octets.suffix(body.count + 4) == [13, 10, 13, 10] + body)
    node.send(octets: Array(TestNode.response("200 OK", to: String(decoding: octets, as: UTF8.self)).utf8), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test(
    "carries where it came from in the upper Via, whatever the peer wrote there (RFC 3261 §18.2.1, RFC 3581 §4)",
    arguments: [
      ("198.51.100.1:40001", "198.51.100.1:40001"),
      ("198.51.100.1:40001;rport", "198.51.100.1:40001;received=198.51.100.1;rport=40001"),
      ("198.51.100.1:9;rport=7", "198.51.100.1:9;received=198.51.100.1;rport=40001"),
      ("10.0.0.1;received=6.6.6.6", "10.0.0.1;received=198.51.100.1"),
      ("198.51.100.1;received=6.6.6.6", "198.51.100.1"),
      ("phone.local;rport;received=6.6.6.6", "phone.local;received=198.51.100.1;rport=40001"),
      ("phone.local;RECEIVED=6.6.6.6;Rport=3", "phone.local;received=198.51.100.1;rport=40001"),
      ("[2001:db8::9]:5060", "[2001:db8::9]:5060;received=198.51.100.1"),
      ("[::ffff:198.51.100.1]", "[::ffff:198.51.100.1]"),
    ], [TransportProtocol.udp, .tcp, .tls])
  func source(_ row: (String, String), _ transport: TransportProtocol) {
    let name = "\(transport)".uppercased()
    let request = """
      MESSAGE sip:bob@example.test SIP/2.0
      Via: SIP/2.0/\(name) \(row.0);branch=z9hG4bKx
      From: <sip:alice@example.test>;tag=a
      To: <sip:bob@example.test>
      Call-ID: c1
      CSeq: 1 MESSAGE
      Content-Length: 0


      """
    let message = forwarded(request, transport)
    #expect(message.contains("\nVia: SIP/2.0/\(name) \(row.1);branch=z9hG4bKx\n"), "\(message)")
  }

  @Test(
    "loses the Route values that are ours and no others",
    arguments: [
      ("Route: <sip:sip.example.test;lr>", ""),
      ("Route: <sip:192.0.2.1:5060;lr>,<sip:node1.example.test:5061;transport=tls;lr>", ""),
      ("Route: <sip:example.test;lr>\nRoute: <sip:sip.example.test;lr>", ""),
      (
        "Route: <sip:sip.example.test;lr> , <sip:203.0.113.9;lr>;x=1,<sip:203.0.113.10;lr>",
        "Route: <sip:203.0.113.9;lr>;x=1,<sip:203.0.113.10;lr>\n"
      ),
      (
        "Route: <sip:sip.example.test;lr>\nrOUTE:  <sip:203.0.113.9;lr>\nX: y\nRoute: <sip:sip.example.test;lr>",
        "rOUTE:  <sip:203.0.113.9;lr>\nX: y\nRoute: <sip:sip.example.test;lr>\n"
      ),
      (
        "Route: <sip:sip.example.test;lr>,\n  <sip:203.0.113.9;lr>,\n <sip:203.0.113.10;lr>",
        "Route: <sip:203.0.113.9;lr>,\n <sip:203.0.113.10;lr>\n"
      ),
    ])
  func routes(_ row: (String, String)) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("MESSAGE", from: alice, "X-Before: 1\n\(row.0)\nX-After: 2"), from: alice)
    node.settle()
    let all = node.received(by: bob) + node.takeAddressed().map(\.1)
    #expect(all.count == 1)
    let message = all.first ?? ""
    #expect(
      message.replacing("\r\n", with: "\n").contains("X-Before: 1\n\(row.1)X-After: 2\n"), "\(message)")
    node.expectNothingLeft()
  }

  @Test("goes to the address of the first Route value that isn't ours, with its transport and port")
  func foreignRoute() {
    let node = TestNode()
    let alice = node.peer("alice")
    node.send(
      node.request("OPTIONS", "sip:x@far.example", from: alice, "Route: <sip:203.0.113.9:5070;lr>"), from: alice)
    let sent = node.takeAddressed()
    #expect(sent.count == 1)
    let message = sent.first?.1 ?? ""
    #expect(sent.first?.0 == SocketAddress("203.0.113.9:5070"))
    #expect(TestNode.start(message) == "OPTIONS sip:x@far.example SIP/2.0")
    #expect(TestNode.header("Via", message).hasPrefix("SIP/2.0/UDP node1.example.test:5060;branch="))
    node.expectNothingLeft()
  }

  @Test(
    "has the contact as its Request-URI, without what a Request-URI may not have (RFC 3261 §16.6 step 2, §19.1.1)",
    arguments: [
      ("sip:bob@10.0.0.9:5070;transport=tls;ob;x=%41", "sip:bob@10.0.0.9:5070;transport=tls;ob;x=%41"),
      ("sip:bob@10.0.0.9?Route=%3Csip:evil.example%3E", "sip:bob@10.0.0.9"),
      ("sip:bob@10.0.0.9;method=INVITE;lr?a=b", "sip:bob@10.0.0.9;lr"),
      ("sip:bob@10.0.0.9;x;METHOD=BYE", "sip:bob@10.0.0.9;x"),
      ("sip:10.0.0.9", "sip:10.0.0.9"),
    ])
  func contact(_ row: (String, String)) {
    let request = """
      MESSAGE sip:bob@example.test SIP/2.0
      Via: SIP/2.0/UDP 198.51.100.1:40001;branch=z9hG4bKx
      From: <sip:alice@example.test>;tag=a
      To: <sip:bob@example.test>
      Call-ID: c1
      CSeq: 1 MESSAGE


      """
    let message = forwarded(request, contact: row.0)
    #expect(message.hasPrefix("MESSAGE \(row.1) SIP/2.0\n"), "\(message)")
    #expect(!message.contains("evil"))
  }

  @Test("never goes to a contact that is no SIP address", arguments: ["tel:+15551234", "mailto:bob@example.test"])
  func otherContact(_ contact: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob", .udp))
    node.register("bob", bob, contact: contact)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    #expect(node.received(by: bob).isEmpty)
    #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 480 Temporarily Unavailable")
    node.expectNothingLeft()
  }

  @Test(
    "never comes back here because a contact names this server",
    arguments: ["sip:bob@192.0.2.1", "sip:x@192.0.2.1:5060;y"])
  func ownContact(_ contact: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob", .udp))
    node.register("bob", bob, contact: contact)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(node.takeAddressed().isEmpty)
    #expect(TestNode.start(node.one(by: bob)) == "MESSAGE \(contact) SIP/2.0")
    node.expectNothingLeft()
  }

  @Test(
    "of any method passes, known or not, and is not given a body or a dialog of ours",
    arguments: [
      "MESSAGE", "INFO", "PUBLISH", "REFER", "SUBSCRIBE", "NOTIFY", "UPDATE", "PRACK", "BYE", "FOO", "invite",
    ])
  func methods(_ method: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request(method, from: alice), from: alice)
    node.settle()
    let message = node.one(by: bob)
    #expect(TestNode.start(message).hasPrefix("\(method) sip:bob@"))
    #expect(TestNode.header("CSeq", message) == "1 \(method)")
    node.send(TestNode.response("202 Accepted", to: message), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 202 Accepted")
    node.expectNothingLeft()
  }
}

import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import Testing

@Suite("The SIPS scheme at the proxy, RFC 5630 §5.3")
struct SIPSTests {
  private static let notAllowed = "380 node1.example.test:5061 \"SIPS Not Allowed\""
  private static let required = "381 node1.example.test:5061 \"SIPS Required\""
  private static let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0>\""

  /// Sends a MESSAGE from a peer; what became of it by now.
  private static func message(
    _ uri: String, from peer: TestNode.Peer, _ node: TestNode, tag: String? = nil, _ extra: String = ""
  ) {
    node.send(node.request("MESSAGE", uri, from: peer, tag: tag, extra), from: peer)
    node.settle()
  }

  /// Checks that a peer got 480 with a Warning and nothing else.
  private static func expect(
    _ warning: String, by peer: TestNode.Peer, _ node: TestNode, _ location: SourceLocation = #_sourceLocation
  ) {
    let answer = node.one(by: peer, location)
    #expect(TestNode.start(answer) == "SIP/2.0 480 Temporarily Unavailable", sourceLocation: location)
    #expect(TestNode.headers("Warning", answer) == [warning], sourceLocation: location)
  }

  // MARK: sips requests

  @Test("sips to a user with sip contacts alone gets 480 and Warning 380", arguments: TransportProtocol.allCases)
  func sipContact(_ transport: TransportProtocol) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob", transport))
    node.register("bob", bob)
    Self.message("sips:bob@example.test", from: alice, node)
    Self.expect(Self.notAllowed, by: alice, node)
    node.send(node.request("INVITE", "sips:bob@example.test", from: alice), from: alice)
    node.settle()
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 480 Temporarily Unavailable")
    #expect(node.received(by: bob).isEmpty && node.takeAddressed().isEmpty)
    node.expectNothingLeft()
  }

  @Test("sips goes to sips contacts alone, as they were registered")
  func sipsContact() {
    let node = TestNode()
    let (alice, plain, secure) = (node.peer("alice"), node.peer("plain"), node.peer("secure"))
    node.register("bob", plain)
    node.register("bob", secure, contact: "sips:bob@10.0.0.2;x=y")
    Self.message("sips:bob@example.test", from: alice, node)
    #expect(TestNode.start(node.one(by: secure)) == "MESSAGE sips:bob@10.0.0.2;x=y SIP/2.0")
    #expect(node.received(by: plain).isEmpty)
    // What another contact says of itself is no matter of ours.
    node.close(secure)
    node.settle()
    #expect(TestNode.headers("Warning", node.received(by: alice).last ?? "").isEmpty)
  }

  @Test("480 without a Warning is for a user that isn't registered at all")
  func unregistered() {
    let node = TestNode(users: TestUsers(["bob": "hidden"]))
    let alice = node.peer("alice")
    Self.message("sips:bob@example.test", from: alice, node)
    let answer = node.one(by: alice)
    #expect(TestNode.start(answer) == "SIP/2.0 480 Temporarily Unavailable")
    #expect(TestNode.headers("Warning", answer).isEmpty)
  }

  @Test("a sip Route of somebody else's leads over TLS when the Request-URI is sips (RFC 3261 §16.6 step 7)")
  func foreignRoute() {
    let node = TestNode()
    let alice = node.peer("alice")
    for (route, address) in [
      ("sip:198.51.100.77;lr", "198.51.100.77:5061"), ("sip:198.51.100.77:5070;transport=udp;lr", "198.51.100.77:5070"),
      ("sip:198.51.100.77;transport=tcp;lr", "198.51.100.77:5061"),
    ] {
      Self.message("sips:x@203.0.113.9", from: alice, node, "Route: <\(route)>")
      let sent = node.takeAddressed()
      let request = sent.first?.1 ?? ""
      let via = TestNode.header("Via", request)
      #expect(sent.first?.0 == SocketAddress(address))
      #expect(via.hasPrefix("SIP/2.0/TLS "))
      #expect(TestNode.start(request) == "MESSAGE sips:x@203.0.113.9 SIP/2.0")
    }
    // A strict router would be sent a sip Request-URI.
    Self.message("sips:x@203.0.113.9", from: alice, node, "Route: <sip:198.51.100.77>")
    Self.expect(Self.notAllowed, by: alice, node)
    #expect(node.takeAddressed().isEmpty)
  }

  @Test("a token that leads over TCP or UDP doesn't take a sips request; over TLS it does", arguments: [true, false])
  func token(_ isSecure: Bool) {
    for transport in [TransportProtocol.tcp, .udp, .tls] where isSecure == (transport == .tls) {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice"), node.peer("bob", transport))
      node.register("bob", bob)
      node.send(node.request("INVITE", from: alice), from: alice)
      node.settle()
      node.send(TestNode.response("200 OK", to: node.one(by: bob), contact: "sip:bob@192.168.7.7"), from: bob)
      let routes = TestNode.headers("Record-Route", node.received(by: alice).last ?? "").reversed()
      let route = "Route: " + routes.joined(separator: ", ")
      node.send(node.request("ACK", "sips:bob@192.168.7.7", from: alice, tag: "callee", route), from: alice)
      #expect(node.received(by: bob).count == (isSecure ? 1 : 0))
      Self.message("sips:bob@192.168.7.7", from: alice, node, tag: "callee", route)
      if isSecure {
        #expect(TestNode.start(node.one(by: bob)) == "MESSAGE sips:bob@192.168.7.7 SIP/2.0")
      } else {
        Self.expect(Self.notAllowed, by: alice, node)
        Self.message("sip:bob@192.168.7.7", from: alice, node, tag: "callee", route)
        #expect(TestNode.start(node.one(by: bob)) == "MESSAGE sip:bob@192.168.7.7 SIP/2.0")
      }
      node.expectNothingLeft()
    }
  }

  // MARK: sips contacts

  @Test("a sips contact is reached by sip with its scheme replaced and the rest as it was, over TLS")
  func replacedScheme() {
    let node = TestNode()
    let (alice, bob, later) = (node.peer("alice", .udp), node.peer("bob"), node.peer("later"))
    node.register("bob", bob, contact: "sips:bob@10.0.0.2:5071;x=y")
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let invite = node.one(by: bob)
    #expect(TestNode.start(invite) == "INVITE sip:bob@10.0.0.2:5071;x=y SIP/2.0")
    #expect(TestNode.headers("Record-Route", invite).allSatisfy { $0.hasPrefix("<sip:") })
    node.send(TestNode.response("200 OK", to: invite, contact: "sip:bob@10.0.0.2:5071"), from: bob)
    let routes = TestNode.headers("Record-Route", node.received(by: alice).last ?? "").reversed()
    // An ACK without the route set finds the same contact.
    node.send(node.request("ACK", from: alice, tag: "callee"), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: bob)) == "ACK sip:bob@10.0.0.2:5071;x=y SIP/2.0")
    // The binding is still known by the token when its client has come back.
    node.close(bob)
    node.register("bob", later, contact: "sips:bob@10.0.0.2:5071;x=y")
    node.send(
      node.request(
        "BYE", "sip:bob@10.0.0.2:5071", from: alice, cseq: 2, tag: "callee",
        "Route: " + routes.joined(separator: ", ")), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: later)) == "BYE sip:bob@10.0.0.2:5071 SIP/2.0")
    node.expectNothingLeft()
  }

  @Test("a sips contact behind a connection without TLS gets nothing: Warning 380 for sips, 381 for sip")
  func withoutTLS() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob", .tcp))
    node.register("bob", bob, contact: "sips:bob@10.0.0.2")
    Self.message("sips:bob@example.test", from: alice, node)
    Self.expect(Self.notAllowed, by: alice, node)
    Self.message("sip:bob@example.test", from: alice, node)
    Self.expect(Self.required, by: alice, node)
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  @Test("static contacts are held to the same")
  func staticContacts() {
    for (contact, uri, start) in [
      ("sip:gw@198.51.100.9;transport=tls", "sips:gw@example.test", nil),
      ("sips:gw@198.51.100.9", "sips:gw@example.test", "MESSAGE sips:gw@198.51.100.9 SIP/2.0"),
      ("sips:gw@198.51.100.9", "sip:gw@example.test", "MESSAGE sip:gw@198.51.100.9 SIP/2.0"),
    ] {
      let node = TestNode {
        $0.staticContacts.add(StaticContact(uri: Array(contact.utf8)), to: Array("gw@example.test".utf8))
      }
      let alice = node.peer("alice")
      Self.message(uri, from: alice, node)
      let sent = node.takeAddressed()
      #expect(sent.first.map { TestNode.start($0.1) } == start)
      if start == nil {
        Self.expect(Self.notAllowed, by: alice, node)
      } else {
        #expect(sent.first?.0 == SocketAddress("198.51.100.9:5061"))
      }
    }
  }

  @Test("the targets of a GRUU are held to the same (RFC 5630 §5.2.1)")
  func gruu() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    let gruu = "bob@example.test;gr=urn:uuid:f81d4fae-7dec-11d0"
    node.register("bob", bob, contact: "sips:bob@10.0.0.2", Self.instance)
    Self.message("sip:" + gruu, from: alice, node)
    #expect(TestNode.start(node.one(by: bob)) == "MESSAGE sip:bob@10.0.0.2 SIP/2.0")
    // By way of somebody else, whom it would not reach over TLS.
    Self.message("sip:" + gruu, from: alice, node, "Route: <sip:198.51.100.77;lr>")
    Self.expect(Self.required, by: alice, node)
    Self.message("sips:" + gruu, from: alice, node, "Route: <sip:198.51.100.77;lr>")
    #expect(TestNode.start(node.takeAddressed().first?.1 ?? "") == "MESSAGE sips:bob@10.0.0.2 SIP/2.0")
    node.register("bob", bob, contact: "sip:bob@10.0.0.2", Self.instance)
    Self.message("sips:" + gruu, from: alice, node)
    Self.expect(Self.notAllowed, by: alice, node)
    Self.message("sips:" + gruu, from: alice, node, "Route: <sip:198.51.100.77;lr>")
    Self.expect(Self.notAllowed, by: alice, node)
    #expect(node.received(by: bob).isEmpty && node.takeAddressed().isEmpty)
  }

  @Test("a 3xx is followed to contacts of the request's scheme alone", arguments: ["sip", "sips"])
  func redirected(_ scheme: String) {
    for contact in ["sip:x@198.51.100.9;transport=tls", "sips:x@198.51.100.9"] {
      let node = TestNode { $0.followsRedirects = true }
      let (alice, bob) = (node.peer("alice"), node.peer("bob"))
      node.register("bob", bob, contact: "sips:bob@10.0.0.2")
      Self.message("\(scheme):bob@example.test", from: alice, node)
      let answer = TestNode.response("302 Moved Temporarily", to: node.one(by: bob), contact: contact)
      node.send(answer, from: bob)
      let isFollowed = contact.hasPrefix(scheme + ":")
      #expect(node.takeAddressed().map { TestNode.start($0.1) } == (isFollowed ? ["MESSAGE \(contact) SIP/2.0"] : []))
      let answers = node.received(by: alice).map(TestNode.start)
      #expect(answers == (isFollowed ? [] : ["SIP/2.0 302 Moved Temporarily"]))
    }
  }

  @Test("a user of ours to whom a 3xx leads is held to the same")
  func redirectedToUser() {
    let node = TestNode { $0.followsRedirects = true }
    let (alice, bob, carol) = (node.peer("alice"), node.peer("bob"), node.peer("carol"))
    node.register("bob", bob, contact: "sips:bob@10.0.0.2")
    node.register("carol", carol, contact: "sips:carol@10.0.0.3")
    Self.message("sip:bob@example.test", from: alice, node)
    let moved = "302 Moved Temporarily"
    node.send(TestNode.response(moved, to: node.one(by: bob), contact: "sip:carol@example.test"), from: bob)
    node.settle()
    #expect(TestNode.start(node.one(by: carol)) == "MESSAGE sip:carol@10.0.0.3 SIP/2.0")
    node.register("carol", carol, contact: "sip:carol@10.0.0.3")
    Self.message("sips:bob@example.test", from: alice, node)
    node.send(TestNode.response(moved, to: node.one(by: bob), contact: "sips:carol@example.test"), from: bob)
    node.settle()
    #expect(node.received(by: carol).isEmpty)
  }

  // MARK: Path and Record-Route

  @Test("what is tried when a Path can't be reached is TLS too", arguments: [TransportProtocol.tls, .tcp])
  func fallback(_ transport: TransportProtocol) {
    let node = TestNode()
    let (alice, edge) = (node.peer("alice"), node.peer("edge", transport))
    node.send(
      """
      REGISTER sips:example.test SIP/2.0
      Via: SIP/2.0/TLS \(edge.flow.remote);branch=z9hG4bKedge
      Via: SIP/2.0/TLS 10.9.9.9;branch=z9hG4bKclient
      Max-Forwards: 69
      From: <sip:bob@example.test>;tag=r
      To: <sip:bob@example.test>
      Call-ID: path
      CSeq: 1 REGISTER
      Supported: path
      Path: <sips:token@198.51.100.77;lr>
      Contact: <sips:bob@10.9.9.9>

      """, from: edge)
    node.settle()
    #expect(TestNode.start(node.one(by: edge)) == "SIP/2.0 200 OK")
    for scheme in ["sip", "sips"] {
      Self.message("\(scheme):bob@example.test", from: alice, node)
      let sent = node.takeAddressed()
      #expect(sent.first?.0 == SocketAddress("198.51.100.77:5061"))
      #expect(TestNode.start(sent.first?.1 ?? "") == "MESSAGE \(scheme):bob@10.9.9.9 SIP/2.0")
      node.failAddressed()
      node.settle()
      #expect(
        node.received(by: edge).map(TestNode.start)
          == (transport == .tls ? ["MESSAGE \(scheme):bob@10.9.9.9 SIP/2.0"] : []))
    }
  }

  @Test("a registration by SIPS over TLS that passes through gets a SIPS Path, any other a SIP one (RFC 5630 §5.2)")
  func path() {
    for (transport, uri, expected) in [
      (TransportProtocol.tls, "sips:198.51.100.99", ("<sips:", "@sip.example.test:5061;lr;ob>")),
      (.tls, "sip:198.51.100.99;transport=tls", ("<sip:", "@sip.example.test:5061;transport=tls;lr;ob>")),
      (.tcp, "sips:198.51.100.99", ("<sip:", "@sip.example.test:5061;transport=tls;lr;ob>")),
    ] {
      let node = TestNode()
      let phone = node.peer("phone", transport)
      node.send(node.request("REGISTER", uri, from: phone, "Supported: path"), from: phone)
      node.settle()
      let path = TestNode.header("Path", node.takeAddressed().first?.1 ?? "")
      #expect(path.hasPrefix(expected.0) && path.hasSuffix(expected.1), "\(path)")
      let registrar = node.peer("registrar")
      node.send(
        node.request("MESSAGE", "sips:alice@10.0.0.1", from: registrar, "Route: \(path)"), from: registrar)
      #expect(node.received(by: phone).count == (transport == .tls ? 1 : 0))
    }
  }

  @Test("the TLS side of a sip request is named with transport=tls, that of a sips request with sips alone")
  func recordRoutes() {
    for (uri, ends) in [
      ("sip:bob@example.test", ("<sip:", "@sip.example.test:5061;transport=tls;lr>")),
      ("sips:bob@example.test", ("<sips:", "@sip.example.test:5061;lr>")),
    ] {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice"), node.peer("bob"))
      node.register("bob", bob, contact: "sips:bob@10.0.0.2")
      node.send(node.request("INVITE", uri, from: alice), from: alice)
      node.settle()
      let routes = TestNode.headers("Record-Route", node.one(by: bob))
      #expect(routes.count == 2)
      for route in routes { #expect(route.hasPrefix(ends.0) && route.hasSuffix(ends.1), "\(route)") }
    }
  }
}

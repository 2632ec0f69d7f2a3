import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import Testing

@Suite("Targets from what is registered, RFC 3327 §5.3, RFC 5627 §6.1, RFC 5626 §5")
struct RegisteredTargetTests {
  private static let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0>\""
  private static let publicGRUU = "sip:bob@example.test;gr=urn:uuid:f81d4fae-7dec-11d0"

  /// A node with alice, two phones of bob with an instance each, and the GRUUs that the first of them got.
  private struct Phones {
    let node: TestNode
    let alice: TestNode.Peer
    var bob: TestNode.Peer
    let other: TestNode.Peer
    let temporary: String

    init() {
      node = TestNode { settings in
        var gateway = StaticContacts()
        gateway.add(
          StaticContact(uri: Array("sip:100@198.51.100.250:5070;transport=tcp".utf8)),
          to: Array("100@example.test".utf8))
        settings.staticContacts = gateway
      }
      alice = node.peer("alice")
      other = node.peer("other")
      bob = node.peer("bob")
      node.register("bob", other, ";+sip.instance=\"<urn:uuid:other>\"")
      temporary = Phones.register(bob, node)
    }

    /// Registers a phone of bob's that asks for GRUUs; the temporary one that it got.
    static func register(_ peer: TestNode.Peer, _ node: TestNode) -> String {
      node.send(
        """
        REGISTER sip:example.test SIP/2.0
        Via: SIP/2.0/TLS \(peer.flow.remote);branch=z9hG4bK\(peer.name)
        Max-Forwards: 70
        From: <sip:bob@example.test>;tag=r
        To: <sip:bob@example.test>
        Call-ID: register-bob
        CSeq: \(peer.flow.remote.port) REGISTER
        Supported: gruu, path
        Contact: <sip:bob@10.0.0.2>\(RegisteredTargetTests.instance)

        """, from: peer)
      node.settle()
      let contacts = TestNode.headers("Contact", node.one(by: peer))
      let own = contacts.first { $0.contains("f81d4fae") } ?? ""
      return own.split(separator: "temp-gruu=\"").last?.split(separator: "\"").first.map(String.init) ?? ""
    }
  }

  @Test("a GRUU leads to its instance alone, with the contact as Request-URI", arguments: [true, false])
  func gruu(_ isPublic: Bool) {
    let phones = Phones()
    let (node, uri) = (phones.node, isPublic ? Self.publicGRUU : phones.temporary)
    #expect(uri.contains(";gr"))
    node.send(node.request("MESSAGE", uri, from: phones.alice), from: phones.alice)
    node.settle()
    #expect(TestNode.start(node.one(by: phones.bob)) == "MESSAGE sip:bob@10.0.0.2 SIP/2.0")
    #expect(node.received(by: phones.other).isEmpty)
  }

  @Test("a GRUU without a registered contact gets 480, what could be one of a user that there isn't 404")
  func gruuWithoutBinding() {
    let phones = Phones()
    let node = phones.node
    for (uri, status) in [
      ("sip:bob@example.test;gr=urn:uuid:nobody", 480), ("sip:nobody@example.test;gr=urn:uuid:nobody", 404),
      ("sip:abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz@example.test;gr", 404),
    ] {
      node.send(node.request("MESSAGE", uri, from: phones.alice), from: phones.alice)
      node.settle()
      #expect(TestNode.start(node.one(by: phones.alice)).hasPrefix("SIP/2.0 \(status)"))
    }
    node.expectNothingLeft()
  }

  @Test("within a dialog a GRUU becomes the contact too, over the instance's present flow", arguments: [true, false])
  func gruuWithinDialog(_ reconnects: Bool) {
    var phones = Phones()
    let (node, alice) = (phones.node, phones.alice)
    node.send(node.request("INVITE", Self.publicGRUU, from: alice), from: alice)
    node.settle()
    let invite = node.one(by: phones.bob)
    node.send(TestNode.response("200 OK", to: invite, contact: phones.temporary), from: phones.bob)
    let ok = node.received(by: alice).last ?? ""
    if reconnects {
      node.close(phones.bob)
      phones.bob = node.peer("again")
      _ = Phones.register(phones.bob, node)
    }
    let route = "Route: " + TestNode.headers("Record-Route", ok).reversed().joined(separator: ", ")
    for method in ["ACK", "INFO", "BYE"] {
      node.send(node.request(method, phones.temporary, from: alice, cseq: 2, tag: "callee", route), from: alice)
      node.settle()
      let request = node.one(by: phones.bob)
      #expect(TestNode.start(request) == "\(method) sip:bob@10.0.0.2 SIP/2.0")
      #expect(TestNode.headers("Route", request).isEmpty)
    }
    #expect(node.received(by: phones.other).isEmpty)
  }

  @Test("a GRUU behind whose Route somebody else stands becomes the contact and goes there (RFC 5627 §6.1)")
  func gruuWithRoute() {
    let phones = Phones()
    let node = phones.node
    let route = "Route: <sip:198.51.100.77:5070;transport=tcp;lr>"
    node.send(node.request("MESSAGE", Self.publicGRUU, from: phones.alice, route), from: phones.alice)
    node.settle()
    let sent = node.takeAddressed()
    #expect(sent.first?.0 == SocketAddress("198.51.100.77:5070"))
    #expect(TestNode.start(sent.first?.1 ?? "") == "MESSAGE sip:bob@10.0.0.2 SIP/2.0")
  }

  // MARK: Path

  private func registerByPath(_ path: String, _ edge: TestNode.Peer, _ node: TestNode) {
    node.send(
      """
      REGISTER sip:example.test SIP/2.0
      Via: SIP/2.0/TLS \(edge.flow.remote);branch=z9hG4bKedge
      Via: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKclient
      Max-Forwards: 69
      From: <sip:bob@example.test>;tag=r
      To: <sip:bob@example.test>
      Call-ID: path
      CSeq: 1 REGISTER
      Supported: path
      Path: \(path)
      Contact: <sip:bob@10.9.9.9>

      """, from: edge)
    node.settle()
    #expect(TestNode.start(node.one(by: edge)) == "SIP/2.0 200 OK")
  }

  @Test("a Path becomes the Route; the request goes to its first value, or over the registration's connection")
  func path() {
    let node = TestNode()
    let (alice, edge) = (node.peer("alice"), node.peer("edge"))
    let values = "<sip:token@198.51.100.77:5070;transport=tcp;lr;ob>, <sip:inner@10.1.1.1;lr>"
    registerByPath(values, edge, node)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let sent = node.takeAddressed()
    #expect(sent.first?.0 == SocketAddress("198.51.100.77:5070"))
    let invite = sent.first?.1 ?? ""
    #expect(TestNode.start(invite) == "INVITE sip:bob@10.9.9.9 SIP/2.0")
    let routes = TestNode.headers("Route", invite).joined(separator: ",").replacing(" ", with: "")
    #expect(routes == values.replacing(" ", with: ""))
    // The address can't be reached.
    node.failAddressed()
    node.settle()
    let again = node.one(by: edge)
    #expect(TestNode.start(again) == "INVITE sip:bob@10.9.9.9 SIP/2.0")
    #expect(TestNode.headers("Route", again).joined(separator: ",").replacing(" ", with: "") == routes)
    node.send(TestNode.response("200 OK", to: again), from: edge)
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 200 OK")
  }

  @Test("a Path whose first value is a name, or the edge's own end of the connection, goes over that connection")
  func pathByName() {
    for host in ["edge.example.test", "198.51.100.2:40002"] {
      let node = TestNode()
      let (alice, edge) = (node.peer("alice"), node.peer("edge"))
      registerByPath("<sip:token@\(host);transport=tls;lr>", edge, node)
      node.send(node.request("MESSAGE", from: alice), from: alice)
      node.settle()
      #expect(TestNode.headers("Route", node.one(by: edge)) == ["<sip:token@\(host);transport=tls;lr>"])
      #expect(node.takeAddressed().isEmpty)
    }
  }

  @Test("a strict router as the first of a Path finds itself in the Request-URI (RFC 3261 §16.6 step 6)")
  func strictPath() {
    let node = TestNode()
    let (alice, edge) = (node.peer("alice"), node.peer("edge"))
    registerByPath("<sip:198.51.100.77:5070;transport=tcp>, <sip:inner@10.1.1.1;lr>", edge, node)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    let message = node.takeAddressed().first?.1 ?? ""
    #expect(TestNode.start(message) == "MESSAGE sip:198.51.100.77:5070;transport=tcp SIP/2.0")
    #expect(TestNode.headers("Route", message) == ["<sip:inner@10.1.1.1;lr>", "<sip:bob@10.9.9.9>"])
  }

  @Test("a REGISTER that passes through gets a Path with a token, by which anybody reaches its client (RFC 5626 §5.1)")
  func edge() {
    let node = TestNode()
    let (phone, registrar) = (node.peer("phone"), node.peer("registrar"))
    node.send(
      """
      REGISTER sip:198.51.100.99:5090;transport=tcp SIP/2.0
      Via: SIP/2.0/TLS \(phone.flow.remote);branch=z9hG4bKphone
      Max-Forwards: 70
      From: <sip:alice@example.test>;tag=r
      To: <sip:alice@example.test>
      Call-ID: through
      CSeq: 1 REGISTER
      Supported: path, outbound
      Contact: <sip:alice@10.0.0.1>;reg-id=1\(Self.instance)

      """, from: phone)
    node.settle()
    let path = TestNode.header("Path", node.takeAddressed().first?.1 ?? "")
    #expect(path.hasSuffix("@sip.example.test:5060;transport=tcp;lr;ob>"))
    let invite = """
      INVITE sip:alice@10.0.0.1 SIP/2.0
      Via: SIP/2.0/TLS \(registrar.flow.remote);branch=z9hG4bKregistrar
      Via: SIP/2.0/TLS 203.0.113.5;branch=z9hG4bKcaller
      Max-Forwards: 70
      From: <sip:x@elsewhere.test>;tag=x
      To: <sip:alice@elsewhere.test>
      Call-ID: in
      CSeq: 1 INVITE
      Route: \(path)

      """
    node.send(invite, from: registrar)
    #expect(TestNode.start(node.one(by: phone)) == "INVITE sip:alice@10.0.0.1 SIP/2.0")
    _ = node.received(by: registrar)
    node.close(phone)
    node.send(invite.replacing("bKregistrar", with: "bKagain"), from: registrar)
    node.settle()
    #expect(TestNode.start(node.received(by: registrar).last ?? "") == "SIP/2.0 430 Flow Failed")
  }

  // MARK: Static contacts, subscriptions

  @Test("a static contact is a target without a registration")
  func staticContact() {
    let phones = Phones()
    let node = phones.node
    node.send(node.request("INVITE", "sip:100@example.test", from: phones.alice), from: phones.alice)
    node.settle()
    let sent = node.takeAddressed()
    #expect(sent.first?.0 == SocketAddress("198.51.100.250:5070"))
    #expect(TestNode.start(sent.first?.1 ?? "") == "INVITE sip:100@198.51.100.250:5070;transport=tcp SIP/2.0")
  }

  @Test("a NOTIFY that comes by a token of ours is record-routed, so that its subscriber can answer it (RFC 6665 §4.3)")
  func notify() {
    let phones = Phones()
    let (node, alice) = (phones.node, phones.alice)
    node.send(node.request("SUBSCRIBE", Self.publicGRUU, from: alice), from: alice)
    node.settle()
    let subscribe = node.one(by: phones.bob)
    let notify = """
      NOTIFY sip:alice@10.0.0.1 SIP/2.0
      Via: SIP/2.0/TLS \(phones.bob.flow.remote);branch=z9hG4bKnotify
      Max-Forwards: 70
      From: <sip:bob@example.test>;tag=callee
      To: <sip:alice@example.test>;tag=alice-tag
      Call-ID: call-1
      CSeq: 1 NOTIFY
      Route: \(TestNode.headers("Record-Route", subscribe).joined(separator: ", "))

      """
    node.send(notify, from: phones.bob)
    let heard = node.one(by: alice)
    let routes = TestNode.headers("Record-Route", heard)
    #expect(routes.count == 2)
    // Alice learns of the dialog by it alone: her route set is as it stands there.
    node.send(
      node.request(
        "SUBSCRIBE", "sip:bob@10.0.0.2", from: alice, cseq: 2, tag: "callee", "Route: " + routes.joined(separator: ", ")
      ),
      from: alice)
    #expect(TestNode.start(node.one(by: phones.bob)) == "SUBSCRIBE sip:bob@10.0.0.2 SIP/2.0")
  }
}

import SIPServer
import Structures
import Testing

@Suite("REGISTER through the core, RFC 3261 §10.3")
struct RegisterStoryTests {
  /// A phone that registers as bob.
  private struct Phone {
    let node: TestNode
    let peer: TestNode.Peer
    private(set) var cseq = 0

    init(_ node: TestNode, _ name: String = "phone", _ transport: TransportProtocol = .tls) {
      self.node = node
      peer = node.peer(name, transport)
    }

    func text(_ lines: String, cseq: Int, callID: String? = nil) -> String {
      """
      REGISTER sip:example.test SIP/2.0
      Via: SIP/2.0/\("\(peer.flow.transport)".uppercased()) \(peer.flow.remote);branch=z9hG4bK\(peer.name)\(cseq)
      Max-Forwards: 70
      From: <sip:bob@example.test>;tag=1
      To: <sip:bob@example.test>
      Call-ID: \(callID ?? peer.name)
      CSeq: \(cseq) REGISTER
      \(lines)

      """
    }

    /// What the registrar answers.
    mutating func register(_ lines: String = "X: y", cseq: Int? = nil) -> String {
      self.cseq = cseq ?? self.cseq + 1
      node.send(text(lines, cseq: self.cseq), from: peer)
      node.settle()
      return node.one(by: peer)
    }

    mutating func contacts() -> [String] { TestNode.headers("Contact", register()) }
  }

  @Test("tells all contacts in every 200, with what is left of their time, and the date")
  func contacts() {
    let node = TestNode()
    var (desk, mobile) = (Phone(node, "desk"), Phone(node, "mobile", .udp))
    let answer = desk.register(
      "Contact: <sip:bob@10.0.0.1;x=1>;q=0.5;expires=100;+foo=\"a;b\", <sip:bob@10.0.0.2>\nExpires: 200")
    #expect(TestNode.start(answer) == "SIP/2.0 200 OK")
    #expect(
      Set(TestNode.headers("Contact", answer)) == [
        "<sip:bob@10.0.0.1;x=1>;+foo=\"a;b\";q=0.5;expires=100", "<sip:bob@10.0.0.2>;expires=200",
      ])
    #expect(TestNode.header("Date", answer).hasSuffix(" GMT"))
    #expect(!answer.contains("\r\nExpires:"))
    node.advance(.seconds(50))
    #expect(mobile.contacts().contains("<sip:bob@10.0.0.2>;expires=150"))
    node.advance(.seconds(51))
    #expect(mobile.contacts().count == 1)
    node.expectNothingLeft()
  }

  @Test(
    "a Record-Route in a REGISTER is ignored and doesn't come back, and a display name or third party in From is no matter"
  )
  func ignored() {
    let node = TestNode()
    let phone = Phone(node)
    let text = phone.text("Contact: <sip:bob@10.0.0.1>\nRecord-Route: <sip:p.test;lr>", cseq: 1)
    node.send(text.replacing("From: <sip:bob@", with: "From: \"Secretary\" <sip:carol@"), from: phone.peer)
    node.settle()
    let answer = node.one(by: phone.peer)
    #expect(TestNode.start(answer) == "SIP/2.0 200 OK")
    #expect(TestNode.headers("Record-Route", answer).isEmpty)
    let aor = Array("bob@example.test".utf8)
    let bindings = node.location.lookup(aor: aor.span, now: node.core.unixSeconds)?.bindings ?? []
    #expect(bindings.map(\.path) == [[]])
    node.expectNothingLeft()
  }

  @Test(
    "a contact is removed by expires 0, all of them by the star; a star with company or time is refused and changes nothing"
  )
  func removal() {
    let node = TestNode()
    var phone = Phone(node)
    _ = phone.register("Contact: <sip:bob@10.0.0.1>, <sip:bob@10.0.0.2>")
    for wrong in ["Contact: *", "Contact: *\nExpires: 1", "Contact: *, <sip:bob@10.0.0.3>\nExpires: 0"] {
      #expect(TestNode.start(phone.register(wrong)).hasPrefix("SIP/2.0 400"))
    }
    #expect(phone.contacts().count == 2)
    #expect(TestNode.headers("Contact", phone.register("Contact: <sip:bob@10.0.0.1>;expires=0")).count == 1)
    #expect(TestNode.headers("Contact", phone.register("Contact: *\nExpires: 0")).isEmpty)
    node.expectNothingLeft()
  }

  @Test("too brief a time is refused with the least, and an older CSeq of the same Call-ID with 500, changing nothing")
  func refusals() {
    let node = TestNode()
    var phone = Phone(node)
    let brief = phone.register("Contact: <sip:bob@10.0.0.1>;expires=10, <sip:bob@10.0.0.2>")
    #expect(TestNode.start(brief) == "SIP/2.0 423 Interval Too Brief")
    #expect(TestNode.header("Min-Expires", brief) == "60")
    #expect(phone.contacts().isEmpty)
    _ = phone.register("Contact: <sip:bob@10.0.0.1>", cseq: 50)
    let old = phone.register("Contact: <sip:bob@10.0.0.1>;expires=0, <sip:bob@10.0.0.9>", cseq: 49)
    #expect(TestNode.start(old).hasPrefix("SIP/2.0 500"))
    #expect(phone.register(cseq: 60).contains("Contact: <sip:bob@10.0.0.1>"))
    node.expectNothingLeft()
  }

  @Test("a Require is refused with 420, more contacts than allowed with 403")
  func limits() {
    let node = TestNode { $0.registrar.maxContacts = 2 }
    var phone = Phone(node)
    let answer = phone.register("Require: foo, bar\nContact: <sip:bob@10.0.0.1>")
    #expect(TestNode.start(answer) == "SIP/2.0 420 Bad Extension")
    #expect(TestNode.header("Unsupported", answer) == "foo, bar")
    let many = phone.register("Contact: <sip:bob@10.0.0.1>, <sip:bob@10.0.0.2>, <sip:bob@10.0.0.3>")
    #expect(TestNode.start(many).hasPrefix("SIP/2.0 403"))
    #expect(phone.contacts().isEmpty)
    node.expectNothingLeft()
  }

  @Test("over UDP a repeated REGISTER is carried out once and answered alike, while it waits and afterwards")
  func repeated() {
    let node = TestNode()
    let phone = Phone(node, "phone", .udp)
    let text = phone.text("Contact: <sip:bob@10.0.0.1>", cseq: 1)
    node.locationDelay = .seconds(1)
    node.send(text, from: phone.peer)
    node.send(text, from: phone.peer)
    node.settle()
    let first = node.one(by: phone.peer)
    node.advance(.seconds(3))
    node.send(text, from: phone.peer)
    #expect(node.one(by: phone.peer) == first)
    #expect(TestNode.start(first) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test("a call reaches the phone over the connection that it registered over last, and nobody once that is closed")
  func flows() {
    let node = TestNode()
    let (alice, old, new) = (node.peer("alice"), node.peer("old"), node.peer("new"))
    node.register("bob", old, contact: "sip:bob@10.0.0.1")
    node.register("bob", new, contact: "sip:bob@10.0.0.1")
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(node.received(by: old).isEmpty)
    let request = node.one(by: new)
    node.send(TestNode.response("200 OK", to: request), from: new)
    // The old connection's end takes nothing away that isn't its own any more.
    node.close(old)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    node.send(TestNode.response("200 OK", to: node.one(by: new)), from: new)
    node.close(new)
    #expect(node.core.holdings.connections == 0)
    _ = node.received(by: alice)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 404 Not Found")
    node.expectNothingLeft()
  }

  @Test("a connection that closes while the location service still works leaves no binding behind")
  func closedMeanwhile() {
    for delay in [Duration.milliseconds(20), .seconds(4)] {
      let node = TestNode()
      let (alice, phone) = (node.peer("alice"), Phone(node))
      node.locationDelay = delay
      node.send(phone.text("Contact: <sip:bob@10.0.0.1>", cseq: 1), from: phone.peer)
      node.close(phone.peer)
      node.settle()
      node.advance(.seconds(1))
      #expect(node.core.holdings.connections == 0)
      node.send(node.request("MESSAGE", from: alice), from: alice)
      node.settle()
      #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 404 Not Found")
      node.expectNothingLeft()
    }
  }

  @Test("a registration that the location service doesn't take in time gets 500, and a later one works")
  func unavailable() {
    let node = TestNode()
    var phone = Phone(node)
    node.isLocationSilent = true
    node.send(phone.text("Contact: <sip:bob@10.0.0.1>", cseq: 7), from: phone.peer)
    node.advance(.seconds(10))
    #expect(node.received(by: phone.peer).map(TestNode.start).last?.hasPrefix("SIP/2.0 500") == true)
    node.isLocationSilent = false
    #expect(TestNode.start(phone.register("Contact: <sip:bob@10.0.0.1>", cseq: 8)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }
}

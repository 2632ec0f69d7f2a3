import SIPServer
import Structures
import Testing

@Suite("Outbound at the registrar, RFC 5626 §6")
struct OutboundTests {
  private static let supported = "Supported: path, outbound"

  /// A contact of bob with an instance, and a reg-id unless 0.
  private static func contact(_ id: Int, uri: String = "sip:bob@10.0.0.1", instance: Int = 1, _ expires: Int = 3_600)
    -> String
  {
    "Contact: <\(uri)>;+sip.instance=\"<urn:uuid:\(instance)>\"\(id > 0 ? ";reg-id=\(id)" : "");expires=\(expires)"
  }

  private static func requires(_ answer: String) -> Bool { TestNode.header("Require", answer) == "outbound" }

  @Test(
    "a binding is known by instance and reg-id: another URI, Call-ID and flow replace it, another reg-id or instance does not"
  )
  func key() {
    let node = TestNode()
    var (first, second) = (RegisteringPhone(node, "first"), RegisteringPhone(node, "second"))
    #expect(first.status("\(Self.supported)\n\(Self.contact(1))") == 200)
    #expect(first.status("\(Self.supported)\n\(Self.contact(2))") == 200)
    #expect(first.status("\(Self.supported)\n\(Self.contact(1, instance: 2))") == 200)
    #expect(first.contacts().count == 3)
    _ = second.register("\(Self.supported)\n\(Self.contact(1, uri: "sip:bob@10.9.9.9:7"))")
    let contacts = second.contacts()
    #expect(contacts.count == 3)
    let replaced = contacts.filter { $0.contains("reg-id=1") && $0.contains("uuid:1>") }
    #expect(replaced.map { $0.hasPrefix("<sip:bob@10.9.9.9:7>") } == [true])
    // What was replaced went over to the other connection.
    node.close(second.peer)
    #expect(first.contacts().count == 2)
    node.expectNothingLeft()
  }

  @Test(
    "contacts without reg-id go by their URI beside it, whatever instance they have, and reg-id without instance doesn't count"
  )
  func beside() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    _ = phone.register("\(Self.supported)\n\(Self.contact(1))")
    let plain = phone.register("\(Self.supported)\n\(Self.contact(0))")
    #expect(TestNode.headers("Contact", plain).count == 2 && !Self.requires(plain))
    let unnamed = phone.register("\(Self.supported)\nContact: <sip:bob@10.0.0.2>;reg-id=1")
    #expect(TestNode.headers("Contact", unnamed).count == 3 && !Self.requires(unnamed))
    #expect(TestNode.header("Flow-Timer", unnamed).isEmpty)
    _ = phone.register("Contact: <sip:bob@10.0.0.1>;expires=0")
    #expect(phone.contacts().filter { $0.contains("10.0.0.1") }.count == 1)
    #expect(phone.contacts().contains { $0.contains("reg-id=1") && $0.contains("10.0.0.1") })
    node.expectNothingLeft()
  }

  @Test("a reg-id is removed by its own expires 0, whatever URI comes with it, and all of them by the star")
  func removal() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    for id in 1...3 { _ = phone.register("\(Self.supported)\n\(Self.contact(id))") }
    let answer = phone.register("\(Self.supported)\n\(Self.contact(2, uri: "sip:other@10.0.0.7", 0))")
    #expect(TestNode.headers("Contact", answer).count == 2 && Self.requires(answer))
    #expect(!answer.contains("reg-id=2"))
    #expect(TestNode.headers("Contact", phone.register("Contact: *\nExpires: 0")).isEmpty)
    node.expectNothingLeft()
  }

  @Test("the order of Call-ID and CSeq holds for each reg-id, and a late request changes nothing")
  func order() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    _ = phone.register("\(Self.supported)\n\(Self.contact(1))", cseq: 10)
    #expect(phone.status("\(Self.supported)\n\(Self.contact(1, uri: "sip:late@10.0.0.9"))", cseq: 9) == 500)
    #expect(phone.status("\(Self.supported)\n\(Self.contact(1, 0))", cseq: 10) == 500)
    #expect(phone.status("\(Self.supported)\n\(Self.contact(2))", cseq: 5) == 200)
    #expect(phone.register(cseq: 30).contains("<sip:bob@10.0.0.1>"))
    phone.callID = "another"
    #expect(phone.status("\(Self.supported)\n\(Self.contact(1, 0))", cseq: 1) == 200)
    #expect(phone.contacts().count == 1)
    node.expectNothingLeft()
  }

  @Test(
    "a flow is registered alone: with a second contact that stays it is refused with 400, with some that go it is not"
  )
  func alone() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    _ = phone.register("Contact: <sip:bob@10.0.0.8>")
    #expect(phone.status("\(Self.supported)\n\(Self.contact(1))\n\(Self.contact(2))") == 400)
    #expect(phone.status("\(Self.supported)\n\(Self.contact(1))\nContact: <sip:bob@10.0.0.9>") == 400)
    #expect(phone.contacts().count == 1)
    let gone = "Contact: <sip:bob@10.0.0.8>;expires=0"
    #expect(phone.status("\(Self.supported)\n\(Self.contact(1))\n\(gone)\n\(Self.contact(2, 0))") == 200)
    #expect(phone.contacts().map { $0.contains("reg-id=1") } == [true])
    node.expectNothingLeft()
  }

  @Test(
    "the answer requires outbound when the client supports it, and names the timer on streams only",
    arguments: [
      (TransportProtocol.tls, 120, "120"), (.tcp, 90, "90"), (.tls, 0, ""), (.udp, 120, ""),
    ])
  func answer(transport: TransportProtocol, timer: Int64, told: String) {
    let node = TestNode { $0.registrar.flowTimer = timer }
    var phone = RegisteringPhone(node, "phone", transport)
    let answer = phone.register("\(Self.supported)\nRequire: outbound\n\(Self.contact(1))")
    #expect(RegisteringPhone.status(of: answer) == 200 && Self.requires(answer))
    #expect(TestNode.header("Flow-Timer", answer) == told)
    let silent = phone.register(Self.contact(1))
    #expect(RegisteringPhone.status(of: silent) == 200)
    #expect(TestNode.headers("Require", silent).isEmpty && TestNode.headers("Flow-Timer", silent).isEmpty)
    #expect(!Self.requires(phone.register(Self.supported)))
    node.expectNothingLeft()
  }

  @Test(
    "behind a proxy reg-id counts when the first Path value has ob; else it is 439 for who supports outbound, and ignored for others",
    arguments: [
      ("", false), ("Path: <sip:edge.test;lr>", false), ("Path: <sip:edge.test;lr;ob>", true),
      ("Path: <sip:edge.test;lr;OB>, <sip:inner.test;lr>", true),
      ("Path: <sip:edge.test;lr>, <sip:x.test;lr;ob>", false),
      ("Path: <sip:edge.test;lr>;ob", false), ("Path: <sip:ob@edge.test;lr>", false),
    ])
  func firstHop(path: String, isOutbound: Bool) {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    phone.proxies = ["198.51.100.200:5061"]
    let lines = path.isEmpty ? "" : "\n\(path)"
    let answer = phone.register("\(Self.supported)\n\(Self.contact(1))\(lines)")
    if isOutbound {
      #expect(RegisteringPhone.status(of: answer) == 200 && Self.requires(answer))
      #expect(TestNode.headers("Flow-Timer", answer).isEmpty)
    } else {
      #expect(TestNode.start(answer) == "SIP/2.0 439 First Hop Lacks Outbound Support")
      #expect(phone.contacts().isEmpty)
    }
    let ignored = phone.register("Supported: path\n\(Self.contact(1, uri: "sip:bob@10.0.0.2"))\(lines)")
    #expect(RegisteringPhone.status(of: ignored) == 200 && !Self.requires(ignored))
    let other = phone.register("Supported: path\n\(Self.contact(1, uri: "sip:bob@10.0.0.3"))\(lines)")
    #expect(TestNode.headers("Contact", other).count == (isOutbound ? 1 : 2))
    #expect(phone.status("\(Self.supported)\n\(Self.contact(0, uri: "sip:bob@10.0.0.4"))\(lines)") == 200)
    node.expectNothingLeft()
  }

  @Test("a datagram client that registers a flow is reached over it, though it isn't behind a NAT (RFC 5626 §7)")
  func datagram() {
    let node = TestNode()
    var phone = RegisteringPhone(node, "phone", .udp)
    _ = phone.register("\(Self.supported)\n\(Self.contact(1))")
    let alice = node.peer("alice")
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    let request = node.one(by: phone.peer)
    #expect(TestNode.start(request).hasPrefix("MESSAGE sip:bob@10.0.0.1"))
    node.send(TestNode.response("200 OK", to: request), from: phone.peer)
    node.expectNothingLeft()
  }

  @Test("only the bindings of the connection that closes are given up, and of a client behind a proxy none")
  func closing() {
    let node = TestNode()
    var (first, second, far) = (
      RegisteringPhone(node, "first"), RegisteringPhone(node, "second"), RegisteringPhone(node, "far")
    )
    far.proxies = ["198.51.100.200:5061"]
    _ = first.register("\(Self.supported)\n\(Self.contact(1))")
    _ = second.register("\(Self.supported)\n\(Self.contact(2))")
    _ = far.register("\(Self.supported)\n\(Self.contact(3))\nPath: <sip:198.51.100.200:5061;lr;ob>")
    _ = far.register("Contact: <sip:bob@10.0.0.77>")
    // RFC 5626 §7: whatever address of record they are of.
    let carol = first.text(Self.contact(1), cseq: 9).replacing("bob@example", with: "carol@example")
    node.send(carol.replacing("Call-ID: ", with: "Call-ID: c"), from: first.peer)
    node.settle()
    #expect(RegisteringPhone.status(of: node.one(by: first.peer)) == 200 && node.location.bindingCount == 5)
    node.close(first.peer)
    #expect(node.location.bindingCount == 3)
    #expect(second.contacts().count == 3)
    node.close(far.peer)
    let left = second.contacts()
    #expect(left.count == 3 && left.contains { $0.contains("reg-id=3") } && !left.contains { $0.contains("reg-id=1") })
    node.expectNothingLeft()
  }
}

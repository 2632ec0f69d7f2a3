import SIPMessage
import Structures
import Testing

@testable import SIPServer

@Suite("GRUUs, RFC 5627 §5")
struct GRUUTests {
  private static let instance = "+sip.instance=\"<urn:uuid:F81D4FAE-7dec-11d0-a765-00a0c91e6bf6>\""
  private static let gr = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

  /// What the node reads a URI as.
  private static func read(_ text: String, _ node: TestNode) -> GRUU.Reading {
    let octets = Array(text.utf8)
    guard let uri = try? SIPURI(octets.span, ByteRange(0, octets.count)) else { return .none }
    return GRUU.read(uri, in: octets.span, hashing: node.core.hashing)
  }

  /// The contact URIs that a GRUU means now; nil when it is none of ours.
  private static func contacts(of text: String, _ node: TestNode) -> [String]? {
    guard case .gruu(let gruu) = read(text, node) else { return nil }
    var key: [UInt8] = []
    let domain = Array("example.test".utf8)
    gruu.appendKey(domain: domain.span, to: &key)
    let bindings = node.location.lookup(aor: key.span, now: node.core.unixSeconds)?.bindings ?? []
    return bindings.filter(gruu.matches).map { String(decoding: $0.uri, as: UTF8.self) }
  }

  /// The public and temporary GRUUs that a Contact value tells.
  private static func gruus(_ contact: String) -> (public: String?, temporary: String?) {
    (
      contact.firstMatch(of: /;pub-gruu="([^"]*)"/).map { String($0.output.1) },
      contact.firstMatch(of: /;temp-gruu="([^"]*)"/).map { String($0.output.1) }
    )
  }

  @Test(
    "tells both GRUUs with each contact that has an instance to who supports them, and to nobody else (RFC 5627 §5.2)")
  func told() {
    let node = TestNode()
    var (phone, other) = (RegisteringPhone(node), RegisteringPhone(node, "other"))
    _ = other.register("Contact: <sip:bob@10.0.0.2>")
    let answer = phone.register("Supported: path, GRUU\nContact: <sip:bob@10.0.0.1>;\(Self.instance)")
    let contacts = TestNode.headers("Contact", answer)
    #expect(contacts.count == 2)
    for contact in contacts {
      let (shared, temporary) = Self.gruus(contact)
      let hasInstance = contact.contains("10.0.0.1")
      #expect(shared == (hasInstance ? "sip:bob@example.test;gr=\(Self.gr)" : nil))
      #expect((temporary?.hasPrefix("sip:") ?? false) == hasInstance)
      #expect((temporary?.hasSuffix("@example.test;gr") ?? false) == hasInstance)
      // RFC 5627 §5.2: the instance comes back as it was given.
      #expect(contact.contains(Self.instance) == hasInstance)
    }
    #expect(!answer.contains("\r\nRequire:") && !answer.contains("\r\nSupported:"))
    #expect(!phone.register().contains("gruu="))
    #expect(other.register("Supported: gruu").contains("temp-gruu="))
    node.expectNothingLeft()
  }

  @Test("a registration may require it (RFC 5627 §5.1)")
  func required() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    #expect(phone.status("Require: gruu\nSupported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)") == 200)
  }

  @Test("a refresh gets the same public and a new temporary GRUU; all of them mean the instance (RFC 5627 §3.2)")
  func refreshed() throws {
    let node = TestNode()
    var (phone, other) = (RegisteringPhone(node), RegisteringPhone(node, "other"))
    _ = other.register("Contact: <sip:bob@10.0.0.2>;+sip.instance=\"<urn:uuid:2>\"")
    var temporary: Set<String> = []
    for _ in 0..<5 {
      let answer = phone.register("Supported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)")
      let contact = try #require(TestNode.headers("Contact", answer).first { $0.contains("10.0.0.1") })
      let (shared, fresh) = Self.gruus(contact)
      #expect(Self.contacts(of: try #require(shared), node) == ["sip:bob@10.0.0.1"])
      temporary.insert(try #require(fresh))
      node.advance(.seconds(5))
    }
    #expect(temporary.count == 5)
    for gruu in temporary { #expect(Self.contacts(of: gruu, node) == ["sip:bob@10.0.0.1"]) }
    #expect(Self.contacts(of: "sip:bob@example.test;gr=urn:uuid:2", node) == ["sip:bob@10.0.0.2"])
    #expect(Self.contacts(of: "sip:bob@example.test;gr=urn:uuid:3", node) == [])
  }

  @Test("another Call-ID ends all temporary GRUUs of the instance and no other's (RFC 5627 §5.1)")
  func anotherCallID() throws {
    let node = TestNode()
    var (phone, other) = (RegisteringPhone(node), RegisteringPhone(node, "other"))
    let lines = "Supported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)"
    let old = try #require(Self.gruus(TestNode.header("Contact", phone.register(lines))).temporary)
    let answer = other.register("Supported: gruu\nContact: <sip:bob@10.0.0.2>;+sip.instance=\"<urn:uuid:2>\"")
    let foreign = try #require(
      TestNode.headers("Contact", answer).first { $0.contains("10.0.0.2") }.flatMap { Self.gruus($0).temporary })
    phone.callID = "another"
    let now = phone.register(lines)
    let new = try #require(
      TestNode.headers("Contact", now).first { $0.contains("10.0.0.1") }.flatMap { Self.gruus($0).temporary })
    #expect(Self.contacts(of: old, node) == [])
    #expect(Self.contacts(of: new, node) == ["sip:bob@10.0.0.1"])
    #expect(Self.contacts(of: foreign, node) == ["sip:bob@10.0.0.2"])
    #expect(Self.contacts(of: "sip:bob@example.test;gr=\(Self.gr)", node) == ["sip:bob@10.0.0.1"])
  }

  @Test(
    "with several flows the temporary GRUUs last as long as one of them, and end when any comes with another Call-ID (RFC 5627 §3.2, §5.1)"
  )
  func severalFlows() throws {
    let node = TestNode()
    var (first, second) = (RegisteringPhone(node, "first"), RegisteringPhone(node, "second"))
    func lines(_ id: Int, _ expires: Int = 3_600) -> String {
      "Supported: gruu, outbound\nContact: <sip:bob@10.0.0.1>;\(Self.instance);reg-id=\(id);expires=\(expires)"
    }
    let early = try #require(Self.gruus(TestNode.header("Contact", first.register(lines(1)))).temporary)
    let late = try #require(Self.gruus(TestNode.header("Contact", second.register(lines(2)))).temporary)
    #expect(Self.contacts(of: early, node)?.count == 2)
    #expect(Self.contacts(of: late, node)?.count == 2)
    _ = first.register(lines(1, 0))
    #expect(Self.contacts(of: early, node)?.count == 1)
    _ = first.register(lines(1))
    #expect(Self.contacts(of: early, node)?.count == 2)
    second.callID = "another"
    _ = second.register(lines(2))
    #expect(Self.contacts(of: early, node) == [] && Self.contacts(of: late, node) == [])
    #expect(Self.contacts(of: "sip:bob@example.test;gr=\(Self.gr)", node)?.count == 2)
  }

  @Test(
    "when an instance's last contact is gone its temporary GRUUs are 404 for ever, and its public one is 480 until it comes back (RFC 5627 §5.3)"
  )
  func lastContact() throws {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    let lines = "Supported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)"
    let gruus = Self.gruus(TestNode.header("Contact", phone.register(lines)))
    let (shared, old) = (try #require(gruus.public), try #require(gruus.temporary))
    _ = phone.register("Contact: *\nExpires: 0")
    #expect(Self.contacts(of: old, node) == [] && Self.contacts(of: shared, node) == [])
    guard case .gruu(let temporary) = Self.read(old, node), case .gruu(let lasting) = Self.read(shared, node) else {
      return #expect(Bool(false))
    }
    #expect(temporary.statusWithoutBinding(in: nil, isKnownUser: true) == 404)
    #expect(lasting.statusWithoutBinding(in: nil, isKnownUser: true) == 480)
    #expect(lasting.statusWithoutBinding(in: nil, isKnownUser: false) == 404)
    _ = phone.register(lines)
    #expect(Self.contacts(of: old, node) == [] && Self.contacts(of: shared, node) == ["sip:bob@10.0.0.1"])
  }

  @Test(
    "an instance that loses its connection and comes back with the same Call-ID in time keeps its temporary GRUUs, and is 480 meanwhile",
    arguments: ["", ";reg-id=1"])
  func lapsed(flow: String) throws {
    let node = TestNode()
    let lines = "Supported: gruu, outbound\nContact: <sip:bob@10.0.0.1>;\(Self.instance)\(flow)"
    var old = RegisteringPhone(node, "old")
    let gruu = try #require(Self.gruus(TestNode.header("Contact", old.register(lines))).temporary)
    guard case .gruu(let read) = Self.read(gruu, node) else { return #expect(Bool(false)) }
    func status() -> Int {
      let aor = Array("bob@example.test".utf8)
      let found = node.location.lookup(aor: aor.span, now: node.core.unixSeconds)
      return read.statusWithoutBinding(in: found, isKnownUser: true)
    }
    for (callID, expires, isKept) in [("old-call", 3_600, true), ("new-call", 3_600, false), ("new-call", 0, false)] {
      node.close(old.peer)
      #expect(Self.contacts(of: gruu, node) == [] && status() == (expires > 0 ? 480 : 404))
      old = RegisteringPhone(node, "again\(callID)\(expires)")
      old.callID = callID
      _ = old.register("\(lines);expires=\(expires)", cseq: 100)
      #expect(Self.contacts(of: gruu, node)?.count == (isKept ? 1 : 0))
      if isKept { _ = old.register("\(lines)", cseq: 101) }
    }
    node.expectNothingLeft()
  }

  @Test("what lapsed with its connection is forgotten when its time is over, and when the instance or the user goes")
  func forgotten() throws {
    for ending in ["expiry", "instance", "user"] {
      let node = TestNode()
      var (phone, other) = (RegisteringPhone(node), RegisteringPhone(node, "other"))
      let lines = "Supported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)"
      let gruu = try #require(Self.gruus(TestNode.header("Contact", phone.register("\(lines);expires=100"))).temporary)
      node.close(phone.peer)
      switch ending {
      case "expiry": node.advance(.seconds(101))
      case "instance": _ = other.register("Contact: <sip:bob@10.0.0.1>;\(Self.instance);expires=0")
      default: _ = other.register("Contact: *\nExpires: 0")
      }
      #expect(node.location.lookup(aor: Array("bob@example.test".utf8).span, now: node.core.unixSeconds) == nil)
      other.callID = phone.callID
      _ = other.register(lines, cseq: 50)
      #expect(Self.contacts(of: gruu, node) == [], "\(ending)")
    }
  }

  @Test("a contact that is the address of record, a GRUU of it, or no SIP URI is refused with 403 (RFC 5627 §5.1)")
  func unusableContact() throws {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    let answer = phone.register("Supported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)")
    let temporary = try #require(Self.gruus(TestNode.header("Contact", answer)).temporary)
    for contact in [
      "sip:bob@example.test", "sip:%62ob@ALIAS.test;transport=tls", "sip:bob@example.test;gr=urn:uuid:9", temporary,
      "mailto:bob@10.0.0.1",
    ] {
      #expect(phone.status("Contact: <\(contact)>;+sip.instance=\"<urn:uuid:2>\"") == 403, "\(contact)")
      #expect(phone.status("Contact: <\(contact)>;expires=0;+sip.instance=\"<urn:uuid:2>\"") == 200, "\(contact)")
    }
    #expect(phone.contacts().count == 1)
    #expect(phone.status("Contact: <sip:carol@example.test>;+sip.instance=\"<urn:uuid:2>\"") == 200)
    #expect(phone.status("Contact: <mailto:bob@10.0.0.1>") == 200)
  }

  @Test("GRUUs that a client gives itself don't count (RFC 5627 §5.1)")
  func suggested() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    let given = ";pub-gruu=\"sip:x@example.test;gr=1\";temp-gruu=\"sip:y@example.test;gr\";\(Self.instance)"
    let contact = TestNode.header("Contact", phone.register("Contact: <sip:bob@10.0.0.1>\(given)"))
    #expect(contact == "<sip:bob@10.0.0.1>;\(Self.instance);expires=3600")
  }

  @Test("a SIPS contact gets SIPS GRUUs, a SIP contact SIP ones (RFC 5630 §5.2.1)")
  func secure() throws {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    phone.requestURI = "sips:example.test"
    let answer = phone.register("Supported: gruu\nContact: <sips:bob@10.0.0.1>;\(Self.instance)")
    let gruus = Self.gruus(TestNode.header("Contact", answer))
    #expect(gruus.public == "sips:bob@example.test;gr=\(Self.gr)")
    #expect(gruus.temporary?.hasPrefix("sips:") == true)
    #expect(Self.contacts(of: try #require(gruus.temporary), node) == ["sips:bob@10.0.0.1"])
  }

  @Test("users and instances with any octets go out escaped and come back the same")
  func escapes() throws {
    let node = TestNode()
    var phone = RegisteringPhone(node, aor: "a%40b%00+%22%5C%3E@example.test")
    let answer = phone.register("Supported: gruu\nContact: <sip:x@10.0.0.1>;+sip.instance=\"<urn:x:%a;{B}>\"")
    let gruus = Self.gruus(TestNode.header("Contact", answer))
    #expect(gruus.public == "sip:a%40b%00+%22%5c%3e@example.test;gr=urn:x:%25a%3b%7bB%7d")
    #expect(Self.contacts(of: try #require(gruus.public), node) == ["sip:x@10.0.0.1"])
    #expect(Self.contacts(of: try #require(gruus.temporary), node) == ["sip:x@10.0.0.1"])
  }

  @Test("temporary GRUUs of users with short names are equally long, whoever's they are (RFC 5627 §5.1)")
  func length() throws {
    let node = TestNode()
    var lengths: Set<Int> = []
    for user in ["b", "bob", "a.user.with.a.rather.long.name"] {
      var phone = RegisteringPhone(node, user, aor: "\(user)@example.test")
      let answer = phone.register("Supported: gruu\nContact: <sip:x@10.0.0.1>;\(Self.instance)")
      lengths.insert(try #require(Self.gruus(TestNode.header("Contact", answer)).temporary).count)
    }
    #expect(lengths.count == 1)
  }

  @Test("tells a GRUU from what is none, and ours from what somebody made up")
  func reading() throws {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    let answer = phone.register("Supported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)")
    let ours = try #require(Self.gruus(TestNode.header("Contact", answer)).temporary)
    #expect(Self.read("sip:bob@example.test", node) == .none)
    #expect(Self.read("sip:bob@example.test;user=phone", node) == .none)
    let shared = GRUU(user: Array("bob".utf8), scope: .instance(Array("urn:uuid:ab".utf8)))
    #expect(Self.read("sips:%62ob@example.test;x;GR=URN:uuid:A%42", node) == .gruu(shared))
    #expect(Self.read("sip:example.test;gr=1", node) == .invalid)
    #expect(Self.read("sip:bob@example.test;gr", node) == .invalid)
    #expect(Self.read(ours.replacing("@", with: "A@"), node) == .invalid)
    #expect(Self.read(ours.replacing("sip:A", with: "sip:B"), node) == .invalid)
    #expect(Self.read(ours + ";x=y", node) == Self.read(ours, node))
  }

  @Test("a flow token is no GRUU, and a temporary GRUU no flow token")
  func kinds() throws {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    let answer = phone.register("Supported: gruu\nContact: <sip:bob@10.0.0.1>;\(Self.instance)")
    let gruu = try #require(Self.gruus(TestNode.header("Contact", answer)).temporary)
    let user = Array(gruu.dropFirst(4).prefix { $0 != "@" }.utf8)
    #expect(node.core.token(user.span) == nil)
    let alice = node.peer("alice")
    node.send(node.request("INVITE", from: alice, "Contact: <sip:alice@10.0.0.9>"), from: alice)
    node.settle()
    let route = TestNode.header("Record-Route", node.one(by: phone.peer))
    let token = route.dropFirst(5).prefix { $0 != "@" }
    #expect(token.count > 30)
    #expect(Self.read("sip:\(token)@example.test;gr", node) == .invalid)
  }

  @Test(
    "instances are the same when their URNs are: of a UUID without case, of others with it (RFC 5626 §4.1)",
    arguments: [
      ("<urn:uuid:AB>", "URN:UUID:ab", true), ("<urn:x:Ab>", "URN:X:Ab", true), ("<urn:x:Ab>", "urn:x:ab", false),
      ("<x>", "x", true), ("X", "x", false), ("<urn:uuid:1>", "<urn:uuid:2>", false), ("<", "", false),
      ("<<urn:x:A>>", "<urn:x:A>", true),
    ])
  func instances(left: String, right: String, isSame: Bool) {
    var (one, two): ([UInt8], [UInt8]) = ([], [])
    let (first, second) = (Array(left.utf8), Array(right.utf8))
    InstanceIdentity.append(canonical: first.span, to: &one)
    InstanceIdentity.append(canonical: second.span, to: &two)
    #expect((one == two) == isSame)
  }
}

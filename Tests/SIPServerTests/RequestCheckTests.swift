import SIPMessage
import SIPServer
import Structures
import Testing

@Suite("What is looked at before a request goes anywhere, RFC 3261 §16.3, §8.2, §11")
struct RequestCheckTests {
  /// The status lines that a request gets, and what went on to bob.
  private func outcome(_ change: (String) -> String, method: String = "MESSAGE", uri: String = "sip:bob@example.test")
    -> (answers: [String], passed: [String])
  {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(change(node.request(method, uri, from: alice)), from: alice)
    node.settle()
    let result = (node.received(by: alice), node.received(by: bob) + node.takeAddressed().map(\.1))
    node.expectNothingLeft()
    return result
  }

  @Test(
    "a Max-Forwards of 0 is refused, one that is missing is understood, every other goes down by one",
    arguments: [
      ("Max-Forwards: 0", 483, ""), ("Max-Forwards: 00", 483, ""), ("Max-Forwards: 1", 0, "0"),
      ("Max-Forwards: 255", 0, "254"), ("Max-Forwards: 070", 0, "69"), ("X: y", 0, "70"),
      ("Max-Forwards: 256", 400, ""),
      ("Max-Forwards: -1", 400, ""), ("Max-Forwards: x", 400, ""), ("Max-Forwards:", 400, ""),
      ("Max-Forwards: 70\nMax-Forwards: 70", 400, ""), ("Max-Forwards: 99999999999999999999", 400, ""),
    ])
  func maxForwards(_ row: (String, Int, String)) {
    let (answers, passed) = outcome { $0.replacing("Max-Forwards: 70", with: row.0) }
    if row.1 == 0 {
      #expect(passed.count == 1)
      #expect(TestNode.headers("Max-Forwards", passed.first ?? "") == [row.2])
    } else {
      #expect(passed.isEmpty)
      #expect(answers.map(TestNode.start).first?.hasPrefix("SIP/2.0 \(row.1) ") == true)
    }
  }

  @Test("OPTIONS to the server itself is answered, whatever its Max-Forwards and Proxy-Require (RFC 4475 §3.3.11)")
  func options() {
    for uri in ["sip:example.test", "sip:192.0.2.1", "sip:192.0.2.1:5061", "sips:node1.example.test", "sip:ALIAS.test"]
    {
      let (answers, passed) = outcome({ $0 }, method: "OPTIONS", uri: uri)
      let answer = answers.first ?? ""
      #expect(answers.count == 1 && passed.isEmpty)
      #expect(TestNode.start(answer) == "SIP/2.0 200 OK", "\(uri)")
      // RFC 3261 §11.2
      for name in ["Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported"] {
        #expect(TestNode.headers(name, answer).count == 1, "\(name)")
      }
      #expect(TestNode.header("To", answer).contains(";tag=apus"))
      for line in ["Max-Forwards: 0", "Max-Forwards: 70\nProxy-Require: a"] {
        let (others, _) = outcome({ $0.replacing("Max-Forwards: 70", with: line) }, method: "OPTIONS", uri: uri)
        #expect(others.map(TestNode.start) == ["SIP/2.0 200 OK"])
      }
    }
  }

  @Test("REGISTER, which goes no further, needs no hops and asks nothing of a proxy; one that goes on does")
  func registerWithoutHops() {
    for line in ["Max-Forwards: 0", "Max-Forwards: 70\nProxy-Require: a"] {
      let answers = ["sip:example.test", "sip:192.0.2.99"].map { uri in
        outcome({ $0.replacing("Max-Forwards: 70", with: line) }, method: "REGISTER", uri: uri).answers.map(
          TestNode.start)
      }
      #expect(answers[0] == ["SIP/2.0 200 OK"])
      #expect(answers[1] == [line.hasSuffix("0") ? "SIP/2.0 483 Too Many Hops" : "SIP/2.0 420 Bad Extension"])
    }
  }

  @Test("a request of another method to the server itself finds nobody", arguments: ["INVITE", "MESSAGE", "FOO"])
  func nobody(_ method: String) {
    let (answers, passed) = outcome({ $0 }, method: method, uri: "sip:example.test")
    #expect(passed.isEmpty)
    #expect(answers.map(TestNode.start) == ["SIP/2.0 404 Not Found"])
  }

  @Test(
    "our user is found by each of our names, addresses and aliases",
    arguments: [
      "sip:bob@example.test", "sip:bob@EXAMPLE.test:5061", "sip:bob@alias.test",
      "sip:bob@192.0.2.1", "sip:bob@192.0.2.1:5060;transport=udp", "sip:bob@node1.example.test:5061;transport=tls",
      "sip:b%6Fb@sip.example.test", "sip:bob:secret@example.test;user=ip;x=y",
    ])
  func names(_ uri: String) {
    let (_, passed) = outcome({ $0 }, uri: uri)
    #expect(passed.count == 1)
    #expect(TestNode.start(passed.first ?? "").hasPrefix("MESSAGE sip:bob@198.51.100."))
  }

  @Test("behind a listener that is bound to all addresses our users are found by each of them, with our ports")
  func wildcard() {
    for (uri, isOurs) in [
      ("sip:bob@198.51.100.200", true), ("sip:bob@198.51.100.200:5060", true), ("sip:bob@[2001:DB8:0::7]:5061", true),
      ("sip:bob@198.51.100.200:5070", false), ("sip:bob@198.51.100.201", false),
    ] {
      let node = TestNode { settings in
        settings.listeners = [
          TestNode.listener(.tls, "0.0.0.0:5061"), TestNode.listener(.tcp, "0.0.0.0:5060"),
          TestNode.listener(.udp, "0.0.0.0:5060"),
        ]
        settings.interfaces = ["198.51.100.200:0", "[2001:db8::7]:0"].compactMap { SocketAddress($0)?.address }
      }
      let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
      node.register("bob", bob)
      node.send(node.request("MESSAGE", uri, from: alice), from: alice)
      node.settle()
      #expect(node.received(by: bob).count == (isOurs ? 1 : 0), "\(uri)")
      node.expectNothingLeft()
    }
  }

  @Test("user names have cases and escapes of their own: nobody else's phone rings")
  func otherUser() {
    for uri in [
      "sip:Bob@example.test", "sip:bob%20@example.test", "sip:bo@example.test", "sip:%62%6f%62x@example.test",
    ] {
      let (answers, passed) = outcome({ $0 }, uri: uri)
      #expect(passed.isEmpty)
      #expect(answers.map(TestNode.start) == ["SIP/2.0 404 Not Found"])
    }
  }

  @Test("a known user without a phone is away, an unknown one not found")
  func away() {
    let node = TestNode(users: TestUsers(["dave": "x"]))
    let alice = node.peer("alice")
    node.send(node.request("INVITE", "sip:dave@example.test", from: alice), from: alice)
    node.send(node.request("INVITE", "sip:erin@example.test", from: alice, callID: "2"), from: alice)
    node.settle()
    let finals = node.received(by: alice).map(TestNode.start).filter { !$0.contains("100") }
    #expect(Set(finals) == ["SIP/2.0 480 Temporarily Unavailable", "SIP/2.0 404 Not Found"])
    node.expectNothingLeft()
  }

  @Test(
    "a scheme that we don't know is refused with 416",
    arguments: ["tel:+1555", "mailto:bob@example.test", "foo:bar", "urn:service:sos"])
  func scheme(_ uri: String) {
    let (answers, passed) = outcome({ $0 }, uri: uri)
    #expect(passed.isEmpty)
    #expect(answers.map(TestNode.start) == ["SIP/2.0 416 Unsupported URI Scheme"])
  }

  @Test("Proxy-Require is refused with 420 and told back; Require is the callee's affair")
  func extensions() {
    let (answers, passed) = outcome { $0.replacing("CSeq", with: "proxy-require: a , b\nProxy-Require: c\nCSeq") }
    #expect(passed.isEmpty)
    #expect(answers.map(TestNode.start) == ["SIP/2.0 420 Bad Extension"])
    #expect(TestNode.headers("Unsupported", answers.first ?? "") == ["a, b, c"])
    let (_, forwarded) = outcome { $0.replacing("CSeq", with: "Require: a\nCSeq") }
    #expect(TestNode.headers("Require", forwarded.first ?? "") == ["a"])
    let (own, _) = outcome(
      { $0.replacing("CSeq", with: "Require: a\nCSeq") }, method: "OPTIONS", uri: "sip:example.test")
    #expect(TestNode.headers("Unsupported", own.first ?? "") == ["a"])
  }

  @Test(
    "what is malformed is answered, not forwarded, and the answer never repeats the peer's version",
    arguments: [
      ("SIP/2.0\n", "SIP/3.0\n", 505), ("SIP/2.0\n", "SIP/2.1\n", 505), ("MESSAGE sip", "MESSAGE  sip", 400),
      ("SIP/2.0\n", "SIP/2.0 \n", 400), ("From: <", "From: \"<", 400), ("From: <", "From: ", 400),
      ("To: <sip:bob@example.test>", "To: sip:a b", 400), ("CSeq: 1 ", "CSeq: 4294967296 ", 400),
      ("CSeq: 1 MESSAGE", "CSeq: 1 INVITE", 400), ("CSeq: 1 MESSAGE", "CSeq: 1 message", 400),
      ("CSeq: 1 MESSAGE", "CSeq: MESSAGE", 400), ("call-1", "call 1", 400), ("call-1", "@", 400),
      ("sip:bob@example.test SIP", "sip:bob@ SIP", 400),
      ("sip:bob@example.test SIP", "<sip:bob@example.test> SIP", 400),
      ("sip:bob@example.test SIP", "sip:bob@example.test?Route=x SIP", 400),
      ("sip:bob@example.test SIP", "sip:bob@example.test:99999 SIP", 400),
      ("sip:bob@example.test SIP", "sip:b%zzb@example.test SIP", 400), ("CSeq", "Route: sip:x@y\nCSeq", 400),
      ("CSeq", "Contact: <sip:a@b\nCSeq", 400), ("CSeq", "no colon here\nCSeq", 400), ("CSeq", ": empty\nCSeq", 400),
      ("CSeq", "To: <sip:c@d>\nCSeq", 400), ("CSeq", "Content-Length: x\nCSeq", 400),
      ("CSeq", "Content-Length: -1\nCSeq", 400), ("CSeq", "Content-Length: 5\nCSeq", 400),
      ("CSeq", "Content-Length: 0\nContent-Length: 0\nCSeq", 400), ("CSeq", "Require: a b\nCSeq", 400),
    ])
  func malformed(_ row: (String, String, Int)) {
    let (answers, passed) = outcome {
      $0.replacing(row.0, with: row.1, maxReplacements: 1)
    }
    #expect(passed.isEmpty)
    #expect(answers.count == 1)
    #expect(TestNode.start(answers.first ?? "").hasPrefix("SIP/2.0 \(row.2) "), "\(answers)")
  }

  @Test(
    "what lacks a mandatory field is answered with 400, if it has a Via",
    arguments: ["Via", "From", "To", "Call-ID", "CSeq"])
  func missing(_ name: String) {
    let (answers, passed) = outcome { text in
      text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix(name + ":") }.joined(
        separator: "\n")
    }
    #expect(passed.isEmpty)
    #expect(answers.map { TestNode.start($0).prefix(11) } == (name == "Via" ? [] : ["SIP/2.0 400"]))
  }

  @Test("a Call-ID of base64, with equals signs, passes; one with a blank or a comma doesn't (RFC 3261 §25.1)")
  func callID() {
    for (callID, isGood) in [
      ("YWJj==@h", true), ("=", true), ("a b", false), ("a,b", false), ("a@", false), ("@h", false),
    ] {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice"), node.peer("bob"))
      node.register("bob", bob)
      node.send(node.request("MESSAGE", from: alice, callID: callID), from: alice)
      node.settle()
      #expect(node.received(by: bob).count == (isGood ? 1 : 0), "\(callID)")
      #expect(isGood || TestNode.start(node.one(by: alice)).hasPrefix("SIP/2.0 400"))
    }
  }

  @Test("a datagram that ends within a line is cut off, also within a folded one")
  func cutOff() {
    for end in ["X", "X: y", "X: y\r\n z", "X: y\r\n z\r\n ", "X: y\r\n z\r"] {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
      node.register("bob", bob)
      let head = TestNode.wire(node.request("MESSAGE", from: alice)).replacing("\r\n\r\n", with: "\r\n")
      node.send(octets: Array((head + end).utf8), from: alice)
      node.settle()
      #expect(TestNode.start(node.one(by: alice)).hasPrefix("SIP/2.0 400"))
      #expect(node.received(by: bob).isEmpty)
      node.expectNothingLeft()
    }
  }

  @Test("what is there twice is in the answer once")
  func twice() {
    let (answers, _) = outcome {
      $0.replacing("CSeq: 1 MESSAGE", with: "CSeq: 1 MESSAGE\nCSeq: 2 MESSAGE\nTo: <sip:x@y>")
    }
    #expect(answers.map { TestNode.start($0).prefix(11) } == ["SIP/2.0 400"])
    #expect(TestNode.headers("CSeq", answers.first ?? "") == ["1 MESSAGE"])
    #expect(TestNode.headers("To", answers.first ?? "").count == 1)
  }

  @Test("beyond the limit of transactions new requests get 503, while those under way go on")
  func overload() {
    let node = TestNode { $0.maxTransactions = 2 }
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    for index in 0..<3 { node.send(node.request("MESSAGE", from: alice, callID: "\(index)"), from: alice) }
    node.settle()
    #expect(TestNode.start(node.one(by: alice)).hasPrefix("SIP/2.0 503"))
    let requests = node.received(by: bob)
    #expect(requests.count == 2)
    for request in requests { node.send(TestNode.response("200 OK", to: request), from: bob) }
    #expect(node.received(by: alice).count == 2)
    node.expectNothingLeft()
  }

  @Test("a message whose end can't be found is answered where it can be")
  func unframed() {
    let node = TestNode()
    let alice = node.peer("alice", .tcp)
    let head = Array(
      TestNode.wire(node.request("INVITE", from: alice)).replacing("Content-Length: 0\r\n", with: "").utf8)
    let cases: [(FramingError, String)] = [
      (.missingContentLength, "400"), (.badContentLength, "400"), (.headTooLarge, "513"), (.messageTooLarge, "513"),
      (.malformedStart, "400"),
    ]
    for (error, status) in cases {
      node.send(unframed: head, because: error, from: alice)
      #expect(TestNode.start(node.one(by: alice)).hasPrefix("SIP/2.0 \(status) "))
      for length in stride(from: 0, to: head.count, by: 7) {
        node.send(unframed: Array(head[..<length]), because: error, from: alice)
      }
      _ = node.received(by: alice)
    }
    node.send(unframed: Array("ACK x".utf8), because: .malformedStart, from: alice)
    node.send(unframed: [0, 1, 2], because: .malformedStart, from: alice)
    #expect(node.received(by: alice).isEmpty)
    node.expectNothingLeft()
  }
}

import SIPServer
import Structures
import Testing

@Suite("Requests that come again, ACK and CANCEL, RFC 3261 §17, §9, §16.10")
struct TransactionStoryTests {
  private static func starts(_ messages: [String]) -> [String] {
    messages.map { String(TestNode.start($0).prefix { $0 != "@" }.prefix(16)) }
  }

  @Test("over UDP: a repeated INVITE is answered with the last response, and goes to the callee once from here")
  func repeatedInvite() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob", .tls))
    node.register("bob", bob)
    let invite = node.request("INVITE", from: alice, branch: "x")
    node.send(invite, from: alice)
    node.send(invite, from: alice)
    #expect(Self.starts(node.received(by: alice)) == ["SIP/2.0 100 Tryi", "SIP/2.0 100 Tryi"])
    node.settle()
    let request = node.one(by: bob)
    node.send(invite, from: alice)
    node.send(TestNode.response("180 Ringing", to: request), from: bob)
    node.send(invite, from: alice)
    #expect(
      Self.starts(node.received(by: alice)) == ["SIP/2.0 100 Tryi", "SIP/2.0 180 Ring", "SIP/2.0 180 Ring"])
    node.send(TestNode.response("486 Busy", to: request), from: bob)
    node.send(invite, from: alice)
    node.advance(.milliseconds(510))
    let busy = node.received(by: alice)
    #expect(Self.starts(busy) == Array(repeating: "SIP/2.0 486 Busy", count: 3))
    #expect(Set(busy).count == 1)
    let ack = node.request("ACK", from: alice, branch: "x", tag: "callee")
    node.send(ack, from: alice)
    node.send(ack, from: alice)
    node.send(invite, from: alice)
    node.advance(.seconds(4))
    #expect(node.received(by: alice).isEmpty)
    #expect(Self.starts(node.received(by: bob)) == ["ACK sip:bob"])
    node.expectNothingLeft()
  }

  @Test("over UDP: a repeated INVITE after a 2xx is absorbed, and every 2xx of the callee passed")
  func repeatedAfterAccept() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob", .udp))
    node.register("bob", bob)
    let invite = node.request("INVITE", from: alice, branch: "x")
    node.send(invite, from: alice)
    node.settle()
    let request = node.one(by: bob)
    node.send(TestNode.response("200 OK", to: request), from: bob)
    node.advance(.seconds(1))
    node.send(invite, from: alice)
    node.send(TestNode.response("200 OK", to: request), from: bob)
    node.advance(.seconds(20))
    node.send(TestNode.response("200 OK", to: request), from: bob)
    #expect(
      Self.starts(node.received(by: alice)) == ["SIP/2.0 100 Tryi"] + Array(repeating: "SIP/2.0 200 OK", count: 3))
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  @Test("over UDP: requests of ours are repeated until something comes, the INVITE without end, others with T2")
  func ourRepeats() {
    for method in ["INVITE", "MESSAGE"] {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice"), node.peer("bob", .udp))
      node.register("bob", bob)
      node.send(node.request(method, from: alice), from: alice)
      node.settle()
      node.advance(.seconds(31.9))
      let copies = node.received(by: bob)
      #expect(copies.count == (method == "INVITE" ? 7 : 11))
      #expect(Set(copies).count == 1)
      node.expectNothingLeft()
    }
  }

  @Test("over UDP: a repeated non-INVITE request is answered again from here, whoever answered it first")
  func repeatedRequest() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
    node.register("bob", bob)
    let message = node.request("MESSAGE", from: alice, branch: "m")
    node.send(message, from: alice)
    node.send(message, from: alice)
    node.settle()
    node.send(message, from: alice)
    let request = node.one(by: bob)
    #expect(node.received(by: alice).isEmpty)
    node.send(TestNode.response("200 OK", to: request), from: bob)
    node.send(message, from: alice)
    node.advance(.seconds(20))
    node.send(message, from: alice)
    #expect(Set(node.received(by: alice)).count == 1)
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  @Test("a To tag of ours is the same in every answer to one request, and the ACK to it goes no further")
  func ownTag() {
    for transport in [TransportProtocol.udp, .tls] {
      let node = TestNode()
      let alice = node.peer("alice", transport)
      let invite = node.request("INVITE", "sip:nobody@example.test", from: alice, branch: "x")
      node.send(invite, from: alice)
      node.settle()
      let refusal = node.received(by: alice).last ?? ""
      #expect(TestNode.start(refusal) == "SIP/2.0 404 Not Found")
      let tag = TestNode.header("To", refusal).split(separator: ";tag=").last.map(String.init) ?? ""
      #expect(tag.hasPrefix("apus"))
      if transport == .udp {
        node.send(invite, from: alice)
        #expect(node.one(by: alice) == refusal)
      }
      let ack = node.request("ACK", "sip:nobody@example.test", from: alice, branch: "x", tag: tag)
      node.send(ack, from: alice)
      node.send(ack, from: alice)
      node.advance(.seconds(1))
      #expect(node.received(by: alice).isEmpty)
      node.expectNothingLeft()
    }
  }

  @Test("an answer without a transaction is the same again, and its ACK is dropped")
  func stateless() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
    node.register("bob", bob)
    let invite = node.request("INVITE", from: alice, branch: "x", "Proxy-Require: foo")
    node.send(invite, from: alice)
    node.send(invite, from: alice)
    let refusals = node.received(by: alice)
    #expect(Self.starts(refusals) == ["SIP/2.0 420 Bad ", "SIP/2.0 420 Bad "])
    #expect(Set(refusals).count == 1)
    let tag = TestNode.header("To", refusals[0]).split(separator: ";tag=").last.map(String.init) ?? ""
    node.send(node.request("ACK", from: alice, branch: "x", tag: tag), from: alice)
    node.settle()
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  @Test("an ACK to a 2xx that came without our Route finds the callee's contact; one for nobody is dropped")
  func ackWithoutRoute() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("ACK", from: alice, tag: "callee"), from: alice)
    node.send(node.request("ACK", "sip:carol@example.test", from: alice, tag: "callee"), from: alice)
    node.send(node.request("ACK", "sip:x@203.0.113.9", from: alice, tag: "callee"), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: bob)) == "ACK sip:bob@\(bob.flow.remote) SIP/2.0")
    #expect(node.takeAddressed().isEmpty)
    #expect(node.received(by: alice).isEmpty)
    node.expectNothingLeft()
  }

  @Test("a CANCEL for nothing is answered with 481, one that comes again with 200 again")
  func cancels() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("CANCEL", from: alice, branch: "x"), from: alice)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 481 Call/Transaction Does Not Exist")
    node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
    node.settle()
    let request = node.one(by: bob)
    node.send(TestNode.response("180 Ringing", to: request), from: bob)
    _ = node.received(by: alice)
    let cancel = node.request("CANCEL", from: alice, branch: "x")
    node.send(cancel, from: alice)
    node.send(cancel, from: alice)
    let answers = node.received(by: alice)
    #expect(Self.starts(answers) == ["SIP/2.0 200 OK", "SIP/2.0 200 OK"])
    #expect(Set(answers).count == 1)
    #expect(TestNode.headers("Via", answers[0]).count == 1)
    let ours = node.one(by: bob)
    #expect(TestNode.start(ours).hasPrefix("CANCEL sip:bob@"))
    // RFC 3261 §9.1: the same but for CSeq's method; one Via; nothing of what an INVITE has besides.
    for name in ["Call-ID", "From", "To"] { #expect(TestNode.header(name, ours) == TestNode.header(name, request)) }
    #expect(TestNode.headers("Via", ours) == [TestNode.header("Via", request)])
    #expect(TestNode.header("CSeq", ours) == "1 CANCEL")
    #expect(TestNode.header("Content-Length", ours) == "0")
    node.expectNothingLeft()
  }

  @Test(
    "a CANCEL with another branch, sent-by or cookie cancels nothing; with another Call-ID and the same branch it does")
  func cancelMatching() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
    node.settle()
    let request = node.one(by: bob)
    node.send(TestNode.response("180 Ringing", to: request), from: bob)
    _ = node.received(by: alice)
    let cancel = node.request("CANCEL", from: alice, branch: "x")
    for change in [("z9hG4bKx", "z9hG4bKy"), ("\(alice.flow.remote)", "198.51.100.1:9"), ("z9hG4bKx", "x")] {
      node.send(cancel.replacing(change.0, with: change.1), from: alice)
      #expect(Self.starts(node.received(by: alice)) == ["SIP/2.0 481 Call"])
      #expect(node.received(by: bob).isEmpty)
    }
    node.send(cancel.replacing("call-1", with: "call-2"), from: alice)
    #expect(Self.starts(node.received(by: bob)) == ["CANCEL sip:bob"])
    node.expectNothingLeft()
  }

  @Test("a CANCEL that overtakes the location service ends the call with 487; the late answer changes nothing")
  func cancelBeforeLocation() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.locationDelay = .seconds(2)
    node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
    node.send(node.request("CANCEL", from: alice, branch: "x"), from: alice)
    #expect(
      node.received(by: alice).map(TestNode.start) == [
        "SIP/2.0 100 Trying", "SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated",
      ])
    node.settle()
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  @Test("without the cookie requests are told apart by URI, tags, Call-ID, CSeq and the whole Via (RFC 3261 §17.2.3)")
  func oldBranches() {
    for via in ["198.51.100.1:40001", "198.51.100.1:40001;branch=1", "198.51.100.1:40001;branch=z9hG4bK"] {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice", .udp), node.peer("bob"))
      node.register("bob", bob)
      func old(_ method: String, cseq: Int = 1, callID: String = "c", tag: String? = nil) -> String {
        node.request(method, from: alice, callID: callID, cseq: cseq, branch: "0", tag: tag).replacing(
          "198.51.100.1:40001;branch=z9hG4bK0", with: via)
      }
      node.send(old("INVITE"), from: alice)
      node.send(old("INVITE"), from: alice)
      node.settle()
      let request = node.one(by: bob)
      node.send(TestNode.response("180 Ringing", to: request), from: bob)
      node.send(old("INVITE", cseq: 2), from: alice)
      node.send(old("INVITE", callID: "d"), from: alice)
      node.settle()
      #expect(node.received(by: bob).count == 2, "\(via)")
      node.send(old("CANCEL"), from: alice)
      #expect(Self.starts(node.received(by: bob)) == ["CANCEL sip:bob"], "\(via)")
      node.send(TestNode.response("487 Request Terminated", to: request), from: bob)
      node.advance(.seconds(3))
      let finals = node.received(by: alice).filter { TestNode.start($0).contains("487") }
      #expect(finals.count > 1)
      node.send(old("ACK", tag: "callee"), from: alice)
      node.advance(.seconds(5))
      #expect(!node.received(by: alice).contains { TestNode.start($0).contains("487") })
      node.expectNothingLeft()
    }
  }

  @Test("the same branch from another sent-by or with another method is another transaction")
  func sameBranch() {
    let node = TestNode()
    let (alice, carol, bob) = (node.peer("alice"), node.peer("carol"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("MESSAGE", from: alice, branch: "same"), from: alice)
    node.send(node.request("MESSAGE", from: carol, user: "carol", branch: "same"), from: carol)
    node.send(node.request("INFO", from: alice, branch: "same"), from: alice)
    node.send(node.request("FOO", from: alice, branch: "same"), from: alice)
    node.send(node.request("BAR", from: alice, branch: "same"), from: alice)
    node.settle()
    let requests = node.received(by: bob)
    #expect(requests.count == 5)
    for request in requests { node.send(TestNode.response("200 OK", to: request), from: bob) }
    #expect(node.received(by: alice).count == 4)
    #expect(node.received(by: carol).count == 1)
    node.expectNothingLeft()
  }

  @Test("a callee whose connection closes fails what it has not answered at all; what rings waits for an answer")
  func calleeCloses() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, callID: "a"), from: alice)
    node.send(node.request("INVITE", from: alice, callID: "b"), from: alice)
    node.send(node.request("MESSAGE", from: alice, callID: "c"), from: alice)
    node.settle()
    let requests = node.received(by: bob)
    #expect(requests.count == 3)
    let ringing = requests.first { $0.contains("Call-ID: b") } ?? ""
    node.send(TestNode.response("180 Ringing", to: ringing), from: bob)
    _ = node.received(by: alice)
    node.close(bob)
    node.settle()
    #expect(Set(node.received(by: alice).map(TestNode.start)) == ["SIP/2.0 480 Temporarily Unavailable"])
    // It comes back and answers the ringing call over a new connection.
    let again = node.peer("bob again")
    node.send(TestNode.response("200 OK", to: ringing), from: again)
    #expect(Self.starts(node.received(by: alice)) == ["SIP/2.0 200 OK"])
    node.expectNothingLeft()
  }

  @Test("a caller whose connection closes leaves nothing behind, at whatever stage")
  func callerCloses() {
    for stage in 0..<5 {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice"), node.peer("bob"))
      node.register("bob", bob)
      node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
      if stage == 0 { node.close(alice) }
      node.settle()
      let request = node.one(by: bob)
      if stage == 1 { node.close(alice) }
      node.send(TestNode.response("180 Ringing", to: request), from: bob)
      if stage == 2 { node.close(alice) }
      if stage == 3 { node.send(node.request("CANCEL", from: alice, branch: "x"), from: alice) }
      if stage == 3 { node.close(alice) }
      node.send(TestNode.response(stage == 3 ? "487 X" : "200 OK", to: request), from: bob)
      if stage == 4 { node.close(alice) }
      node.expectNothingLeft()
    }
  }

  @Test("a datagram peer at whose port nobody listens is unreachable at once")
  func refusedDatagram() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob", .udp))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(node.received(by: bob).count == 2)
    node.refuse(bob)
    node.settle()
    let heard = node.received(by: alice).map(TestNode.start).filter { !$0.contains("100") }
    #expect(heard.count == 2)
    #expect(!node.received(by: bob).contains { !$0.isEmpty })
    node.expectNothingLeft()
  }

  @Test("a location service that never answers costs nothing for ever: the caller gets an error")
  func silentLocation() {
    let node = TestNode()
    let alice = node.peer("alice")
    node.isLocationSilent = true
    node.send(node.request("INVITE", from: alice), from: alice)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.send(node.request("ACK", from: alice, tag: "t"), from: alice)
    node.send(
      node.request("REGISTER", "sip:example.test", from: alice, user: "bob", "Contact: <sip:b@10.0.0.1>"), from: alice)
    node.advance(.seconds(60))
    #expect(node.received(by: alice).contains { TestNode.start($0).hasPrefix("SIP/2.0 5") })
    node.expectNothingLeft()
  }
}

import SIPServer
import Structures
import Testing

@Suite("A response on its way back, RFC 3261 §16.7")
struct ResponseTests {
  /// An INVITE or other request from alice has reached bob.
  private func begun(
    _ method: String = "INVITE", _ transport: TransportProtocol = .tls, _ extra: String = ""
  ) -> (node: TestNode, alice: TestNode.Peer, bob: TestNode.Peer, request: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", transport), node.peer("bob", transport))
    node.register("bob", bob)
    node.send(node.request(method, from: alice, branch: "caller", extra), from: alice)
    node.settle()
    let request = node.one(by: bob)
    _ = node.received(by: alice)
    return (node, alice, bob, request)
  }

  private func end(_ node: TestNode, _ bob: TestNode.Peer, _ request: String) {
    node.send(TestNode.response("480 Gone", to: request), from: bob)
    node.expectNothingLeft()
  }

  @Test(
    "loses our Via and keeps everything else as it came",
    arguments: [
      ("Via: OURS\nVia: THEIRS\n", "Via: THEIRS\n"),
      ("v:OURS\nX: 1\nV :THEIRS\n", "X: 1\nV :THEIRS\n"),
      ("Via: OURS , THEIRS\n", "Via:  THEIRS\n"),
      ("Via: OURS,THEIRS\n", "Via: THEIRS\n"),
      ("Via: OURS,\n THEIRS\n", "Via: \n THEIRS\n"),
      ("Via:\n OURS\nVia: THEIRS\n", "Via: THEIRS\n"),
    ])
  func splices(_ row: (String, String)) {
    let (node, alice, bob, request) = begun()
    let vias = TestNode.headers("Via", request)
    let tail = """
      From: \(TestNode.header("From", request))
      t : <sip:bob@example.test>;tag=b
      Call-ID: \(TestNode.header("Call-ID", request))
      CSeq: \(TestNode.header("CSeq", request))
      Contact: "B" <sip:bob@10.0.0.9>
      X-Odd:   a;b , "c
      l: 3

      abc
      """
    let text =
      "SIP/2.0 183 \u{1F4DE} ringing\n" + row.0.replacing("OURS", with: vias[0]).replacing("THEIRS", with: vias[1])
      + tail
    node.send(octets: Array(text.replacing("\n", with: "\r\n").utf8), from: bob)
    let expected = "SIP/2.0 183 \u{1F4DE} ringing\n" + row.1.replacing("THEIRS", with: vias[1]) + tail
    #expect(node.one(by: alice).replacing("\r\n", with: "\n") == expected)
    end(node, bob, request)
  }

  @Test(
    "is passed whatever stands in fields that are the caller's to read",
    arguments: [
      "Contact: sip:bob@h?a=b;c, <tel:+1555>", "Contact: <sip:bob@h", "Contact: *", "Contact:", "Record-Route: sip:x",
      "Route: y", "Require: a b", "Max-Forwards: 999", "Date: never", "Content-Type:", "X",
    ])
  func othersFields(_ line: String) {
    let (node, alice, bob, request) = begun()
    let response = TestNode.response("302 Moved", to: request).replacing(
      "Content-Length", with: "\(line)\r\nContent-Length")
    node.send(response, from: bob)
    let got = node.received(by: alice)
    // A line that is no header field at all makes it no message.
    #expect(got.first?.contains("\r\n\(line)\r\n") == (line == "X" ? nil : true))
    node.expectNothingLeft()
  }

  @Test("keeps an empty reason phrase empty")
  func emptyReason() {
    let (node, alice, bob, request) = begun()
    node.send(TestNode.response("180 ", to: request), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 180 ")
    end(node, bob, request)
  }

  @Test("that has no Via but ours is not forwarded (RFC 3261 §16.7 step 3)")
  func lastVia() {
    let (node, alice, bob, request) = begun()
    let lines = TestNode.response("180 Ringing", to: request).split(separator: "\r\n", omittingEmptySubsequences: false)
    let theirs = "Via: " + TestNode.header("Via", request, 1)
    node.send(octets: Array(lines.filter { $0 != theirs }.joined(separator: "\r\n").utf8), from: bob)
    #expect(node.received(by: alice).isEmpty)
    end(node, bob, request)
  }

  @Test("of 100 stays here, whatever the method", arguments: ["INVITE", "MESSAGE"])
  func trying(_ method: String) {
    let (node, alice, bob, request) = begun(method)
    node.send(TestNode.response("100 Trying", to: request), from: bob)
    #expect(node.received(by: alice).isEmpty)
    end(node, bob, request)
  }

  @Test("after the final one is passed only if it is a 2xx to INVITE (RFC 3261 §16.7 step 5)")
  func afterFinal() {
    let (node, alice, bob, request) = begun()
    node.send(TestNode.response("200 OK", to: request), from: bob)
    _ = node.one(by: alice)
    node.send(TestNode.response("180 Ringing", to: request), from: bob)
    node.send(TestNode.response("486 Busy Here", to: request, tag: "other"), from: bob)
    #expect(node.received(by: alice).isEmpty)
    node.send(TestNode.response("200 OK", to: request), from: bob)
    node.send(TestNode.response("200 OK", to: request, tag: "fork"), from: bob)
    #expect(node.received(by: alice).count == 2)
    node.expectNothingLeft()
  }

  @Test("of any final status reaches a caller of any method as it is", arguments: ["INVITE", "MESSAGE", "SUBSCRIBE"])
  func finals(_ method: String) {
    for status in [200, 202, 299, 300, 302, 380, 400, 401, 403, 404, 407, 480, 481, 484, 486, 491, 500, 502, 600, 603] {
      let (node, alice, bob, request) = begun(method)
      let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"1\"\r\nProxy-Authenticate: Basic realm=\"y\"\r\n"
      let response = TestNode.response("\(status) Some Words", to: request)
      node.send(response.replacing("Content-Length", with: challenge + "Content-Length"), from: bob)
      let got = node.one(by: alice)
      #expect(TestNode.start(got) == "SIP/2.0 \(status) Some Words")
      #expect(got.contains(challenge))
      #expect(TestNode.header("To", got).hasSuffix(";tag=callee"))
      node.expectNothingLeft()
    }
  }

  @Test("of 503 becomes 500: the caller can reach us, if not that server (RFC 3261 §16.7 step 6)")
  func unavailable() {
    let (node, alice, bob, request) = begun()
    node.send(TestNode.response("503 Service Unavailable", to: request), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 500 Server Internal Error")
    #expect(TestNode.start(node.one(by: bob)).hasPrefix("ACK "))
    node.expectNothingLeft()
  }

  @Test("of 408 is passed for INVITE only (RFC 4320 §4.3)")
  func timeoutResponse() {
    for method in ["INVITE", "MESSAGE"] {
      let (node, alice, bob, request) = begun(method)
      node.send(TestNode.response("408 Request Timeout", to: request), from: bob)
      #expect(
        node.received(by: alice).map(TestNode.start) == (method == "INVITE" ? ["SIP/2.0 408 Request Timeout"] : []))
      node.expectNothingLeft()
    }
  }

  @Test("that never comes is a 408 to INVITE and silence to others (RFC 3261 §16.8, RFC 4320 §4.2)")
  func timeout() {
    for method in ["INVITE", "MESSAGE"] {
      let (node, alice, _, _) = begun(method)
      node.advance(.seconds(33))
      let got = node.received(by: alice).map(TestNode.start)
      #expect(got == (method == "INVITE" ? ["SIP/2.0 408 Request Timeout"] : ["SIP/2.0 100 Trying"]))
      node.expectNothingLeft()
    }
  }

  @Test("that matches nothing is dropped and counted: branch, method or cookie of nobody (RFC 6026 §7.3)")
  func stray() {
    let (node, alice, bob, request) = begun("MESSAGE")
    let response = TestNode.response("200 OK", to: request)
    let branch = String(request.firstMatch(of: /branch=(z9hG4bK[A-Za-z0-9_-]{32})/)?.output.1 ?? "")
    var letters = Array(branch)
    letters[20] = letters[20] == "A" ? "B" : "A"
    let changes = [
      (branch, String(letters)), (branch, "z9hG4bK"), (branch, "z9hG4bKcaller"), (";branch=" + branch, ""),
      ("CSeq: 1 MESSAGE", "CSeq: 1 INVITE"), ("CSeq: 1 MESSAGE", "CSeq: 1 CANCEL"),
      ("CSeq: 1 MESSAGE", "CSeq: 1 OPTIONS"),
    ]
    for (index, change) in changes.enumerated() {
      node.send(response.replacing(change.0, with: change.1), from: bob)
      #expect(node.received(by: alice).isEmpty, "\(change)")
      #expect(node.core.holdings.strayResponses == UInt64(index + 1), "\(change)")
    }
    node.send(response, from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test(
    "that names another sender of the request than us is dropped, however it writes our own name (RFC 3261 §18.1.2)",
    arguments: [
      ("node1.example.test:5061", true), ("NODE1.example.TEST : 5061", true), ("node1.example.test", true),
      ("node1.example.test:5060", true), ("node1.example.test:5062", false), ("node1.example.test:506", false),
      ("node1.example.tes:5061", false), ("node1.example.test.x:5061", false), ("192.0.2.9:5061", false),
    ])
  func sentBy(_ row: (String, Bool)) {
    let (node, alice, bob, request) = begun("MESSAGE")
    let response = TestNode.response("200 OK", to: request)
    node.send(response.replacing("node1.example.test:5061", with: row.0), from: bob)
    #expect(node.received(by: alice).count == (row.1 ? 1 : 0))
    if !row.1 {
      #expect(node.core.statistics.malformed == 1)
      node.send(response, from: bob)
      #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    }
    node.expectNothingLeft()
  }

  @Test("of 100 from here has the Timestamp of the request, and no To tag (RFC 3261 §8.2.6.1)")
  func timestamp() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, "Timestamp:  54.1"), from: alice)
    let trying = node.one(by: alice)
    #expect(TestNode.start(trying) == "SIP/2.0 100 Trying")
    #expect(trying.contains("\r\nTimestamp:  54.1\r\n"))
    #expect(!TestNode.header("To", trying).contains("tag"))
    node.settle()
    let invite = node.one(by: bob)
    #expect(TestNode.header("Timestamp", invite) == "54.1")
    end(node, bob, invite)
  }

  @Test(
    "goes back over the connection of the request, and for datagrams where RFC 3581 §4 says", arguments: [true, false])
  func destination(_ asks: Bool) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", .udp), node.peer("bob", .udp))
    node.register("bob", bob)
    let text = node.request("MESSAGE", from: alice).replacing(
      "\(alice.flow.remote)", with: "10.0.0.1:5099" + (asks ? ";rport" : ""))
    node.send(text, from: alice)
    node.settle()
    let request = node.one(by: bob)
    node.send(TestNode.response("200 OK", to: request), from: bob)
    // Without rport: the address that it came from, at the port of sent-by; maddr and received of the peer's making don't count.
    guard case .datagram(let flow) = alice.flow.id else { return }
    let elsewhere = DatagramFlow(
      node: flow.node, listener: flow.listener, remote: SocketAddress(flow.remote.address, port: 5_099))
    #expect(node.received(by: alice).count == (asks ? 1 : 0))
    #expect(node.received(over: .datagram(elsewhere)).count == (asks ? 0 : 1))
    node.expectNothingLeft()
  }
}

import SIPMessage
import SIPServer
import Structures
import Testing

@Suite("What comes late, or from another process")
struct LateAnswerTests {
  @Test("a 2xx to an INVITE whose server transaction is over goes back without it (RFC 3261 §16.7 step 9)")
  func late2xx() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice", .tcp), node.peer("bob"))
    node.register("bob", bob)
    let request = node.request("INVITE", from: alice, branch: "late")
    node.send(request, from: alice)
    node.settle()
    let invite = node.one(by: bob)
    _ = node.received(by: alice)
    node.suspect(bob)
    node.settle()
    let refusal = node.one(by: alice)
    #expect(TestNode.start(refusal) == "SIP/2.0 480 Temporarily Unavailable")
    let tag = TestNode.header("To", refusal).split(separator: ";tag=").last.map(String.init) ?? ""
    node.send(node.request("ACK", from: alice, branch: "late", tag: tag), from: alice)
    #expect(node.core.holdings.serverTransactions == 0)
    node.send(TestNode.response("200 OK", to: invite, contact: "sip:bob@192.0.2.77"), from: bob)
    let accepted = node.one(by: alice)
    #expect(TestNode.start(accepted) == "SIP/2.0 200 OK")
    #expect(TestNode.headers("Via", accepted).count == 1)
    node.expectNothingLeft()
  }

  @Test("no other late response does")
  func lateOthers() {
    for status in ["180 Ringing", "486 Busy Here", "603 Decline"] {
      let node = TestNode()
      let (alice, bob) = (node.peer("alice", .tcp), node.peer("bob"))
      node.register("bob", bob)
      node.send(node.request("INVITE", from: alice, branch: "late"), from: alice)
      node.settle()
      let invite = node.one(by: bob)
      node.suspect(bob)
      node.settle()
      let tag =
        TestNode.header("To", node.received(by: alice).last ?? "").split(separator: ";tag=").last.map(String.init) ?? ""
      node.send(node.request("ACK", from: alice, branch: "late", tag: tag), from: alice)
      #expect(node.core.holdings.serverTransactions == 0)
      node.send(TestNode.response(status, to: invite), from: bob)
      #expect(node.received(by: alice).isEmpty)
    }
  }

  @Test(
    "a registration that was stored when nobody waited any more, and whose connection is gone, is removed at the next call"
  )
  func lateRegistration() {
    let node = TestNode { $0.locationTimeout = .milliseconds(10) }
    node.locationDelay = .milliseconds(0)
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    let record = Array("bob@example.test".utf8)
    node.isLocationSilent = true
    node.send(
      node.request(
        "REGISTER", "sip:example.test", from: bob, user: "bob", "Contact: <sip:bob@\(bob.flow.remote)>"), from: bob)
    node.advance(.milliseconds(20))
    #expect(TestNode.start(node.one(by: bob)).hasPrefix("SIP/2.0 500"))
    node.isLocationSilent = false
    let change = RegistrationUpdate.ContactChange(
      uri: Array("sip:bob@\(bob.flow.remote)".utf8), duration: 3_600, isReachedByFlow: true)
    _ = node.location.update(
      RegistrationUpdate(
        aor: record, operation: .change([change]), callID: [1], cseq: 1, flow: bob.flow, maxContacts: 10,
        now: node.core.unixSeconds))
    node.close(bob)
    #expect(node.location.bindingCount == 1)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.advance(.milliseconds(5))
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    #expect(node.location.bindingCount == 0)
    node.expectNothingLeft()
  }

  @Test("a stored binding of a listener that this process lacks is nobody's to reach by its flow", arguments: [9, 1])
  func unknownListener(_ listener: UInt16) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    let flow = Flow(
      id: bob.flow.id, transport: .tls, listener: listener, local: bob.flow.local, remote: bob.flow.remote,
      isVerified: false)
    let change = RegistrationUpdate.ContactChange(
      uri: Array("sip:bob@host.invalid".utf8), duration: 3_600, isReachedByFlow: true)
    _ = node.location.update(
      RegistrationUpdate(
        aor: Array("bob@example.test".utf8), operation: .change([change]), callID: [1], cseq: 1, flow: flow,
        maxContacts: 10, now: node.core.unixSeconds))
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    #expect(node.received(by: bob).isEmpty)
    node.expectNothingLeft()
  }

  @Test("CANCEL and ACK of a request with as many header lines as may be are whole (RFC 3261 §9.1, §17.1.1.3)")
  func manyLines() {
    let node = TestNode { $0.parserLimits = ParserLimits(fields: 255 - ServerSettings.linesAdded) }
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    let lines = (0..<238).map { "X-\($0): y\n" }.joined()
    let request = node.request("INVITE", from: alice, branch: "many").replacing("From:", with: lines + "From:")
    node.send(request, from: alice)
    node.settle()
    let invite = node.one(by: bob)
    node.send(TestNode.response("180 Ringing", to: invite), from: bob)
    node.send(node.request("CANCEL", from: alice, branch: "many"), from: alice)
    let cancel = node.one(by: bob)
    node.send(TestNode.response("487 Request Terminated", to: invite), from: bob)
    let ack = node.one(by: bob)
    for (message, method) in [(cancel, "CANCEL"), (ack, "ACK")] {
      #expect(TestNode.start(message).hasPrefix(method))
      #expect(TestNode.header("CSeq", message) == "1 \(method)")
      for name in ["From", "To", "Call-ID", "Via"] { #expect(!TestNode.header(name, message).isEmpty, "\(name)") }
    }
    node.expectNothingLeft()
  }

  @Test("Route values of ours go from all lines on which they stand, whatever follows stays (RFC 3261 §16.4)")
  func routeLines() {
    let node = TestNode { $0.parserLimits = ParserLimits(fields: 240) }
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    let own = "<sip:example.test;lr>"
    let lines = Array(repeating: "Route: \(own), \(own),\(own)", count: 100).joined(separator: "\n")
    let foreign = "Route: \(own),<sip:192.0.2.50;lr>, <sip:192.0.2.51;lr>\nRoute: \(own)"
    node.send(node.request("MESSAGE", from: alice, lines), from: alice)
    node.send(node.request("MESSAGE", from: alice, callID: "2", lines + "\n" + foreign), from: alice)
    node.settle()
    #expect(TestNode.headers("Route", node.one(by: bob)).isEmpty)
    let sent = node.takeAddressed()
    #expect(sent.map { $0.0 } == [SocketAddress("192.0.2.50:5060")])
    #expect(
      sent.map { TestNode.headers("Route", $0.1) } == [["<sip:192.0.2.50;lr>, <sip:192.0.2.51;lr>", own]])
    node.expectNothingLeft()
  }
}

import SIPServer
import Structures
import Testing

@Suite("A callee that changes the Vias, RFC 3261 §16.7 step 3, §18.1.2")
struct AlteredViaTests {
  private func begun(
    _ method: String
  ) -> (node: TestNode, alice: TestNode.Peer, bob: TestNode.Peer, request: String) {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request(method, from: alice), from: alice)
    node.settle()
    let request = node.one(by: bob)
    _ = node.received(by: alice)
    return (node, alice, bob, request)
  }

  private func without(_ via: Int, _ response: String, _ request: String) -> [UInt8] {
    let line = "Via: " + TestNode.header("Via", request, via) + "\r\n"
    return Array(response.replacing(line, with: "", maxReplacements: 1).utf8)
  }

  @Test("without our own it answers nothing of ours; the right one is still taken", arguments: ["INVITE", "MESSAGE"])
  func withoutOurs(_ method: String) {
    let (node, alice, bob, request) = begun(method)
    let response = TestNode.response("486 Busy", to: request)
    node.send(octets: without(0, response, request), from: bob)
    #expect(node.received(by: alice).isEmpty && node.received(by: bob).isEmpty)
    node.send(response, from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 486 Busy")
    node.expectNothingLeft()
  }

  @Test("without the caller's there is nobody to forward it to: the branch has failed, and the caller hears at once")
  func withoutTheirs() {
    for (method, status) in [
      ("INVITE", "486 Busy"), ("INVITE", "200 OK"), ("MESSAGE", "200 OK"), ("MESSAGE", "404 No"),
    ] {
      let (node, alice, bob, request) = begun(method)
      node.send(octets: without(1, TestNode.response("180 Ringing", to: request), request), from: bob)
      #expect(node.received(by: alice).isEmpty)
      node.send(octets: without(1, TestNode.response(status, to: request), request), from: bob)
      #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 502 Bad Gateway")
      // RFC 3261 §17.1.1.3: the transaction acknowledges a failure whoever it was for.
      #expect(node.received(by: bob).map { $0.prefix(4) } == (status == "486 Busy" ? ["ACK "] : []))
      node.expectNothingLeft()
    }
  }

  @Test("another target is tried after such an answer")
  func next() {
    let node = TestNode()
    let (alice, first, second) = (node.peer("alice"), node.peer("first"), node.peer("second"))
    node.register("bob", first, ";q=0.9")
    node.register("bob", second, ";q=0.1")
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let request = node.one(by: first)
    node.send(octets: without(1, TestNode.response("486 Busy", to: request), request), from: first)
    let other = node.one(by: second)
    node.send(TestNode.response("200 OK", to: other), from: second)
    #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test("what it writes into the caller's is the caller's to judge")
  func changed() {
    let (node, alice, bob, request) = begun("MESSAGE")
    let response = TestNode.response("200 OK", to: request).replacing("\(alice.flow.remote)", with: "203.0.113.7:1")
    node.send(response, from: bob)
    let got = node.one(by: alice)
    #expect(TestNode.start(got) == "SIP/2.0 200 OK")
    #expect(TestNode.header("Via", got).contains("203.0.113.7:1"))
    node.expectNothingLeft()
  }

  @Test("a provisional response of any kind passes to the caller as it is, 199 too (RFC 6228 §5)")
  func earlyDialogTerminated() {
    let (node, alice, bob, request) = begun("INVITE")
    for status in ["101 X", "180 Ringing", "183 Session Progress", "199 Early Dialog Terminated"] {
      node.send(TestNode.response(status, to: request), from: bob)
      #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 \(status)")
    }
    node.send(TestNode.response("486 Busy", to: request), from: bob)
    node.send(TestNode.response("199 Early Dialog Terminated", to: request), from: bob)
    #expect(node.received(by: alice).count == 1)
    node.expectNothingLeft()
  }
}

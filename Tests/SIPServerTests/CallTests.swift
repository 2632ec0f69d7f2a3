import SIPServer
import Structures
import Testing

@Suite("A call through the proxy, RFC 3261 §16")
struct CallTests {
  @Test("is set up and ended over the flows that both registered, in both directions")
  func wholeCall() throws {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("alice", alice)
    node.register("bob", bob)

    node.send(
      node.request("INVITE", from: alice, "Contact: <sip:alice@\(alice.flow.remote)>", body: "v=0\n"), from: alice)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 100 Trying")
    node.settle()
    let invite = node.one(by: bob)
    #expect(TestNode.start(invite) == "INVITE sip:bob@\(bob.flow.remote) SIP/2.0")
    #expect(TestNode.headers("Via", invite).count == 2)
    #expect(TestNode.header("Via", invite).hasPrefix("SIP/2.0/TLS node1.example.test:5061;branch=z9hG4bK"))
    #expect(TestNode.header("Max-Forwards", invite) == "69")
    #expect(TestNode.headers("Record-Route", invite).count == 2)
    #expect(invite.hasSuffix("\r\n\r\nv=0\n"))

    node.send(TestNode.response("180 Ringing", to: invite), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 180 Ringing")
    node.send(TestNode.response("200 OK", to: invite, contact: "sip:bob@192.168.1.9", body: "v=1\n"), from: bob)
    let ok = node.one(by: alice)
    #expect(TestNode.start(ok) == "SIP/2.0 200 OK")
    #expect(TestNode.headers("Via", ok).count == 1)
    #expect(ok.hasSuffix("\r\n\r\nv=1\n"))

    let routes = TestNode.headers("Record-Route", ok)
    let towardsBob = "Route: " + routes.reversed().joined(separator: ", ")
    node.send(node.request("ACK", "sip:bob@192.168.1.9", from: alice, tag: "callee", towardsBob), from: alice)
    let ack = node.one(by: bob)
    #expect(TestNode.start(ack) == "ACK sip:bob@192.168.1.9 SIP/2.0")
    #expect(TestNode.headers("Route", ack).isEmpty)

    let towardsAlice = "Route: " + routes.joined(separator: ", ")
    let bye = """
      BYE sip:alice@\(alice.flow.remote) SIP/2.0
      Via: SIP/2.0/TLS \(bob.flow.remote);branch=z9hG4bKbye
      Max-Forwards: 70
      From: <sip:bob@example.test>;tag=callee
      To: <sip:alice@example.test>;tag=alice-tag
      Call-ID: call-1
      CSeq: 1 BYE
      \(towardsAlice)

      """
    node.send(bye, from: bob)
    let forwarded = node.one(by: alice)
    #expect(TestNode.start(forwarded).hasPrefix("BYE sip:alice@"))
    node.send(TestNode.response("200 OK", to: forwarded), from: alice)
    #expect(TestNode.start(node.one(by: bob)) == "SIP/2.0 200 OK")

    node.advance(.seconds(40))
    #expect(node.core.holdings.serverTransactions == 0)
    #expect(node.core.holdings.clientTransactions == 0)
    #expect(node.core.holdings.contexts == 0)
    #expect(node.core.holdings.messages == 0)
    #expect(node.core.holdings.timers == 0)
    node.expectNothingLeft()
  }

  @Test("that nobody takes is forwarded with the callee's answer, and the ACK to it is ours")
  func busy() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
    node.settle()
    let invite = node.one(by: bob)
    _ = node.received(by: alice)
    node.send(TestNode.response("486 Busy Here", to: invite), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 486 Busy Here")
    let ack = node.one(by: bob)
    #expect(TestNode.start(ack) == "ACK sip:bob@\(bob.flow.remote) SIP/2.0")
    #expect(TestNode.header("Via", ack) == TestNode.header("Via", invite))
    #expect(TestNode.header("To", ack) == "<sip:bob@example.test>;tag=callee")
    node.send(node.request("ACK", from: alice, branch: "x", tag: "callee"), from: alice)
    #expect(node.received(by: bob).isEmpty)
    node.advance(.seconds(40))
    #expect(node.core.holdings.contexts == 0)
    #expect(node.core.holdings.messages == 0)
    node.expectNothingLeft()
  }

  @Test("that the caller cancels is cancelled at the callee, once it rings")
  func cancel() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
    node.settle()
    let invite = node.one(by: bob)
    _ = node.received(by: alice)
    node.send(node.request("CANCEL", from: alice, branch: "x"), from: alice)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    #expect(node.received(by: bob).isEmpty)
    node.send(TestNode.response("180 Ringing", to: invite), from: bob)
    let cancel = node.one(by: bob)
    #expect(TestNode.start(cancel) == "CANCEL sip:bob@\(bob.flow.remote) SIP/2.0")
    #expect(TestNode.header("Via", cancel) == TestNode.header("Via", invite))
    #expect(TestNode.header("CSeq", cancel) == "1 CANCEL")
    node.send(TestNode.response("200 OK", to: cancel), from: bob)
    node.send(TestNode.response("487 Request Terminated", to: invite), from: bob)
    #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 180 Ringing", "SIP/2.0 487 Request Terminated"])
    #expect(TestNode.start(node.one(by: bob)).hasPrefix("ACK "))
    node.send(node.request("ACK", from: alice, branch: "x", tag: "callee"), from: alice)
    node.advance(.seconds(40))
    #expect(node.core.holdings.strayResponses == 0)
    #expect(node.core.holdings.contexts == 0)
    #expect(node.core.holdings.timers == 0)
    node.expectNothingLeft()
  }

  @Test("forks to all contacts of equal q, and takes the first that answers")
  func parallelFork() {
    let node = TestNode()
    let (alice, desk, mobile) = (node.peer("alice"), node.peer("desk"), node.peer("mobile", .tcp))
    node.register("bob", desk)
    node.register("bob", mobile)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let (toDesk, toMobile) = (node.one(by: desk), node.one(by: mobile))
    node.send(TestNode.response("180 Ringing", to: toDesk, tag: "desk"), from: desk)
    node.send(TestNode.response("180 Ringing", to: toMobile, tag: "mobile"), from: mobile)
    node.send(TestNode.response("200 OK", to: toMobile, tag: "mobile"), from: mobile)
    let cancel = node.one(by: desk)
    #expect(TestNode.start(cancel).hasPrefix("CANCEL "))
    #expect(TestNode.header("Reason", cancel).contains("cause=200"))
    node.send(TestNode.response("200 OK", to: cancel, tag: "desk"), from: desk)
    // RFC 3261 §16.7 step 10: a 2xx that comes all the same is forwarded as well.
    node.send(TestNode.response("200 OK", to: toDesk, tag: "desk"), from: desk)
    let starts = node.received(by: alice).map(TestNode.start)
    #expect(
      starts == [
        "SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK", "SIP/2.0 200 OK",
      ])
    node.expectNothingLeft()
  }

  @Test("tries contacts of lower q after the others have failed")
  func serialFork() {
    let node = TestNode()
    let (alice, first, second) = (node.peer("alice"), node.peer("first"), node.peer("second"))
    node.register("bob", second, ";q=0.3")
    node.register("bob", first, ";q=0.9")
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let toFirst = node.one(by: first)
    #expect(node.received(by: second).isEmpty)
    node.send(TestNode.response("486 Busy Here", to: toFirst), from: first)
    let toSecond = node.one(by: second)
    node.send(TestNode.response("404 Not Found", to: toSecond), from: second)
    #expect(node.received(by: alice).map(TestNode.start) == ["SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here"])
    node.expectNothingLeft()
  }

  @Test("to a callee whose connection is gone fails at once, and its binding went with the connection")
  func flowGone() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    _ = node.one(by: bob)
    node.close(bob)
    node.settle()
    #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 480 Temporarily Unavailable")
    node.send(node.request("INVITE", from: alice, cseq: 2), from: alice)
    node.settle()
    #expect(node.received(by: alice).map(TestNode.start).last == "SIP/2.0 404 Not Found")
    node.expectNothingLeft()
  }
}

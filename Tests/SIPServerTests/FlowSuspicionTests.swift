import SIPServer
import Structures
import Testing

@Suite("Requests over flows in doubt, RFC 5626 §5.3.1")
struct FlowSuspicionTests {
  @Test("an INVITE without any response fails at once with 480, and the binding stays")
  func invite() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    _ = node.one(by: bob)
    _ = node.received(by: alice)
    node.suspect(bob)
    node.settle()
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    #expect(node.core.isSuspect(bob.flow.id))
    #expect(!node.core.isSuspect(alice.flow.id))
    // It may be alive after all: the next request is tried again.
    node.send(node.request("MESSAGE", from: alice, callID: "m"), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: bob)).hasPrefix("MESSAGE "))
    node.suspect(bob)
    node.settle()
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    node.recover(bob)
    #expect(!node.core.isSuspect(bob.flow.id))
    node.expectNothingLeft()
  }

  @Test("a branch that rings stays, one without a response doesn't")
  func ringing() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let invite = node.one(by: bob)
    node.send(TestNode.response("180 Ringing", to: invite), from: bob)
    _ = node.received(by: alice)
    node.suspect(bob)
    node.settle()
    #expect(node.received(by: alice).isEmpty)
    node.send(TestNode.response("486 Busy Here", to: invite), from: bob)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 486 Busy Here")
    node.expectNothingLeft()
  }

  @Test("a callee that was given up and rings after all gets a CANCEL")
  func ghost() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    let invite = node.one(by: bob)
    node.suspect(bob)
    node.settle()
    _ = node.received(by: alice)
    node.advance(.seconds(5))
    node.recover(bob)
    node.send(TestNode.response("180 Ringing", to: invite), from: bob)
    let cancel = node.one(by: bob)
    #expect(TestNode.start(cancel).hasPrefix("CANCEL "))
    #expect(TestNode.header("Via", cancel) == TestNode.header("Via", invite))
    node.send(TestNode.response("200 OK", to: cancel), from: bob)
    node.send(TestNode.response("487 Request Terminated", to: invite), from: bob)
    #expect(TestNode.start(node.one(by: bob)).hasPrefix("ACK "))
    // The caller has its answer; nothing more comes.
    #expect(node.received(by: alice).isEmpty)
    node.expectNothingLeft()
  }

  @Test("with another contact that rings, the call goes on there")
  func fork() {
    let node = TestNode()
    let (alice, bob, other) = (node.peer("alice"), node.peer("bob"), node.peer("other"))
    node.register("bob", bob)
    node.register("bob", other)
    node.send(node.request("INVITE", from: alice), from: alice)
    node.settle()
    _ = node.one(by: bob)
    let invite = node.one(by: other)
    node.send(TestNode.response("180 Ringing", to: invite), from: other)
    _ = node.received(by: alice)
    node.suspect(bob)
    node.settle()
    #expect(node.received(by: alice).isEmpty)
    node.send(TestNode.response("200 OK", to: invite), from: other)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test("the next flow of the same instance is tried, and is first from then on until the other recovers")
  func nextFlow() {
    let node = TestNode()
    let (alice, first, second) = (node.peer("alice"), node.peer("first"), node.peer("second"))
    let instance = ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000001>\""
    node.register("bob", second, instance)
    node.advance(.seconds(2))
    node.register("bob", first, instance)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: first)).hasPrefix("MESSAGE "))
    #expect(node.received(by: second).isEmpty)
    node.suspect(first)
    node.settle()
    let message = node.one(by: second)
    #expect(TestNode.start(message).hasPrefix("MESSAGE "))
    node.send(TestNode.response("200 OK", to: message), from: second)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    node.send(node.request("MESSAGE", from: alice, callID: "next"), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: second)).hasPrefix("MESSAGE "))
    #expect(node.received(by: first).isEmpty)
    node.recover(first)
    node.send(node.request("MESSAGE", from: alice, callID: "last"), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: first)).hasPrefix("MESSAGE "))
    node.expectNothingLeft()
  }

  @Test("a connection in doubt that closes leaves nothing behind, and its transactions fail once")
  func closes() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    node.register("bob", bob)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    node.suspect(bob)
    node.settle()
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    node.close(bob)
    #expect(node.received(by: alice).isEmpty)
    #expect(!node.core.isSuspect(bob.flow.id))
    #expect(node.core.holdings.clientTransactions == 0)
    node.expectNothingLeft()
  }

  @Test("connections of other workers and epochs with the same number are others")
  func sameNumber() {
    let node = TestNode()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    guard case .stream(let own) = bob.flow.id else { return }
    node.register("bob", bob)
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    _ = node.one(by: bob)
    for (slot, epoch) in [(UInt16(1), own.epoch), (own.slot, own.epoch + 1)] {
      let flow = StreamFlow(node: own.node, slot: slot, epoch: epoch, connection: own.connection)
      let other = TestNode.Peer(
        name: "other",
        flow: Flow(
          id: .stream(flow), transport: .tls, listener: 0, local: bob.flow.local, remote: bob.flow.remote,
          isVerified: false))
      node.suspect(other)
      node.close(other)
      #expect(node.received(by: alice).isEmpty)
      #expect(!node.core.isSuspect(bob.flow.id))
    }
    node.close(bob)
    node.settle()
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 480 Temporarily Unavailable")
    node.expectNothingLeft()
  }

  @Test("a refused datagram peer costs those that wait for it, and nobody else", arguments: [3, 500])
  func refused(others: Int) {
    let node = TestNode { $0.maxTransactions = 10_000 }
    let (alice, bob, carol) = (node.peer("alice"), node.peer("bob", .udp), node.peer("carol", .udp))
    node.register("bob", bob, contact: "sip:bob@phone.invalid")
    node.register("carol", carol, contact: "sip:carol@phone.invalid")
    for index in 0..<others {
      node.send(node.request("MESSAGE", "sip:carol@example.test", from: alice, callID: "c\(index)"), from: alice)
    }
    node.send(node.request("MESSAGE", from: alice, callID: "b"), from: alice)
    node.settle()
    _ = node.received(by: alice)
    node.refuse(bob)
    node.settle()
    let answers = node.received(by: alice)
    #expect(answers.map(TestNode.start) == ["SIP/2.0 480 Temporarily Unavailable"])
    #expect(answers.first.map { TestNode.header("Call-ID", $0) } == "b")
    #expect(node.core.holdings.clientTransactions == others)
    node.expectNothingLeft()
  }
}

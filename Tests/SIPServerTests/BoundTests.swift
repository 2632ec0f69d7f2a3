import SIPTransaction
import Structures
import Testing

@testable import SIPServer

@Suite("What others can make the server keep and do is bounded")
struct BoundTests {
  /// A request of which one part has another text each time.
  struct Variation: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    var hasCookie = true

    var testDescription: String { "\(new)\(hasCookie ? "" : " without the cookie")" }

    func request(_ index: Int, _ node: TestNode, _ peer: TestNode.Peer) -> String {
      let text = node.request("INVITE", "sip:bob@192.0.2.1", from: peer, callID: "call", branch: "same")
        .replacing("\(peer.flow.remote);", with: "host:5060;")
        .replacing(old, with: new.replacing("#", with: "\(index + 1)"))
      return hasCookie ? text : text.replacing("z9hG4bKsame", with: "same")
    }
  }

  @Test(
    "server transactions are found at once, whatever part of their requests is the same (RFC 3261 §17.2.3)",
    arguments: [
      Variation(old: "host:5060", new: "host:#"), Variation(old: "host:5060", new: "host#:5060"),
      Variation(old: "ID: call", new: "ID: call#"), Variation(old: "alice-tag", new: "tag#"),
      Variation(old: "CSeq: 1", new: "CSeq: #"), Variation(old: "same", new: "other#"),
      Variation(old: "bob@192", new: "bob#@192", hasCookie: false),
      Variation(old: "host:5060", new: "host:#", hasCookie: false),
      Variation(old: "ID: call", new: "ID: call#", hasCookie: false),
      Variation(old: "alice-tag", new: "tag#", hasCookie: false),
      Variation(old: "CSeq: 1", new: "CSeq: #", hasCookie: false),
      Variation(old: "To: <sip:bob@example.test>", new: "To: <sip:bob@example.test>;tag=#", hasCookie: false),
    ])
  func transactions(_ variation: Variation) {
    let node = TestNode()
    node.isLocationSilent = true
    let alice = node.peer("alice", .tcp)
    let requests = (0..<300).map { variation.request($0, node, alice) }
    for request in requests { node.send(request, from: alice) }
    #expect(node.core.holdings.serverTransactions == 300)
    #expect(node.core.transactions.longestProbe < 60)
    _ = node.received(by: alice)
    // CANCEL and ACK of each are found all the same.
    for request in requests {
      let method = { (name: String) in
        request.replacing("INVITE sip", with: "\(name) sip").replacing(" INVITE", with: " \(name)")
      }
      node.send(method("CANCEL"), from: alice)
      let answers = node.received(by: alice)
      #expect(answers.map(TestNode.start) == ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"])
      let to = TestNode.header("To", TestNode.wire(request))
      let ack = method("ACK").replacing("To: \(to)", with: "To: \(TestNode.header("To", answers.last ?? ""))")
      node.send(ack, from: alice)
    }
    #expect(node.core.holdings.serverTransactions == 0)
    node.expectNothingLeft()
  }

  @Test("one flow may use as many nonces as there are places, and hang up (RFC 7616 §3.3)", .timeLimit(.minutes(2)))
  func nonces() {
    let count = 65_536
    var table = NonceTable(capacity: count, lifetime: 300, now: 0)
    let flow = LocationSamples.stream(1).id
    var refused = 0
    for index in 0..<count {
      let issuer = NonceIssuer(node: 7, slot: 0, generation: 1)
      let nonce = Nonce(issued: 0, word: UInt64(index), issuer: issuer, flowCheck: 0)
      if table.use(nonce, flow: flow, count: 1, isSole: true, mayClaim: true, now: 0) != .first { refused += 1 }
    }
    #expect(refused == 0)
    #expect(table.count == count)
    table.flowClosed(flow)
    table.removeExpired(100)
    #expect(table.count == 0)
  }

  @Test("of a client that comes from ever new ports only the last binding is known, and none when it leaves")
  func movingClient() {
    let node = TestNode { $0.keepAlive = KeepAliveSettings(interval: .seconds(30)) }
    let ports = (0..<20).map { _ in node.peer("bob", .udp) }
    for peer in ports {
      node.register("bob", peer, contact: "sip:bob@192.168.0.9")
      #expect(node.core.owned.count == 1)
    }
    let record = Array("bob@example.test".utf8)
    for peer in ports.dropLast() {
      let known = node.core.owned.identity(over: peer.flow.id, aor: record.span)
      #expect(known == .none)
      #expect(node.core.owned.onlyRecord(over: peer.flow.id) == nil)
    }
    let last = node.peer("bob", .udp)
    node.register("bob", last, contact: "sip:bob@192.168.0.9", expires: 0)
    #expect(node.core.owned.count == 0)
    node.advance(.seconds(100))
    #expect(node.core.statistics.keepAlivesSent == 0)
  }

  @Test("a binding that moved to another connection is not given up with its old connection")
  func movedAway() {
    let node = TestNode()
    let (old, new, other) = (node.peer("bob"), node.peer("bob"), node.peer("bob"))
    node.register("bob", old, contact: "sip:bob@192.168.0.9", "")
    node.register("bob", other, contact: "sip:bob@192.168.0.10")
    node.register("bob", new, contact: "sip:bob@192.168.0.9")
    #expect(node.core.owned.count == 2)
    node.close(old)
    #expect(node.location.bindingCount == 2)
    node.close(other)
    node.close(new)
    #expect(node.core.owned.count == 0)
    #expect(node.location.bindingCount == 0)
  }

  @Test("no more bindings are known than the limit says")
  func bindingLimit() {
    let node = TestNode { $0.maxBindings = 3 }
    for index in 0..<5 { node.register("u\(index)", node.peer("p\(index)", .udp)) }
    #expect(node.core.owned.count == 3)
  }

  @Test("ACKs that wait for a silent location service are limited")
  func waitingAcks() {
    let node = TestNode()
    let alice = node.peer("alice")
    node.isLocationSilent = true
    for index in 0..<5_000 {
      node.send(node.request("ACK", from: alice, callID: "\(index)", tag: "callee"), from: alice)
    }
    #expect(node.core.holdings.queries == ServerCore.maxWaitingAcks)
    #expect(node.core.holdings.messages == ServerCore.maxWaitingAcks)
    node.expectNothingLeft()
    #expect(node.core.waitingAcks == 0)
  }

  @Test("a connection that closes while its registrations are under way takes them along, and no others")
  func registrationsUnderWay() {
    let node = TestNode()
    let peers = (0..<3).map { node.peer("p\($0)") }
    for (index, peer) in peers.enumerated() {
      for user in ["a", "b"] {
        let request = node.request(
          "REGISTER", "sip:example.test", from: peer, user: "\(user)\(index)", callID: "r\(index)")
        node.send(
          request.replacing("To: <sip:bob@", with: "To: <sip:\(user)\(index)@")
            .replacing("CSeq", with: "Contact: <sip:\(user)\(index)@\(peer.flow.remote)>\nCSeq"), from: peer)
      }
    }
    #expect(node.core.registering.count == 3)
    node.close(peers[1])
    #expect(node.core.registering.count == 2)
    node.settle()
    #expect(node.core.registering.isEmpty)
    #expect(node.core.owned.count == 4)
    #expect(node.location.bindingCount == 4)
    node.expectNothingLeft()
  }
}

import SIPServer
import Structures
import Testing

@Suite("Keep-alives towards UDP clients")
struct KeepAliveTests {
  private static func node(_ change: (inout KeepAliveSettings) -> Void = { _ in }) -> TestNode {
    var keepAlive = KeepAliveSettings(interval: .seconds(30))
    change(&keepAlive)
    return TestNode { $0.keepAlive = keepAlive }
  }

  /// Registers a client that a NAT hides: its Via and its contact name an address that nobody outside reaches.
  private static func register(
    _ user: String, _ peer: TestNode.Peer, _ node: TestNode, sequence: Int = 1, expires: Int = 3_600
  ) {
    node.send(
      """
      REGISTER sip:example.test SIP/2.0
      Via: SIP/2.0/UDP 192.168.0.9:5060;branch=z9hG4bKreg-\(peer.name)-\(user)-\(sequence);rport
      Max-Forwards: 70
      From: <sip:\(user)@example.test>;tag=r
      To: <sip:\(user)@example.test>
      Call-ID: register-\(user)
      CSeq: \(sequence) REGISTER
      Contact: <sip:\(user)@192.168.0.9:5060>
      Expires: \(expires)

      """, from: peer)
    node.advance(.milliseconds(30))
    #expect(node.received(by: peer).map(TestNode.start).contains("SIP/2.0 200 OK"))
  }

  /// The next that comes to a client, before it is sent again.
  private static func next(_ peer: TestNode.Peer, _ node: TestNode) -> String {
    for _ in 0..<320 {
      node.advance(.milliseconds(100))
      if let first = node.received(by: peer).first { return first }
    }
    Issue.record("nothing came to \(peer.name)")
    return ""
  }

  private static func contacts(_ user: String, _ node: TestNode) -> Int {
    let key = Array("\(user)@example.test".utf8)
    return node.location.lookup(aor: key.span, now: node.core.unixSeconds)?.count ?? 0
  }

  @Test("while another process keeps clients within reach this one doesn't, and then does again")
  func handedOver() {
    let node = Self.node()
    let (bob, carol) = (node.peer("bob", .udp), node.peer("carol", .udp))
    Self.register("bob", bob, node)
    node.core.stopKeepingAlive(at: node.now)
    node.advance(.seconds(65))
    #expect(node.received(by: bob).isEmpty)
    node.core.keepAliveAgain()
    Self.register("carol", carol, node)
    #expect(Self.next(bob, node).hasPrefix("OPTIONS sip:bob@"))
  }

  @Test("a client behind a NAT gets an OPTIONS of its own in every interval, over its flow")
  func options() {
    let node = Self.node()
    let bob = node.peer("bob", .udp)
    Self.register("bob", bob, node)
    var calls: Set<String> = []
    var times: [Instant] = []
    for _ in 0..<5 {
      let request = Self.next(bob, node)
      times.append(node.now)
      #expect(TestNode.start(request) == "OPTIONS sip:bob@192.168.0.9:5060 SIP/2.0")
      #expect(TestNode.header("Via", request).hasPrefix("SIP/2.0/UDP node1.example.test:5060;branch=z9hG4bK"))
      #expect(TestNode.header("From", request).hasPrefix("<sip:example.test>;tag="))
      #expect(TestNode.header("To", request) == "<sip:bob@192.168.0.9:5060>")
      #expect(TestNode.header("CSeq", request) == "1 OPTIONS")
      #expect(TestNode.header("Content-Length", request) == "0")
      calls.insert(TestNode.header("Call-ID", request))
      node.send(TestNode.response("200 OK", to: request), from: bob)
      #expect(node.received(by: bob).isEmpty)
    }
    #expect(calls.count == 5)
    for (earlier, later) in zip(times, times.dropFirst()) {
      #expect(later - earlier >= .milliseconds(29_900) && later - earlier <= .milliseconds(30_100))
    }
    #expect(node.core.statistics.keepAlivesSent == 5)
    #expect(node.core.statistics.malformed == 0)
  }

  @Test("clients that registered at once are kept alive spread over the interval")
  func spread() {
    let node = Self.node()
    let peers = (0..<300).map { node.peer("p\($0)", .udp) }
    for (index, peer) in peers.enumerated() { Self.register("u\(index)", peer, node) }
    var counts: [FlowID: Int] = [:]
    var most = 0
    for second in 0..<70 {
      node.advance(.seconds(1))
      var inSecond = 0
      for peer in peers {
        for request in node.received(by: peer) where request.hasPrefix("OPTIONS") {
          inSecond += 1
          if second >= 40 { counts[peer.flow.id, default: 0] += 1 }
          node.send(TestNode.response("200 OK", to: request), from: peer)
        }
      }
      if second >= 40 { most = max(most, inSecond) }
    }
    #expect(most < 60, "of 300 in 30 s \(most) came in one second")
    #expect(counts.count == 300)
  }

  @Test("one input sends a bounded number, and the rest at once in the next")
  func bounded() {
    let node = Self.node { $0.method = .lineBreaks }
    let peers = (0..<200).map { node.peer("p\($0)", .udp) }
    for (index, peer) in peers.enumerated() { Self.register("u\(index)", peer, node) }
    for peer in peers { _ = node.received(by: peer) }
    var actions = ServerActions()
    let late = node.now + .seconds(31)
    var sent: [Int] = []
    repeat {
      actions.removeAll()
      node.core.deadlineReached(at: late, actions: &actions)
      sent.append(actions.outbox.transmissions.count)
    } while (node.core.nextDeadline ?? .distantFuture) <= late
    #expect(sent.max() == 64)
    #expect(sent.reduce(0, +) == 200)
  }

  @Test("who is reached at the address it gave is left alone, unless all are wanted", arguments: [false, true])
  func notBehindNAT(all: Bool) {
    let node = Self.node { $0.includesAll = all }
    let (bob, carol) = (node.peer("bob", .udp), node.peer("carol", .tcp))
    node.register("bob", bob)
    node.register("carol", carol)
    node.advance(.seconds(31))
    #expect(node.received(by: bob).contains { $0.hasPrefix("OPTIONS") } == all)
    // A connection needs none.
    #expect(node.received(by: carol).isEmpty)
  }

  @Test("line breaks are sent where they are wanted")
  func lineBreaks() {
    let node = Self.node { $0.method = .lineBreaks }
    let bob = node.peer("bob", .udp)
    Self.register("bob", bob, node)
    for _ in 0..<3 {
      node.advance(.seconds(30))
      #expect(node.one(by: bob) == "\r\n\r\n")
    }
    #expect(node.core.holdings.clientTransactions == 0)
  }

  @Test("an interval of zero keeps nobody alive")
  func off() {
    let node = Self.node { $0.interval = .zero }
    let bob = node.peer("bob", .udp)
    Self.register("bob", bob, node)
    node.advance(.seconds(120))
    #expect(node.received(by: bob).isEmpty)
  }

  @Test(
    "a contact is removed after so many in a row without an answer, whatever the answers before", arguments: [0, 1, 3])
  func removal(after limit: Int) {
    let node = Self.node { $0.removeAfter = limit }
    let bob = node.peer("bob", .udp)
    Self.register("bob", bob, node)
    for status in ["404 Not Found", "501 Not Implemented", "408 Request Timeout"] {
      node.send(TestNode.response(status, to: Self.next(bob, node)), from: bob)
    }
    #expect(Self.contacts("bob", node) == 1)
    // The first comes in 30 s; that it has no answer shows when the next is due.
    node.advance(.seconds(29 + 30 * limit))
    if limit > 0 { #expect(Self.contacts("bob", node) == 1) }
    node.advance(.seconds(2))
    #expect(Self.contacts("bob", node) == (limit == 0 ? 1 : 0))
    #expect(node.core.statistics.contactsGivenUp == (limit == 0 ? 0 : 1))
    _ = node.received(by: bob)
    node.advance(.seconds(120))
    #expect(node.received(by: bob).isEmpty == (limit > 0))
  }

  @Test("a port that nobody is at counts like no answer")
  func refused() {
    let node = Self.node {
      $0.removeAfter = 2
      $0.method = .lineBreaks
    }
    let bob = node.peer("bob", .udp)
    Self.register("bob", bob, node)
    node.advance(.seconds(30))
    node.refuse(bob)
    #expect(Self.contacts("bob", node) == 1)
    // One that isn't refused shows that somebody is there again.
    node.advance(.seconds(60))
    node.refuse(bob)
    #expect(Self.contacts("bob", node) == 1)
    node.advance(.seconds(30))
    node.refuse(bob)
    #expect(Self.contacts("bob", node) == 0)
  }

  @Test("an OPTIONS that is refused counts once")
  func refusedOptions() {
    let node = Self.node { $0.removeAfter = 2 }
    let bob = node.peer("bob", .udp)
    Self.register("bob", bob, node)
    _ = Self.next(bob, node)
    node.refuse(bob)
    #expect(Self.contacts("bob", node) == 1)
    #expect(node.core.holdings.clientTransactions == 0)
    _ = Self.next(bob, node)
    node.refuse(bob)
    #expect(Self.contacts("bob", node) == 0)
  }

  @Test("who has come back from another address is neither looked for at the old one nor removed with it")
  func moved() {
    let node = Self.node { $0.removeAfter = 1 }
    let (old, new) = (node.peer("old", .udp), node.peer("new", .udp))
    Self.register("bob", old, node)
    _ = Self.next(old, node)
    Self.register("bob", new, node, sequence: 2)
    _ = node.received(by: old)
    var answered = 0
    for _ in 0..<100 {
      node.advance(.seconds(1))
      for request in node.received(by: new) where request.hasPrefix("OPTIONS") {
        node.send(TestNode.response("200 OK", to: request), from: new)
        answered += 1
      }
    }
    #expect(answered >= 3)
    // The last one to the old address was only sent again until it failed.
    #expect(Set(node.received(by: old).map { TestNode.header("Call-ID", $0) }).count <= 1)
    #expect(Self.contacts("bob", node) == 1)
  }

  @Test("a binding that has ended is kept alive no more")
  func ended() {
    let node = Self.node()
    let bob = node.peer("bob", .udp)
    Self.register("bob", bob, node, expires: 60)
    node.advance(.seconds(70))
    node.core.removeExpired()
    _ = node.received(by: bob)
    node.advance(.seconds(40))
    _ = node.received(by: bob)
    node.advance(.seconds(100))
    #expect(node.received(by: bob).isEmpty)
    #expect(node.core.holdings.clientTransactions == 0)
  }
}

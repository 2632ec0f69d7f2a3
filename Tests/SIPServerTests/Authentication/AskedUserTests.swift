@testable import SIPServer
import Structures
import Testing

@Suite("Users that are kept elsewhere")
struct AskedUserTests {
  private static func node(_ change: (inout ServerSettings) -> Void = { _ in }) -> TestNode {
    let node = TestNode(users: TestUsers(["alice": "secret", "bob": "hidden"])) {
      $0.authenticationRequired = true
      $0.nonceLifetime = .seconds(100_000)
      $0.domains = $0.domains.map { .init(name: $0.name, aliases: $0.aliases, realm: $0.realm, asksForUsers: true) }
      change(&$0)
    }
    return node
  }

  /// A MESSAGE with credentials over a flow; the first line of what is answered at last, or "goes on".
  private func attempt(
    _ node: TestNode, _ peer: TestNode.Peer, user: String = "alice", password: String = "secret"
  ) -> String {
    node.send(node.request("MESSAGE", from: peer, user: user), from: peer)
    let challenge = node.one(by: peer)
    let held = node.core.holdings.serverTransactions
    let request = node.request("MESSAGE", from: peer, user: user)
    node.send(AccessTests.proved(request, challenge, user: user, password: password), from: peer)
    node.settle()
    let answers = node.received(by: peer).map(TestNode.start)
    return answers.last ?? (node.core.holdings.serverTransactions > held ? "goes on" : "nothing")
  }

  @Test("a user is asked for once, then known for a minute")
  func once() {
    let node = Self.node()
    let alice = node.peer("alice")
    for _ in 0..<3 { #expect(attempt(node, alice) == "goes on") }
    #expect(node.asked.users == 1)
    node.advance(.seconds(61))
    _ = node.received(by: alice)
    #expect(attempt(node, alice) == "goes on")
    #expect(node.asked.users == 2)
  }

  @Test("an unknown user and a wrong password are told the same, and cost the same questions")
  func refused() {
    let node = Self.node()
    let peer = node.peer("peer")
    #expect(attempt(node, peer) == "goes on")
    node.advance(.seconds(5))
    var questions: [[Int]] = []
    for user in ["alice", "nobody"] {
      var asked: [Int] = []
      for pause in [0, 1, 5, 70] {
        node.advance(.seconds(pause))
        _ = node.received(by: peer)
        let before = node.asked.users
        #expect(attempt(node, peer, user: user, password: "wrong") == "SIP/2.0 407 Proxy Authentication Required")
        asked.append(node.asked.users - before)
      }
      questions.append(asked)
    }
    #expect(questions == [[1, 0, 1, 1], [1, 0, 1, 1]])
  }

  @Test("a new password counts at once, though the old one is remembered")
  func changedPassword() {
    let node = Self.node()
    let alice = node.peer("alice")
    #expect(attempt(node, alice) == "goes on")
    node.users.add("alice", domain: "example.test", realm: "example.test", "changed")
    node.advance(.seconds(5))
    _ = node.received(by: alice)
    #expect(attempt(node, alice, password: "changed") == "goes on")
    #expect(attempt(node, alice) == "SIP/2.0 407 Proxy Authentication Required")
  }

  @Test("a user who was added is known seconds later")
  func addedUser() {
    let node = Self.node()
    let carol = node.peer("carol")
    #expect(attempt(node, carol, user: "carol", password: "new") == "SIP/2.0 407 Proxy Authentication Required")
    node.users.add("carol", domain: "example.test", realm: "example.test", "new")
    node.advance(.seconds(UserCache.doubt + 1))
    #expect(attempt(node, carol, user: "carol", password: "new") == "goes on")
  }

  @Test("while nobody can be asked, users that were known within an hour go on, and others are told to come back")
  func away() {
    let node = Self.node()
    let (alice, bob) = (node.peer("alice"), node.peer("bob"))
    #expect(attempt(node, alice) == "goes on")
    node.isKeeperAway = true
    node.advance(.seconds(1_800))
    _ = node.received(by: alice)
    #expect(attempt(node, alice) == "goes on")
    #expect(attempt(node, bob, user: "bob", password: "hidden") == "SIP/2.0 500 Users Unavailable")
    // Nobody asks again in the same second.
    let asked = node.asked.users
    #expect(attempt(node, bob, user: "bob", password: "hidden") == "SIP/2.0 500 Users Unavailable")
    #expect(node.asked.users == asked)
    node.advance(.seconds(1_801))
    _ = node.received(by: alice)
    #expect(attempt(node, alice) == "SIP/2.0 500 Users Unavailable")
    node.isKeeperAway = false
    node.advance(.seconds(2))
    #expect(attempt(node, bob, user: "bob", password: "hidden") == "goes on")
  }

  @Test("nobody is asked for whoever has no nonce of ours")
  func withoutNonce() {
    let node = Self.node()
    let peer = node.peer("peer")
    let challenge = "SIP/2.0 407 P\r\nProxy-Authenticate: Digest realm=\"example.test\", nonce=\"made-up\"\r\n\r\n"
    for index in 0..<50 {
      node.send(
        AccessTests.proved(node.request("MESSAGE", from: peer, user: "u\(index)"), challenge, user: "u\(index)"),
        from: peer)
    }
    #expect(node.asked.users == 0)
    #expect(node.received(by: peer).count == 50)
    node.expectNothingLeft()
  }

  @Test("a call to a user who isn't registered gets 480, one to a user who doesn't exist 404; when nobody can say, 480")
  func existence() {
    let node = Self.node { $0.authenticationRequired = false }
    let peer = node.peer("peer")
    func status(_ user: String) -> String {
      node.send(node.request("INVITE", "sip:\(user)@example.test", from: peer), from: peer)
      node.settle()
      node.settle()
      return TestNode.start(node.received(by: peer).last ?? "")
    }
    #expect(status("bob") == "SIP/2.0 480 Temporarily Unavailable")
    #expect(status("nobody") == "SIP/2.0 404 Not Found")
    #expect(node.asked.users == 2)
    node.isKeeperAway = true
    #expect(status("somebody") == "SIP/2.0 480 Temporarily Unavailable")
    node.expectNothingLeft()
  }

  @Test("a CANCEL while it is asked whether the called user exists ends the call with 487")
  func cancelled() {
    let node = Self.node { $0.authenticationRequired = false }
    let peer = node.peer("peer")
    let request = node.request("INVITE", "sip:bob@example.test", from: peer)
    node.send(request, from: peer)
    node.isKeeperAway = true
    while node.asked.users == 0 { node.advance(.milliseconds(1)) }
    node.send(request.replacing("INVITE", with: "CANCEL"), from: peer)
    #expect(node.received(by: peer).map(TestNode.start).last == "SIP/2.0 487 Request Terminated")
    node.settle()
    #expect(node.received(by: peer).isEmpty)
    node.expectNothingLeft()
  }

  @Test("the cache holds so many users at most and answers for those that it holds")
  func capacity() {
    let cache = UserCache(offers: TestUsers(), capacity: 10, now: 0)
    var record = UserRecord()
    record[.md5] = [UInt8](repeating: 1, count: 16)
    record[.sha512_256] = [UInt8](repeating: 2, count: 32)
    record[.sha256] = [UInt8](repeating: 3, count: 31)
    #expect(record[.sha256] == nil)
    let domain = Array("d".utf8)
    for index in 0..<100 {
      let key = Array("u\(index)@d".utf8)
      cache.take(index % 3 == 0 ? .none : .found(record), key: key.span, now: Int64(index / 10))
      cache.removeExpired(Int64(index / 10))
      #expect(cache.count <= 10)
    }
    let user = Array("u98".utf8)
    var text: [UInt8] = []
    #expect(cache.readiness(domain: domain.span, user: user.span, now: 10) == .ready)
    #expect(cache.appendHA1(domain: domain.span, user: user.span, algorithm: .sha512_256, to: &text))
    #expect(String(decoding: text, as: UTF8.self) == String(repeating: "02", count: 32))
    #expect(!cache.appendHA1(domain: domain.span, user: user.span, algorithm: .sha256, to: &text))
    cache.removeExpired(10_000)
    #expect(cache.count == 0)
    #expect(cache.readiness(domain: domain.span, user: user.span, now: 10_000) == .unknown)
  }
}

@testable import SIPServer
import Simulation
import Structures
import Testing

@Suite("Nonces across workers, RFC 7616 §3.3, §5.5")
struct ClaimTests {
  /// Two workers of a node with the same claims.
  private struct Workers {
    let first = TestNode(users: Self.users) { $0.authenticationRequired = true }
    let second = TestNode(slot: 1, users: Self.users, hashing: TestHashing(seed: 2)) {
      $0.authenticationRequired = true
    }

    private static var users: TestUsers { TestUsers(["alice": "secret", "bob": "hidden"]) }

    init() {
      second.claims = first.claims
      for node in [first, second] {
        let bob = node.peer("bob")
        node.register("bob", bob, password: "hidden")
      }
    }

    /// The challenge that a peer gets.
    func challenge(_ node: TestNode, _ peer: TestNode.Peer) -> String {
      node.send(node.request("MESSAGE", from: peer), from: peer)
      let challenge = node.one(by: peer)
      #expect(TestNode.start(challenge).contains("407") && !challenge.contains("stale"))
      return challenge
    }

    /// Sends a request with a challenge's nonce and a count, and lets everything be answered.
    func use(_ challenge: String, _ count: Int = 1, _ node: TestNode, _ peer: TestNode.Peer) -> Outcome {
      send(challenge, count, node, peer)
      node.settle()
      node.settle()
      return outcome(node, peer)
    }

    func send(_ challenge: String, _ count: Int = 1, _ node: TestNode, _ peer: TestNode.Peer) {
      let request = AccessTests.proved(
        node.request("MESSAGE", from: peer, callID: "use-\(count)-\(peer.name)"), challenge, count: count)
      node.send(request, from: peer)
    }

    /// What a peer was told since it was last asked, and whether its request went on.
    func outcome(_ node: TestNode, _ peer: TestNode.Peer) -> Outcome {
      let answers = node.received(by: peer)
      if answers.isEmpty { return node.core.holdings.serverTransactions > 0 ? .accepted : .nothing }
      #expect(answers.count == 1)
      return answers[0].contains("stale=true") ? .stale : .other
    }
  }

  private enum Outcome { case accepted, stale, other, nothing }

  @Test("first used over the flow that it was given to, a nonce is good at once, and the others are told")
  func noted() {
    let workers = Workers()
    let node = workers.first
    let alice = node.peer("alice")
    let notes = node.asked.notes
    let challenge = workers.challenge(node, alice)
    workers.send(challenge, 1, node, alice)
    workers.send(challenge, 2, node, alice)
    #expect(node.core.holdings.serverTransactions == 2 && node.core.holdings.queries == 2)
    #expect(node.asked.notes == notes + 1 && node.asked.claims == 0)
  }

  @Test(
    "first used at another worker, a nonce is claimed once, then counted there; where it was given out it is worth nothing any more"
  )
  func claimed() {
    let workers = Workers()
    let (issuer, other) = (workers.first, workers.second)
    let (asker, user) = (issuer.peer("asker"), other.peer("alice"))
    let challenge = workers.challenge(issuer, asker)
    #expect(workers.use(challenge, 1, other, user) == .accepted)
    #expect(workers.use(challenge, 1, other, user) == .stale)
    #expect(workers.use(challenge, 2, other, user) == .accepted)
    #expect(other.asked.claims == 1)
    let replayer = issuer.peer("replayer")
    #expect(workers.use(challenge, 1, issuer, replayer) == .stale)
    #expect(workers.use(challenge, 3, issuer, replayer) == .stale)
    #expect(issuer.asked.claims == 1)
  }

  @Test("used where it was given out, a nonce is found out elsewhere, and not asked for a second time")
  func replayElsewhere() {
    let workers = Workers()
    let (issuer, other) = (workers.first, workers.second)
    let (alice, thief) = (issuer.peer("alice"), other.peer("thief"))
    let challenge = workers.challenge(issuer, alice)
    #expect(workers.use(challenge, 1, issuer, alice) == .accepted)
    for count in 1...3 { #expect(workers.use(challenge, count, other, thief) == .stale) }
    #expect(other.asked.claims == 1)
    #expect(workers.use(challenge, 2, issuer, alice) == .accepted)
  }

  @Test("two flows that alternate with one nonce through two workers get it accepted once for each count")
  func alternating() {
    for seed in 1...20 as ClosedRange<UInt64> {
      let workers = Workers()
      var random = SplitMix(seed: seed)
      let (issuer, other) = (workers.first, workers.second)
      let pairs = [(issuer, issuer.peer("one")), (other, other.peer("two")), (issuer, issuer.peer("three"))]
      let challenge = workers.challenge(issuer, issuer.peer("asker"))
      var accepted: [Int: Int] = [:]
      for _ in 0..<12 {
        let (node, peer) = pairs[Int(random.next() % 3)]
        let count = Int(random.next() % 4) + 1
        if workers.use(challenge, count, node, peer) == .accepted { accepted[count, default: 0] += 1 }
      }
      #expect(accepted.values.allSatisfy { $0 == 1 })
      #expect(issuer.asked.claims + other.asked.claims <= 2)
    }
  }

  @Test("while nobody can say who has a nonce, it is good at its issuer and stale elsewhere")
  func unavailable() {
    let workers = Workers()
    let (issuer, other) = (workers.first, workers.second)
    issuer.isKeeperAway = true
    other.isKeeperAway = true
    issuer.advance(.seconds(2))
    let challenge = workers.challenge(issuer, issuer.peer("asker"))
    let (moved, elsewhere) = (issuer.peer("moved"), other.peer("elsewhere"))
    #expect(workers.use(challenge, 1, other, elsewhere) == .stale)
    #expect(workers.use(challenge, 1, issuer, moved) == .accepted)
    #expect(workers.use(challenge, 1, issuer, moved) == .stale)
    // The next nonce is his own.
    let fresh = workers.challenge(other, elsewhere)
    #expect(workers.use(fresh, 1, other, elsewhere) == .accepted)
  }

  @Test("what comes behind a request that claims its nonce waits for the same answer")
  func followers() {
    let workers = Workers()
    let (issuer, other) = (workers.first, workers.second)
    let (alice, thief) = (other.peer("alice"), other.peer("thief"))
    let challenge = workers.challenge(issuer, issuer.peer("asker"))
    for count in 1...3 { workers.send(challenge, count, other, alice) }
    workers.send(challenge, 1, other, thief)
    #expect(workers.outcome(other, thief) == .stale)
    #expect(other.core.holdings.serverTransactions == 0)
    #expect(other.asked.claims == 1)
    other.settle()
    #expect(other.received(by: alice).isEmpty)
    #expect(other.core.holdings.serverTransactions == 3)
  }

  @Test("a claim that is never answered makes the nonce stale, and nothing is left")
  func silence() {
    let workers = Workers()
    let (issuer, other) = (workers.first, workers.second)
    let alice = other.peer("alice")
    let challenge = workers.challenge(issuer, issuer.peer("asker"))
    other.isLocationSilent = true
    workers.send(challenge, 1, other, alice)
    workers.send(challenge, 2, other, alice)
    other.advance(.milliseconds(4_900))
    #expect(other.received(by: alice).isEmpty)
    other.advance(.milliseconds(200))
    #expect(other.received(by: alice).filter { $0.contains("stale=true") }.count == 2)
    other.expectNothingLeft()
  }

  @Test("another process under the same name doesn't take a nonce for its own")
  func restart() {
    let workers = Workers()
    let alice = workers.first.peer("alice", .udp)
    let challenge = workers.challenge(workers.first, alice)
    let next = TestNode(users: TestUsers(["alice": "secret"]), hashing: TestHashing(seed: 3)) {
      $0.authenticationRequired = true
    }
    workers.send(challenge, 1, next, alice)
    #expect(next.asked.claims == 1 && next.asked.notes == 0)
  }

  @Test("a claim is known for longer than a nonce may wait for its first use")
  func lifetime() {
    let claims = InMemoryClaims()
    let name = Array("nonce".utf8)
    #expect(claims.claim(name.span, now: 1_000) == .granted)
    #expect(claims.claim(name.span, now: 1_000 + 2 * NonceTable.firstUse) == .taken)
    #expect(ServerActions.claimLifetime.components.seconds >= 2 * NonceTable.firstUse)
    claims.removeExpired(1_000 + ServerActions.claimLifetime.components.seconds)
    #expect(claims.count == 0)
  }
}

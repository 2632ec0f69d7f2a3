import SIPServer
import Structures
import Testing

@Suite("Nonces, RFC 7616 §3.3, §5.5")
struct NonceTests {
  /// The verdict on a nonce used with a count.
  private func use(_ bench: AuthenticationBench, _ nonce: String, _ count: Int) -> Authenticator.Verdict {
    var client = DigestClient()
    let digits = String(count, radix: 16)
    client.nonceCount = String(repeating: "0", count: 8 - digits.count) + digits
    return bench.check(client, nonce)
  }

  @Test("over a stream the count must rise, with gaps if need be")
  func stream() {
    let bench = AuthenticationBench()
    let nonce = bench.nonce()
    let verdicts = [1, 2, 2, 1, 5, 4, 6].map { use(bench, nonce, $0) }
    #expect(verdicts == [.accepted, .accepted, .stale, .stale, .accepted, .stale, .accepted])
  }

  @Test("over datagrams the count may come out of order, each once, within the last 64")
  func datagram() {
    let bench = AuthenticationBench()
    bench.flow = LocationSamples.datagram().id
    let nonce = bench.nonce()
    let verdicts = [3, 1, 2, 2, 3, 66, 3, 4, 2, 1_000, 1_000, 937, 936].map { use(bench, nonce, $0) }
    #expect(
      verdicts == [
        .accepted, .accepted, .accepted, .stale, .stale, .accepted, .stale, .accepted, .stale, .accepted, .stale,
        .accepted, .stale,
      ])
  }

  @Test("belongs to the first flow that uses it, until that is gone")
  func binding() {
    let bench = AuthenticationBench()
    let nonce = bench.nonce()
    #expect(use(bench, nonce, 1) == .accepted)
    bench.flow = LocationSamples.stream(2).id
    #expect(use(bench, nonce, 2) == .stale)
    bench.authenticator.flowClosed(LocationSamples.stream(3).id)
    #expect(use(bench, nonce, 2) == .stale)
    bench.authenticator.flowClosed(LocationSamples.stream(1).id)
    #expect(use(bench, nonce, 1) == .stale)
    #expect(use(bench, nonce, 2) == .accepted)
    bench.flow = LocationSamples.stream(1).id
    #expect(use(bench, nonce, 3) == .stale)
  }

  @Test("can't be used again by any flow once its flow is gone and it is no longer fresh")
  func replayAfterClose() {
    let bench = AuthenticationBench()
    let nonce = bench.nonce()
    #expect(use(bench, nonce, 1) == .accepted)
    bench.now += 31
    #expect(use(bench, nonce, 2) == .accepted)
    bench.authenticator.flowClosed(bench.flow)
    #expect(bench.authenticator.nonceCount == 0)
    for count in 1...4 { #expect(use(bench, nonce, count) == .stale) }
    bench.flow = LocationSamples.stream(2).id
    for count in 1...4 { #expect(use(bench, nonce, count) == .stale) }
  }

  @Test("has to be used soon after its issue, then lives its time and no longer")
  func age() {
    let bench = AuthenticationBench(lifetime: 300)
    let (used, late, edge) = (bench.nonce(), bench.nonce(), bench.nonce())
    #expect(use(bench, used, 1) == .accepted)
    bench.now = 10_030
    #expect(use(bench, edge, 1) == .accepted)
    bench.now = 10_031
    #expect(use(bench, late, 1) == .stale)
    bench.now = 10_300
    #expect(use(bench, used, 2) == .accepted)
    bench.now = 10_301
    #expect(use(bench, used, 3) == .stale)
    // A clock that was set back doesn't make it young again for longer than its lifetime.
    bench.now = 9_699
    #expect(use(bench, used, 4) == .stale)
  }

  @Test("is ours and of this realm, or nothing")
  func forgery() {
    let bench = AuthenticationBench()
    let nonce = bench.nonce()
    for index in nonce.indices {
      let other: Character = nonce[index] == "A" ? "B" : "A"
      let altered = nonce.replacingCharacter(at: index, with: other)
      #expect(use(bench, altered, 1) == .stale)
    }
    #expect(use(bench, nonce + "A", 1) == .stale && use(bench, String(nonce.dropLast(4)), 1) == .stale)
    bench.realm = "other.test"
    let foreign = bench.nonce()
    bench.realm = "example.test"
    #expect(use(bench, foreign, 1) == .stale)
    #expect(bench.authenticator.nonceCount == 0)
    #expect(use(bench, nonce, 1) == .accepted)
  }

  @Test("is forgotten with its flow or its time, so that nothing is left behind")
  func forgetting() {
    let bench = AuthenticationBench(lifetime: 300)
    for connection in 0..<100 as Range<UInt64> {
      bench.flow = LocationSamples.stream(connection).id
      #expect(use(bench, bench.nonce(), 1) == .accepted)
      #expect(use(bench, bench.nonce(), 1) == .accepted)
    }
    #expect(bench.authenticator.nonceCount == 200)
    for connection in 0..<50 as Range<UInt64> { bench.authenticator.flowClosed(LocationSamples.stream(connection).id) }
    bench.authenticator.removeExpired(10_032)
    #expect(bench.authenticator.nonceCount == 100)
    for connection in 50..<60 as Range<UInt64> { bench.authenticator.flowClosed(LocationSamples.stream(connection).id) }
    #expect(bench.authenticator.nonceCount == 80)
    bench.authenticator.removeExpired(10_302)
    #expect(bench.authenticator.nonceCount == 0)
  }

  @Test("a full table forgets the oldest, which can't be used again, and goes on taking new ones")
  func capacity() {
    let bench = AuthenticationBench(capacity: 10)
    var nonces: [String] = []
    for _ in 0..<25 {
      bench.now += 1
      nonces.append(bench.nonce())
      #expect(use(bench, nonces.last ?? "", 1) == .accepted)
      #expect(bench.authenticator.nonceCount <= 10)
    }
    for nonce in nonces.prefix(15) { #expect(use(bench, nonce, 2) == .stale) }
    for nonce in nonces.suffix(10) { #expect(use(bench, nonce, 2) == .accepted) }
  }
}

extension String {
  fileprivate func replacingCharacter(at index: Index, with character: Character) -> String {
    var copy = self
    copy.replaceSubrange(index...index, with: [character])
    return copy
  }
}

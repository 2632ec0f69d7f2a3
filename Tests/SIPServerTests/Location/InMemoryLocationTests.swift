import SIPServer
import Structures
import Testing

private typealias Samples = LocationSamples

@Suite("The location in memory")
struct InMemoryLocationTests {
  private let alice = Array("alice@example.test".utf8)

  @Test("sorts by preference, then by the latest writing, then by the order of the request")
  func order() {
    var location = InMemoryLocation(now: 1_000)
    _ = location.update(
      Samples.update(
        .change([
          Samples.contact("sip:1@x", q: 500), Samples.contact("sip:2@x"), Samples.contact("sip:3@x", q: 1_000),
          Samples.contact("sip:4@x", q: 0),
        ])))
    _ = location.update(Samples.update(.change([Samples.contact("sip:5@x")]), callID: "b", now: 1_001))
    _ = location.update(Samples.update(.change([Samples.contact("sip:6@x")]), callID: "c", now: 1_001))
    let expected = ["sip:6@x", "sip:5@x", "sip:2@x", "sip:3@x", "sip:1@x", "sip:4@x"]
    #expect(Samples.uris(location.lookup(aor: alice.span, now: 1_002)) == expected)
    _ = location.update(Samples.update(.change([Samples.contact("sip:3@x")]), cseq: 2, now: 1_003))
    #expect(Samples.uris(location.lookup(aor: alice.span, now: 1_003))?.first == "sip:3@x")
  }

  @Test("hands out the stored set itself until something changes")
  func sameReference() {
    var location = InMemoryLocation(now: 1_000)
    _ = location.update(Samples.update(.change([Samples.contact("sip:1@x")])))
    let first = location.lookup(aor: alice.span, now: 1_001)
    let second = location.lookup(aor: alice.span, now: 1_500)
    #expect(first != nil && first === second)
    _ = location.update(Samples.update(.change([Samples.contact("sip:2@x")]), callID: "b"))
    #expect(location.lookup(aor: alice.span, now: 1_500) !== first)
    #expect(first?.count == 1)
  }

  @Test("doesn't have a binding from the second on in which it ends")
  func expiry() {
    var location = InMemoryLocation(now: 1_000)
    _ = location.update(Samples.update(.change([Samples.contact("sip:1@x", 60), Samples.contact("sip:2@x", 90)])))
    #expect(location.lookup(aor: alice.span, now: 1_059)?.count == 2)
    #expect(Samples.uris(location.lookup(aor: alice.span, now: 1_060)) == ["sip:2@x"])
    #expect(location.bindingCount == 1)
    #expect(location.lookup(aor: alice.span, now: 1_090) == nil)
    #expect(location.count == 0 && location.bindingCount == 0)
  }

  @Test("removes what has ended a limited number at a time, without being asked for it")
  func removal() {
    var location = InMemoryLocation(now: 1_000)
    for user in 0..<50 {
      let duration: Int64 = user < 30 ? 60 : 4_000
      let contacts = [Samples.contact("sip:1@x", duration), Samples.contact("sip:2@x", 8_000)]
      _ = location.update(Samples.update(.change(contacts), aor: "user\(user)@example.test"))
    }
    #expect(location.count == 50 && location.bindingCount == 100)
    #expect(location.nextExpiry.map { $0 <= 1_061 } == true)
    #expect(location.removeExpired(1_059) == 0)
    #expect(location.removeExpired(1_061, limit: 20) == 20)
    #expect(location.removeExpired(1_061, limit: 20) == 10)
    #expect(location.removeExpired(1_061, limit: 20) == 0)
    #expect(location.count == 50 && location.bindingCount == 70)
    #expect(location.removeExpired(5_001) == 20)
    #expect(location.removeExpired(9_001) == 50)
    #expect(location.count == 0 && location.bindingCount == 0 && location.nextExpiry == nil)
  }

  @Test("removes the bindings of a flow only while they still are of that flow")
  func compareAndDelete() {
    var location = InMemoryLocation(now: 1_000)
    _ = location.update(Samples.update(.change([Samples.contact("sip:1@x")]), flow: 1))
    _ = location.update(Samples.update(.change([Samples.contact("sip:2@x")]), callID: "b", flow: 2))
    // The client of the first flow is back over a third one before the end of the first is noticed.
    _ = location.update(Samples.update(.change([Samples.contact("sip:1@x")]), cseq: 2, flow: 3))
    #expect(location.remove(aor: alice.span, flow: Samples.stream(1).id) == 0)
    #expect(location.bindingCount == 2)
    #expect(location.remove(aor: alice.span, flow: Samples.stream(3).id) == 1)
    #expect(Samples.uris(location.lookup(aor: alice.span, now: 1_001)) == ["sip:2@x"])
    #expect(location.remove(aor: alice.span, flow: Samples.stream(3).id) == 0)
    #expect(location.remove(aor: alice.span, flow: Samples.stream(2).id) == 1)
    #expect(location.remove(aor: alice.span, flow: Samples.stream(2).id) == 0)
    #expect(location.count == 0 && location.lookup(aor: alice.span, now: 1_001) == nil)
  }

  @Test("keeps addresses of record apart, whatever octets they have")
  func manyAddresses() {
    var location = InMemoryLocation(now: 1_000)
    let random = TestHashing(seed: 42)
    var expected: [String: Int] = [:]
    let names = (0..<200).map { "user\($0)\u{0}@example.test" } + ["user@example.test", "user@example.com"]
    for step in 0..<2_000 {
      let name = names[Int(random.randomWord() % UInt64(names.count))]
      if random.randomWord() % 3 == 0 {
        _ = location.update(Samples.update(.removeAll, callID: "r\(step)", aor: name))
        expected[name] = nil
      } else {
        let contact = Samples.contact("sip:\(random.randomWord() % 4)@x")
        let outcome = location.update(Samples.update(.change([contact]), callID: "c\(step)", aor: name))
        expected[name] = outcome.summary.count
      }
    }
    for name in names {
      #expect(location.lookup(aor: Array(name.utf8).span, now: 1_000)?.count == expected[name])
    }
    #expect(location.count == expected.count)
    #expect(location.bindingCount == expected.values.reduce(0, +))
  }
}

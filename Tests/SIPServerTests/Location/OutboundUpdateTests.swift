import Structures
import Testing

@testable import SIPServer

private typealias Samples = LocationSamples

@Suite("Updates of flows' bindings, RFC 5626 §6, RFC 5627 §5.1")
struct OutboundUpdateTests {
  /// A contact as a model knows it: by instance and reg-id, else by its URI.
  private struct Key: Hashable {
    let instance: [UInt8]?
    let regID: UInt32?
    let uri: [UInt8]

    init(_ instance: [UInt8]?, _ regID: UInt32?, _ uri: [UInt8]) {
      (self.instance, self.regID, self.uri) = regID == nil ? (nil, nil, uri) : (instance, regID, [])
    }
  }

  private static func contact(_ random: TestHashing) -> RegistrationUpdate.ContactChange {
    let word = random.randomWord()
    var contact = Samples.contact("sip:\(word % 3)@x", word >> 8 % 3 == 0 ? 0 : 60)
    let instance = word >> 16 % 3
    contact.instance = instance == 0 ? nil : Array("urn:\(instance)".utf8)
    let regID = word >> 24 % 3
    contact.regID = instance == 0 || regID == 0 ? nil : UInt32(regID)
    return contact
  }

  @Test(
    "whatever order they come in, each key has one binding, and the bindings of an instance share an era that no other has"
  )
  func model() {
    for seed in 1...200 as ClosedRange<UInt64> {
      let random = TestHashing(seed: seed)
      var location = InMemoryLocation(now: 1_000)
      var model: [Key: UInt64] = [:]
      var cseq: UInt32 = 0
      for step in 0..<60 as Range<UInt64> {
        cseq += 1
        let flow = random.randomWord() % 3 + 1
        if random.randomWord() % 10 == 0 {
          location.remove(aor: Array("alice@example.test".utf8).span, flow: Samples.stream(flow).id)
          model = model.filter { $0.value != flow }
        } else {
          let contact = Self.contact(random)
          var update = Samples.update(
            .change([contact]), callID: "call\(random.randomWord() % 2)", cseq: cseq, flow: flow, limit: 100)
          update.gruuSeed = seed << 32 | step << 8
          _ = location.update(update)
          model[Key(contact.instance, contact.regID, contact.uri)] = contact.duration > 0 ? flow : nil
        }
        check(
          location.lookup(aor: Array("alice@example.test".utf8).span, now: 1_000), model, "seed \(seed), step \(step)")
      }
    }
  }

  private func check(_ set: BindingSet?, _ model: [Key: UInt64], _ place: String) {
    let bindings = set?.bindings ?? []
    let keys = bindings.map { Key($0.instance, $0.regID, $0.uri) }
    #expect(keys.count == model.count && Set(keys) == Set(model.keys), "\(place)")
    var eras: [[UInt8]: Set<UInt64>] = [:]
    for binding in bindings { if let name = binding.instance { eras[name, default: []].insert(binding.gruuEra) } }
    #expect(eras.values.allSatisfy { $0.count == 1 }, "\(place)")
    #expect(Set(eras.values).count == eras.count, "\(place)")
  }

  @Test("what lapses is bounded: for an address of record, and over all")
  func bounds() {
    let alice = Array("alice@example.test".utf8)
    for (maximum, kept) in [(1_000, 16), (20, 16), (10, 10)] {
      var location = InMemoryLocation(now: 1_000, maximum: maximum)
      for number in 0..<40 {
        var contact = Samples.contact("sip:\(number)@x")
        contact.instance = Array("urn:\(number)".utf8)
        let update = Samples.update(
          .change([contact]), callID: "c\(number)", flow: UInt64(number), now: 1_000 + Int64(number))
        _ = location.update(update)
        location.remove(aor: alice.span, flow: Samples.stream(UInt64(number)).id)
      }
      #expect(location.bindingCount == 0)
      let lapsed = location.lookup(aor: alice.span, now: 1_100)?.lapsed ?? []
      #expect(lapsed.map(\.callID) == (40 - kept..<40).reversed().map { Array("c\($0)".utf8) })
      #expect(location.removeExpired(9_000) == 0 && location.count == 0)
    }
  }
}

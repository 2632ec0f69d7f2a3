import SIPServer
import Structures
import Testing

private typealias Samples = LocationSamples

@Suite("Updates of bindings, RFC 3261 §10.3 steps 6 and 7")
struct RegistrationUpdateTests {
  private static let first = "sip:a@192.0.2.1"
  private static let second = "sip:b@192.0.2.2"

  /// Two bindings, written by Call-ID `a` with CSeq 5.
  private func twoBindings() -> InMemoryLocation {
    var location = InMemoryLocation(now: 1_000)
    let contacts = [Samples.contact(Self.first), Samples.contact(Self.second)]
    _ = location.update(Samples.update(.change(contacts), cseq: 5))
    return location
  }

  @Test(
    "refreshes, replaces and removes in the order of Call-ID and CSeq",
    arguments: [
      ("a", 6, 3_600, ["sip:a@192.0.2.1", "sip:b@192.0.2.2"]),
      ("a", 6, 0, ["sip:b@192.0.2.2"]),
      ("a", 5, 3_600, ["out of order"]),
      ("a", 5, 0, ["out of order"]),
      ("a", 4, 0, ["out of order"]),
      ("b", 1, 3_600, ["sip:a@192.0.2.1", "sip:b@192.0.2.2"]),
      ("b", 1, 0, ["sip:b@192.0.2.2"]),
    ])
  func order(callID: String, cseq: UInt32, duration: Int64, result: [String]) {
    var location = twoBindings()
    let contacts = [Samples.contact(Self.first, duration)]
    let outcome = location.update(Samples.update(.change(contacts), callID: callID, cseq: cseq))
    #expect(outcome.summary == result)
  }

  @Test(
    "removes all by the same order, or none",
    arguments: [("a", 6, [String]()), ("b", 1, []), ("a", 5, ["out of order"]), ("a", 1, ["out of order"])])
  func wildcard(callID: String, cseq: UInt32, result: [String]) {
    var location = twoBindings()
    let outcome = location.update(Samples.update(.removeAll, callID: callID, cseq: cseq))
    #expect(outcome.summary == result)
    #expect(location.count == (result.isEmpty ? 0 : 1))
  }

  @Test("keeps every binding when one of several clients' bindings forbids the wildcard")
  func wildcardAcrossClients() {
    var location = twoBindings()
    _ = location.update(Samples.update(.change([Samples.contact("sip:c@192.0.2.3")]), callID: "c", cseq: 9))
    #expect(location.update(Samples.update(.removeAll, callID: "c", cseq: 9)).summary == ["out of order"])
    #expect(location.bindingCount == 3)
    #expect(location.update(Samples.update(.removeAll, callID: "c", cseq: 10)).summary.isEmpty)
    #expect(location.bindingCount == 0)
  }

  @Test("changes nothing when any part of the request fails, wherever that stands")
  func atomicity() {
    var location = twoBindings()
    let before = Samples.uris(location.lookup(aor: Array("alice@example.test".utf8).span, now: 1_000))
    let new = Samples.contact("sip:new@192.0.2.9")
    let late = Samples.contact(Self.second, 0)
    for contacts in [[new, late], [late, new]] {
      #expect(location.update(Samples.update(.change(contacts), cseq: 5)).summary == ["out of order"])
      #expect(Samples.uris(location.lookup(aor: Array("alice@example.test".utf8).span, now: 1_000)) == before)
    }
  }

  @Test("takes contacts that one request gives twice in turn")
  func repeatedContact() {
    var location = twoBindings()
    let contacts = [Samples.contact("sip:n@x", 60), Samples.contact("sip:n@X", 120), Samples.contact("sip:n@x", 0)]
    #expect(location.update(Samples.update(.change(contacts), cseq: 6)).isChange == false)
    let back = [Samples.contact(Self.first, 0), Samples.contact(Self.first, 60)]
    #expect(location.update(Samples.update(.change(back), cseq: 7)).summary == [Self.first, Self.second])
  }

  @Test(
    "finds a binding by the rules of URI comparison",
    arguments: [
      ("sip:%61@Host.test;transport=TCP", "sip:a@host.test;Transport=tcp", 1),
      ("sip:a@host.test", "sip:a@host.test;newparam=5", 1),
      ("sip:a@host.test", "sip:a@host.test:5060", 2),
      ("sip:a@host.test", "SIPS:a@host.test", 1), ("sips:a@host.test", "sip:a@HOST.test", 1),
      ("sip:a@host.test;transport=tls", "sips:a@host.test", 2),
      ("sip:a@host.test;x=1;x=2", "sip:a@host.test;x=1;x=2", 1),
      ("mailto:a@host.test", "mailto:a@host.test", 1),
      ("tel:+1", "tel:+2", 2),
    ])
  func comparison(stored: String, sent: String, count: Int) {
    var location = InMemoryLocation(now: 1_000)
    _ = location.update(Samples.update(.change([Samples.contact(stored)])))
    let outcome = location.update(Samples.update(.change([Samples.contact(sent)]), cseq: 2))
    #expect(outcome.summary.count == count)
    #expect(outcome.summary.contains(sent))
  }

  @Test("counts contacts after the change, and lets a client over a lowered limit refresh and remove")
  func limit() {
    var location = twoBindings()
    let third = Samples.contact("sip:c@192.0.2.3")
    let swap = [third, Samples.contact(Self.first, 0)]
    #expect(location.update(Samples.update(.change([third]), cseq: 6, limit: 2)).summary == ["too many contacts"])
    #expect(location.update(Samples.update(.change(swap), cseq: 6, limit: 2)).summary.count == 2)
    let refresh = Samples.contact(Self.second)
    #expect(location.update(Samples.update(.change([refresh]), cseq: 7, limit: 1)).summary.count == 2)
    #expect(
      location.update(Samples.update(.change([Samples.contact(Self.second, 0)]), cseq: 8, limit: 0)).status == 200)
  }

  @Test("forgets the order of a binding that has ended or was removed")
  func orderEnds() {
    var location = twoBindings()
    _ = location.update(Samples.update(.removeAll, cseq: 6))
    let contact = Samples.contact(Self.first, 60)
    #expect(location.update(Samples.update(.change([contact]), cseq: 1)).summary == [Self.first])
    #expect(location.update(Samples.update(.change([contact]), cseq: 1, now: 1_060)).summary == [Self.first])
    #expect(location.update(Samples.update(.change([contact]), cseq: 1, now: 1_119)).summary == ["out of order"])
  }

  @Test("calls a change what leads requests elsewhere, and nothing else")
  func changed() {
    var location = twoBindings()
    let refresh = RegistrationUpdate.Operation.change([Samples.contact(Self.first, 60)])
    #expect(location.update(Samples.update(.fetch, cseq: 1)).isChange == false)
    #expect(location.update(Samples.update(refresh, callID: "z", cseq: 1, now: 1_010)).isChange == false)
    #expect(location.update(Samples.update(refresh, callID: "z", cseq: 2, flow: 2)).isChange == true)
    let preferred = RegistrationUpdate.Operation.change([Samples.contact(Self.first, 60, q: 1_000)])
    #expect(location.update(Samples.update(preferred, callID: "z", cseq: 3, flow: 2)).isChange == true)
    var routed = Samples.update(preferred, callID: "z", cseq: 4, flow: 2)
    routed.path = Array("<sip:edge;lr>".utf8)
    #expect(location.update(routed).isChange == true)
    #expect(location.update(Samples.update(.removeAll, callID: "y")).isChange == true)
    #expect(location.update(Samples.update(.removeAll, callID: "y")).isChange == false)
  }

  @Test("answers 500 for what RFC 3261 §10.3 step 7 says, and 403 beyond the limit")
  func statuses() {
    #expect(UpdateOutcome.done(.empty, changed: false).status == 200)
    #expect(UpdateOutcome.outOfOrder.status == 500)
    #expect(UpdateOutcome.unavailable.status == 500)
    #expect(UpdateOutcome.tooManyContacts.status == 403)
  }
}

import Structures
import Testing

@testable import SIPServer

@Suite("Records that go to the next process of a slot")
struct MovedRecordTests {
  private static func bindings() -> OwnedBindings {
    let owned = OwnedBindings(now: 1_000, hashing: TestHashing())
    // As a location service has it that keeps records itself.
    owned.isKept = true
    return owned
  }

  /// Registers a contact over a flow and returns the set.
  private func register(
    _ uri: String, over flow: UInt64, aor: String, _ owned: OwnedBindings, _ set: BindingSet = .empty
  )
    throws -> BindingSet
  {
    let update = LocationSamples.update(
      .change([LocationSamples.contact(uri)]), callID: uri, flow: flow, aor: aor)
    guard case .done(let next, _) = update.applied(to: set) else { throw Failure() }
    owned.note(update, next)
    return next
  }

  private struct Failure: Error {}

  private func moved(_ flow: UInt64, from old: OwnedBindings, to new: OwnedBindings) -> Int? {
    var octets: [UInt8] = []
    old.records(over: LocationSamples.stream(flow).id, pieces: 1 << 20) { octets += $0 }
    return new.takeRecords(octets.span)
  }

  @Test("come in pieces, and one that no packet could hold stays behind")
  func pieces() throws {
    let (old, new) = (Self.bindings(), Self.bindings())
    for number in 0..<50 { _ = try register("sip:a@192.0.2.1", over: 1, aor: "user\(number)@example.test", old) }
    let long = "sip:a@192.0.2.1;x=" + String(repeating: "y", count: 100_000)
    _ = try register(long, over: 1, aor: "large@example.test", old)
    var (pieces, longest) = (0, 0)
    old.records(over: LocationSamples.stream(1).id, pieces: 500) { piece in
      (pieces, longest) = (pieces + 1, max(longest, piece.count))
      #expect(new.takeRecords(piece.span) != nil)
    }
    #expect(pieces > 1 && longest < 1_000 && new.recordCount == 50)
  }

  @Test("what is registered over a flow is known there as before; what hangs on other flows isn't said to be")
  func oneFlow() throws {
    let (old, new) = (Self.bindings(), Self.bindings())
    var set = try register("sip:a@192.0.2.1", over: 1, aor: "alice@example.test", old)
    set = try register("sip:b@192.0.2.2", over: 2, aor: "alice@example.test", old, set)
    _ = try register("sip:c@192.0.2.3", over: 1, aor: "carol@example.test", old)
    #expect(moved(1, from: old, to: new) == 2)
    let flow = LocationSamples.stream(1).id
    #expect(new.count == 2 && new.recordCount == 2)
    let known = new.handles(over: flow).compactMap { new[$0] }
    #expect(Set(known.map(\.aor)) == [Array("alice@example.test".utf8), Array("carol@example.test".utf8)])
    for handle in old.handles(over: flow) {
      let entry = try #require(old[handle])
      #expect(known.contains { $0.aor == entry.aor && $0.identity == entry.identity && $0.binding == entry.binding })
    }
    #expect(new.handles(over: LocationSamples.stream(2).id).isEmpty)
    // The other flow follows: its binding belongs to the record that is there.
    #expect(moved(2, from: old, to: new) == 1)
    #expect(new.count == 3 && new.recordCount == 2)
    #expect(Set(new.removeAll(over: flow)).count == 2)
    #expect(new.handles(over: LocationSamples.stream(2).id).count == 1)
  }

  @Test("what the next process has learnt meanwhile stays as it is")
  func newer() throws {
    let (old, new) = (Self.bindings(), Self.bindings())
    let set = try register("sip:a@192.0.2.1", over: 1, aor: "alice@example.test", old)
    _ = try register("sip:z@192.0.2.9", over: 1, aor: "alice@example.test", new, set)
    _ = moved(1, from: old, to: new)
    let position = try #require(new.positions.first)
    #expect(LocationSamples.uris(new.set(at: position))?.count == 2)
  }

  private func taken(_ octets: [UInt8]) -> Int? { Self.bindings().takeRecords(octets.span) }

  @Test("octets that make no sense are refused, wherever they are cut or changed, and never trap")
  func garbage() throws {
    let old = Self.bindings()
    _ = try register("sip:a@192.0.2.1", over: 1, aor: "alice@example.test", old)
    var octets: [UInt8] = []
    old.records(over: LocationSamples.stream(1).id, pieces: 1 << 20) { octets += $0 }
    for length in 1..<octets.count { #expect(taken(Array(octets[..<length])) == nil) }
    for place in octets.indices {
      for value: UInt8 in [0, 1, 0x7F, 0xFF] {
        var other = octets
        other[place] = value
        _ = taken(other)
      }
    }
  }
}

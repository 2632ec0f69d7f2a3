import SIPServer
import Structures
import Testing

@testable import RedisLocation

/// What is asserted in every order: each question is answered once; no answer is older than what its worker had been told; after the last message every
/// worker finds what Redis has; no binding that was accepted is missing.
@Suite("Reads, changes and reconnects in every order")
struct RaceTests {
  private let aor = Samples.alice

  /// A world with two workers, of which the second is at the speed of light.
  private struct World {
    let redis = ScriptedRedis()
    let first: Station
    let second: Station

    init(hasBinding: Bool = true) {
      first = .ready(redis, slot: 0)
      second = .ready(redis, slot: 1)
      second.isPrompt = true
      if hasBinding {
        second.update(900, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1)))
        first.settle()
      }
      first.judge = { station, query, set in Self.judge(station, query, set) }
    }

    /// No answer is older than the last change that the worker was told of.
    private static func judge(_ station: Station, _ query: UInt64, _ set: BindingSet?) {
      let history = station.redis.history[Samples.alice] ?? [[]]
      let told = station.told[Samples.alice] ?? 0
      let place = history.lastIndex(of: Station.targets(set))
      #expect(place != nil, "an answer that never was true: \(Station.targets(set))")
      #expect((place ?? 0) >= told, "told of \(told), answered \(place ?? -1)")
    }

    /// After everything arrived, both workers find what Redis has.
    func finish(_ lookups: [UInt64] = [], _ updates: [UInt64] = []) {
      if !first.isConnected { first.connect() }
      first.pass(.seconds(1))
      first.settle()
      second.settle()
      first.settle()
      for query in lookups { #expect(first.found[query]?.count == 1, "lookup \(query)") }
      for query in updates { #expect(first.outcomes[query]?.count == 1, "update \(query)") }
      for (index, station) in [first, second].enumerated() {
        station.lookup(UInt64(800 + index), Samples.alice)
        station.settle()
        #expect(station.found[UInt64(800 + index)]?.map { Station.targets($0) } == [redis.targets(Samples.alice)])
      }
      #expect(first.machine.works.count == 0 && first.machine.pending.count == 0)
      #expect(second.machine.works.count == 0 && second.machine.pending.count == 0)
      redis.stations = []
    }
  }

  private func move(_ connection: UInt64) -> RegistrationUpdate {
    Samples.register("sip:a@x", over: Samples.stream(connection, slot: 1), cseq: UInt32(connection))
  }

  @Test("a lookup, while the contact moves twice")
  func lookupAndMoves() {
    let count = Interleavings.all(limit: 20_000) { order in
      let world = World()
      order.run(
        [world.first],
        [
          [{ world.first.lookup(1, aor) }, { world.first.lookup(2, aor) }],
          [{ world.second.update(901, move(2)) }, { world.second.update(902, move(3)) }],
        ])
      world.finish([1, 2])
    }
    #expect(count > 20)
  }

  @Test("lookups, while the contact moves and the subscription is lost and comes back")
  func lookupAndSubscription() {
    let count = Interleavings.all(limit: 60_000) { order in
      let world = World()
      order.run(
        [world.first],
        [
          [{ world.first.lookup(1, aor) }, { world.first.lookup(2, aor) }],
          [{ world.second.update(901, move(2)) }],
          [{ world.first.loseSubscription() }, { world.first.subscribe() }],
        ])
      world.finish([1, 2])
    }
    #expect(count > 20)
  }

  @Test("a lookup, while the connection for commands is lost and comes back and the contact moves")
  func lookupAndConnection() {
    let count = Interleavings.all(limit: 60_000) { order in
      let world = World()
      // Nobody else can be asked, and a worker that knows nothing says so: that answer is not judged.
      world.first.judge = nil
      order.run(
        [world.first],
        [
          [{ world.first.lookup(1, aor) }],
          [{ world.second.update(901, move(2)) }],
          [{ world.first.disconnect() }, { world.first.connect() }],
        ])
      world.finish([1])
    }
    #expect(count > 20)
  }

  @Test("a new contact here, while there is another one from elsewhere, and a lookup")
  func updateAndOther() {
    let count = Interleavings.all(limit: 60_000) { order in
      let world = World()
      order.run(
        [world.first],
        [
          [{ world.first.update(1, Samples.register("sip:b@x", over: Samples.stream(5))) }],
          [{ world.second.update(901, Samples.register("sip:c@x", over: Samples.stream(2, slot: 1))) }],
          [{ world.first.lookup(2, aor) }],
        ])
      world.finish([2], [1])
      #expect(world.redis.targets(aor) == ["sip:a@x 1/1", "sip:b@x 0/5", "sip:c@x 1/2"])
    }
    #expect(count > 20)
  }

  @Test("the first contact here and the first elsewhere, of an address that has none")
  func firstContacts() {
    let count = Interleavings.all(limit: 20_000) { order in
      let world = World(hasBinding: false)
      order.run(
        [world.first],
        [
          [{ world.first.update(1, Samples.register("sip:b@x", over: Samples.stream(5))) }],
          [
            { world.second.update(901, Samples.register("sip:c@x", over: Samples.stream(2, slot: 1))) },
            {
              world.second.update(
                902, Samples.register("sip:c@x", over: Samples.stream(2, slot: 1), cseq: 2, seconds: 0))
            },
          ],
        ])
      world.finish([], [1])
      #expect(world.redis.targets(aor) == ["sip:b@x 0/5"])
    }
    #expect(count > 20)
  }

  @Test("a refresh that was answered, while the client comes back over another worker", arguments: [false, true])
  func refreshAndMove(removes: Bool) {
    let count = Interleavings.all(limit: 60_000) { order in
      let world = World(hasBinding: false)
      let flow = Samples.stream(5)
      world.first.update(1, Samples.register("sip:b@x", over: flow))
      world.first.settle()
      world.first.now.unixSeconds += 10
      let refresh = Samples.register("sip:b@x", over: flow, cseq: 2, now: Station.start + 10)
      let elsewhere = Samples.register(
        "sip:b@x", over: Samples.stream(2, slot: 1), cseq: 3, seconds: removes ? 0 : 3_600, now: Station.start + 11)
      var wasAnswered = false
      order.run(
        [world.first],
        [
          [{ world.first.update(2, refresh) }, { world.first.flush() }],
          [
            {
              wasAnswered = world.first.outcomes[2] != nil
              world.second.update(901, elsewhere)
            }
          ],
        ])
      world.finish([], [2])
      if removes {
        // What was refreshed before it was removed stays removed.
        if wasAnswered { #expect(world.redis.targets(aor).isEmpty) }
      } else {
        #expect(world.redis.targets(aor) == ["sip:b@x 1/2"])
      }
    }
    #expect(count > 20)
  }

  @Test(
    "a registration, while the connection is lost at any moment, the command carried out or not",
    arguments: [false, true])
  func updateAndConnection(isLate: Bool) {
    let count = Interleavings.all(limit: 60_000) { order in
      let world = World()
      world.first.judge = nil
      order.run(
        [world.first],
        [
          [
            { world.first.update(1, Samples.register("sip:b@x", over: Samples.stream(5))) }
          ],
          [{ world.second.update(901, Samples.register("sip:c@x", over: Samples.stream(2, slot: 1))) }],
          [{ world.first.disconnect(isLate: isLate) }, { world.first.connect() }],
        ])
      world.finish([], [1])
      #expect(world.redis.targets(aor) == ["sip:a@x 1/1", "sip:b@x 0/5", "sip:c@x 1/2"])
    }
    #expect(count > 20)
  }

  @Test("a connection that closes, while its client registers elsewhere and Redis goes and comes")
  func closeAndConnection() {
    let count = Interleavings.all(limit: 60_000) { order in
      let world = World(hasBinding: false)
      world.first.judge = nil
      world.first.update(1, Samples.register("sip:b@x", over: Samples.stream(5)))
      world.first.settle()
      order.run(
        [world.first],
        [
          [{ world.first.close(Samples.stream(5).id) }],
          [
            {
              world.second.update(
                901,
                Samples.register("sip:b@x", over: Samples.stream(2, slot: 1), cseq: 2, now: Station.start + 1))
            }
          ],
          [{ world.first.disconnect() }, { world.first.connect() }],
        ])
      world.finish([], [1])
      #expect(world.redis.targets(aor) == ["sip:b@x 1/2"])
      #expect(world.first.owned.recordCount == 0)
    }
    #expect(count > 20)
  }
}

import SIPServer
import Structures
import Testing

@testable import RedisLocation

@Suite("The location over Redis, with a scripted server")
struct LocationMachineTests {
  private let aor = Samples.alice
  private let redis = ScriptedRedis()

  private func prompt(_ slot: UInt16, _ settings: LocationMachine.Settings = .init()) -> Station {
    let station = Station.ready(redis, slot: slot, settings: settings)
    station.isPrompt = true
    return station
  }

  private func refresh(_ cseq: UInt32, flow: Flow = Samples.stream(5), after seconds: Int64 = 0) -> RegistrationUpdate {
    Samples.register("sip:b@x", over: flow, cseq: cseq, now: Station.start + seconds)
  }

  // MARK: The cache

  @Test("asks Redis once for who is called again, for 60 s")
  func cached() {
    let (reader, writer) = (prompt(0), prompt(1))
    writer.update(1, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1)))
    reader.isPrompt = false
    for (query, isAsked) in [(1, true), (2, false), (3, false), (4, true)] as [(UInt64, Bool)] {
      if query == 3 { reader.now.instant = reader.now.instant + .seconds(59) }
      if query == 4 { reader.now.instant = reader.now.instant + .seconds(2) }
      reader.lookup(query, aor)
      #expect(reader.sent.isEmpty == !isAsked, "lookup \(query)")
      reader.settle()
      #expect(reader.found[query]?.map { Station.targets($0) } == [["sip:a@x 1/1"]])
    }
  }

  @Test("keeps no absence: nobody is told that there is no contact without asking Redis")
  func absence() {
    let station = Station.ready(redis, slot: 0)
    for query: UInt64 in 1...3 {
      station.lookup(query, aor)
      #expect(station.sent.count == 1)
      station.settle()
      #expect(station.found[query]?.count == 1 && station.found[query]?.compactMap(\.self).isEmpty == true)
    }
    // Nor when what was known has ended.
    station.update(1, Samples.register("sip:a@x", over: Samples.stream(1), seconds: 60))
    station.settle()
    station.now.unixSeconds += 61
    station.lookup(9, aor)
    #expect(station.sent.count == 1)
  }

  @Test("believes nothing without a subscription, and forgets all when it is lost")
  func subscription() {
    let (reader, writer) = (prompt(0), prompt(1))
    writer.update(1, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1)))
    reader.lookup(1, aor)
    #expect(reader.machine.cache.count == 1)
    reader.loseSubscription()
    #expect(reader.machine.cache.count == 0)
    reader.lookup(2, aor)
    reader.lookup(3, aor)
    #expect(reader.machine.cache.count == 0)
    reader.subscribe()
    reader.lookup(4, aor)
    #expect(reader.machine.cache.count == 1)
  }

  @Test(
    "asks again when a binding of what it knows has ended: it may have been refreshed elsewhere, which nobody is told")
  func refreshedElsewhere() {
    let (reader, first, second) = (prompt(0), prompt(1), prompt(2))
    first.update(1, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1), seconds: 600))
    second.update(1, Samples.register("sip:b@x", over: Samples.stream(1, slot: 2), seconds: 30))
    first.settle()
    reader.lookup(1, aor)
    let refresh = Samples.register("sip:b@x", over: Samples.stream(1, slot: 2), cseq: 2, now: Station.start + 20)
    second.now.unixSeconds += 20
    second.update(2, refresh)
    second.flush()
    for station in [reader, first] {
      station.now.unixSeconds += 31
      station.lookup(2, aor)
      #expect(station.found[2]?.map { Station.targets($0) } == [["sip:a@x 1/1", "sip:b@x 2/1"]])
    }
  }

  @Test("keeps the cache within its octets, the latest lookups in it")
  func bounded() {
    var settings = LocationMachine.Settings()
    settings.cacheSize = 20_000
    let (reader, writer) = (prompt(0, settings), prompt(1))
    func name(_ number: Int) -> [UInt8] { Array("user\(number)@example.test".utf8) }
    for number in 0..<200 {
      writer.update(
        UInt64(number), Samples.register("sip:\(number)@x", over: Samples.stream(1, slot: 1), aor: name(number)))
      reader.lookup(UInt64(number), name(number))
      #expect(reader.machine.cache.octets <= 20_000)
    }
    #expect(reader.machine.cache.count > 10 && reader.machine.cache.count < 60)
    reader.isPrompt = false
    reader.lookup(900, name(199))
    #expect(reader.sent.isEmpty)
    reader.lookup(901, name(0))
    #expect(reader.sent.count == 1)
  }

  @Test("takes what leads over a flow that its worker disowns out of Redis, and nothing else")
  func disowned() {
    let (reader, writer) = (prompt(0), prompt(1))
    writer.update(1, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1)))
    writer.update(2, Samples.register("sip:c@x", over: Samples.stream(2, slot: 1)))
    reader.settle()
    reader.lookup(1, aor)
    reader.flowGone(StreamFlow(node: 1, slot: 1, epoch: 7, connection: 3))
    #expect(redis.targets(aor).count == 2)
    reader.flowGone(StreamFlow(node: 1, slot: 1, epoch: 7, connection: 1))
    #expect(redis.targets(aor) == ["sip:c@x 1/2"])
    // The client is back over a new flow before the old one is missed.
    writer.update(3, Samples.register("sip:c@x", over: Samples.stream(4, slot: 1), cseq: 2))
    reader.settle()
    reader.lookup(2, aor)
    reader.flowGone(StreamFlow(node: 1, slot: 1, epoch: 7, connection: 2))
    #expect(redis.targets(aor) == ["sip:c@x 1/4"])
  }

  // MARK: Refreshes

  @Test("answers a refresh over the binding's own connection at once and writes it within a second")
  func refreshes() {
    let station = Station.ready(redis, slot: 0)
    station.update(1, refresh(1))
    #expect(station.outcomes[1] == nil, "a new contact is written before the answer")
    station.settle()
    #expect(station.outcomes[1]?.map(\.summary) == [["sip:b@x 0/5"]])
    let messages = redis.history[aor]?.count
    for cseq: UInt32 in 2...4 {
      station.update(UInt64(cseq), refresh(cseq, after: 10))
      #expect(station.outcomes[UInt64(cseq)]?.map(\.summary) == [["sip:b@x 0/5"]])
    }
    #expect(station.sent.isEmpty && station.machine.hasUnwritten)
    #expect((station.machine.nextDeadline - station.now.instant).components.seconds < 1)
    station.pass(.seconds(1))
    #expect(station.sent.count == 1, "one write for all of them")
    station.settle()
    #expect(redis.set(aor)?.bindings.first?.expires == Station.start + 3_610)
    #expect(redis.set(aor)?.bindings.first?.cseq == 4)
    #expect(redis.history[aor]?.count == (messages ?? 0) + 1)
    #expect(!station.machine.hasUnwritten)
  }

  @Test(
    "writes before the answer what is no mere refresh",
    arguments: [
      Samples.register("sip:c@x", over: Samples.stream(5), cseq: 2),
      Samples.register("sip:b@x", over: Samples.stream(6), cseq: 2),
      Samples.register("sip:b@x", over: Samples.datagram(), cseq: 2),
      Samples.register("sip:b@x", over: Samples.stream(5), cseq: 2, seconds: 0),
    ])
  func changes(_ update: RegistrationUpdate) {
    let station = Station.ready(redis, slot: 0)
    station.update(1, refresh(1))
    station.settle()
    station.update(2, update)
    #expect(station.outcomes[2] == nil && station.sent.count == 1)
    station.settle()
    #expect(station.outcomes[2]?.map(\.status) == [200])
  }

  @Test("tells the others of a change, and not of a refresh")
  func published() {
    let (station, other) = (prompt(0), Station.ready(redis, slot: 1))
    station.update(1, refresh(1))
    #expect(other.messages.count == 1)
    station.update(2, refresh(2, after: 5))
    station.flush()
    #expect(other.messages.count == 1)
    station.update(3, refresh(3, flow: Samples.stream(6), after: 6))
    #expect(other.messages.count == 2)
  }

  @Test("refuses at once what comes out of order, where the whole set is known")
  func outOfOrder() {
    let station = prompt(0)
    station.update(1, refresh(5))
    station.isPrompt = false
    station.update(2, refresh(5))
    #expect(station.outcomes[2]?.map(\.summary) == [["out of order"]])
    #expect(station.sent.isEmpty)
  }

  @Test("a first registration takes one command, also where Redis lost the script")
  func oneRoundTrip() {
    let station = Station.ready(redis, slot: 0)
    station.update(1, refresh(1))
    #expect(station.sent.count == 1)
    station.settle()
    #expect(redis.writes == 1 && station.outcomes[1]?.count == 1)
    redis.isScriptLost = true
    station.update(2, refresh(2, flow: Samples.stream(6), after: 1))
    station.settle()
    #expect(redis.targets(aor) == ["sip:b@x 0/6"] && station.outcomes[2]?.map(\.status) == [200])
  }

  @Test("gives up after eight states that others wrote first")
  func bounds() {
    let (station, other) = (Station.ready(redis, slot: 0), prompt(1))
    station.update(1, refresh(1))
    var rounds = 0
    while station.outcomes[1] == nil, rounds < 20 {
      rounds += 1
      other.update(
        UInt64(rounds), Samples.register("sip:o@x", over: Samples.stream(UInt64(rounds), slot: 1), cseq: UInt32(rounds))
      )
      station.executeNext()
      station.deliverReply()
    }
    #expect(station.outcomes[1]?.map(\.summary) == [["unavailable"]])
    #expect(rounds == 9)
    station.settle()
    #expect(station.machine.works.count == 0)
  }
}

import SIPServer
import Structures
import Testing

@testable import RedisLocation

@Suite("The location over Redis while that is away, or lost what it had")
struct LocationOutageTests {
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

  // MARK: Redis away

  @Test("registers while Redis is away, finds who is registered here, and writes all once it is back")
  func away() {
    let station = prompt(0)
    station.update(1, refresh(1))
    station.disconnect()
    station.loseSubscription()
    station.update(2, Samples.register("sip:d@x", over: Samples.stream(6)))
    station.update(3, refresh(2, after: 9))
    #expect(station.outcomes[2]?.map(\.summary) == [["sip:b@x 0/5", "sip:d@x 0/6"]])
    #expect(station.outcomes[3]?.map(\.status) == [200])
    station.lookup(4, aor)
    #expect(station.found[4]?.map { Station.targets($0) } == [["sip:b@x 0/5", "sip:d@x 0/6"]])
    #expect(station.machine.health.degradedSince == Station.start && station.machine.health.queued == 1)
    #expect(redis.targets(aor) == ["sip:b@x 0/5"])
    station.subscribe()
    station.connect()
    #expect(redis.targets(aor) == ["sip:b@x 0/5", "sip:d@x 0/6"])
    #expect(redis.set(aor)?.bindings.contains { $0.cseq == 2 } == true)
    #expect(station.machine.health.degradedSince == nil && !station.machine.hasUnwritten)
  }

  @Test("what was removed while Redis was away doesn't come back with it")
  func removedWhileAway() {
    let (station, other) = (prompt(0), prompt(1))
    station.update(1, refresh(1))
    station.update(2, Samples.register("sip:d@x", over: Samples.stream(6)))
    other.update(1, Samples.register("sip:o@x", over: Samples.stream(1, slot: 1)))
    station.disconnect()
    station.loseSubscription()
    station.update(3, Samples.register("sip:d@x", over: Samples.stream(6), cseq: 2, seconds: 0))
    station.close(Samples.stream(5).id)
    station.update(4, Samples.register("sip:o@x", over: Samples.stream(7), cseq: 9, seconds: 0))
    #expect(station.outcomes[3]?.map(\.status) == [200] && station.outcomes[4]?.map(\.status) == [200])
    station.subscribe()
    station.connect()
    #expect(redis.targets(aor).isEmpty)
    #expect(station.machine.works.count == 0 && station.owned.recordCount == 0)
  }

  @Test("an error from Redis is no reason to lose a registration, and is not asked again without a pause")
  func refused() {
    let station = Station.ready(redis, slot: 0)
    redis.refuses = true
    station.update(1, refresh(1))
    station.settle()
    #expect(station.outcomes[1]?.map(\.status) == [200])
    for _ in 0..<10 { station.settle() }
    #expect(station.sent.isEmpty && station.machine.hasUnwritten)
    redis.refuses = false
    station.pass(.seconds(1))
    station.settle()
    #expect(redis.targets(aor) == ["sip:b@x 0/5"])
  }

  @Test("asks the other workers for 100 ms when Redis is away, before it says that there is nobody")
  func whereIs() {
    let (station, other) = (prompt(0), prompt(1))
    other.update(1, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1)))
    station.disconnect()
    station.loseSubscription()
    station.peers = 2
    station.lookup(1, aor)
    #expect(station.found[1] == nil && station.inquiries.count == 1)
    station.answer(station.inquiries[0].question, [])
    station.answer(station.inquiries[0].question, other.machine.held(aor.span, at: Station.start))
    #expect(station.found[1]?.map { Station.targets($0) } == [["sip:a@x 1/1"]])
    // One doesn't answer, the other says nonsense.
    station.lookup(2, aor)
    station.answer(station.inquiries[1].question, [1, 2, 3, 4, 5])
    #expect(station.found[2] == nil)
    #expect(station.machine.nextDeadline - station.now.instant <= .milliseconds(100))
    station.pass(.milliseconds(100))
    #expect(station.found[2]?.count == 1 && station.found[2]?.compactMap(\.self).isEmpty == true)
    station.answer(station.inquiries[1].question, other.machine.held(aor.span, at: Station.start))
    #expect(station.found[2]?.count == 1)
    #expect(station.machine.works.count == 0)
  }

  @Test("nobody can be claimed or looked up as a user while Redis is away, which is said at once")
  func claimsAway() {
    let station = Station(redis, slot: 0)
    var actions = ServerActions()
    actions.keys = Array("name".utf8)
    actions.questions = [.claim(query: 1, key: 0..<4), .noteClaim(key: 0..<4), .user(query: 2, key: 0..<4)]
    station.ask(actions)
    let answers = station.takeAnswers()
    #expect(answers.count == 2)
    for answer in answers {
      switch answer {
      case .claim(let query, let outcome): #expect(query == 1 && outcome == .unavailable)
      case .user(let query, let user): #expect(query == 2 && user == .unavailable)
      default: Issue.record("another answer")
      }
    }
  }

  // MARK: What is lost

  @Test("when the data set is another, every worker writes again what it holds, and each its own")
  func era() {
    let (first, second) = (prompt(0), prompt(1))
    first.update(1, refresh(1))
    second.update(1, Samples.register("sip:o@x", over: Samples.stream(1, slot: 1)))
    first.settle()
    for number in 0..<1_000 {
      let aor = Array("user\(number)@example.test".utf8)
      first.update(UInt64(10 + number), Samples.register("sip:u@x", over: Samples.stream(UInt64(number)), aor: aor))
    }
    redis.wipe()
    #expect(redis.values.isEmpty)
    first.pass(.seconds(2))
    second.pass(.seconds(2))
    for station in [first, second, first, second] { station.settle() }
    #expect(redis.targets(aor) == ["sip:b@x 0/5", "sip:o@x 1/1"])
    #expect(redis.values.count == 1_001)
    #expect(!first.machine.hasUnwritten && !second.machine.hasUnwritten)
  }

  @Test("asks the other workers before it says that there is nobody while a new data set is being filled")
  func refilling() {
    let (station, other) = (prompt(0), prompt(1))
    other.update(1, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1)))
    redis.wipe()
    station.peers = 1
    station.pass(.seconds(2))
    station.settle()
    station.lookup(1, aor)
    #expect(station.found[1] == nil && station.inquiries.count == 1)
    station.answer(station.inquiries[0].question, other.machine.held(aor.span, at: Station.start))
    #expect(station.found[1]?.map { Station.targets($0) } == [["sip:a@x 1/1"]])
    station.pass(.seconds(10))
    station.settle()
    station.lookup(2, aor)
    #expect(station.found[2]?.count == 1 && station.inquiries.count == 1)
    #expect(station.machine.works.count == 0)
  }

  @Test("what is asked behind the first look at an empty Redis drops no binding of this worker's")
  func askedMeanwhile() {
    let station = prompt(0)
    station.update(1, refresh(1))
    station.loseSubscription()
    station.disconnect()
    station.pass(.seconds(70))
    redis.wipe()
    (station.isPrompt, station.isInOrder) = (false, true)
    station.subscribe()
    station.connect()
    station.lookup(1, aor)
    station.settle()
    #expect(station.found[1]?.map { Station.targets($0) } == [["sip:b@x 0/5"]])
    #expect(redis.targets(aor) == ["sip:b@x 0/5"])
  }

  enum Notice: CaseIterable {
    case lookup, refresh, registration
  }

  @Test("an emptied data set is noticed by whoever finds nothing where something was", arguments: Notice.allCases)
  func noticed(_ notice: Notice) {
    let station = prompt(0)
    let second = Array("second@example.test".utf8)
    station.update(1, refresh(1))
    station.update(2, Samples.register("sip:s@x", over: Samples.stream(6), aor: second))
    station.pass(.seconds(61))
    redis.wipe()
    switch notice {
    case .lookup:
      station.lookup(1, aor)
      #expect(station.found[1]?.map { Station.targets($0) } == [["sip:b@x 0/5"]])
    case .refresh:
      station.update(3, refresh(2, after: 61))
      station.flush()
      #expect(station.outcomes[3]?.map(\.status) == [200])
    case .registration:
      station.update(3, Samples.register("sip:d@x", over: Samples.stream(7)))
      #expect(station.outcomes[3]?.map(\.summary) == [["sip:b@x 0/5", "sip:d@x 0/7"]])
    }
    #expect(redis.targets(aor).first == "sip:b@x 0/5")
    #expect(redis.targets(second) == ["sip:s@x 0/6"])
  }

  @Test("whoever finds nothing in an emptied data set asks the other workers")
  func noticedByOthers() {
    let (station, other) = (prompt(0), prompt(1))
    other.update(1, Samples.register("sip:a@x", over: Samples.stream(1, slot: 1)))
    redis.wipe()
    station.peers = 1
    station.lookup(1, aor)
    #expect(station.found[1] == nil && station.inquiries.count == 1)
    station.answer(station.inquiries[0].question, other.machine.held(aor.span, at: Station.start))
    #expect(station.found[1]?.map { Station.targets($0) } == [["sip:a@x 1/1"]])
  }

  @Test("an empty Redis is filled a window at a time")
  func window() {
    var settings = LocationMachine.Settings()
    settings.window = 16
    let station = prompt(0, settings)
    for number in 0..<100 {
      let aor = Array("user\(number)@example.test".utf8)
      station.update(UInt64(number), Samples.register("sip:u@x", over: Samples.stream(UInt64(number)), aor: aor))
    }
    redis.wipe()
    station.isPrompt = false
    station.pass(.seconds(2))
    var most = 0
    while !station.sent.isEmpty || !station.replies.isEmpty {
      most = max(most, station.sent.count + station.replies.count)
      if station.sent.isEmpty { station.deliverReply() } else { station.executeNext() }
    }
    #expect(most == 16 && redis.values.count == 100)
  }

  @Test("after a new connection what was written in the last 60 s is written again: another server may be in charge")
  func masterChange() {
    let station = prompt(0)
    let old = Array("old@example.test".utf8)
    station.update(1, Samples.register("sip:old@x", over: Samples.stream(1), aor: old))
    station.pass(.seconds(61))
    station.update(2, refresh(1))
    // The new master has all but the last write.
    let writes = redis.writes
    redis.forget(aor)
    station.disconnect()
    station.connect()
    #expect(redis.targets(aor) == ["sip:b@x 0/5"])
    #expect(redis.writes == writes + 1, "what is older isn't written again")
  }

  @Test("a binding that somebody took away stays away when its owner only refreshed it")
  func takenAway() {
    let station = Station.ready(redis, slot: 0)
    station.update(1, refresh(1))
    station.settle()
    station.update(2, refresh(2, after: 5))
    redis.forget(aor)
    station.pass(.seconds(1))
    station.settle()
    #expect(redis.targets(aor).isEmpty && station.owned.recordCount == 0)
  }

  @Test("the worker that a client left forgets its binding when it hears of the new one")
  func moved() {
    let (station, other) = (prompt(0), prompt(1))
    station.update(1, refresh(1))
    other.update(1, refresh(2, flow: Samples.stream(9, slot: 1), after: 1))
    station.settle()
    #expect(station.owned.recordCount == 0 && station.owned.count == 0)
    #expect(other.owned.count == 1)
  }

  @Test("octets in Redis that are nothing of ours are replaced by the next registration")
  func foreign() {
    let station = prompt(0)
    for octets in [[UInt8]("what".utf8), [UInt8]("0123456789 and more".utf8), []] {
      redis.plant(aor, octets)
      station.lookup(1, aor)
      station.update(2, refresh(1))
      #expect(redis.targets(aor) == ["sip:b@x 0/5"])
      station.update(3, Samples.other(.removeAll, over: Samples.stream(5)))
    }
  }
}

import Reactor
import SIPServer
import Structures
import Testing

@testable import RedisLocation

/// One suite for every location: the model, the machine with a scripted Redis, and a worker's location over a real redis-server.
@Suite("What every location does")
struct LocationContract {
  enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case model = "in memory"
    case scripted = "scripted Redis"
    case server = "redis-server"

    var testDescription: String { rawValue }

    /// All that can be had here.
    static var available: [Kind] { allCases.filter { $0 != .server || RedisServerProcess.isInstalled } }
  }

  private let bob = Array("bob@example.test".utf8)

  @Test("finds nothing, then what was registered, the best first", arguments: Kind.available)
  func registering(_ kind: Kind) throws {
    let place = try LocationPlace(kind)
    #expect(try place.lookup(Samples.alice) == nil)
    var update = Samples.register("sip:a@x", over: Samples.stream(1))
    update.operation = .change([
      .init(uri: Array("sip:low@x".utf8), q: 200, duration: 600, isReachedByFlow: true),
      .init(uri: Array("sip:high@x".utf8), q: 900, duration: 600, isReachedByFlow: true),
    ])
    #expect(try place.update(update) == ["sip:high@x 0/1", "sip:low@x 0/1"])
    let found = try #require(try place.lookup(Samples.alice))
    #expect(found.bindings.map { String(decoding: $0.uri, as: UTF8.self) } == ["sip:high@x", "sip:low@x"])
    #expect(found.bindings.allSatisfy { $0.expires == Station.start + 600 && $0.flow == Samples.stream(1) })
    #expect(try place.lookup(bob) == nil)
    #expect(place.service.bindingCount == 2)
  }

  @Test("refreshes, refuses what comes late, and keeps to the limit of contacts", arguments: Kind.available)
  func order(_ kind: Kind) throws {
    let place = try LocationPlace(kind)
    #expect(try place.update(Samples.register("sip:a@x", over: Samples.stream(1), cseq: 5)) == ["sip:a@x 0/1"])
    #expect(try place.update(Samples.register("sip:a@x", over: Samples.stream(1), cseq: 5)) == ["out of order"])
    let later = Samples.register("sip:a@x", over: Samples.stream(1), cseq: 6, now: Station.start + 300)
    #expect(try place.update(later, at: Station.start + 300) == ["sip:a@x 0/1"])
    #expect(try place.lookup(Samples.alice, at: Station.start + 300)?.bindings.first?.cseq == 6)
    let second = Samples.register("sip:b@x", over: Samples.stream(2), limit: 1, now: Station.start + 300)
    #expect(try place.update(second, at: Station.start + 300) == ["too many contacts"])
    let moved = Samples.register("sip:a@x", over: Samples.stream(3), cseq: 7, now: Station.start + 301)
    #expect(try place.update(moved, at: Station.start + 301) == ["sip:a@x 0/3"])
    #expect(try place.lookup(Samples.alice, at: Station.start + 301).map { Station.targets($0) } == ["sip:a@x 0/3"])
  }

  @Test("tells all contacts, removes one and all", arguments: Kind.available)
  func removing(_ kind: Kind) throws {
    let place = try LocationPlace(kind)
    _ = try place.update(Samples.register("sip:a@x", over: Samples.stream(1)))
    _ = try place.update(Samples.register("sip:b@x", over: Samples.datagram()))
    #expect(try place.update(Samples.other(.fetch, over: Samples.stream(9))).count == 2)
    let gone = Samples.register("sip:a@x", over: Samples.stream(1), cseq: 2, seconds: 0)
    #expect(try place.update(gone) == ["sip:b@x"])
    #expect(try place.update(Samples.other(.removeAll, over: Samples.stream(9))).isEmpty)
    #expect(try place.lookup(Samples.alice) == nil)
    #expect(try place.update(Samples.other(.removeAll, over: Samples.stream(9), cseq: 10)).isEmpty)
    #expect(try place.update(Samples.other(.fetch, over: Samples.stream(9))).isEmpty)
  }

  // A real server's clock can't be moved.
  @Test("doesn't have a binding from the second on in which it ends", arguments: [Kind.model, .scripted])
  func expiry(_ kind: Kind) throws {
    let place = try LocationPlace(kind)
    _ = try place.update(Samples.register("sip:a@x", over: Samples.stream(1), seconds: 60))
    _ = try place.update(Samples.register("sip:b@x", over: Samples.stream(2), seconds: 90))
    #expect(try place.lookup(Samples.alice, at: Station.start + 59)?.count == 2)
    #expect(try place.lookup(Samples.alice, at: Station.start + 60).map { Station.targets($0) } == ["sip:b@x 0/2"])
    #expect(try place.lookup(Samples.alice, at: Station.start + 90) == nil)
  }

  @Test("removes what was registered over a flow only while it still is over that", arguments: Kind.available)
  func compareAndDelete(_ kind: Kind) throws {
    let place = try LocationPlace(kind)
    _ = try place.update(Samples.register("sip:a@x", over: Samples.stream(1)))
    _ = try place.update(Samples.register("sip:b@x", over: Samples.stream(2)))
    let back = Samples.register("sip:a@x", over: Samples.stream(3), cseq: 2, now: Station.start + 1)
    _ = try place.update(back, at: Station.start + 1)
    try place.remove(Samples.alice, Samples.stream(1).id)
    #expect(try place.lookup(Samples.alice)?.count == 2)
    try place.remove(Samples.alice, Samples.stream(3).id)
    #expect(try place.lookup(Samples.alice).map { Station.targets($0) } == ["sip:b@x 0/2"])
    try place.remove(Samples.alice, Samples.stream(2).id)
    try place.remove(bob, Samples.stream(2).id)
    #expect(try place.lookup(Samples.alice) == nil)
  }

  @Test(
    "carries out many questions of one turn, each answered once and in an order that holds", arguments: Kind.available)
  func many(_ kind: Kind) throws {
    let place = try LocationPlace(kind)
    var actions = ServerActions()
    for number in 0..<50 {
      let aor = Array("user\(number % 10)@example.test".utf8)
      let update = Samples.register("sip:\(number)@x", over: Samples.stream(UInt64(number)), aor: aor)
      actions.questions.append(.update(query: UInt64(number), update))
    }
    let answers = try place.ask(actions, count: 50, at: Station.start)
    var counts: [UInt64: Int] = [:]
    for case .outcome(let query, let outcome) in answers {
      counts[query, default: 0] += 1
      #expect(outcome.status == 200)
    }
    #expect(counts.count == 50 && counts.values.allSatisfy { $0 == 1 })
    for number in 0..<10 {
      #expect(try place.lookup(Array("user\(number)@example.test".utf8))?.count == 5)
    }
  }

  @Test("gives a nonce away once", arguments: Kind.available)
  func claims(_ kind: Kind) throws {
    let place = try LocationPlace(kind)
    #expect(try place.claim("nonce-1") == .granted)
    #expect(try place.claim("nonce-1") == .taken)
    #expect(try place.claim("nonce-2") == .granted)
    var actions = ServerActions()
    actions.keys = Array("nonce-3".utf8)
    actions.questions = [.noteClaim(key: 0..<7)]
    _ = try place.ask(actions, count: 0, at: Station.start)
    #expect(try place.claim("nonce-3") == .taken)
  }
}

/// A location of one kind with what it needs.
final class LocationPlace {
  let service: any LocationService
  private let loop: EventLoop?
  private let server: RedisServerProcess?
  private var query: UInt64 = 0

  init(_ kind: LocationContract.Kind) throws {
    switch kind {
    case .model:
      service = InMemoryLocationService(unixSeconds: Station.start)
      (loop, server) = (nil, nil)
    case .scripted:
      let station = Station.ready(ScriptedRedis(), slot: 0)
      station.isPrompt = true
      service = ScriptedService(station)
      (loop, server) = (nil, nil)
    case .server:
      let server = try RedisServerProcess()
      let worker = try RedisWorker(server, slot: 0)
      service = worker.location
      (loop, self.server) = (worker.loop, server)
      try worker.run { worker.isReady }
    }
  }

  deinit { (service as? RedisLocation)?.stop() }

  func ask(_ actions: borrowing ServerActions, count: Int, at unixSeconds: Int64) throws -> [LocationAnswer] {
    service.ask(actions, at: unixSeconds)
    var answers = service.takeAnswers()
    guard let loop else { return answers }
    let end = System.monotonicNow + .seconds(20)
    var turns = 0
    while answers.count < count || turns < 3, System.monotonicNow < end {
      try loop.runOnce(until: System.monotonicNow + .milliseconds(2))
      answers += service.takeAnswers()
      turns += 1
    }
    return answers
  }

  func lookup(_ aor: [UInt8], at unixSeconds: Int64 = Station.start) throws -> BindingSet? {
    query += 1
    var actions = ServerActions()
    actions.keys = aor
    actions.questions = [.lookup(query: query, key: 0..<aor.count)]
    for case .bindings(query, let set) in try ask(actions, count: 1, at: unixSeconds) { return set }
    Issue.record("a lookup was not answered")
    return nil
  }

  func update(_ update: RegistrationUpdate, at unixSeconds: Int64 = Station.start) throws -> [String] {
    query += 1
    var actions = ServerActions()
    actions.questions = [.update(query: query, update)]
    for case .outcome(query, let outcome) in try ask(actions, count: 1, at: unixSeconds) { return outcome.summary }
    return ["not answered"]
  }

  func remove(_ aor: [UInt8], _ flow: FlowID) throws {
    var actions = ServerActions()
    actions.questions = [.remove(aor: aor, flow: flow)]
    _ = try ask(actions, count: 0, at: Station.start)
  }

  func claim(_ name: String) throws -> ClaimOutcome? {
    query += 1
    var actions = ServerActions()
    actions.keys = Array(name.utf8)
    actions.questions = [.claim(query: query, key: 0..<actions.keys.count)]
    for case .claim(query, let outcome) in try ask(actions, count: 1, at: Station.start) { return outcome }
    return nil
  }
}

/// The machine with a scripted Redis as a service.
final class ScriptedService: LocationService {
  private let station: Station
  private var claims: Set<[UInt8]> = []
  weak var peers: (any LocationPeers)?

  init(_ station: Station) { self.station = station }

  func ask(_ actions: borrowing ServerActions, at unixSeconds: Int64) {
    station.now.unixSeconds = unixSeconds
    station.ask(actions)
  }

  var hasAnswers: Bool { !station.answers.isEmpty }
  func takeAnswers() -> [LocationAnswer] { station.takeAnswers() }
  func sweep(at _: Int64) {}
  var bindingCount: Int { station.owned.count }
  var hasUnwritten: Bool { station.machine.hasUnwritten }
  func flush() { station.flush() }
  func flowGone(_ flow: StreamFlow) { station.flowGone(flow) }
  func bindings(heldFor aor: Span<UInt8>, at unixSeconds: Int64) -> [UInt8] {
    station.machine.held(aor, at: unixSeconds)
  }
  func peerAnswered(_ question: UInt64, _ octets: Span<UInt8>) {
    station.answer(question, octets.withUnsafeBufferPointer { Array($0) })
  }
}

/// A worker's location over a real server, on a loop that several may share.
final class RedisWorker {
  let loop: EventLoop
  let location: RedisLocation
  let owned: OwnedBindings
  let reports = Reports()

  final class Reports {
    var all: [LocationReport] = []
  }

  init(_ server: RedisServerProcess, slot: UInt16, loop: EventLoop? = nil, commandTime: Duration = .seconds(2)) throws {
    let loop = try loop ?? EventLoop()
    self.loop = loop
    let hashing = PlainHashing(seed: UInt64(System.monotonicNow.nanoseconds) &+ UInt64(slot))
    owned = OwnedBindings(now: System.wallSeconds, hashing: hashing)
    var settings = RedisSettings(target: .server(.unix(server.socketPath)))
    settings.commandTime = commandTime
    let reports = reports
    location = try RedisLocation(
      RedisLocationSettings(node: 1, slot: slot, generation: 1, epoch: 7), redis: settings, owned: owned,
      hashing: hashing,
      loop: loop
    ) { reports.all.append($0) }
    try location.start()
  }

  var isReady: Bool { location.redisHealth.isAvailable && location.health.isSubscribed }

  /// Turns the loop until the condition holds, for 20 s at most; whether it holds.
  @discardableResult
  func run(_ seconds: Int = 20, until condition: () -> Bool) throws -> Bool {
    let end = System.monotonicNow + .seconds(seconds)
    while !condition() {
      let now = System.monotonicNow
      if now >= end { return false }
      try loop.runOnce(until: now + .milliseconds(2))
    }
    return true
  }
}

import Glibc
import Reactor
import SIPServer
import Structures
import Testing

@testable import RedisLocation

@Suite(
  "The location of workers over a real redis-server",
  .enabled(if: RedisServerProcess.isInstalled, "redis-server is not installed"), .serialized)
struct RedisLocationTests {
  private let aor = Samples.alice

  /// Two workers on one loop.
  private struct Node {
    let server: RedisServerProcess
    let first: RedisWorker
    let second: RedisWorker
    let peers: Peers

    init(_ arguments: [String] = [], commandTime: Duration = .seconds(2)) throws {
      server = try RedisServerProcess(arguments)
      first = try RedisWorker(server, slot: 0, commandTime: commandTime)
      second = try RedisWorker(server, slot: 1, loop: first.loop, commandTime: commandTime)
      peers = Peers(first.location, second.location)
      first.location.peers = peers
      try run { first.isReady && second.isReady }
    }

    func run(until condition: () -> Bool) throws {
      let isReached = try first.run(until: condition)
      #expect(isReached)
    }

    func stop() {
      first.location.stop()
      second.location.stop()
    }

    func update(_ worker: RedisWorker, _ update: RegistrationUpdate) throws -> UpdateOutcome? {
      var actions = ServerActions()
      actions.questions = [.update(query: 7, update)]
      worker.location.ask(actions, at: System.wallSeconds)
      try run { worker.location.hasAnswers }
      for case .outcome(7, let outcome) in worker.location.takeAnswers() { return outcome }
      return nil
    }

    func lookup(_ worker: RedisWorker, _ aor: [UInt8]) throws -> [String] {
      var actions = ServerActions()
      actions.keys = aor
      actions.questions = [.lookup(query: 8, key: 0..<aor.count)]
      worker.location.ask(actions, at: System.wallSeconds)
      try run { worker.location.hasAnswers }
      for case .bindings(8, let set) in worker.location.takeAnswers() { return Station.targets(set) }
      return ["not answered"]
    }
  }

  /// Asks the second worker for the first, at once.
  private final class Peers: LocationPeers {
    private let (asker, other): (RedisLocation, RedisLocation)
    private(set) var count = 0

    init(_ asker: RedisLocation, _ other: RedisLocation) { (self.asker, self.other) = (asker, other) }

    func whereIs(_ aor: Span<UInt8>, question: UInt64) -> Int {
      count += 1
      let octets = other.bindings(heldFor: aor, at: System.wallSeconds)
      let asker = asker
      answers.append { asker.peerAnswered(question, octets.span) }
      return 1
    }

    private var answers: [() -> Void] = []

    func deliver() {
      let all = answers
      answers = []
      for answer in all { answer() }
    }
  }

  private func register(_ contact: String, _ flow: Flow, cseq: UInt32 = 1, aor: [UInt8] = Samples.alice)
    -> RegistrationUpdate
  {
    Samples.register(contact, over: flow, cseq: cseq, aor: aor, now: System.wallSeconds)
  }

  @Test("a change at one worker reaches what the other has in its cache")
  func invalidation() throws {
    let node = try Node()
    defer { node.stop() }
    #expect(try node.update(node.first, register("sip:a@x", Samples.stream(1)))?.status == 200)
    #expect(try node.lookup(node.second, aor) == ["sip:a@x 0/1"])
    #expect(node.second.location.health.cached == 1)
    #expect(try node.update(node.first, register("sip:a@x", Samples.stream(2), cseq: 2))?.status == 200)
    try node.run { node.second.location.health.cached == 0 }
    #expect(try node.lookup(node.second, aor) == ["sip:a@x 0/2"])
  }

  @Test("killed and started empty: registrations go on meanwhile, and all are in Redis again")
  func killedEmpty() throws {
    let node = try Node()
    defer { node.stop() }
    for number in 0..<200 {
      let aor = Array("user\(number)@example.test".utf8)
      #expect(
        try node.update(node.first, register("sip:\(number)@x", Samples.stream(UInt64(number)), aor: aor))?.status
          == 200)
    }
    node.server.end()
    try node.run { !node.first.isReady && node.first.location.health.degradedSince != nil }
    #expect(try node.update(node.first, register("sip:new@x", Samples.stream(900)))?.summary == ["sip:new@x 0/900"])
    #expect(try node.lookup(node.first, aor) == ["sip:new@x 0/900"])
    try node.server.restart()
    try node.run { node.first.isReady && node.second.isReady && !node.first.location.hasUnwritten }
    #expect(node.first.location.health.degradedSince == nil)
    #expect(try node.lookup(node.second, aor) == ["sip:new@x 0/900"])
    for number in 0..<200 {
      #expect(try node.lookup(node.second, Array("user\(number)@example.test".utf8)) == ["sip:\(number)@x 0/\(number)"])
    }
    #expect(node.first.reports.all.count == 2)
    guard case .degraded = node.first.reports.all.first, case .recovered = node.first.reports.all.last else {
      Issue.record("one report of each kind")
      return
    }
  }

  @Test("emptied while connected: the owners notice and write again what they hold")
  func flushed() throws {
    let node = try Node()
    defer { node.stop() }
    _ = try node.update(node.first, register("sip:a@x", Samples.stream(1)))
    _ = try node.update(node.second, register("sip:b@x", Samples.stream(2, slot: 1)))
    let bench = try RedisBench(node.server)
    #expect(try bench.ask("FLUSHALL")?.isOK == true)
    #expect(try bench.ask("SCRIPT", "FLUSH")?.isOK == true)
    try node.run { (try? bench.ask("EXISTS", "apus:b:alice@example.test", seconds: 1)) == .integer(1) }
    try node.run { !node.first.location.hasUnwritten && !node.second.location.hasUnwritten }
    var found: [String] = []
    try node.run {
      found = (try? node.lookup(node.first, aor)) ?? []
      return found.count == 2
    }
    #expect(found == ["sip:a@x 0/1", "sip:b@x 1/2"])
  }

  @Test("stopped: no question waits for longer than a command may take, and the other worker is asked")
  func frozen() throws {
    let node = try Node(commandTime: .milliseconds(300))
    defer { node.stop() }
    _ = try node.update(node.second, register("sip:b@x", Samples.stream(2, slot: 1)))
    node.server.signal(SIGSTOP)
    defer { node.server.signal(SIGCONT) }
    var actions = ServerActions()
    actions.keys = aor
    actions.questions = [.lookup(query: 8, key: 0..<aor.count)]
    node.first.location.ask(actions, at: System.wallSeconds)
    try node.run {
      node.peers.deliver()
      return node.first.location.hasAnswers
    }
    #expect(node.peers.count == 1)
    for case .bindings(_, let set) in node.first.location.takeAnswers() {
      #expect(Station.targets(set) == ["sip:b@x 1/2"])
    }
    #expect(try node.update(node.first, register("sip:a@x", Samples.stream(1)))?.status == 200)
    node.server.signal(SIGCONT)
    try node.run { node.first.isReady && node.second.isReady && !node.first.location.hasUnwritten }
    #expect(try node.lookup(node.second, aor) == ["sip:a@x 0/1", "sip:b@x 1/2"])
  }

  @Test("keeps a lease, an era and users under the names that the table of formats gives")
  func names() throws {
    let node = try Node()
    defer { node.stop() }
    let bench = try RedisBench(node.server)
    try node.run { (try? bench.ask("EXISTS", "apus:node:1:0", "apus:node:1:1", "apus:era", seconds: 1)) == .integer(3) }
    let hash = String(repeating: "5a", count: 16)
    #expect(try bench.ask("SET", "apus:u:alice@example.test", "1 MD5=\(hash)")?.isOK == true)
    var actions = ServerActions()
    actions.keys = aor
    actions.questions = [.user(query: 3, key: 0..<aor.count)]
    node.first.location.ask(actions, at: System.wallSeconds)
    try node.run { node.first.location.hasAnswers }
    for case .user(3, .found(let user)) in node.first.location.takeAnswers() {
      #expect(user[.md5] == Array(repeating: 0x5A, count: 16) && user[.sha256] == nil)
      return
    }
    Issue.record("the user was not found")
  }

  @Test("a phone's binding takes at most 700 octets of Redis' memory, everything counted")
  func memory() throws {
    let server = try RedisServerProcess()
    let worker = try RedisWorker(server, slot: 0)
    defer { worker.location.stop() }
    #expect(try worker.run { worker.isReady })
    let before = try Self.usedMemory(RedisBench(server))
    let count = 20_000
    var answered = 0
    for start in stride(from: 0, to: count, by: 500) {
      var actions = ServerActions()
      for number in start..<start + 500 {
        actions.questions.append(.update(query: UInt64(number), Self.phone(number)))
      }
      worker.location.ask(actions, at: System.wallSeconds)
      #expect(
        try worker.run {
          answered += worker.location.takeAnswers().count
          return answered == start + 500
        })
    }
    // Another client: the first one had no turn for so long that it may think itself cut off.
    let bench = try RedisBench(server)
    let after = try Self.usedMemory(bench)
    #expect(try bench.ask("DBSIZE") == .integer(Int64(count) + 3), "\(worker.location.health)")
    let each = Double(after - before) / Double(count)
    #expect(each > 100 && each <= 700, "\(each) octets for each binding")
    print("octets of Redis' memory for each binding: \(each)")
  }

  private static func usedMemory(_ bench: RedisBench) throws -> Int {
    guard case .bulk(let octets?) = try bench.ask("INFO", "memory") else { return 0 }
    let line = String(decoding: octets, as: UTF8.self).split(whereSeparator: \.isNewline).first {
      $0.hasPrefix("used_memory:")
    }
    return line.flatMap { Int($0.dropFirst("used_memory:".count)) } ?? 0
  }

  /// A REGISTER request as a phone with an instance and outbound sends it.
  static func phone(_ number: Int, now: Int64 = System.wallSeconds) -> RegistrationUpdate {
    let instance = "urn:uuid:00000000-0000-1000-8000-\(1_000_000_000_000 + number)"
    let contact = RegistrationUpdate.ContactChange(
      uri: Array("sip:user\(number)@192.0.2.7:40000;transport=tls".utf8),
      parameters: Array(";+sip.instance=\"<\(instance)>\";reg-id=1".utf8), duration: 3_600,
      instance: Array(instance.utf8), regID: 1, isReachedByFlow: true)
    return RegistrationUpdate(
      aor: Array("user\(number)@example.test".utf8), operation: .change([contact]),
      callID: Array("\(number)-3848276298220188511@192.0.2.7".utf8), cseq: 1,
      flow: Samples.stream(UInt64(number)), userAgent: Array("Phone 7.1 (build 4712)".utf8), maxContacts: 10,
      gruuSeed: UInt64(number), now: now)
  }
}

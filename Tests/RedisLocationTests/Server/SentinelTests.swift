import RedisLocation
import Structures
import Testing

/// A master with a replica, watched by one sentinel.
private struct Watched {
  let master: RedisServerProcess
  let replica: RedisServerProcess
  let sentinel: RedisServerProcess

  init() throws {
    master = try RedisServerProcess(port: try RedisServerProcess.freePort())
    let second = try RedisServerProcess.freePort()
    replica = try RedisServerProcess(["--replicaof", "127.0.0.1", "\(master.port)"], port: second)
    sentinel = try RedisServerProcess(sentinelOn: try RedisServerProcess.freePort(), watching: master.port)
  }

  static func address(_ server: RedisServerProcess) -> RedisServer {
    .address(SocketAddress(IPAddress(v4: 0x7F00_0001), port: server.port))
  }

  /// The first sentinel of the list is none: the client must go on to the second.
  func settings() throws -> RedisSettings {
    let nobody = RedisServer.address(
      SocketAddress(IPAddress(v4: 0x7F00_0001), port: try RedisServerProcess.freePort()))
    return RedisSettings(target: .sentinels([nobody, Self.address(sentinel)], master: "mymaster"))
  }

  /// Waits until the sentinel knows the replica and the replica is in step: before that nobody could take over.
  func settle(_ bench: RedisBench) throws -> Bool {
    let watch = try RedisBench(RedisSettings(target: .server(Self.address(sentinel))))
    guard try bench.ask("SET", "settled", "x")?.isOK == true, try bench.ask("WAIT", "1", "10000") == .integer(1) else {
      return false
    }
    for _ in 0..<30 {
      if case .array(let replicas?) = try watch.ask("SENTINEL", "REPLICAS", "mymaster"), replicas.count == 1,
        "\(replicas)".contains("\(octets("slave"))"), !"\(replicas)".contains("\(octets("s_down,slave,disconnected"))")
      {
        return true
      }
      try watch.run(1) { false }
    }
    return false
  }
}

@Suite(
  "A client of the master that sentinels name",
  .enabled(if: RedisServerProcess.find("redis-sentinel") != nil, "redis-sentinel is not installed"))
struct SentinelTests {
  @Test("when the master dies, the client uses the replica that was promoted, within 30 s", .timeLimit(.minutes(2)))
  func failover() throws {
    let watched = try Watched()
    var settings = try watched.settings()
    settings.commandTime = .milliseconds(1_000)
    let bench = try RedisBench(settings, channels: ["apus:news"])
    #expect(try bench.ask("SET", "key", "before")?.isOK == true)
    #expect(bench.client.health.server == "127.0.0.1:\(watched.master.port)")
    #expect(try watched.settle(bench))
    watched.master.end()
    #expect(
      try bench.run(30) { bench.client.isAvailable && bench.client.health.server.hasSuffix(":\(watched.replica.port)") }
    )
    #expect(try bench.ask("SET", "key", "after")?.isOK == true)
    #expect(try bench.ask("GET", "settled") == .bulk(octets("x")))
    #expect(try bench.run { bench.client.health.isSubscribed })
    #expect(try bench.ask("PUBLISH", "apus:news", "one") == .integer(1))
    #expect(try bench.run { bench.recorder.published.count == 1 })
    #expect(bench.recorder.changes.first == true && bench.recorder.changes.last == true)
    #expect(bench.recorder.changes.contains(false))
  }

  @Test(
    "when the master is changed on purpose, the client follows without having sent anything", .timeLimit(.minutes(2)))
  func switched() throws {
    let watched = try Watched()
    let bench = try RedisBench(try watched.settings())
    #expect(try bench.run { bench.client.isAvailable })
    #expect(try watched.settle(bench))
    let sentinel = try RedisBench(RedisSettings(target: .server(Watched.address(watched.sentinel))))
    // A sentinel refuses while it knows too little of the replica.
    var answer = try sentinel.ask("SENTINEL", "FAILOVER", "mymaster")
    for _ in 0..<30 where answer?.isOK != true {
      try sentinel.run(1) { false }
      answer = try sentinel.ask("SENTINEL", "FAILOVER", "mymaster")
    }
    #expect(answer == .text(octets("OK")))
    #expect(
      try bench.run(30) { bench.client.isAvailable && bench.client.health.server.hasSuffix(":\(watched.replica.port)") }
    )
    #expect(try bench.ask("SET", "key", "after")?.isOK == true)
  }

  @Test("a name that no sentinel knows is reported")
  func unknown() throws {
    let watched = try Watched()
    var settings = try watched.settings()
    settings.target = .sentinels([Watched.address(watched.sentinel)], master: "nobody")
    let bench = try RedisBench(settings)
    #expect(try bench.run { bench.client.health.trouble == .noMaster })
    #expect(!bench.client.isAvailable)
  }
}

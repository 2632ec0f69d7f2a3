import Glibc
import Reactor
import RedisLocation
import Structures
import Testing

@Suite(
  "A client of a real Redis server", .enabled(if: RedisServerProcess.isInstalled, "redis-server is not installed"))
struct RedisClientTests {
  @Test("a thousand commands of one turn are answered in their order")
  func pipeline() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server)
    #expect(bench.send("PING", token: 1) == .unavailable)
    #expect(try bench.run { bench.client.isAvailable })
    for token: UInt64 in 1...1_000 {
      #expect(bench.send("SET", "key:\(token)", "value \(token)", token: token * 2) == .accepted)
      #expect(bench.send("GET", "key:\(token)", token: token * 2 + 1) == .accepted)
    }
    #expect(bench.client.health.pending == 2_000)
    #expect(try bench.run { bench.recorder.replies.count == 2_000 })
    for (index, (token, reply)) in bench.recorder.replies.enumerated() {
      #expect(token == UInt64(index + 2))
      #expect(reply == (token % 2 == 0 ? .text(octets("OK")) : .bulk(octets("value \(token / 2)"))))
    }
    #expect(bench.recorder.changes == [true])
    #expect(bench.client.health.counters.replies == 2_000)
  }

  @Test("an error is the reply to its command, and the connection goes on")
  func errors() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server)
    #expect(try bench.ask("NOSUCH")?.errorCode == .other)
    #expect(try bench.ask("EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0")?.errorCode == .noScript)
    #expect(try bench.ask("PING") == .text(octets("PONG")))
    #expect(bench.recorder.changes == [true])
  }

  @Test("a database and a name are chosen")
  func databaseAndName() throws {
    let server = try RedisServerProcess()
    var settings = RedisSettings(target: .server(.unix(server.socketPath)))
    settings.database = 3
    settings.clientName = octets("apus-sip1-0")
    let chosen = try RedisBench(settings)
    #expect(try chosen.ask("SET", "key", "x")?.isOK == true)
    #expect(try chosen.ask("CLIENT", "GETNAME") == .bulk(octets("apus-sip1-0")))
    let other = try RedisBench(server)
    #expect(try other.ask("GET", "key") == .bulk(nil))
    #expect(try chosen.ask("GET", "key") == .bulk(octets("x")))
  }

  @Test("a database that doesn't exist is reported with the server's words")
  func wrongDatabase() throws {
    let server = try RedisServerProcess()
    var settings = RedisSettings(target: .server(.unix(server.socketPath)))
    settings.database = 99
    let bench = try RedisBench(settings)
    #expect(try bench.run { bench.client.health.trouble == .refused("ERR DB index is out of range") })
  }

  @Test("a password, and a user of the access list with one, let in; a wrong one is reported, and tried again")
  func passwords() throws {
    let server = try RedisServerProcess([
      "--requirepass", "sesame", "--user", "apus", "on", ">wing", "~*", "&*", "+@all",
    ])
    var settings = RedisSettings(target: .server(.unix(server.socketPath)))
    settings.password = octets("sesame")
    #expect(try RedisBench(settings).ask("ACL", "WHOAMI") == .bulk(octets("default")))
    (settings.user, settings.password) = (octets("apus"), octets("wing"))
    #expect(try RedisBench(settings).ask("ACL", "WHOAMI") == .bulk(octets("apus")))
    settings.password = octets("wrong")
    let refused = try RedisBench(settings)
    #expect(try refused.run { refused.client.health.counters.connections > 1 })
    #expect(refused.client.health.trouble.description.contains("WRONGPASS"))
    (settings.user, settings.password) = (nil, nil)
    let bare = try RedisBench(settings)
    #expect(try bare.run { bare.client.health.trouble.description.contains("NOAUTH") })
    #expect(!bare.client.isAvailable)
  }

  @Test("messages of channels come in, and again after the subscription was lost")
  func subscription() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server, channels: ["apus:news", "apus:era"])
    #expect(try bench.run { bench.recorder.subscriptionChanges == [true] })
    #expect(try bench.ask("PUBLISH", "apus:news", "one") == .integer(1))
    #expect(try bench.ask("PUBLISH", "apus:other", "none") == .integer(0))
    #expect(try bench.ask("CLIENT", "KILL", "TYPE", "pubsub") == .integer(1))
    #expect(try bench.run { bench.recorder.subscriptionChanges == [true, false, true] })
    #expect(try bench.ask("PUBLISH", "apus:era", "two") == .integer(1))
    #expect(try bench.run { bench.recorder.published.count == 2 })
    #expect(bench.recorder.published.map(\.channel) == [octets("apus:news"), octets("apus:era")])
    #expect(bench.recorder.published.map(\.payload) == [octets("one"), octets("two")])
    #expect(bench.client.health.isSubscribed)
    #expect(bench.recorder.changes == [true])
  }

  @Test(
    "a server that stands still fails the commands at their time limit while the loop turns on, and is used again afterwards"
  )
  func frozen() throws {
    let server = try RedisServerProcess()
    var settings = RedisSettings(target: .server(.unix(server.socketPath)))
    settings.commandTime = .milliseconds(300)
    let bench = try RedisBench(settings, channels: ["apus:news"])
    #expect(try bench.run { bench.client.isAvailable && bench.client.health.isSubscribed })
    server.signal(SIGSTOP)
    defer { server.signal(SIGCONT) }
    let (turns, began) = (bench.loop.counters.turns, System.monotonicNow)
    for token: UInt64 in 1...3 { #expect(bench.send("PING", token: token) == .accepted) }
    #expect(try bench.run { bench.recorder.failed.count == 3 })
    #expect(bench.recorder.failed == [1, 2, 3])
    #expect(System.monotonicNow - began >= .milliseconds(300))
    // Turns of 5 ms at most, by which other work would have been done.
    #expect(bench.loop.counters.turns - turns >= 20)
    #expect(bench.client.health.trouble == .timeLimit)
    #expect(bench.send("PING", token: 4) == .unavailable)
    #expect(try bench.run { !bench.client.health.isSubscribed })
    server.signal(SIGCONT)
    #expect(try bench.run { bench.client.isAvailable && bench.client.health.isSubscribed })
    #expect(try bench.ask("PING") == .text(octets("PONG")))
    #expect(bench.recorder.changes == [true, false, true])
  }

  @Test("a server that is killed fails what waits, and is used again once it is there")
  func killed() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server, channels: ["apus:news"])
    #expect(try bench.ask("SET", "key", "x")?.isOK == true)
    server.signal(SIGSTOP)
    #expect(bench.send("GET", "key", token: 5) == .accepted)
    try bench.loop.runOnce(until: System.monotonicNow)
    server.end()
    #expect(try bench.run { bench.recorder.failed == [5] })
    #expect(try bench.run { bench.client.health.counters.connections > 2 })
    #expect(!bench.client.isAvailable)
    try server.restart()
    #expect(try bench.ask("GET", "key") == .bulk(nil))
    #expect(bench.recorder.changes == [true, false, true])
    #expect(try bench.run { bench.client.health.isSubscribed })
  }

  @Test("a client that starts before its server finds it later")
  func late() throws {
    let server = try RedisServerProcess()
    server.end()
    let bench = try RedisBench(server)
    #expect(try bench.run { bench.client.health.counters.connections > 1 })
    #expect(bench.client.health.trouble.description.contains("connect"))
    try server.restart()
    #expect(try bench.ask("PING") == .text(octets("PONG")))
  }

  @Test("a large reply takes many turns, each with a bounded piece of it")
  func largeReply() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server)
    let value = String(repeating: "0123456789abcdef", count: 1 << 18)
    #expect(try bench.ask("SET", "large", value)?.isOK == true)
    let turns = bench.loop.counters.turns
    #expect(try bench.ask("GET", "large") == .bulk(octets(value)))
    #expect(bench.loop.counters.turns - turns >= UInt64(value.utf8.count / (32 << 10)))
  }

  @Test("a reply that is too large ends the connection, and the next one serves")
  func tooLarge() throws {
    let server = try RedisServerProcess()
    var settings = RedisSettings(target: .server(.unix(server.socketPath)))
    settings.replyLimits.bytes = 100_000
    let bench = try RedisBench(settings)
    #expect(try bench.ask("SETRANGE", "large", "200000", "x") == .integer(200_001))
    #expect(try bench.ask("GET", "large") == nil)
    #expect(bench.client.health.trouble == .malformed)
    #expect(try bench.ask("PING") == .text(octets("PONG")))
  }

  @Test("commands that a server doesn't read are refused once too many octets or replies wait")
  func bounds() throws {
    let server = try RedisServerProcess()
    var settings = RedisSettings(target: .server(.unix(server.socketPath)))
    (settings.maximumQueuedBytes, settings.maximumPending) = (100_000, 50)
    let bench = try RedisBench(settings)
    #expect(try bench.run { bench.client.isAvailable })
    let value = String(repeating: "x", count: 60_000)
    #expect(bench.send("SET", "key", value, token: 1) == .accepted)
    #expect(bench.send("SET", "key", value, token: 2) == .overloaded)
    #expect(try bench.run { bench.recorder.replies.count == 1 })
    let sendings = (10..<62).map { bench.send("PING", token: $0) }
    #expect(sendings.prefix(50).allSatisfy { $0 == .accepted })
    #expect(sendings.suffix(2).allSatisfy { $0 == .overloaded })
    #expect(try bench.run { bench.recorder.replies.count == 51 })
  }

  @Test("a server that has become a replica takes no writes: the command fails and the connection is opened anew")
  func readOnly() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server)
    #expect(try bench.ask("REPLICAOF", "127.0.0.1", "1")?.isOK == true)
    #expect(try bench.ask("SET", "key", "x") == nil)
    #expect(bench.client.health.trouble == .readOnly)
    #expect(try bench.ask("REPLICAOF", "NO", "ONE")?.isOK == true)
    #expect(try bench.ask("SET", "key", "x")?.isOK == true)
  }

  @Test("stopping fails what waits and closes both connections")
  func stop() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server, channels: ["apus:news"])
    #expect(try bench.run { bench.client.isAvailable && bench.client.health.isSubscribed })
    #expect(bench.send("PING", token: 3) == .accepted)
    bench.client.stop()
    #expect(bench.recorder.failed == [3])
    #expect(bench.loop.counters.descriptors == 0)
    #expect(bench.loop.counters.deadlines == 0)
    #expect(bench.send("PING", token: 4) == .unavailable)
  }

  @Test("stopping while replies are delivered fails the rest, each once")
  func stopWithin() throws {
    let server = try RedisServerProcess()
    let bench = try RedisBench(server)
    #expect(try bench.run { bench.client.isAvailable })
    bench.recorder.stopsAt = 3
    for token: UInt64 in 1...5 { #expect(bench.send("PING", token: token) == .accepted) }
    #expect(try bench.run { bench.recorder.failed.count == 2 })
    #expect(bench.recorder.replies.map(\.token) == [1, 2, 3])
    #expect(bench.recorder.failed == [4, 5])
    #expect(bench.recorder.changes == [true, false])
    #expect(bench.loop.counters.descriptors == 0)
  }

  @Test(
    "a server that is none is left, and tried again",
    arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "+PONG\r\n+PONG\r\n", "-ERR max number of clients reached\r\n", ""])
  func noServer(answer: String) throws {
    let listener = try Socket.listen(SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0))
    let bench = try RedisBench(
      RedisSettings(target: .server(.address(try Socket.localAddress(listener.number)))))
    var accepted = 0
    let leaves = try bench.run {
      if case .connection(let peer, _) = Socket.accept(listener.number) {
        accepted += 1
        let octets = octets(answer)
        _ = Socket.send(peer.number, octets.span)
      }
      return accepted > 2
    }
    #expect(leaves)
    #expect(!bench.client.isAvailable || answer.hasPrefix("+"))
    #expect(bench.client.health.trouble != .none)
  }
}

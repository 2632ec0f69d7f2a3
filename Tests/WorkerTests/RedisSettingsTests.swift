import Configuration
import RedisLocation
import Structures
import Testing

@testable import Worker

private func redisSettings(_ redis: SettingNode?, socket: String = "/run/redis.sock") throws -> RedisSettings? {
  var pairs: [(String, SettingNode)] = [
    ("domains", ["example.test"]), ("listen", ["tcp:127.0.0.1:0"]), ("node", "sip1"),
  ]
  if let redis { pairs.append(("redis", redis)) }
  let tree = SettingNode.mapping(
    pairs.map { SettingNode.Pair(key: $0.0, position: .start, value: $0.1) }, .start)
  let arguments = WorkerArguments(
    configuration: 3, control: 4, slot: 2, slots: 4, generation: 1, epoch: 1, listeners: [], redis: socket)
  return RedisSettings(try NodeConfiguration(settings: tree), arguments: arguments)
}

@Suite("How a worker reaches its Redis server")
struct RedisSettingsTests {
  private let address = SocketAddress(IPAddress(v4: 0x0A00_0009), port: 6379)

  @Test("without a word in the settings it is the socket that the supervisor names")
  func own() throws {
    let settings = try #require(try redisSettings(nil))
    #expect(settings.target == .server(.unix("/run/redis.sock")))
    #expect(settings.clientName == Array("apus-sip1-2".utf8))
    #expect(settings.prefix == Array("apus:".utf8))
    #expect(settings.commandTime == .seconds(2))
    #expect(settings.tls == nil && settings.password == nil)
    #expect(try redisSettings(nil, socket: "") == nil)
  }

  @Test("what the settings say of a server arrives, and its password is not printed")
  func server() throws {
    let settings = try #require(
      try redisSettings(["url": "rediss://apus:sesame@10.0.0.9/3", "prefix": "sip:", "timeout": "500ms"]))
    #expect(settings.target == .server(.address(address)))
    #expect(settings.tls?.verification == .required)
    #expect(settings.user == Array("apus".utf8) && settings.password == Array("sesame".utf8))
    #expect(settings.database == 3)
    #expect(settings.prefix == Array("sip:".utf8))
    #expect(settings.commandTime == .milliseconds(500))
    #expect(!"\(settings) \(String(reflecting: settings))".contains("sesame"))
  }

  @Test("a certificate must be for the name of the url where there is one")
  func names() throws {
    let named = try #require(try redisSettings("rediss://localhost:7000"))
    #expect(
      named.target
        == .server(.address(SocketAddress(IPAddress(v4: 0x7F00_0001), port: 7000), name: "localhost")))
    let literal = try #require(try redisSettings("rediss://[::1]:7000"))
    #expect(literal.target == .server(.address(SocketAddress(IPAddress(v6: 0, 1), port: 7000))))
  }

  @Test("sentinels arrive with the name of the master and their own password")
  func sentinels() throws {
    let settings = try #require(
      try redisSettings(["url": "sentinel://10.0.0.9:6379/mymaster", "sentinel_password": "wing", "tls": "yes"]))
    #expect(settings.target == .sentinels([.address(address)], master: "mymaster"))
    #expect(settings.sentinelPassword == Array("wing".utf8) && settings.password == nil)
    #expect(settings.tls != nil)
  }
}

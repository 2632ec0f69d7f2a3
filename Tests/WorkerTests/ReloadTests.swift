import Configuration
import Glibc
import Reactor
import Structures
import Testing

@testable import SIPServer
@testable import Worker

@Suite("A worker takes new settings", .timeLimit(.minutes(1)))
struct ReloadTests {
  /// What a supervisor would pass: the bench's settings with some others.
  private static func memory(_ changes: [(String, SettingNode)]) throws -> Descriptor {
    let pairs: [(String, SettingNode)] =
      [("node", "n"), ("domains", ["example.test"]), ("listen", ["tcp:127.0.0.1:0", "udp:127.0.0.1:0"])] + changes
    let facts = SettingsSources.Facts(hostName: "n", cores: 1, clusterSecret: Array(repeating: 9, count: 32))
    let tree = SettingNode.mapping(pairs.map { .init(key: $0.0, position: .start, value: $0.1) }, .start)
    return try file(ConfigurationBundle(file: "test", settings: tree, facts: facts).encode())
  }

  private static func file(_ octets: [UInt8]) throws -> Descriptor {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    unlink(template)
    let count = write(descriptor, octets, octets.count)
    try #require(count == octets.count)
    return Descriptor(owning: descriptor)
  }

  @Test("they are in force when they are committed, not when they are prepared; what only a new worker takes stays")
  func commits() throws {
    let bench = try Bench()
    let before = bench.node.core.settings
    #expect(!before.authenticationRequired)
    let memory = try Self.memory([
      ("advertise", "other.example.test"), ("proxy", ["max_branches": "3", "timer_t1": "1s"]),
      ("timeouts", ["idle": "99s"]), ("limits", ["message_size": "2000", "header_size": "1500"]),
    ])
    bench.node.prepare(7, memory)
    #expect(bench.node.prepared?.version == 7)
    #expect(!bench.node.core.settings.authenticationRequired)
    bench.node.commit(6)
    #expect(!bench.node.core.settings.authenticationRequired)
    bench.node.commit(7)
    #expect(bench.node.prepared == nil)
    let after = bench.node.core.settings
    #expect(after.authenticationRequired)
    #expect(after.maxBranches == 3)
    #expect(after.timers.t1 == before.timers.t1)
    #expect(after.listeners.map(\.sentBy) == before.listeners.map(\.sentBy))
    #expect(after.parserLimits == before.parserLimits)
    #expect(bench.node.transport.settings.idleTime == .seconds(99))
    #expect(bench.node.transport.settings.maximumMessage == 65_535)
    let alice = try bench.phone("alice")
    #expect(!bench.register(alice))
    #expect(alice.statuses == [401])
  }

  @Test("an order to forget them, or others that can't be read, leave the present ones in force")
  func aborts() throws {
    let bench = try Bench()
    bench.node.prepare(1, try Self.memory([]))
    bench.node.abort(2)
    #expect(bench.node.prepared?.version == 1)
    bench.node.abort(1)
    bench.node.commit(1)
    #expect(!bench.node.core.settings.authenticationRequired)
    bench.node.prepare(2, try Self.memory([]))
    bench.node.prepare(3, try Self.file([1, 2, 3]))
    #expect(bench.node.prepared == nil)
    bench.node.prepare(4, try Self.memory([("tls", ["server": ["default": ["certificate": "gone.pem"]]])]))
    #expect(bench.node.prepared == nil)
    for version: UInt64 in 2...4 { bench.node.commit(version) }
    #expect(!bench.node.core.settings.authenticationRequired)
    #expect(bench.register(try bench.phone("alice")))
  }
}

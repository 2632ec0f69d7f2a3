import Structures
import Testing

@testable import LoadGenerator

@Suite("Users, sources, limits and scenario files")
struct PlanTests {
  @Test("numbered users have their number with leading zeros")
  func numbered() throws {
    let users = try UserDirectory.formatted("u%07d", count: 3, first: 1, password: "p")
    #expect(users.name(0) == Array("u0000001".utf8) && users.name(2) == Array("u0000003".utf8))
    #expect(users.password(1) == Array("p".utf8))
    #expect(try UserDirectory.formatted("x%d", count: 1, first: 42, password: "").name(0) == Array("x42".utf8))
    #expect(throws: LoadError.self) { try UserDirectory.formatted("user", count: 1, first: 1, password: "") }
  }

  @Test("users of a CSV file keep their passwords, commas in them included")
  func listed() throws {
    let users = try UserDirectory.listed(csv: Array("# users\nalice,a,b\r\n\nbob\n".utf8), count: nil)
    #expect(users.count == 2 && users.password(0) == Array("a,b".utf8) && users.password(1).isEmpty)
    #expect(throws: LoadError.self) { try UserDirectory.listed(csv: Array("alice\n".utf8), count: 2) }
    #expect(throws: LoadError.self) { try UserDirectory.listed(csv: Array(",x\n".utf8), count: nil) }
  }

  @Test(
    "a source is an address, a range or a network without its first and last address",
    arguments: [("127.1.0.5", 1), ("127.1.0.0/24", 254), ("127.1.0.9/31", 2), ("127.1.0.1-127.1.1.0", 256), ("::1", 1)])
  func sources(_ text: String, _ count: Int) throws {
    #expect(try SourceRange.addresses(text).count == count)
  }

  @Test("what is no source is refused", arguments: ["", "x", "127.1.0.0/8", "127.1.0.9-127.1.0.1", "1.2.3.4-::1"])
  func noSources(_ text: String) {
    #expect(throws: LoadError.self) { try SourceRange.addresses(text) }
  }

  @Test("too low limits are named together with what to change")
  func limits() {
    let ports = 32_768...60_999
    #expect(
      LimitsCheck.problems(
        connections: 19_000, processes: 1, sources: 1, targets: 1, ports: ports, descriptors: 20_000
      ).isEmpty)
    let descriptors = LimitsCheck.problems(
      connections: 30_000, processes: 1, sources: 2, targets: 1, ports: ports, descriptors: 20_000)
    #expect(descriptors.count == 1 && descriptors[0].contains("--processes 2"))
    let sources = LimitsCheck.problems(
      connections: 60_000, processes: 4, sources: 1, targets: 1, ports: ports, descriptors: 20_000)
    #expect(sources.count == 1 && sources[0].contains("at least 3"))
    #expect(LimitsCheck.portRange(Array("32768\t60999\n".utf8)) == ports)
  }

  @Test("times are read with their unit")
  func times() {
    #expect(TimeText.duration("500ms") == .milliseconds(500) && TimeText.duration("2m") == .seconds(120))
    #expect(TimeText.duration("1.5") == .milliseconds(1_500) && TimeText.duration("7 apples") == nil)
    #expect(TimeText.duration("") == nil && TimeText.text(.milliseconds(1_500)) == "1500ms")
  }

  @Test("a scenario file gives streams, rates and length")
  func scenario() throws {
    let yaml = "duration: 60s\nwarm_up: 5s\narrival: even\nrates:\n  message: 500\n  call: { 0s: 0, 20s: 50 }\n"
    var plan = LoadPlan()
    try MixedScenario(yaml: Array(yaml.utf8), file: "f").apply(to: &plan)
    #expect(plan.duration == .seconds(60) && plan.warmUp == .seconds(5) && plan.streams.count == 2)
    guard case .open(let profile, .even) = plan.streams[1].pacing else {
      Issue.record("the second stream isn't an open loop with even arrivals")
      return
    }
    #expect(plan.streams[1].kind == .call && profile.rate(at: 10_000_000_000) == 25)
  }

  @Test(
    "a wrong scenario file is refused with its place",
    arguments: [
      ("rates: { message: 5 }\nspeed: 3\n", "f:2:1"), ("rates: { handshake: 5 }\n", "f:1:10"),
      ("duration: 5s\n", "no rates"),
      ("rates: { call: { 20s: 1, 10s: 2 } }\n", "rise"), ("rates: { message: fast }\n", "f:1:19"), ("{", "f:"),
    ])
  func wrongScenario(_ yaml: String, _ part: String) {
    let error = #expect(throws: LoadError.self) { try MixedScenario(yaml: Array(yaml.utf8), file: "f") }
    #expect(error?.problem.contains(part) ?? false, "\(error?.problem ?? "")")
  }

  @Test("processor time and memory are found in the kernel's files")
  func kernelFiles() {
    let stat = Array("12 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 1 0 99\n".utf8)
    #expect(ServerWatch.processorTicks(stat: stat) == 127)
    #expect(ServerWatch.memory(rollup: Array("x\nRss: 9 kB\nPss:      12 kB\nPss_Dirty: 1 kB\n".utf8)) == 12_288)
    #expect(ServerWatch.memory(rollup: []) == nil)
  }
}

import Foundation
import Testing

/// A node with a stand-in for its worker, a shell script that speaks the control channel on descriptor 3.
private final class Node {
  private static let worker = """
    #!/bin/bash
    # MODE is fail, mute or serve.
    echo "worker $$ $*" >&2
    [ "$MODE" = fail ] && { echo "no way" >&2; exit 3; }
    printf '\\001\\001' >&3
    [ "$MODE" = mute ] && exec sleep 60
    while :; do
      message=$(timeout 1 dd bs=16 count=1 status=none <&3 2>/dev/null | od -An -tu1; exit "${PIPESTATUS[0]}")
      [ $? -ne 124 ] && { echo "told$message" >&2; exit 0; }
      printf '\\001\\002' >&3
    done

    """

  let sandbox: Sandbox
  private let process = Process()

  /// Starts a node on ports that are free.
  init(_ sandbox: Sandbox, mode: String = "serve", more: String = "") throws {
    self.sandbox = sandbox
    try Self.prepare(sandbox, more)
    process.executableURL = Sandbox.executable
    process.arguments = ["serve", "--config", "apus.yaml"]
    process.currentDirectoryURL = sandbox.directory
    process.environment = ProcessInfo.processInfo.environment.merging(Self.environment(sandbox, mode)) { $1 }
    try sandbox.write("", to: "log")
    process.standardError = try FileHandle(forWritingTo: sandbox.directory.appendingPathComponent("log"))
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  static func prepare(_ sandbox: Sandbox, _ more: String) throws {
    try sandbox.write(worker, to: "worker", rights: 0o755)
    try sandbox.write(
      "node: n\ndomains: [example.test]\nlisten: [\"tcp:127.0.0.1:0\", \"udp:127.0.0.1:0\"]\nstate_directory: state\n"
        + more, to: "apus.yaml")
  }

  static func environment(_ sandbox: Sandbox, _ mode: String) -> [String: String] {
    ["APUS_WORKER": sandbox.directory.appendingPathComponent("worker").path, "MODE": mode]
  }

  var log: String { (try? sandbox.read("log")) ?? "" }

  /// Waits until the log has a text, ten seconds at most; whether it came.
  func says(_ text: String) -> Bool {
    for _ in 0..<1_000 {
      if log.contains(text) { return true }
      usleep(10_000)
    }
    Issue.record("the log lacks '\(text)':\n\(log)")
    return false
  }

  /// The process id of the worker of a generation.
  func worker(_ generation: Int) -> Int32? {
    log.split(separator: "\n").first { $0.contains("--generation \(generation) ") }
      .flatMap { Int32($0.split(separator: " ")[1]) }
  }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// The exit status, after ten seconds at most.
  func end() -> Int32? {
    for _ in 0..<1_000 where process.isRunning { usleep(10_000) }
    return process.isRunning ? nil : process.terminationStatus
  }
}

@Suite("apus serve", .timeLimit(.minutes(1)))
struct ServeTests {
  @Test("a node serves, drains at TERM and leaves no process and no lock behind")
  func lifetime() throws {
    let node = try Node(try Sandbox())
    #expect(node.says(" INFO ready: node n serves example.test"))
    #expect(node.log.contains("--control-fd 3 "))
    #expect(node.log.contains("--listeners 4,5 "))
    #expect(node.sandbox.exists("state/supervisor.lock"))
    let worker = try #require(node.worker(1))
    node.signal(SIGTERM)
    #expect(node.end() == 0)
    #expect(node.log.contains("told   1   3\n"))
    #expect(!node.sandbox.exists("state/supervisor.lock"))
    #expect(kill(worker, 0) == -1)
  }

  @Test("each of several workers has sockets of its own at the same ports, a link listener and the pages of all")
  func slots() throws {
    let sandbox = try Sandbox()
    try FileManager.default.createDirectory(
      at: sandbox.directory.appendingPathComponent("state/links"), withIntermediateDirectories: true)
    try sandbox.write("stale", to: "state/links/0")
    let node = try Node(sandbox, more: "workers: 3\n")
    #expect(node.says(" ready: "))
    for slot in 0..<3 {
      let words = "--slot \(slot) --slots 3 --generation 1 "
      let line = try #require(node.log.split(separator: "\n").first { $0.contains(words) })
      #expect(line.contains("--listeners 4,5 --link-fd 7 --link-directory state/links --page-fd 8 --redis"))
      #expect(try sandbox.rights("state/links/\(slot)") == 0o600)
    }
    #expect(try sandbox.rights("state/links") == 0o700)
    #expect(node.log.components(separatedBy: "listening on ").count == 3)
    node.signal(SIGTERM)
    #expect(node.end() == 0)
    #expect(!sandbox.exists("state/links"))
  }

  @Test("a second node with the same state directory is refused with the process id of the first")
  func second() throws {
    let sandbox = try Sandbox()
    let node = try Node(sandbox)
    #expect(node.says(" ready: "))
    let process = try sandbox.read("state/supervisor.lock").dropLast()
    let other = try sandbox.run(
      ["serve", "--config", "apus.yaml"], environment: Node.environment(sandbox, "serve"))
    #expect(other.status == 1)
    #expect(other.errors.contains("state_directory: another supervisor (pid \(process)) has it"))
    node.signal(SIGINT)
    #expect(node.end() == 0)
  }

  @Test("a worker that is killed is replaced within a second")
  func replaces() throws {
    let node = try Node(try Sandbox())
    #expect(node.says(" ready: "))
    let start = ContinuousClock.now
    kill(try #require(node.worker(1)), SIGKILL)
    #expect(node.says("worker 0 serves, generation 2"))
    #expect(ContinuousClock.now - start < .seconds(1))
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }

  @Test("a worker without a sign of life is killed and replaced after three seconds")
  func hangs() throws {
    let node = try Node(try Sandbox(), mode: "mute")
    #expect(node.says(" ready: "))
    #expect(node.says("worker 0, generation 1, gives no sign of life: killed"))
    #expect(node.says("worker 0 serves, generation 2"))
    node.signal(SIGINT)
    #expect(node.end() == 0)
  }

  @Test("a worker that cannot start ends the node with 1, its reason in the log")
  func fails() throws {
    let node = try Node(try Sandbox(), mode: "fail")
    #expect(node.end() == 1)
    #expect(node.log.contains("no way\n"))
    #expect(node.log.contains("worker 0 ended with status 3 before it served for the first time"))
  }

  @Test("workers end with a supervisor that is killed, and the lock is free")
  func dies() throws {
    let sandbox = try Sandbox()
    let first = try Node(sandbox)
    #expect(first.says(" ready: "))
    first.signal(SIGKILL)
    #expect(first.end() != nil)
    let second = try Node(sandbox)
    #expect(second.says(" ready: "))
    second.signal(SIGTERM)
    #expect(second.end() == 0)
  }

  @Test("HUP reads the settings again and says what came of it")
  func reloads() throws {
    let node = try Node(try Sandbox())
    #expect(node.says(" ready: "))
    node.signal(SIGHUP)
    #expect(node.says("reload: apus.yaml is right and nothing in it changed"))
    let settings = try node.sandbox.read("apus.yaml")
    try node.sandbox.write(settings + "workers: 0\n", to: "apus.yaml")
    node.signal(SIGHUP)
    #expect(node.says("ERROR reload: apus.yaml:5:10: workers: '0' is out of range; "))
    try node.sandbox.write(settings + "advertise: sip.example.test\n", to: "apus.yaml")
    node.signal(SIGHUP)
    #expect(node.says("the changes take effect when the node is started again"))
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }

  @Test("a port that another program has is an error with the place of the listener")
  func portTaken() throws {
    let sandbox = try Sandbox()
    let node = try Node(sandbox)
    #expect(node.says(" ready: "))
    for transport in ["tcp", "udp"] {
      let line = try #require(node.log.split(separator: "\n").first { $0.contains("listening on \(transport):") })
      let port = try #require(line.split(separator: ":").last)
      try sandbox.write(
        "domains: [a.test]\nlisten:\n  - udp:127.0.0.1:0\n  - \(transport):127.0.0.1:\(port)\nstate_directory: other\n",
        to: "b.yaml")
      let outcome = try sandbox.run(["serve", "--config", "b.yaml"], environment: Node.environment(sandbox, "serve"))
      #expect(outcome.status == 1)
      let expected = "b.yaml:4:5: listen[1]: \(transport):127.0.0.1:\(port): address already in use; another program"
      #expect(outcome.errors.contains(expected))
    }
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }
}

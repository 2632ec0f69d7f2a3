import Foundation
import Testing

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
    #expect(node.log.contains("told 002 003\n"))
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

  @Test("a worker that is stopped counts as hung: it is replaced, the other one is left alone")
  func stopped() throws {
    let node = try Node(try Sandbox(), more: "workers: 2\n")
    #expect(node.says(" ready: "))
    let line = try #require(node.log.split(separator: "\n").first { $0.contains("--slot 1 ") })
    kill(try #require(Int32(line.split(separator: " ")[1])), SIGSTOP)
    #expect(node.says("worker 1, generation 1, gives no sign of life: killed"))
    #expect(node.says("worker 1 serves, generation 2"))
    #expect(node.workers.count == 3)
    node.signal(SIGTERM)
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

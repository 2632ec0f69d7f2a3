import Foundation
import Testing

@Suite("apus serve with a private Redis", .timeLimit(.minutes(1)), .enabled(if: Node.hasRedis))
struct PrivateRedisTests {
  /// What redis-cli says to a command.
  private static func ask(_ sandbox: Sandbox, _ words: String...) throws -> String {
    // It begins to listen some time after its start.
    for _ in 0..<500 {
      let outcome = try sandbox.run(["-s", "state/redis/redis.sock"] + words, tool: "/usr/bin/redis-cli")
      if outcome.status == 0, !outcome.output.hasPrefix("LOADING") { return outcome.output }
      usleep(10_000)
    }
    return "no answer"
  }

  @Test(
    "it serves at a socket for the node's user alone, its path is told to workers, and what it holds outlives the node")
  func lifetime() throws {
    let sandbox = try Sandbox()
    let node = try Node(sandbox)
    #expect(node.says(" ready: "))
    #expect(node.log.contains("--redis state/redis/redis.sock\n"))
    #expect(try Self.ask(sandbox, "SET", "a", "1") == "OK\n")
    #expect(try Self.ask(sandbox, "CONFIG", "GET", "appendonly").contains("yes"))
    #expect(try sandbox.rights("state/redis/redis.sock") == 0o600)
    #expect(try sandbox.rights("state/redis") == 0o700)
    let process = try #require(node.redis)
    node.signal(SIGTERM)
    #expect(node.end() == 0)
    #expect(Node.isGone(process))
    let state = sandbox.directory.appendingPathComponent("state").path
    let left = try FileManager.default.subpathsOfDirectory(atPath: state).filter {
      !$0.hasPrefix("redis/appendonlydir/")
    }
    #expect(left.sorted() == ["cluster.secret", "redis", "redis/appendonlydir"])

    let next = try Node(sandbox)
    #expect(next.says(" ready: "))
    #expect(try Self.ask(sandbox, "GET", "a") == "1\n")
    next.signal(SIGINT)
    #expect(next.end() == 0)
  }

  @Test("it is started again when it is killed, with what it held")
  func replaces() throws {
    let sandbox = try Sandbox()
    let node = try Node(sandbox)
    #expect(node.says(" ready: "))
    #expect(try Self.ask(sandbox, "SET", "a", "1") == "OK\n")
    let first = try #require(node.redis)
    kill(first, SIGKILL)
    #expect(node.says("redis-server was ended by signal 9"))
    #expect(try Self.ask(sandbox, "GET", "a") == "1\n")
    #expect(node.redis != first)
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }

  @Test("it ends with a supervisor that is killed, and so do the workers")
  func endsWithSupervisor() throws {
    let sandbox = try Sandbox()
    let node = try Node(sandbox, more: "workers: 2\n")
    #expect(node.says(" ready: "))
    let processes = node.workers + [try #require(node.redis)]
    #expect(processes.count == 3)
    node.signal(SIGKILL)
    for process in processes { #expect(Node.isGone(process)) }
  }

  @Test("one of an earlier supervisor that still has the lock is ended before another writes the same file")
  func takesOver() throws {
    let sandbox = try Sandbox()
    try FileManager.default.createDirectory(
      at: sandbox.directory.appendingPathComponent("state"), withIntermediateDirectories: true)
    let script =
      "exec 3<>state/redis.lock; flock 3; redis-server --port 0 >/dev/null 2>&1 & echo $! >state/redis.lock; cat state/redis.lock"
    let other = try #require(Int32(try sandbox.run(["-c", script], tool: "/bin/bash").output.dropLast()))
    let node = try Node(sandbox)
    #expect(node.says(" ready: "))
    #expect(Node.isGone(other))
    #expect(try Self.ask(sandbox, "PING") == "PONG\n")
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }

  @Test(
    "a host without redis-server is an error that says what to install; with one named in the settings none is started")
  func missing() throws {
    let sandbox = try Sandbox()
    let bare = try Node(sandbox, environment: ["PATH": "/nowhere"])
    #expect(bare.end() == 1)
    #expect(bare.log.contains("redis: there is no redis-server in PATH; install it (apt-get install redis-server)"))
    #expect(!sandbox.exists("state/links"))
    let node = try Node(sandbox, more: "redis: unix:/nowhere\n")
    #expect(node.says(" ready: "))
    #expect(node.redis == nil)
    #expect(node.log.contains("--redis \n"))
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }
}

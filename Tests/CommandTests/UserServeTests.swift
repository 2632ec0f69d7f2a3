import Foundation
import Testing

@Suite("apus serve with a user", .timeLimit(.minutes(1)))
struct UserServeTests {
  /// Lines of /proc/PID/status by their name.
  private static func status(_ process: Int32) throws -> [String: String] {
    let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    return text.split(separator: "\n").reduce(into: [:]) { result, line in
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { result[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
  }

  /// Whether the user nobody can do something in the sandbox, in the words of test(1).
  private static func nobodyCan(_ words: String, _ sandbox: Sandbox) throws -> Bool {
    let options = ["--reuid=65534", "--regid=65534", "--clear-groups", "test"]
    return try sandbox.run(options + words.split(separator: " ").map(String.init), tool: "/usr/bin/setpriv").status == 0
  }

  @Test(
    "workers and Redis of a node that root starts run as the user, who reaches the sockets and nothing else",
    .enabled(if: geteuid() == 0))
  func drops() throws {
    let sandbox = try Sandbox()
    let node = try Node(sandbox, more: "workers: 2\nuser: nobody\n")
    #expect(node.says(" ready: "))
    #expect(node.says("redis-server (pid "))
    let processes = node.workers + [try #require(node.redis)]
    #expect(processes.count == 3)
    for process in processes {
      let status = try Self.status(process)
      #expect(status["Uid"] == "65534\t65534\t65534\t65534")
      #expect(status["Gid"] == "65534\t65534\t65534\t65534")
      #expect(status["Groups"]?.split(separator: " ") == ["65534"])
      #expect(status["NoNewPrivs"] == "1")
      #expect(status["CapEff"] == "0000000000000000")
    }
    for _ in 0..<500 where !sandbox.exists("state/redis/redis.sock") { usleep(10_000) }
    for name in ["links/0", "links/1", "redis/redis.sock"] { #expect(try Self.nobodyCan("-w state/\(name)", sandbox)) }
    for name in ["cluster.secret", "supervisor.lock", "."] {
      #expect(!(try Self.nobodyCan("-r state/\(name)", sandbox)))
      #expect(!(try Self.nobodyCan("-w state/\(name)", sandbox)))
    }
    #expect(!(try Self.nobodyCan("-w state/links", sandbox)))
    node.signal(SIGTERM)
    #expect(node.end() == 0)
    #expect(!sandbox.exists("state/links"))
    #expect(!sandbox.exists("state/redis/redis.sock"))
  }

  @Test(
    "what an earlier node under another user left in the state directory is taken over", .enabled(if: geteuid() == 0))
  func takesOver() throws {
    let sandbox = try Sandbox()
    for more in ["", "user: nobody\n", ""] {
      let node = try Node(sandbox, more: more)
      #expect(node.says(" ready: "))
      // It reads its file before it opens the socket.
      for _ in 0..<500 where !sandbox.exists("state/redis/redis.sock") { usleep(10_000) }
      #expect(sandbox.exists("state/redis/redis.sock"))
      node.signal(SIGTERM)
      #expect(node.end() == 0)
      #expect(!node.log.contains("redis-server ended"))
    }
  }

  @Test("a user that does not exist, or that only root could become, is an error at its place")
  func unknown() throws {
    let sandbox = try Sandbox()
    let node = try Node(sandbox, more: "user: nobody-at-all\n")
    #expect(node.end() == 1)
    #expect(node.log.contains("apus.yaml:5:7: user: there is no user nobody-at-all; useradd "))
    let check = try sandbox.run(["check", "--config", "apus.yaml"])
    #expect(check.status == 0)
    #expect(check.errors.contains("note: apus.yaml:5:7: user: there is no user nobody-at-all; "))
  }

  @Test(
    "a state directory that the user cannot get to is an error that names what is in the way",
    .enabled(if: geteuid() == 0))
  func barrier() throws {
    let sandbox = try Sandbox()
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: sandbox.directory.path)
    let node = try Node(sandbox, more: "user: nobody\n")
    #expect(node.end() == 1)
    #expect(node.log.contains("the user of the workers may not pass \(sandbox.directory.path); chmod o+x "))
  }
}

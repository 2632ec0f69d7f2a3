import Foundation
import Testing

/// A node with a stand-in for its worker, a shell script that speaks the control channel on descriptor 3.
final class Node {
  private static let worker = """
    #!/bin/bash
    # MODE is fail, mute, serve, or refuse: the worker of slot 1 takes no new configuration.
    echo "worker $$ $*" >&2
    slot=${6}
    [ "$MODE" = fail ] && { echo "no way" >&2; exit 3; }
    printf '\\002\\001' >&3
    [ "$MODE" = mute ] && exec sleep 60
    while :; do
      message=$(timeout 1 dd bs=16 count=1 status=none <&3 2>/dev/null | od -An -to1; exit "${PIPESTATUS[0]}")
      status=$?
      printf '\\002\\002' >&3
      [ $status -eq 124 ] && continue
      octets=($message)
      number=$(printf '\\\\%s' "${octets[@]:2}")
      echo "told" $message >&2
      case "${octets[1]}" in
        007)
          if [ "$MODE" = refuse ] && [ "$slot" = 1 ]; then
            printf "\\002\\011${number}no such cipher" >&3
          else
            printf "\\002\\010$number" >&3
          fi ;;
        012 | 013 | 017) ;;
        *) exit 0 ;;
      esac
    done

    """

  /// Whether this host has what a node without `redis` in its settings starts.
  static let hasRedis = FileManager.default.isExecutableFile(atPath: "/usr/bin/redis-server")

  let sandbox: Sandbox
  private let process = Process()

  /// Starts a node on ports that are free.
  init(
    _ sandbox: Sandbox, mode: String = "serve", more: String = "",
    listen: String = "tcp:127.0.0.1:0\", \"udp:127.0.0.1:0",
    environment: [String: String] = [:]
  ) throws {
    self.sandbox = sandbox
    try Self.prepare(sandbox, more, listen)
    process.executableURL = Sandbox.executable
    process.arguments = ["serve", "--config", "apus.yaml"]
    process.currentDirectoryURL = sandbox.directory
    process.environment = ProcessInfo.processInfo.environment.merging(Self.environment(sandbox, mode)) { $1 }
      .merging(environment) { $1 }
    try sandbox.write("", to: "log")
    process.standardError = try FileHandle(forWritingTo: sandbox.directory.appendingPathComponent("log"))
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// Writes the settings; a node has one worker unless `more` says otherwise.
  private static func prepare(_ sandbox: Sandbox, _ more: String, _ listen: String) throws {
    let more = more.contains("workers:") ? more : "workers: 1\n" + more
    try sandbox.write(worker, to: "worker", rights: 0o755)
    try sandbox.write(
      "node: n\ndomains: [example.test]\nlisten: [\"\(listen)\"]\nstate_directory: state\n" + more, to: "apus.yaml")
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

  /// The process id of the last redis-server that was started.
  var redis: Int32? {
    log.split(separator: "\n").last { $0.contains(" redis-server (pid ") }
      .flatMap { Int32($0.split(separator: "(pid ")[1].prefix { $0.isNumber }) }
  }

  /// Waits until a process is gone, ten seconds at most; whether it is.
  static func isGone(_ process: Int32) -> Bool {
    for _ in 0..<1_000 {
      if kill(process, 0) == -1 { return true }
      usleep(10_000)
    }
    return false
  }

  /// The process id of the worker of a generation.
  func worker(_ generation: Int) -> Int32? {
    log.split(separator: "\n").first { $0.contains("--generation \(generation) ") }
      .flatMap { Int32($0.split(separator: " ")[1]) }
  }

  /// The process ids of all workers that were started.
  var workers: [Int32] {
    log.split(separator: "\n").filter { $0.hasPrefix("worker ") }.compactMap { Int32($0.split(separator: " ")[1]) }
  }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// The exit status, after ten seconds at most.
  func end() -> Int32? {
    for _ in 0..<1_000 where process.isRunning { usleep(10_000) }
    return process.isRunning ? nil : process.terminationStatus
  }
}

import CLinux
import Glibc
import Reactor
import RedisLocation
import Structures
import Testing

/// A redis-server, or a sentinel, of a test's own, in a directory of its own under /tmp. It ends with the object.
final class RedisServerProcess {
  enum Problem: Error {
    case system(String, Int32)
    case silent(String)
  }

  /// The path of a program; nil when it isn't installed.
  static func find(_ name: String) -> String? {
    ["/usr/bin", "/usr/local/bin", "/bin"].map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  static var isInstalled: Bool { find("redis-server") != nil }

  let directory: String
  var socketPath: String { "\(directory)/redis.sock" }
  /// The TCP port; 0 when it has only the Unix socket.
  let port: UInt16
  private let arguments: [String]
  private let program: String
  private(set) var process: Int32 = -1

  /// Starts a server with these arguments beside those that every server of a test has.
  init(_ extra: [String] = [], port: UInt16 = 0, directory: String? = nil) throws {
    self.directory = try directory ?? Self.makeDirectory()
    self.port = port
    program = Self.find("redis-server") ?? "/usr/bin/redis-server"
    arguments =
      [
        "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", "\(self.directory)/redis.sock", "--dir",
        self.directory, "--save", "", "--logfile", "\(self.directory)/log", "--daemonize", "no",
        "--repl-diskless-sync-delay", "0",
      ] + extra
    try start()
    try waitForSocket()
  }

  /// Starts a sentinel that watches `mymaster` at a port of this host.
  init(sentinelOn port: UInt16, watching master: UInt16) throws {
    directory = try Self.makeDirectory()
    self.port = port
    program = Self.find("redis-sentinel") ?? Self.find("redis-server") ?? "/usr/bin/redis-server"
    let file = "\(directory)/sentinel.conf"
    try Self.write(
      """
      port \(port)
      bind 127.0.0.1
      dir \(directory)
      logfile \(directory)/log
      unixsocket \(directory)/redis.sock
      sentinel monitor mymaster 127.0.0.1 \(master) 1
      sentinel down-after-milliseconds mymaster 500
      sentinel failover-timeout mymaster 5000

      """, to: file)
    arguments = [file, "--sentinel"]
    try start()
    try waitForSocket()
  }

  deinit {
    end()
    let names = ["redis.sock", "log", "dump.rdb", "sentinel.conf", "server.pem", "server.key", "ca.pem"]
    for name in names { unlink("\(directory)/\(name)") }
    rmdir(directory)
  }

  func start() throws {
    let words = ([program] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    let result = clinux_spawn(program, words + [nil], nil, nil, 0, clinux_spawn_dies_with_parent)
    if result < 0 { throw Problem.system(program, -result) }
    process = result
  }

  func signal(_ number: Int32) { _ = clinux_kill(process, number) }

  /// Kills it and waits until it is gone.
  func end() {
    guard process > 0 else { return }
    signal(clinux_signal_kill)
    var exit = clinux_exit()
    _ = clinux_wait(process, true, &exit)
    process = -1
  }

  /// Starts it again after ``end()``.
  func restart() throws {
    unlink(socketPath)
    try start()
    try waitForSocket()
  }

  private func waitForSocket() throws {
    for _ in 0..<1_000 {
      if (try? Socket.connect(toPath: socketPath)) != nil { return }
      usleep(5_000)
    }
    throw Problem.silent(program)
  }

  static func makeDirectory() throws -> String {
    var template = Array("/tmp/apus-redis-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Problem.system("mkdtemp", errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

  static func write(_ octets: [UInt8], to path: String) throws {
    let descriptor = Descriptor(owning: creat(path, 0o600))
    let count = octets.withUnsafeBytes { Glibc.write(descriptor.number, $0.baseAddress, $0.count) }
    if count != octets.count { throw Problem.system(path, errno) }
  }

  /// A TCP port that nobody listens on at the moment.
  static func freePort() throws -> UInt16 {
    let listener = try Socket.listen(SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0))
    return try Socket.localAddress(listener.number).port
  }
}

/// Writes down what a client reports.
final class RedisRecorder: RedisClientDelegate {
  var replies: [(token: UInt64, reply: RedisReply)] = []
  var failed: [UInt64] = []
  var changes: [Bool] = []
  var subscriptionChanges: [Bool] = []
  var published: [(channel: [UInt8], payload: [UInt8])] = []

  var stopsAt: UInt64 = 0

  func redis(_ client: RedisClient, reply: RedisReply, token: UInt64) {
    replies.append((token, reply))
    if token == stopsAt { client.stop() }
  }
  func redis(_ client: RedisClient, failed token: UInt64) { failed.append(token) }
  func redis(_ client: RedisClient, changed isAvailable: Bool) { changes.append(isAvailable) }
  func redis(_ client: RedisClient, subscriptionChanged isSubscribed: Bool) { subscriptionChanges.append(isSubscribed) }
  func redis(_ client: RedisClient, published payload: [UInt8], channel: [UInt8]) {
    published.append((channel, payload))
  }
}

/// A client on a loop of its own.
final class RedisBench {
  let loop: EventLoop
  let client: RedisClient
  let recorder = RedisRecorder()
  private var writer = RedisCommandWriter()
  private var nextToken: UInt64 = 1 << 40

  init(_ settings: RedisSettings, channels: [String] = []) throws {
    loop = try EventLoop()
    client = try RedisClient(settings, channels: channels.map { Array($0.utf8) }, loop: loop)
    try client.start(delegate: recorder)
  }

  convenience init(_ server: RedisServerProcess, channels: [String] = []) throws {
    try self.init(RedisSettings(target: .server(.unix(server.socketPath))), channels: channels)
  }

  deinit { client.stop() }

  @discardableResult
  func send(_ words: String..., token: UInt64) -> RedisSending {
    writer.clear()
    writer.begin(words.count)
    for word in words {
      let octets = Array(word.utf8)
      writer.argument(octets.span)
    }
    let command = writer.octets
    return client.send(command.span, token: token)
  }

  /// Turns the loop until the condition holds, for `seconds` at most; whether it holds.
  @discardableResult
  func run(_ seconds: Int = 20, until condition: () -> Bool) throws -> Bool {
    let end = System.monotonicNow + .seconds(seconds)
    while !condition() {
      let now = System.monotonicNow
      if now >= end { return false }
      try loop.runOnce(until: now + .milliseconds(5))
    }
    return true
  }

  /// Sends one command and returns its reply; nil when there is none.
  func ask(_ words: String..., seconds: Int = 20) throws -> RedisReply? {
    writer.clear()
    writer.begin(words.count)
    for word in words {
      let octets = Array(word.utf8)
      writer.argument(octets.span)
    }
    let command = writer.octets
    nextToken += 1
    let token = nextToken
    guard try run(seconds, until: { client.isAvailable }) else { return nil }
    guard client.send(command.span, token: token) == .accepted else { return nil }
    recorder.replies = []
    try run(seconds) { recorder.replies.contains { $0.token == token } || recorder.failed.contains(token) }
    return recorder.replies.first { $0.token == token }?.reply
  }
}

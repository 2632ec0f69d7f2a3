internal import CLinux
internal import Configuration
internal import Glibc

/// Where the private Redis of a node lives: `redis` in the state directory with its data and its socket, beside it
/// `redis.conf` and `redis.lock`, which the user that it runs as can't change.
struct RedisFiles {
  /// The directory of its data, for it alone.
  let directory: String
  /// Its configuration, written at each start.
  let configuration: String
  /// The socket at which it is reached.
  let socket: String
  private let lockPath: String

  /// The octets of a Unix socket's path that the kernel takes.
  private static let longestSocketPath = 107

  /// The files in a state directory.
  init(stateDirectory: String) {
    directory = stateDirectory + "/redis"
    configuration = stateDirectory + "/redis.conf"
    lockPath = stateDirectory + "/redis.lock"
    socket = directory + "/redis.sock"
  }

  /// Makes the directory and writes the configuration.
  func prepare(for owner: ProcessOwner?) throws(StateDirectory.Problem) {
    guard socket.utf8.count <= Self.longestSocketPath else {
      throw .unusable(path: socket, Files.socketProblem(ENAMETOOLONG))
    }
    do throws(SettingsSources.FileProblem) {
      try Files.makeDirectory(directory)
      guard chmod(directory, 0o700) == 0 else { throw Files.problem(errno) }
      if let owner { try give(to: owner) }
    } catch { throw .unusable(path: directory, error) }
    do throws(SettingsSources.FileProblem) {
      try Files.write(Array(text.utf8), to: configuration, mode: 0o640)
      if let owner, lchown(configuration, 0, owner.identity.group) != 0 { throw Files.problem(errno) }
    } catch { throw .unusable(path: configuration, error) }
    removeSocket()
  }

  /// Removes the socket, where it was left.
  func removeSocket() { unlink(socket) }

  /// Removes what was made for this run; the data stays.
  func removeTraces() {
    removeSocket()
    unlink(configuration)
    unlink(lockPath)
  }

  /// Gives the data to the user, if it isn't his yet: two levels, the append-only files lie in a directory of their own.
  private func give(to owner: ProcessOwner) throws(SettingsSources.FileProblem) {
    var status = stat()
    guard lstat(directory, &status) == 0 else { throw Files.problem(errno) }
    if status.st_uid == owner.identity.user { return }
    for name in Files.names(in: directory) {
      let path = directory + "/" + name
      var inner = stat()
      guard lstat(path, &inner) == 0 else { continue }
      if inner.st_mode & S_IFMT == S_IFDIR {
        for file in Files.names(in: path) { try owner.own(path + "/" + file) }
      }
      try owner.own(path)
    }
    try owner.own(directory)
  }

  // MARK: - Configuration

  /// The file that redis-server reads. An append-only file holds everything; snapshots, each of which forks, are off.
  private var text: String {
    """
    # Written by apus at each start of the node: changes are lost.
    port 0
    unixsocket redis.sock
    unixsocketperm 600
    dir \(Self.quoted(directory))
    daemonize no
    supervised no
    logfile ""
    databases 16
    maxclients 2000
    # What is registered must not be evicted: a write that finds no memory is refused.
    maxmemory-policy noeviction
    appendonly yes
    appendfsync everysec
    aof-load-truncated yes
    auto-aof-rewrite-percentage 100
    auto-aof-rewrite-min-size 64mb
    save ""
    stop-writes-on-bgsave-error no

    """
  }

  /// A word of the file.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { result.unicodeScalars.append("\\") }
      result.unicodeScalars.append(scalar)
    }
    return result + "\""
  }

  // MARK: - The lock

  /// Takes the lock that each redis-server of this directory inherits, so that no two write the same file. One of a
  /// supervisor that died is on its way out by the kernel's hand; it is waited for, and killed if it stays.
  /// Returns the descriptor.
  func takeLock() throws(StateDirectory.Problem) -> Int32 {
    let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .unusable(path: lockPath, Files.problem(errno)) }
    for attempt in 0..<30 {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
        ftruncate(descriptor, 0)
        return descriptor
      }
      if attempt == 10, let process = holder(descriptor) { _ = clinux_kill(process, clinux_signal_kill) }
      usleep(100_000)
    }
    close(descriptor)
    let remedy = "end it: fuser \(lockPath) shows its process id"
    throw .unusable(path: lockPath, .init(problem: "a redis-server of an earlier node still holds it", remedy: remedy))
  }

  /// Notes who has the lock beside us.
  static func note(_ process: Int32, in lock: Int32) {
    let line = Array("\(process)\n".utf8)
    ftruncate(lock, 0)
    pwrite(lock, line, line.count, 0)
  }

  /// The process that was noted, if a redis-server still has that number.
  private func holder(_ lock: Int32) -> Int32? {
    var text = [UInt8](repeating: 0, count: 16)
    let count = pread(lock, &text, text.count, 0)
    let digits = String(decoding: text[..<max(0, count)], as: UTF8.self).prefix { $0.isNumber }
    guard let process = Int32(digits), process > 1,
      case .success(let name) = Files.read("/proc/\(process)/comm"), name.starts(with: Array("redis-server".utf8))
    else { return nil }
    return process
  }

  // MARK: - The program

  /// The path of redis-server by PATH; nil when it isn't there.
  static var executable: String? {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    for directory in path.split(separator: ":") {
      let candidate = "\(directory)/redis-server"
      if access(candidate, X_OK) == 0 { return candidate }
    }
    return nil
  }
}

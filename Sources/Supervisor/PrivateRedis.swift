internal import CLinux
internal import Configuration
internal import Logging
internal import Reactor
internal import Structures

/// The redis-server of a node whose settings name none: started before the workers, watched, ended after them. What is
/// decided is in ``RedisMachine``, where it lives in ``RedisFiles``; here is what is done.
///
/// It is killed when the supervisor dies. Its append-only file is written before each answer, so that loses nothing that
/// was confirmed while the host stands.
final class PrivateRedis {
  /// Why there can't be one.
  enum Problem: Error, CustomStringConvertible {
    /// redis-server isn't installed.
    case missing

    var description: String {
      "redis: there is no redis-server in PATH; install it (apt-get install redis-server), or name a server in the settings"
    }
  }

  /// The socket at which workers reach it.
  let socket: String
  private let files: RedisFiles
  private let owner: ProcessOwner?
  private let lock: Int32
  private let loop: EventLoop
  private let logger: Logger
  private var machine = RedisMachine()
  private var actions: [RedisMachine.Action] = []
  /// Its process while it runs.
  private(set) var process: Int32?
  private var output: OutputReader?
  private var deadline: DeadlineID?
  private var finished: (() -> Void)?

  /// Makes what it needs in the state directory; nothing is started yet.
  init(stateDirectory: String, owner: ProcessOwner?, loop: EventLoop, logger: Logger) throws {
    if RedisFiles.executable == nil { throw Problem.missing }
    files = RedisFiles(stateDirectory: stateDirectory)
    socket = files.socket
    lock = try files.takeLock()
    try files.prepare(for: owner)
    self.owner = owner
    self.loop = loop
    self.logger = logger
  }

  /// The one that the program before started.
  init(
    inheriting helper: Inheritance.Helper, stateDirectory: String, owner: ProcessOwner?, loop: EventLoop, logger: Logger
  ) throws {
    guard helper.descriptors.count >= 2 else { throw SystemError("redis-server of the program before", code: 71) }
    files = RedisFiles(stateDirectory: stateDirectory)
    socket = files.socket
    lock = helper.descriptors[1]
    process = helper.process
    self.owner = owner
    self.loop = loop
    self.logger = logger
    deadline = loop.addDeadline(self)
    machine.adopt(System.monotonicNow)
    output = try reader(Descriptor(owning: helper.descriptors[0]))
  }

  /// The process for the program that follows; nil while there is none.
  var inherited: Inheritance.Helper? {
    guard let process, let output else { return nil }
    return Inheritance.Helper(process: process, descriptors: [output.number, lock])
  }

  private func reader(_ descriptor: consuming Descriptor) throws(SystemError) -> OutputReader {
    try OutputReader(descriptor, loop: loop) { [logger] line in
      logger.log(level: Self.level(of: line), "redis-server: \(line)")
    }
  }

  // MARK: - Inputs

  /// Starts it.
  func start() {
    deadline = loop.addDeadline(self)
    machine.start(System.monotonicNow, into: &actions)
    carryOut()
  }

  /// Looks whether it ended.
  func reap() {
    guard let process, let end = ChildProcess.reap(process) else { return }
    self.process = nil
    output?.close()
    output = nil
    machine.ended(end, System.monotonicNow, into: &actions)
    carryOut()
  }

  /// Ends it; `finished` is called when it is gone.
  func stop(finished: @escaping () -> Void) {
    self.finished = finished
    machine.stopAsked(System.monotonicNow, into: &actions)
    carryOut()
  }

  // MARK: - What is done

  private func carryOut() {
    while !actions.isEmpty {
      let orders = actions
      actions.removeAll(keepingCapacity: true)
      for order in orders { carryOut(order) }
    }
    guard let deadline else { return }
    if let next = machine.nextDeadline { loop.schedule(deadline, at: next) } else { loop.cancel(deadline) }
  }

  private func carryOut(_ order: RedisMachine.Action) {
    switch order {
    case .spawn: spawn()
    case .terminate: signal(clinux_signal_term)
    case .kill: signal(clinux_signal_kill)
    case .report(let report): logger.log(level: report.level, "\(report)")
    case .finish:
      files.removeTraces()
      clinux_close(lock)
      finished?()
    }
  }

  private func signal(_ number: Int32) {
    if let process { _ = clinux_kill(process, number) }
  }

  private func spawn() {
    guard let executable = RedisFiles.executable else {
      return machine.ended(.notStarted("\(Problem.missing)"), System.monotonicNow, into: &actions)
    }
    do throws(SystemError) {
      files.removeSocket()
      var ends: [Int32] = [-1, -1]
      let made = clinux_pipe(&ends)
      if made < 0 { throw SystemError("pipe", code: -made) }
      let reading = Descriptor(owning: ends[0])
      let writing = Descriptor(owning: ends[1])
      let map = [
        clinux_descriptor_map(from: writing.number, to: 1), clinux_descriptor_map(from: writing.number, to: 2),
        clinux_descriptor_map(from: lock, to: 3),
      ]
      let started = try ChildProcess.spawn(executable, [files.configuration], map, as: owner, inNewSession: true)
      process = started
      RedisFiles.note(started, in: lock)
      output = try reader(reading)
      logger.info("redis-server (pid \(started)) serves at \(socket)")
    } catch {
      // Without its output it is of no use: it would stand still once the pipe is full.
      signal(clinux_signal_kill)
      if process == nil { machine.ended(.notStarted("\(error)"), System.monotonicNow, into: &actions) }
    }
  }

  /// The level of a line of redis-server: `4711:M 26 Nov 2026 02:00:00.000 * text`. Its `#` is what ours calls notice;
  /// other lines come from a start that failed.
  static func level(of line: String) -> Logger.Level {
    let words = line.split(separator: " ", maxSplits: 6)
    guard words.count >= 6, words[0].contains(":") else { return .warning }
    switch words[5] {
    case "#": return .notice
    case ".", "-", "*": return .debug
    default: return .warning
    }
  }
}

extension PrivateRedis: DeadlineOwner {
  /// Its back-off has passed, or it takes too long to end.
  func deadlinePassed(_ deadline: DeadlineID) {
    machine.deadlineReached(System.monotonicNow, into: &actions)
    carryOut()
  }
}

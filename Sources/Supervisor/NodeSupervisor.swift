internal import CLinux
internal import Configuration
internal import Glibc
internal import Log
internal import Logging
public import Reactor
internal import Structures

/// One node's first process: reads the configuration, holds the listening sockets, starts workers and watches them.
/// Speaks neither SIP nor TLS. What it decides is in ``SupervisorMachine``; here is what it does.
public final class NodeSupervisor {
  /// How the process that runs a supervisor ends.
  public enum ExitStatus {
    /// All went well.
    public static let success: Int32 = 0
    /// The host or a worker failed.
    public static let failure: Int32 = 1
    /// The command line or the configuration is wrong.
    public static let usage: Int32 = 2
  }

  private let path: String
  private let executable: String
  private var logger: Logger
  private var file: ConfigurationFile
  private let loop: EventLoop
  private let epoch: UInt64
  private let listeners: ListenerSockets
  private let links: LinkListeners
  private let statistics: NodeStatistics
  private var machine: SupervisorMachine
  private var actions: [SupervisorMachine.Action] = []
  private var workers: [Int: WorkerProcess] = [:]
  private var deadline: DeadlineID?
  private var finished: Int32?

  /// Runs a node until it is told to end, and returns the exit status. `executable` is the worker's.
  public static func serve(path: String, executable: String) -> Int32 {
    var logger = Logger(label: "apus") { _ in StandardErrorLog(program: "apus") }
    // It holds all keys for its workers: they must not end up in a core file or be read by another process of the user.
    _ = clinux_set_dumpable(false)
    var file: ConfigurationFile
    do throws(SettingsErrors) { file = try ConfigurationFile(path: path) } catch {
      for error in error.errors { logger.error("\(error)") }
      return ExitStatus.usage
    }
    if let level = Logger.Level(rawValue: file.configuration.log.level.rawValue) { logger.logLevel = level }
    for note in file.notes { logger.warning("\(note)") }
    do {
      let state = try StateDirectory(file.configuration.stateDirectory)
      defer { state.release() }
      if file.configuration.clusterSecret.isEmpty { file.setStandardSecret(try state.clusterSecret()) }
      return try NodeSupervisor(path: path, executable: executable, file: file, logger: logger).run()
    } catch {
      logger.error("\(describe(error, file))")
      return ExitStatus.failure
    }
  }

  private init(path: String, executable: String, file: ConfigurationFile, logger: Logger) throws {
    self.path = path
    self.executable = executable
    self.file = file
    self.logger = logger
    System.ignoreBrokenPipes()
    try System.raiseDescriptorLimit()
    // A worker that traps ends at once: its slot is replaced within a second, not after a long report.
    setenv("SWIFT_BACKTRACE", "enable=no", 0)
    loop = try EventLoop()
    epoch = try System.random64()
    let slots = file.configuration.workers
    listeners = try ListenerSockets(file.configuration.listen, slots: slots)
    links = try LinkListeners(stateDirectory: file.configuration.stateDirectory, slots: slots)
    statistics = try NodeStatistics(slots: slots)
    machine = SupervisorMachine(slots: slots)
  }

  private func run() throws -> Int32 {
    let signals = try SignalSource([.term, .int, .hup, .child], loop: loop) { [unowned self] in take(signal: $0) }
    deadline = loop.addDeadline(self)
    let transports = file.configuration.listen.map { "\($0.transport.name)" }
    for (transport, address) in zip(transports, listeners.addresses) {
      logger.info("listening on \(transport):\(address)")
    }
    machine.start(System.monotonicNow, into: &actions)
    carryOut()
    while finished == nil { try loop.runOnce(until: nil) }
    signals.stop()
    links.remove()
    logger.info("stopped")
    return finished ?? ExitStatus.failure
  }

  // MARK: - What happens

  private func take(signal: SignalSource.Signal) {
    switch signal {
    case .term:
      logger.info("asked to end: TERM")
      machine.drainAsked(System.monotonicNow, into: &actions)
    case .int:
      logger.info("asked to end at once: INT")
      machine.stopAsked(System.monotonicNow, into: &actions)
    case .hup: reload()
    case .child: reap()
    case .usr1, .usr2: break
    }
    carryOut()
  }

  private func reap() {
    for worker in workers.values.sorted(by: { $0.slot < $1.slot }) {
      guard let end = worker.reap() else { continue }
      workers[worker.slot] = nil
      statistics.ended(slot: worker.slot)
      machine.ended(end, slot: worker.slot, generation: worker.generation, System.monotonicNow, into: &actions)
    }
  }

  /// Reads the file again and says what came of it. Running workers keep what they have.
  private func reload() {
    do throws(SettingsErrors) {
      let fresh = try ConfigurationFile(path: path)
      for note in fresh.notes { logger.warning("\(note)") }
      var expected = fresh
      expected.setStandardSecret(file.configuration.clusterSecret)
      if expected.configuration == file.configuration {
        logger.info("reload: \(path) is right and nothing in it changed")
      } else {
        logger.warning("reload: \(path) is right; the changes take effect when the node is started again")
      }
    } catch {
      for error in error.errors { logger.error("reload: \(error)") }
      logger.error("reload: the old configuration stays in force")
    }
  }

  // MARK: - What is done

  /// Carries out orders until none is left: starting a worker can fail at once, which is an input again.
  private func carryOut() {
    while !actions.isEmpty {
      let orders = actions
      actions.removeAll(keepingCapacity: true)
      for order in orders { carryOut(order) }
    }
    if let deadline {
      if let next = machine.nextDeadline { loop.schedule(deadline, at: next) } else { loop.cancel(deadline) }
    }
  }

  private func carryOut(_ order: SupervisorMachine.Action) {
    switch order {
    case .spawn(let slot, let generation): spawn(slot, generation)
    case .send(let slot, let message): workers[slot]?.send(message)
    case .kill(let slot): workers[slot]?.kill()
    case .report(let report): logger.log(level: report.level, "\(report)")
    case .announceReady: announceReady()
    case .finish(let status): finished = status
    }
  }

  private func spawn(_ slot: Int, _ generation: UInt16) {
    do throws(SystemError) {
      workers[slot] = try WorkerProcess(
        executable: executable, slot: slot, generation: generation, belongings: belongings(of: slot), loop: loop
      ) { [unowned self] message, worker in
        machine.received(
          message, slot: worker.slot, generation: worker.generation, System.monotonicNow, into: &actions)
        carryOut()
      }
    } catch {
      machine.ended(
        .notStarted("\(error)"), slot: slot, generation: generation, System.monotonicNow, into: &actions)
    }
  }

  private func belongings(of slot: Int) -> WorkerProcess.Belongings {
    WorkerProcess.Belongings(
      epoch: epoch, slots: listeners.slots.count, bundle: file.bundle, listeners: listeners.slots[slot],
      link: links.numbers[slot], linkDirectory: links.directory, page: statistics.memory.number, redis: "")
  }

  private func announceReady() {
    let configuration = file.configuration
    let domains = configuration.domains.map(\.name).joined(separator: ", ")
    logger.info("ready: node \(configuration.node) serves \(domains)")
  }

  private static func describe(_ error: any Error, _ file: ConfigurationFile) -> String {
    switch error {
    case let error as StateDirectory.Problem: "\(error)"
    case let error as ListenerSockets.Problem:
      SettingsError(
        file: file.bundle.file, position: file.bundle.settings[["listen", "\(error.index)"]]?.position,
        key: "listen[\(error.index)]",
        problem: "\(error.listener): \(error.problem)", remedy: error.remedy
      ).description
    default: "\(error)"
    }
  }
}

extension NodeSupervisor: DeadlineOwner {
  /// A worker may hang, or its back-off has passed.
  public func deadlinePassed(_ deadline: DeadlineID) {
    machine.deadlineReached(System.monotonicNow, into: &actions)
    carryOut()
  }
}

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

  let path: String
  let executable: String
  /// The path of our own program.
  let program: String
  var logger: Logger
  var file: ConfigurationFile
  let loop: EventLoop
  let epoch: UInt64
  let listeners: ListenerSockets
  let links: LinkListeners
  let statistics: NodeStatistics
  /// When the supervisor started, in milliseconds since 1970.
  let startedAt: Int64
  /// Answers administrators, once the node runs.
  private(set) var controls: ControlService?
  private(set) var controlSocket: ControlSocket?
  let state: StateDirectory
  let owner: ProcessOwner?
  let manager: ServiceManager
  /// Nil: the settings name another one.
  private(set) var redis: PrivateRedis?
  /// Fetches by HTTP; nil as long as the settings want nothing fetched.
  var admin: AdminProcess?
  /// Looks whether files change that the settings name.
  private(set) var watch: FileWatch?
  var machine: SupervisorMachine
  var actions: [SupervisorMachine.Action] = []
  var workers: [Int: WorkerProcess] = [:]
  /// Processes that are to take a slot over.
  var successors: [Int: WorkerProcess] = [:]
  /// Processes that were taken over from and finish what they have begun.
  var retired: [WorkerProcess] = []
  private(set) var deadline: DeadlineID?
  var reloads = ReloadMachine()
  var reloadActions: [ReloadMachine.Action] = []
  var underWay: ReloadUnderWay?
  var reloadCompletions: [(ReloadOutcome) -> Void] = []
  /// Who asked while a reload was under way.
  var waitingReloads: [(ReloadOutcome) -> Void] = []
  /// The generations of the workers when the administrator wanted the programs on the disk to take over; nil: nobody does.
  var upgradedFrom: [UInt16]?
  /// Clients are moved elsewhere; nil: they aren't.
  var drain: Drain?
  /// Whether the node was told to end.
  private(set) var isStopping = false
  /// The exit status, once everything is gone.
  var finished: Int32?

  /// Runs a node until it is told to end, and returns the exit status. `executable` is the worker's, `program` our own. Where the program before
  /// left us a node in the same process, that one goes on.
  public static func serve(path: String, executable: String, program: String) -> Int32 {
    var logger = Logger(label: "apus") { _ in StandardErrorLog(program: "apus") }
    // It holds all keys for its workers: they must not end up in a core file or be read by another process of the user.
    _ = clinux_set_dumpable(false)
    do throws(SystemError) {
      if let inheritance = try Inheritance.take() {
        return goOn(inheritance, path: path, executable: executable, logger: logger)
      }
    } catch {
      logger.error("\(error)")
      return ExitStatus.failure
    }
    var file: ConfigurationFile
    do throws(SettingsErrors) { file = try ConfigurationFile(path: path) } catch {
      for error in error.errors { logger.error("\(error)") }
      return ExitStatus.usage
    }
    if let level = Logger.Level(rawValue: file.configuration.log.level.rawValue) { logger.logLevel = level }
    for note in file.notes { logger.warning("\(note)") }
    for finding in HostLimits.read().findings(for: file.configuration) { logger.warning("\(finding)") }
    do {
      let state = try StateDirectory(file.configuration.stateDirectory)
      defer { state.release() }
      if file.configuration.clusterSecret.isEmpty { file.setStandardSecret(try state.clusterSecret()) }
      let owner = try findOwner(file)
      if let owner { try state.admit(owner) }
      let node = try NodeSupervisor(
        path: path, executable: executable, program: program, file: file, state: state, owner: owner, logger: logger)
      return try node.run()
    } catch {
      logger.error("\(describe(error, file))")
      return ExitStatus.failure
    }
  }

  /// A node of its own, or the one that the program before left.
  init(
    path: String, executable: String, program: String, file: ConfigurationFile, state: StateDirectory,
    owner: ProcessOwner?, logger: Logger, inheriting inheritance: Inheritance? = nil
  ) throws {
    self.path = path
    self.executable = executable
    self.program = program
    self.file = file
    self.state = state
    self.owner = owner
    self.logger = logger
    manager = ServiceManager.fromEnvironment()
    startedAt = inheritance?.startedAt ?? System.wallMilliseconds
    System.ignoreBrokenPipes()
    try System.raiseDescriptorLimit()
    // A worker that traps ends at once: its slot is replaced within a second, not after a long report.
    setenv("SWIFT_BACKTRACE", "enable=no", 0)
    loop = try EventLoop()
    let directory = file.configuration.stateDirectory
    if let inheritance {
      epoch = inheritance.epoch
      listeners = try ListenerSockets(inheriting: inheritance.listeners)
      links = LinkListeners(inheriting: inheritance.links, stateDirectory: directory)
      statistics = try NodeStatistics(
        inheriting: inheritance.pages, slots: inheritance.workers.count, ended: inheritance.ended)
      machine = Self.machine(inheritance)
      if let helper = inheritance.redis {
        redis = try PrivateRedis(
          inheriting: helper, stateDirectory: directory, owner: owner, loop: loop, logger: logger)
      }
      return
    }
    epoch = try System.random64()
    let slots = file.configuration.workers
    listeners = try ListenerSockets(file.configuration.listen, slots: slots)
    links = try LinkListeners(stateDirectory: directory, slots: slots, owner: owner)
    statistics = try NodeStatistics(slots: slots)
    machine = SupervisorMachine(slots: slots)
    if file.wantsPrivateRedis {
      redis = try PrivateRedis(stateDirectory: directory, owner: owner, loop: loop, logger: logger)
    }
  }

  static func findOwner(_ file: ConfigurationFile) throws -> ProcessOwner? {
    do throws(SettingsSources.FileProblem) { return try ProcessOwner.find(file.configuration) } catch {
      throw SettingsError(
        file: file.bundle.file, position: file.bundle.settings[["user"]]?.position, key: "user", problem: error.problem,
        remedy: error.remedy)
    }
  }

  /// Runs the node until it is told to end.
  func run(inheriting inheritance: Inheritance? = nil) throws -> Int32 {
    let signals = try SignalSource([.term, .int, .hup, .usr2, .child], loop: loop) { [unowned self] in take(signal: $0)
    }
    deadline = loop.addDeadline(self)
    if inheritance == nil {
      for (listener, address) in zip(file.configuration.listen, listeners.addresses) {
        logger.info("listening on \(listener.transport.name):\(address)")
      }
    }
    let service = ControlService(loop: loop, node: self)
    controls = service
    let socketPath = file.configuration.controlSocket
    let controlSocket =
      if let inheritance {
        try ControlSocket(inheriting: inheritance.control, path: socketPath, loop: loop, service: service)
      } else {
        try ControlSocket(path: socketPath, loop: loop, service: service)
      }
    self.controlSocket = controlSocket
    defer { controlSocket.remove() }
    manager.watch(loop)
    watch = FileWatch(loop: loop) { [unowned self] in watchedFilesChanged() }
    watchFiles()
    if let inheritance {
      try takeOver(inheritance)
    } else {
      redis?.start()
      startAdminIfNeeded()
      machine.start(System.monotonicNow, into: &actions)
    }
    carryOut()
    while finished == nil { try loop.runOnce(until: nil) }
    signals.stop()
    watch?.stop()
    links.remove()
    logger.info("stopped")
    return finished ?? ExitStatus.failure
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

  // MARK: - What happens

  private func take(signal: SignalSource.Signal) {
    switch signal {
    case .term:
      logger.info("asked to end: TERM")
      beginStop()
      machine.drainAsked(System.monotonicNow, into: &actions)
    case .int:
      logger.info("asked to end at once: INT")
      beginStop()
      machine.stopAsked(System.monotonicNow, into: &actions)
    case .hup:
      logger.info("asked to read the settings again: HUP")
      reload()
    case .child: reap()
    case .usr2:
      logger.info("asked to have the programs on the disk take over: USR2")
      if case .failure(let problem) = upgrade() { logger.error("\(problem.problem); \(problem.remedy)") }
    case .usr1: break
    }
    carryOut()
  }

  private func beginStop() {
    isStopping = true
    reloads.stopAsked(into: &reloadActions)
    manager.stopping()
  }

  func reap() {
    redis?.reap()
    admin?.reap()
    for worker in workers.values.sorted(by: { $0.slot < $1.slot }) {
      guard let end = worker.reap() else { continue }
      workers[worker.slot] = nil
      statistics.ended(slot: worker.slot)
      reloads.gone(slot: worker.slot, into: &reloadActions)
      machine.ended(end, slot: worker.slot, generation: worker.generation, System.monotonicNow, into: &actions)
      controls?.workerEnded(slot: worker.slot)
    }
    for worker in Array(successors.values) + retired {
      guard let end = worker.reap() else { continue }
      if successors[worker.slot] === worker { successors[worker.slot] = nil }
      retired.removeAll { $0 === worker }
      machine.ended(end, slot: worker.slot, generation: worker.generation, System.monotonicNow, into: &actions)
    }
  }
}

extension NodeSupervisor: DeadlineOwner {
  /// A worker may hang, or its back-off has passed.
  public func deadlinePassed(_ deadline: DeadlineID) {
    machine.deadlineReached(System.monotonicNow, into: &actions)
    reloads.deadlineReached(System.monotonicNow, into: &reloadActions)
    carryOut()
  }
}

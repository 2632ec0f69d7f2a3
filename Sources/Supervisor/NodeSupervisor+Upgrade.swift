internal import CLinux
internal import Configuration
internal import Glibc
internal import Log
internal import Logging
internal import Reactor
internal import Structures

/// Programs on the disk that take over from those that run: first the workers, one slot after the other, then the supervisor, in the same process. Whoever
/// fails before the last step leaves the node as it is.
extension NodeSupervisor {
  /// The version of what supervisors leave to those that follow which this one can go on with.
  public static var inheritanceVersion: Int { Int(Inheritance.version) }

  /// How long a program may take to say that it could go on with the node.
  private static let trialTime = Duration.seconds(1)

  /// Has the programs on the disk take over.
  func upgrade() -> Result<[JSONValue], ControlProblem> {
    if let problem = obstacle { return .failure(problem) }
    if let problem = trial() { return .failure(problem) }
    upgradedFrom = (0..<slotCount).map { workers[$0]?.generation ?? 0 }
    machine.restartAsked(Array(0..<slotCount), System.monotonicNow, into: &actions)
    carryOut()
    return .success([["state": "the workers are replaced one after the other, then the supervisor"]])
  }

  /// What must be over first.
  private var obstacle: ControlProblem? {
    let later = "worker.list shows how the workers are; try again later"
    guard machine.isQuiet, upgradedFrom == nil, !isStopping else {
      return ControlProblem(.refused, "workers are being started or replaced, or the node ends", remedy: later)
    }
    if drain != nil {
      return ControlProblem(.refused, "clients are being moved elsewhere", remedy: "apus ctl undrain ends that")
    }
    if reloads.isUnderWay { return ControlProblem(.refused, "the settings are being read again", remedy: later) }
    if redis != nil, redis?.inherited == nil || admin != nil && admin?.inherited == nil {
      return ControlProblem(.refused, "redis-server or the admin process is being started again", remedy: later)
    }
    return nil
  }

  /// Asks the program on the disk whether it could go on with a node of this version.
  private func trial() -> ControlProblem? {
    let remedy = "put a program there that runs on this host; the node goes on as it is"
    do throws(SystemError) {
      let process = try ChildProcess.spawn(
        program, ["version", "--continues", "\(Inheritance.version)"],
        [], as: nil)
      let end = System.monotonicNow + Self.trialTime
      while System.monotonicNow < end {
        switch ChildProcess.reap(process) {
        case .exited(0): return nil
        case .some(let end): return ControlProblem(.refused, "\(program), run for a trial, \(end)", remedy: remedy)
        case nil: usleep(5_000)
        }
      }
      _ = clinux_kill(process, clinux_signal_kill)
      var ended = clinux_exit()
      _ = clinux_wait(process, true, &ended)
      return ControlProblem(.refused, "\(program), run for a trial, says nothing", remedy: remedy)
    } catch { return ControlProblem(.refused, "\(error)", remedy: remedy) }
  }

  /// Goes on with an upgrade: once all workers are replaced it is the supervisor's turn.
  func continueUpgrade() {
    guard let before = upgradedFrom, machine.isQuiet || isStopping, !reloads.isUnderWay else { return }
    upgradedFrom = nil
    if isStopping { return }
    let old = before.indices.filter { workers[$0]?.generation == before[$0] }
    if !old.isEmpty {
      let slots = old.map(String.init).joined(separator: ", ")
      logger.error("upgrade ended: nothing took over from the worker of slot \(slots); the node goes on as it is")
      return
    }
    logger.notice("the workers are replaced: the supervisor's program follows", metadata: ["program": "\(program)"])
    let failure = leave()
    logger.error("the supervisor goes on as it is: \(failure)")
  }

  /// Leaves the node to the program on the disk. Comes back only with an error.
  private func leave() -> any Error {
    // What any program would fail at.
    do { _ = try Self.findOwner(file) } catch { return error }
    let octets = file.bundle.encode()
    let memory = octets.withUnsafeBytes { clinux_sealed_memory("apus-configuration", $0.baseAddress, $0.count) }
    if memory < 0 { return SystemError("memfd_create", code: -memory) }
    let configuration = Descriptor(owning: memory)
    let own = clinux_own_program()
    if own < 0 { return SystemError("opening our own program", code: -own) }
    let previous = Descriptor(owning: own)
    guard let control = controlSocket?.descriptor.number else { return SystemError("control socket", code: EBADF) }
    let now = System.monotonicNow
    let inheritance = Inheritance(
      program: program, previous: previous.number, epoch: epoch, startedAt: startedAt,
      configuration: configuration.number, lock: state.lock, control: control, pages: statistics.memory.number,
      ended: statistics.endedCounts, links: links.numbers, listeners: listeners.slots,
      workers: (0..<slotCount).compactMap { workers[$0]?.inherited(rest: Int64(machine.slots[$0].lastGeneration)) },
      retired: retired.map { process in
        process.inherited(rest: Int64(machine.timeLeft(process.slot, process.generation, now) / .milliseconds(1)))
      }, redis: redis?.inherited, admin: admin?.inherited)
    let failure = inheritance.leave(to: program, environment: manager.environment)
    _ = consume configuration
    _ = consume previous
    return failure
  }

  // MARK: The program that follows

  /// Goes on with the node that the program before left, and returns the exit status.
  static func goOn(_ inheritance: Inheritance, path: String, executable: String, logger: Logger) -> Int32 {
    var logger = logger
    let file: ConfigurationFile
    let owner: ProcessOwner?
    do {
      (file, owner) = try suit(inheritance)
    } catch {
      if inheritance.isReturned {
        logger.error("no program can go on with the node, which ends: \(error)")
        return ExitStatus.failure
      }
      // Nothing was touched yet.
      logger.error("the new program can't go on with the node, the one before does: \(error)")
      let failure = inheritance.leave(to: nil, environment: ServiceManager.fromEnvironment().environment)
      logger.error("\(failure)")
      return ExitStatus.failure
    }
    do {
      if let level = Logger.Level(rawValue: file.configuration.log.level.rawValue) { logger.logLevel = level }
      let state = StateDirectory(inheriting: inheritance.lock, file.configuration.stateDirectory)
      defer { state.release() }
      let node = try NodeSupervisor(
        path: path, executable: executable, program: inheritance.program, file: file, state: state, owner: owner,
        logger: logger, inheriting: inheritance)
      clinux_close(inheritance.previous)
      clinux_close(inheritance.configuration)
      return try node.run(inheriting: inheritance)
    } catch { logger.error("the new program can't go on with the node: \(error)") }
    return ExitStatus.failure
  }

  /// The settings in force have another form than this program reads.
  private struct OtherVersion: Error, CustomStringConvertible {
    var description: String { "the settings in force are of another version" }
  }

  /// What this program needs to go on, without touching anything: the settings in force, the user that it runs as.
  private static func suit(_ inheritance: Inheritance) throws -> (ConfigurationFile, ProcessOwner?) {
    guard let octets = Inheritance.readAll(inheritance.configuration),
      let bundle = ConfigurationBundle(decoding: octets)
    else { throw OtherVersion() }
    let file = try ConfigurationFile(inheriting: bundle)
    return (file, try findOwner(file))
  }

  static func machine(_ inheritance: Inheritance) -> SupervisorMachine {
    let workers = inheritance.workers.sorted { $0.slot < $1.slot }
    return SupervisorMachine(
      inheriting: workers.map { ($0.generation, UInt16(truncatingIfNeeded: $0.rest)) },
      retired: inheritance.retired.map { ($0.slot, $0.generation, .milliseconds(max(0, min($0.rest, 1_000_000)))) },
      System.monotonicNow)
  }

  /// Takes over the processes that the program before started.
  func takeOver(_ inheritance: Inheritance) throws {
    for worker in inheritance.workers {
      workers[worker.slot] = try process(worker)
    }
    retired = try inheritance.retired.map(process)
    if let helper = inheritance.admin {
      admin = AdminProcess(
        inheriting: helper, executable: adminExecutable, stateDirectory: file.configuration.stateDirectory,
        owner: owner, loop: loop, logger: logger)
    }
    startAdminIfNeeded()
    logger.notice("goes on with the node of the program before", metadata: ["version": "\(Version.text)"])
    manager.ready(service)
    // Some may have ended in between.
    reap()
  }

  private func process(_ worker: Inheritance.Worker) throws(SystemError) -> WorkerProcess {
    try WorkerProcess(inheriting: worker, loop: loop) { [unowned self] message, worker in received(message, worker) }
  }
}

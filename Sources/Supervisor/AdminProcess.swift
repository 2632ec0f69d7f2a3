internal import CLinux
internal import Configuration
internal import Glibc
internal import Logging
internal import Reactor
internal import Structures

/// The process of the node that fetches by HTTP for the workers, so that a fault there harms no call. Started when the settings
/// first want something fetched, started again when it ends, ended after the workers. Its listening socket, `admin.sock` in the
/// state directory, is the supervisor's, so that workers find it while there is no process.
final class AdminProcess {
  private static let backlog: Int32 = 512

  private let executable: String
  private let path: String
  private let listener: Descriptor
  private let owner: ProcessOwner?
  private let loop: EventLoop
  private let logger: Logger
  /// Ends and begins as the private Redis does.
  private var machine = RedisMachine()
  private var actions: [RedisMachine.Action] = []
  private var process: Int32?
  private var deadline: DeadlineID?
  private var finished: (() -> Void)?

  /// Makes the socket; nothing is started yet. Only `owner`, or else our own user, can connect to it.
  init(
    executable: String, stateDirectory: String, owner: ProcessOwner?, loop: EventLoop, logger: Logger
  ) throws(StateDirectory.Problem) {
    self.executable = executable
    path = stateDirectory + "/admin.sock"
    self.owner = owner
    self.loop = loop
    self.logger = logger
    unlink(path)
    let result = clinux_unix_listen(path, clinux_seqpacket, 0o600, Self.backlog)
    guard result >= 0 else { throw .unusable(path: path, Files.problem(-result)) }
    listener = Descriptor(owning: result)
    do throws(SettingsSources.FileProblem) { try owner?.own(path) } catch { throw .unusable(path: path, error) }
  }

  /// The one that the program before started.
  init?(
    inheriting helper: Inheritance.Helper, executable: String, stateDirectory: String, owner: ProcessOwner?,
    loop: EventLoop, logger: Logger
  ) {
    guard let number = helper.descriptors.first else { return nil }
    self.executable = executable
    path = stateDirectory + "/admin.sock"
    listener = Descriptor(owning: number)
    process = helper.process
    self.owner = owner
    self.loop = loop
    self.logger = logger
    deadline = loop.addDeadline(self)
    machine.adopt(System.monotonicNow)
  }

  /// The process for the program that follows; nil while there is none.
  var inherited: Inheritance.Helper? {
    process.map { Inheritance.Helper(process: $0, descriptors: [listener.number]) }
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
    case .report(.ended(let end, let delay)):
      logger.error("the admin process \(end); it is started again \(delay == .zero ? "at once" : "in \(delay)")")
    case .report(.cutShort): logger.warning("the admin process did not end in time: killed")
    case .finish:
      unlink(path)
      finished?()
    }
  }

  private func signal(_ number: Int32) {
    if let process { _ = clinux_kill(process, number) }
  }

  private func spawn() {
    let number: Int32 = 3
    do throws(SystemError) {
      process = try ChildProcess.spawn(
        executable, ["--listener-fd", "\(number)"], [clinux_descriptor_map(from: listener.number, to: number)],
        as: owner)
      logger.info("the admin process runs (pid \(process ?? 0))")
    } catch {
      machine.ended(.notStarted("\(error)"), System.monotonicNow, into: &actions)
    }
  }
}

extension AdminProcess: DeadlineOwner {
  /// Its back-off has passed, or it takes too long to end.
  func deadlinePassed(_: DeadlineID) {
    machine.deadlineReached(System.monotonicNow, into: &actions)
    carryOut()
  }
}

extension NodeSupervisor {
  /// Starts the admin process if the settings in force want something fetched and it isn't there.
  func startAdminIfNeeded() {
    guard admin == nil, file.configuration.fetches, !isStopping else { return }
    do throws(StateDirectory.Problem) {
      let process = try AdminProcess(
        executable: adminExecutable, stateDirectory: file.configuration.stateDirectory, owner: owner, loop: loop,
        logger: logger)
      admin = process
      process.start()
    } catch { logger.error("no admin process, so no OCSP and no stapling: \(error)") }
  }

  /// Beside the worker's executable.
  var adminExecutable: String {
    let directory = executable.lastIndex(of: "/").map { executable[...$0] } ?? ""
    return directory + "apus-admin"
  }
}

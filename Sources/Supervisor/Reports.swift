internal import Glibc
internal import Logging
internal import Structures

extension SupervisorMachine.Report: CustomStringConvertible {
  /// The line of the log.
  public var description: String {
    switch self {
    case .started(let slot, let generation): "worker \(slot) serves, generation \(generation)"
    case .ended(let slot, let generation, let end, let whileStarting):
      "worker \(slot), generation \(generation), \(end)" + (whileStarting ? " before it was ready" : "")
    case .hangs(let slot, let generation): "worker \(slot), generation \(generation), gives no sign of life: killed"
    case .slowToStart(let slot, let generation):
      "worker \(slot), generation \(generation), is not ready after 10 s: killed"
    case .startsAgain(let slot, let delay):
      delay == .zero
        ? "worker \(slot) starts again" : "worker \(slot) starts again in \(delay.nanoseconds / 1_000_000) ms"
    case .neverReady(let slot, .notStarted(let reason)): "worker \(slot) could not be started: \(reason)"
    case .neverReady(let slot, let end): "worker \(slot) \(end) before it served for the first time; see above"
    case .replaces(let slot, let generation):
      "worker \(slot), generation \(generation), is replaced, as it was asked for"
    case .rollEnded(let slot): "worker \(slot) goes on, and no further worker is replaced; see above why"
    case .cutShort(let slot): "worker \(slot) took too long to end: killed"
    }
  }

  /// The level of the line.
  var level: Logger.Level {
    switch self {
    case .started, .startsAgain, .replaces: .info
    case .cutShort: .warning
    case .rollEnded: .error
    case .ended, .hangs, .slowToStart, .neverReady: .error
    }
  }
}

extension RedisMachine.Report: CustomStringConvertible {
  /// The line of the log.
  var description: String {
    switch self {
    case .ended(let end, let delay):
      "redis-server \(end); it starts again" + (delay == .zero ? "" : " in \(delay.nanoseconds / 1_000_000) ms")
    case .cutShort: "redis-server took too long to end: killed"
    }
  }

  /// The level of the line.
  var level: Logger.Level {
    switch self {
    case .ended: .error
    case .cutShort: .warning
    }
  }
}

extension ReloadMachine.Reason: CustomStringConvertible {
  /// The reason, as the end of a line.
  var description: String {
    switch self {
    case .refused(let slot, let reason): "worker \(slot) can't serve by the new ones: \(reason)"
    case .gone(let slot): "worker \(slot) ended while they were being prepared"
    case .silent(let slot): "worker \(slot) did not prepare them within 10 s"
    case .ends: "the node is ending"
    }
  }
}

extension SupervisorMachine.WorkerEnd: CustomStringConvertible {
  /// What happened, as the end of a sentence about the worker.
  public var description: String {
    switch self {
    case .exited(let status): "ended with status \(status)"
    case .signalled(let number): "was ended by signal \(number) (\(String(cString: strsignal(number))))"
    case .notStarted(let reason): "could not be started (\(reason))"
    }
  }
}

extension StateDirectory.Problem: CustomStringConvertible {
  /// The line of the log.
  public var description: String {
    switch self {
    case .taken(let process):
      "state_directory: another supervisor" + (process.map { " (pid \($0))" } ?? "")
        + " has it; stop that one, or give each node a directory of its own"
    case .unusable(let path, let problem):
      "state_directory: \(path): \(problem.problem)" + (problem.remedy.isEmpty ? "" : "; \(problem.remedy)")
    }
  }
}

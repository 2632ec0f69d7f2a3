public import Configuration

/// What a ``SupervisorMachine`` orders and reports.
extension SupervisorMachine {
  /// Orders to the owner.
  public enum Action: Sendable, Equatable {
    /// Start the worker of a slot.
    case spawn(slot: Int, generation: UInt16)
    /// Start the process that takes a slot over from its worker.
    case spawnSuccessor(slot: Int, generation: UInt16)
    /// Tell the worker of a slot to hand over to the process that was started for that.
    case handOver(slot: Int)
    /// The process that took over is the worker of the slot from now on.
    case promote(slot: Int)
    /// Tell a process of a slot that isn't its worker.
    case sendOther(slot: Int, generation: UInt16, ControlMessage)
    /// End a process of a slot that isn't its worker.
    case killOther(slot: Int, generation: UInt16)
    /// Tell a worker over its control channel.
    case send(slot: Int, ControlMessage)
    /// Tell all processes of the other slots.
    case tellOthers(than: Int, ControlMessage)
    /// End a worker's process at once.
    case kill(slot: Int)
    /// Tell the administrator.
    case report(Report)
    /// Every slot serves for the first time.
    case announceReady
    /// All workers are gone: leave with this exit status.
    case finish(status: Int32)
  }

  /// What the administrator should know.
  public enum Report: Sendable, Equatable {
    case started(slot: Int, generation: UInt16)
    case ended(slot: Int, generation: UInt16, WorkerEnd, whileStarting: Bool)
    case hangs(slot: Int, generation: UInt16)
    case slowToStart(slot: Int, generation: UInt16)
    case startsAgain(slot: Int, after: Duration)
    case neverReady(slot: Int, WorkerEnd)
    case cutShort(slot: Int)
    case replaces(slot: Int, generation: UInt16)
    case rollEnded(slot: Int)
  }

  /// How a worker's process ended.
  public enum WorkerEnd: Sendable, Equatable {
    /// By itself, with an exit status.
    case exited(Int32)
    /// By a signal.
    case signalled(Int32)
    /// It could not be started; the reason.
    case notStarted(String)
  }
}

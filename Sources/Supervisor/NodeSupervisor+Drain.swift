internal import Configuration
internal import Logging
internal import Reactor
internal import Structures

/// Moving the clients of a node elsewhere, before it is ended or rebuilt.
extension NodeSupervisor {
  /// What was ordered.
  struct Drain {
    /// In seconds since 1970.
    let since: Int64
    let end: Instant
    let refuses: Bool

    /// Seconds that are left.
    var secondsLeft: UInt32 {
      UInt32(clamping: max(0, (end - System.monotonicNow).components.seconds))
    }

    var isOver: Bool { System.monotonicNow >= end }
  }

  private static let standardTime: UInt32 = 60
  private static let longestTime: UInt32 = 86_400

  /// Begins, or goes on with other limits.
  func beginDrain(_ values: [String: String]) -> Result<[JSONValue], ControlProblem> {
    guard let seconds = values["time"].map({ UInt32($0) }) ?? Self.standardTime,
      (1...Self.longestTime).contains(seconds)
    else {
      return .failure(
        ControlProblem(.usage, "--time is a number of seconds", remedy: "give one from 1 to \(Self.longestTime)"))
    }
    let order = Drain(
      since: System.wallSeconds, end: System.monotonicNow + .seconds(Int64(seconds)), refuses: values["refuse"] != nil)
    drain = order
    logger.notice(
      "clients are moved elsewhere",
      metadata: ["connections": "\(connectionsLeft)", "seconds": "\(seconds)", "refuses": "\(order.refuses)"])
    manager.status("draining")
    for worker in workers.values { tellOfDrain(worker) }
    return .success([
      ["state": "draining", "connections": .count(connectionsLeft), "seconds": .count(seconds)]
    ])
  }

  /// Serves as before.
  func endDrain() -> Result<[JSONValue], ControlProblem> {
    guard drain != nil else {
      return .failure(
        ControlProblem(.refused, "no clients are being moved elsewhere", remedy: "nothing is to be undone"))
    }
    drain = nil
    logger.notice("clients are moved elsewhere no more")
    manager.status(service)
    for worker in workers.values { worker.send(.stay) }
    return .success([["state": "ready"]])
  }

  /// A worker that serves from now on does as the others.
  func tellOfDrain(_ worker: WorkerProcess) {
    if let drain { worker.send(.moveOff(seconds: drain.secondsLeft, refuses: drain.refuses)) }
  }

  var connectionsLeft: UInt64 {
    (0..<slotCount).reduce(0) { $0 &+ statistics.value("tcp.connections", slot: $1) }
  }
}

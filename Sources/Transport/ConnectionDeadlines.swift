import Structures

/// What one connection must do in time. All share one deadline of the loop, which is set to the earliest and moved
/// forward only when it fires: traffic costs a store each, no work on the wheel.
struct ConnectionDeadlines {
  /// When the stage must be over that the connection is in: of these there is never more than one.
  private(set) var stage = Instant.distantFuture
  private var stageName = TransportDeadline.connect
  var message = Instant.distantFuture
  var send = Instant.distantFuture
  var idle = Instant.distantFuture
  /// When it is looked whether the peer acknowledges; the only one that ends nothing.
  var acknowledgement = Instant.distantFuture
  /// When a peer that promised to give signs of life must have given one.
  var silence = Instant.distantFuture
  /// What the loop's deadline is set to.
  var scheduled = Instant.distantFuture

  var earliest: Instant { min(min(min(stage, message), min(send, idle)), min(acknowledgement, silence)) }

  /// Begins a stage: `connect`, `handshake`, `firstMessage` or `drain`.
  mutating func begin(_ name: TransportDeadline, until deadline: Instant) {
    stage = deadline
    stageName = name
  }

  /// When the first message must have come; `distantFuture` when it has.
  var firstMessage: Instant { stageName == .firstMessage ? stage : .distantFuture }

  mutating func endStage() { stage = .distantFuture }

  /// One that has passed; the more telling first.
  func due(_ now: Instant) -> TransportDeadline? {
    let isStageOver = stage <= now
    if isStageOver, stageName == .connect || stageName == .handshake { return stageName }
    if send <= now { return .send }
    if message <= now { return .message }
    if isStageOver { return stageName }
    if silence <= now { return .silence }
    if idle <= now { return .idle }
    return nil
  }

  /// Forgets all but what the loop's deadline is set to.
  mutating func clear() {
    let scheduled = scheduled
    self = ConnectionDeadlines()
    self.scheduled = scheduled
  }
}

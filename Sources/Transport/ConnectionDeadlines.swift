import Structures

/// What one connection must do in time. All share one deadline of the loop, which is set to the earliest and moved
/// forward only when it fires: traffic costs a store each, no work on the wheel.
struct ConnectionDeadlines {
  var connect = Instant.distantFuture
  var handshake = Instant.distantFuture
  var firstMessage = Instant.distantFuture
  var message = Instant.distantFuture
  var send = Instant.distantFuture
  var idle = Instant.distantFuture
  var drain = Instant.distantFuture
  /// When it is looked whether the peer acknowledges; the only one that ends nothing.
  var acknowledgement = Instant.distantFuture
  /// When a peer that promised to give signs of life must have given one.
  var silence = Instant.distantFuture
  /// What the loop's deadline is set to.
  var scheduled = Instant.distantFuture

  var earliest: Instant {
    min(
      min(min(connect, handshake), min(firstMessage, message)),
      min(min(send, idle), min(drain, min(acknowledgement, silence))))
  }

  /// One that has passed; the more telling first.
  func due(_ now: Instant) -> TransportDeadline? {
    if connect <= now { return .connect }
    if handshake <= now { return .handshake }
    if send <= now { return .send }
    if message <= now { return .message }
    if firstMessage <= now { return .firstMessage }
    if drain <= now { return .drain }
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

import Reactor
import Structures

/// Bringing connections up, keeping them, and bringing them back.
extension LoadWorker {
  /// Longest that a connect or a handshake may take before it counts as failed.
  private static let stepTimeout: Int64 = 30_000_000_000

  private static let leavingAtATime = 128

  // MARK: Preparation

  /// Whether users have to be connected before the load begins.
  private var preparesConnections: Bool {
    !plan.streams.contains { $0.kind == .handshake || $0.kind == .register }
  }

  func prepareMore(_ now: Int64) {
    guard preparesConnections else {
      nextToPrepare = connections.count
      return
    }
    while underPreparation < plan.setupConcurrency, nextToPrepare < connections.count {
      underPreparation += 1
      bringUp(connections[nextToPrepare], now)
      nextToPrepare += 1
    }
  }

  private func prepared(_ now: Int64) {
    guard stage == .preparing, underPreparation > 0 else { return }
    underPreparation -= 1
    hasPrepared = true
    lastPrepared = now
  }

  // MARK: One connection

  /// Connects and, where users register, registers; in the background, as upkeep.
  func bringUp(_ connection: ClientConnection, _ now: Int64) {
    let target = plan.targets[(connection.index + processIndex) % plan.targets.count]
    let number = connection.index * plan.processes + processIndex
    let source = plan.sources.isEmpty ? nil : plan.sources[number % plan.sources.count]
    connection.stepDeadline = now + Self.stepTimeout
    connection.open(to: target, from: source)
    if connection.state != .closed { scheduleTimer(connection) }
  }

  func connectionOpened(_ connection: ClientConnection) {
    let now = System.monotonicNow.nanoseconds
    results.count(.connectionsOpened)
    if plan.keepAlive > .zero { connection.keepAliveAt = now + plan.keepAlive.nanoseconds }
    scheduleTimer(connection)
    if let id = connection.operation, let operation = operations[id] {
      if operation.kind == .handshake { return handshakeCompleted(connection, id) }
      return sendRegister(id, connection)
    }
    guard plan.registers else {
      connectionIsUp(connection, now)
      return
    }
    startUpkeep(connection, now)
  }

  /// The connection serves its user again.
  func connectionIsUp(_ connection: ClientConnection, _ now: Int64) {
    connection.failures = 0
    if connection.lostAt >= 0 {
      results.record(.recovery, nanoseconds: now - connection.lostAt)
      connection.lostAt = -1
      results.count(.reconnections)
      if case .storm = plan.event { lastMeasuredEnd = now }
    }
    prepared(now)
  }

  func connectionLost(_ connection: ClientConnection, wasOpen: Bool, reason: String) {
    let now = System.monotonicNow.nanoseconds
    results.count(wasOpen ? .connectionsDropped : .connectionsRefused)
    if connection.lostAt < 0, wasOpen { connection.lostAt = now }
    failureReasons[reason, default: 0] += 1
    let starter = connection.operation
    connection.operation = nil
    for id in operations.filter({ Int($0.connection) == connection.index }) where id != starter {
      fail(id, .connectionLost)
    }
    if let starter { fail(starter, wasOpen ? .connectionLost : .connectFailed) }
    let isStreamed = plan.streams.contains { $0.kind == .handshake || $0.kind == .register }
    if stage == .leaving || stage == .done || isStreamed { return }
    retryLater(connection, now)
  }

  func retryLater(_ connection: ClientConnection, _ now: Int64) {
    let longest = plan.backOff.nanoseconds * 30
    let wait = min(longest, plan.backOff.nanoseconds << Int64(min(connection.failures, 16)))
    connection.failures += 1
    // Half to all of it, so that users don't come back in step (RFC 5626 §4.5).
    connection.reconnectAt = now + wait / 2 + Int64(random.below(Int(max(1, wait / 2))))
    scheduleTimer(connection)
  }

  /// Drops every connection at once and lets all come back without waiting.
  func dropAll() {
    let now = System.monotonicNow.nanoseconds
    for connection in connections where connection.state != .closed {
      connection.close()
      connection.lostAt = now
      connection.reconnectAt = now
      scheduleTimer(connection)
    }
  }

  /// Unregisters some more connections: a binding that outlives its run would draw the next run's requests.
  func leaveMore(_ now: Int64) {
    while nextToLeave < connections.count, operations.count < Self.leavingAtATime {
      let connection = connections[nextToLeave]
      nextToLeave += 1
      (connection.reconnectAt, connection.refreshAt, connection.keepAliveAt) = (.max, .max, .max)
      if connection.isRegistered {
        connection.isLeaving = true
        startUpkeep(connection, now)
      }
    }
  }

  // MARK: Timers

  func scheduleTimer(_ connection: ClientConnection) {
    let next = min(
      min(connection.reconnectAt, connection.stepDeadline), min(connection.refreshAt, connection.keepAliveAt))
    let position = UInt32(connection.index)
    if next == .max { return connectionWheel.cancel(position) }
    connectionWheel.schedule(position, at: Instant(nanoseconds: next))
  }

  func connectionTimerFired(_ index: Int, _ now: Int64) {
    let connection = connections[index]
    if now >= connection.stepDeadline { connection.abandon("no answer to connect or handshake") }
    if now >= connection.reconnectAt {
      connection.reconnectAt = .max
      if connection.state == .closed { bringUp(connection, now) }
    }
    if now >= connection.keepAliveAt, connection.state == .open {
      connection.keepAliveAt = now + plan.keepAlive.nanoseconds
      connection.send([0x0D, 0x0A, 0x0D, 0x0A])
      results.count(.pings)
    }
    if now >= connection.refreshAt, connection.state == .open {
      connection.refreshAt = .max
      startUpkeep(connection, now)
    }
    scheduleTimer(connection)
  }

  // MARK: What comes in

  /// Puts what was left of an earlier read in front of the next.
  func fillScratch(_ kept: [UInt8]) { scratch.replaceSubrange(0..<kept.count, with: kept) }

  /// Takes all whole messages in the first `length` octets; returns how many octets that were, or -1 when the stream
  /// can't be divided into messages.
  func consume(_ length: Int, from connection: ClientConnection) -> Int {
    let buffer = scratch
    let octets = buffer.span.extracting(0..<length)
    var position = 0
    while position < length {
      switch reader.read(octets, from: position) {
      case .incomplete: return position
      case .malformed: return -1
      case .pong(let end):
        results.count(.pongs)
        position = end
      case .message(let end):
        position = end
        if reader.isRequest {
          received(request: octets, recipient(octets, connection))
        } else {
          received(response: octets, connection)
        }
        if connection.state != .open { return position }
      }
    }
    return position
  }

  /// Of users that share a connection the one that a request is for; the connection's own when it is for none of them.
  private func recipient(_ octets: Span<UInt8>, _ connection: ClientConnection) -> ClientConnection {
    if connection.followers.isEmpty || isForUser(octets, connection.user) { return connection }
    for index in connection.followers where isForUser(octets, connections[index].user) { return connections[index] }
    return connection
  }

  func framingLost(_ connection: ClientConnection) {
    for id in operations.filter({ Int($0.connection) == connection.index }) { fail(id, .framing) }
  }
}

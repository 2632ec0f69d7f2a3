import Reactor
import Structures

/// The life of an operation: start, retransmission, end.
extension LoadWorker {
  /// RFC 3261 §17.1.1.1: T1, in nanoseconds.
  static let timerT1: Int64 = 500_000_000
  /// RFC 3261 §17.1.2.2: T2, in nanoseconds.
  static let timerT2: Int64 = 4_000_000_000
  /// A start so long after its intended time counts as late, in nanoseconds.
  private static let late: Int64 = 5_000_000

  // MARK: Starting

  func startDueOperations() {
    var next = Int64.max
    for index in streams.indices {
      if streams[index].nextStart == nil {
        startClosed(index)
      } else if let due = startOpen(index) {
        next = min(next, due)
      }
    }
    if next < .max { timer.set(next) }
  }

  private func startClosed(_ index: Int) {
    var tries = streams[index].concurrency
    while streams[index].underWay < streams[index].concurrency, tries > 0, mayStart {
      tries -= 1
      start(index, intended: System.monotonicNow.nanoseconds)
    }
  }

  /// Starts what is due and returns when the next is.
  private func startOpen(_ index: Int) -> Int64? {
    while let due = streams[index].nextStart {
      let now = System.monotonicNow.nanoseconds
      if due > now || !mayStart || due >= stageEnds { return due }
      streams[index].advance()
      if stage == .measuring {
        if now - due > Self.late { results.count(.lateStarts) }
        results.worstDelay = max(results.worstDelay, UInt64(now - due) / 1_000)
      }
      start(index, intended: due)
    }
    return nil
  }

  private var mayStart: Bool { stage != .measuring || plan.count == 0 || measuredStarts < measuredShare }

  private func start(_ index: Int, intended: Int64) {
    let kind = streams[index].kind
    if stage == .measuring {
      measuredStarts += 1
      results.countStart(kind)
    }
    guard let connection = actor(of: index) else {
      if stage == .measuring {
        results.countFailure(kind, .notConnected)
        lastMeasuredEnd = System.monotonicNow.nanoseconds
      }
      return
    }
    streams[index].underWay += 1
    let callee = otherUser(than: connection.user.index)
    let id = begin(kind, stream: streams[index].number, connection, callee: callee, intended: intended)
    launch(id, kind, connection)
  }

  /// Notes an operation and sets its timer.
  private func begin(
    _ kind: OperationKind, stream: UInt8, _ connection: ClientConnection, callee: Int, intended: Int64
  ) -> OperationID {
    let now = System.monotonicNow.nanoseconds
    var operation = Operation(
      kind, stream: stream, isMeasured: stage == .measuring && stream != Operation.upkeep,
      connection: connection.index, callee: callee, intended: intended, deadline: now + plan.timeout.nanoseconds)
    if kind == .call { plotCall(&operation) }
    let id = operations.insert(operation)
    schedule(id, .timeout, at: operation.deadline)
    return id
  }

  private func launch(_ id: OperationID, _ kind: OperationKind, _ connection: ClientConnection) {
    switch kind {
    case .handshake, .register:
      if connection.state != .closed { connection.close() }
      connection.operation = id
      bringUp(connection, System.monotonicNow.nanoseconds)
    case .refresh, .bind:
      connection.operation = id
      sendRegister(id, connection)
    case .options, .message:
      sendSimple(id, connection)
      armRetransmission(id)
    case .call:
      sendInvite(id, connection)
      armRetransmission(id)
    }
  }

  /// Registers a connection that is open, outside any stream.
  func startUpkeep(_ connection: ClientConnection, _ now: Int64) {
    let id = begin(.refresh, stream: Operation.upkeep, connection, callee: 0, intended: now)
    connection.operation = id
    sendRegister(id, connection)
  }

  // MARK: Who

  /// The connection whose turn it is in a stream; nil when none of those looked at can start an operation of its kind.
  private func actor(of stream: Int) -> ClientConnection? {
    let kind = streams[stream].kind
    // Where losses are expected a user that is away must show as one, not be passed over.
    var tries = 64
    if case .restart = plan.event { tries = 1 }
    for _ in 0..<min(tries, connections.count) {
      let next = streams[stream].nextActor
      let connection = connections[next]
      streams[stream].nextActor = next + 1 == connections.count ? 0 : next + 1
      switch kind {
      case .handshake, .register: if connection.operation == nil { return connection }
      case .refresh: if connection.isRegistered, connection.operation == nil { return connection }
      case .bind:
        if connection.state == .open, !connection.isRegistered, connection.operation == nil { return connection }
      case .options, .message, .call:
        if connection.state == .open, connection.isRegistered || !plan.registers { return connection }
      }
    }
    return nil
  }

  private func otherUser(than user: Int) -> Int {
    if users.count < 2 { return user }
    let choice = random.below(users.count - 1)
    return choice < user ? choice : choice + 1
  }

  // MARK: Timers

  func schedule(_ id: OperationID, _ wake: Operation.Wake, at instant: Int64) {
    operations.update(id) { $0.wake = instant < $0.deadline ? wake : .timeout }
    let deadline = operations[id]?.deadline ?? instant
    operationWheel.schedule(id.slot, at: Instant(nanoseconds: min(instant, deadline)))
  }

  /// Over UDP a request is repeated until something answers (RFC 3261 §17.1.1.2, §17.1.2.2).
  func armRetransmission(_ id: OperationID) {
    guard plan.transport == .udp, operations.contains(id) else { return }
    operations.update(id) { $0.interval = Self.timerT1 }
    schedule(id, .retransmit, at: System.monotonicNow.nanoseconds + Self.timerT1)
  }

  func operationTimerFired(_ position: UInt32, _ now: Int64) {
    guard let id = operations.id(at: position), let operation = operations[id] else { return }
    if now >= operation.deadline { return timedOut(id, operation) }
    switch operation.wake {
    case .timeout: schedule(id, .timeout, at: operation.deadline)
    case .retransmit:
      repeatRequest(id, operation)
      let interval = min(Self.timerT2, operation.interval * 2)
      operations.update(id) { $0.interval = interval }
      schedule(id, .retransmit, at: now + interval)
    case .hangUp: sendCallerBye(id, operation)
    case .giveUp: sendCancel(id, operation)
    }
  }

  private func timedOut(_ id: OperationID, _ operation: Operation) {
    let connection = connections[Int(operation.connection)]
    if operation.kind == .handshake || operation.kind == .register {
      connection.operation = nil
      connection.close()
    }
    fail(id, .timeout)
  }

  private func repeatRequest(_ id: OperationID, _ operation: Operation) {
    let connection = connections[Int(operation.connection)]
    results.count(.retransmissions)
    switch operation.kind {
    case .options, .message: sendSimple(id, connection)
    case .register, .refresh, .bind: repeatRegister(id, connection)
    case .call:
      switch operation.state {
      case .inviting: sendInvite(id, connection)
      case .ending where !operation.calleeEnds: sendCallerBye(id, operation)
      case .ending, .ringing, .cancelling, .established: break
      }
    case .handshake: break
    }
  }

  // MARK: Ending

  func handshakeCompleted(_ connection: ClientConnection, _ id: OperationID) {
    connection.operation = nil
    // TLS 1.3 tickets come after the handshake: whoever resumes waits for them.
    if plan.tls.resumes, plan.tls.versions != .tls12 { connection.lingers = true }
    succeed(id)
    if !connection.lingers { connection.close() }
  }

  /// The operation did what it was to do.
  func succeed(_ id: OperationID) {
    guard let operation = operations[id] else { return }
    if let cause = operation.failure { return fail(id, cause) }
    if operation.isMeasured {
      let now = System.monotonicNow.nanoseconds
      lastMeasuredEnd = now
      results.countSuccess(operation.kind, at: now - measuredSince)
      // A call that was to fail has no length.
      if let timing = operation.kind.timing, operation.course == .answered {
        results.record(timing, nanoseconds: now - operation.intended)
      }
    }
    end(id, operation)
  }

  func fail(_ id: OperationID, _ cause: LossCause) {
    guard let operation = operations[id] else { return }
    if operation.isMeasured {
      lastMeasuredEnd = System.monotonicNow.nanoseconds
      results.countFailure(operation.kind, cause)
      if operation.kind == .call, operation.state == .established || operation.state == .ending {
        results.count(.callsLost)
      }
    }
    end(id, operation)
    let connection = connections[Int(operation.connection)]
    if connection.operation == id { connection.operation = nil }
    if operation.stream == Operation.upkeep {
      // A user that couldn't register starts over with a new connection (RFC 5626 §4.5).
      if cause != .status, cause != .connectionLost { failureReasons["REGISTER: \(cause.name)", default: 0] += 1 }
      if connection.state != .closed { connection.close() }
      if stage == .leaving { return }
      retryLater(connection, System.monotonicNow.nanoseconds)
    }
  }

  private func end(_ id: OperationID, _ operation: Operation) {
    operationWheel.cancel(id.slot)
    operations.remove(id)
    if operation.dialog >= 0 { dialogs.release(operation.dialog) }
    if operation.stream != Operation.upkeep { streams[Int(operation.stream)].underWay -= 1 }
  }
}

extension OperationKind {
  /// The histogram of the whole operation; a handshake's is that of its two steps.
  var timing: Timing? {
    switch self {
    case .handshake: nil
    case .register, .refresh, .bind: .register
    case .options: .options
    case .message: .message
    case .call: .call
    }
  }
}

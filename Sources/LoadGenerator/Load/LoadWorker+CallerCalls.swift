import Reactor
import Structures

/// Calls as the caller has them: INVITE, ACK, BYE, CANCEL.
extension LoadWorker {
  /// Decides by lot how a call will go.
  func plotCall(_ operation: inout Operation) {
    let calls = plan.calls
    let lot = random.below(100)
    if lot < calls.cancelPercent {
      operation.course = .cancelled
    } else if lot < calls.cancelPercent + calls.rejectPercent {
      operation.course = .rejected
    } else if lot < calls.cancelPercent + calls.rejectPercent + calls.noAnswerPercent {
      operation.course = .unanswered
    }
    switch calls.ending {
    case .caller: operation.calleeEnds = false
    case .callee: operation.calleeEnds = true
    case .either: operation.calleeEnds = random.below(2) == 1
    }
  }

  func sendInvite(_ id: OperationID, _ connection: ClientConnection) {
    guard let operation = operations[id] else { return }
    let callee = users[Int(operation.callee)]
    uri.removeAll(keepingCapacity: true)
    uri.append(contentsOf: callee.address)
    beginRequest("INVITE", id, .invite, connection)
    appendFrom(connection.user, id)
    output.append("To: <")
    output.append(contentsOf: callee.address)
    output.append(">\r\n")
    appendCallID(id, operation.sequence, "INVITE")
    appendContact(connection)
    output.append("\r\n")
    appendCredentials(connection.user, "INVITE")
    output.append("Content-Type: application/sdp\r\nContent-Length: ")
    output.append(decimal: UInt64(prepared.sessionDescription.count))
    output.append("\r\n\r\n")
    output.append(contentsOf: prepared.sessionDescription)
    sendRequest(connection)
  }

  func answeredInvite(
    _ octets: Span<UInt8>, _ id: OperationID, _ operation: Operation, _ connection: ClientConnection
  ) {
    if reader.status < 200 { return invitationProceeds(id, operation) }
    if reader.status >= 300 { return invitationFailed(octets, id, operation, connection) }
    if operation.state == .inviting || operation.state == .ringing || operation.state == .cancelling {
      if operation.isMeasured {
        results.countStatus(reader.status)
        results.record(.setup, nanoseconds: System.monotonicNow.nanoseconds - operation.intended)
      }
      keepDialog(octets, id)
      operations.update(id) { $0.state = .established }
    }
    guard let established = operations[id], established.dialog >= 0 else { return }
    // Every 2xx is acknowledged, repeated ones too (RFC 3261 §13.2.2.4).
    sendAcknowledgement(id, established, connection)
    if operation.state == .established || operation.state == .ending { return }
    if established.calleeEnds { return schedule(id, .timeout, at: established.deadline) }
    if plan.calls.hold == .zero { return sendCallerBye(id, established) }
    schedule(id, .hangUp, at: System.monotonicNow.nanoseconds + plan.calls.hold.nanoseconds)
  }

  private func invitationProceeds(_ id: OperationID, _ operation: Operation) {
    schedule(id, .timeout, at: operation.deadline)
    guard reader.status >= 180, operation.state == .inviting else { return }
    let now = System.monotonicNow.nanoseconds
    if operation.isMeasured { results.record(.postDial, nanoseconds: now - operation.intended) }
    operations.update(id) { $0.state = .ringing }
    switch operation.course {
    case .answered, .rejected: break
    case .cancelled: sendCancel(id, operation)
    case .unanswered: schedule(id, .giveUp, at: now + plan.calls.patience.nanoseconds)
    }
  }

  private func invitationFailed(
    _ octets: Span<UInt8>, _ id: OperationID, _ operation: Operation, _ connection: ClientConnection
  ) {
    acknowledgeFailure(octets, id, operation, connection)
    if takeChallenge(octets, id, connection.user) { return sendInvite(id, connection) }
    if operation.isMeasured { results.countStatus(reader.status) }
    let isExpected =
      switch operation.course {
      case .answered: false
      case .cancelled, .unanswered: reader.status == 487
      case .rejected: reader.status == 486
      }
    if isExpected { succeed(id) } else { fail(id, .status) }
  }

  private func keepDialog(_ octets: Span<UInt8>, _ id: OperationID) {
    let index = dialogs.take()
    operations.update(id) { $0.dialog = index }
    dialogs[index].to.removeAll(keepingCapacity: true)
    dialogs[index].to.append(octets, reader.to)
    dialogs[index].target.removeAll(keepingCapacity: true)
    dialogs[index].target.append(octets, addressPart(octets, reader.contact))
    dialogs[index].routes.removeAll(keepingCapacity: true)
    // The caller's route set is Record-Route in reverse order (RFC 3261 §12.1.2).
    for line in stride(from: reader.recordRouteCount - 1, through: 0, by: -1) {
      appendRoutes(octets, reader.recordRoutes[line], reversed: true, to: &dialogs[index].routes)
    }
  }

  /// Appends a Route line for each value of a Record-Route line.
  func appendRoutes(_ octets: Span<UInt8>, _ line: Slice, reversed: Bool, to output: inout [UInt8]) {
    var values: [Slice] = []
    var (start, isInside) = (Int(line.start), false)
    for index in line.range {
      if octets[index] == 0x3C { isInside = true }
      if octets[index] == 0x3E { isInside = false }
      if octets[index] == 0x2C, !isInside {
        values.append(Slice(start, index))
        start = index + 1
      }
    }
    values.append(Slice(start, line.range.upperBound))
    if reversed { values.reverse() }
    for value in values {
      output.append("Route: ")
      output.append(octets, value)
      output.append("\r\n")
    }
  }

  /// What stands between the angle brackets, or all of it up to the first parameter.
  func addressPart(_ octets: Span<UInt8>, _ value: Slice) -> Slice {
    let end = value.range.upperBound
    if let open = octets.position(of: 0x3C, from: Int(value.start)), open < end,
      let close = octets.position(of: 0x3E, from: open), close < end
    {
      return Slice(open + 1, close)
    }
    let semicolon = octets.position(of: 0x3B, from: Int(value.start)) ?? end
    return Slice(Int(value.start), min(semicolon, end))
  }

  // MARK: Requests within the call

  private func sendAcknowledgement(_ id: OperationID, _ operation: Operation, _ connection: ClientConnection) {
    beginInDialog("ACK", id, .acknowledge, operation, connection)
    appendCallID(id, operation.sequence, "ACK")
    appendCredentials(connection.user, "ACK")
    output.append("Content-Length: 0\r\n\r\n")
    sendRequest(connection)
  }

  private func beginInDialog(
    _ method: StaticString, _ id: OperationID, _ mark: TransactionMark, _ operation: Operation,
    _ connection: ClientConnection
  ) {
    uri.removeAll(keepingCapacity: true)
    uri.append(contentsOf: dialogs[operation.dialog].target)
    beginRequest(method, id, mark, connection)
    output.append(contentsOf: dialogs[operation.dialog].routes)
    appendFrom(connection.user, id)
    output.append("To: ")
    output.append(contentsOf: dialogs[operation.dialog].to)
    output.append("\r\n")
  }

  func sendCallerBye(_ id: OperationID, _ operation: Operation) {
    guard operation.dialog >= 0 else { return }
    let connection = connections[Int(operation.connection)]
    operations.update(id) { $0.state = .ending }
    beginInDialog("BYE", id, .callerBye, operation, connection)
    appendCallID(id, operation.sequence + 1, "BYE")
    appendCredentials(connection.user, "BYE")
    output.append("Content-Length: 0\r\n\r\n")
    sendRequest(connection)
    schedule(id, .timeout, at: operation.deadline)
    if operation.state != .ending { armRetransmission(id) }
  }

  /// RFC 3261 §9.1: same Request-URI, Call-ID, To, From, branch and number as the INVITE.
  func sendCancel(_ id: OperationID, _ operation: Operation) {
    let connection = connections[Int(operation.connection)]
    operations.update(id) { $0.state = .cancelling }
    schedule(id, .timeout, at: operation.deadline)
    let callee = users[Int(operation.callee)]
    uri.removeAll(keepingCapacity: true)
    uri.append(contentsOf: callee.address)
    beginRequest("CANCEL", id, .invite, connection)
    appendFrom(connection.user, id)
    output.append("To: <")
    output.append(contentsOf: callee.address)
    output.append(">\r\n")
    appendCallID(id, operation.sequence, "CANCEL")
    output.append("Content-Length: 0\r\n\r\n")
    sendRequest(connection)
  }

  /// RFC 3261 §17.1.1.3: the ACK for a failure belongs to the INVITE's transaction.
  private func acknowledgeFailure(
    _ octets: Span<UInt8>, _ id: OperationID, _ operation: Operation, _ connection: ClientConnection
  ) {
    uri.removeAll(keepingCapacity: true)
    uri.append(contentsOf: users[Int(operation.callee)].address)
    beginRequest("ACK", id, .invite, connection)
    appendFrom(connection.user, id)
    output.append("To: ")
    output.append(octets, reader.to)
    output.append("\r\n")
    appendCallID(id, operation.sequence, "ACK")
    output.append("Content-Length: 0\r\n\r\n")
    sendRequest(connection)
  }

  func answeredBye(
    _ octets: Span<UInt8>, _ id: OperationID, _ operation: Operation, _ connection: ClientConnection,
    _ mark: TransactionMark
  ) {
    if reader.status < 200 { return }
    if mark == .callerBye, takeChallenge(octets, id, connection.user), let again = operations[id] {
      return sendCallerBye(id, again)
    }
    if operation.isMeasured { results.countStatus(reader.status) }
    if reader.status >= 300 { return fail(id, .status) }
    if !operation.acknowledged, operation.failure == nil { return fail(id, .noACK) }
    succeed(id)
  }
}

import Reactor
import Structures

/// Calls as the callee has them: 180, 200 until the ACK, BYE.
extension LoadWorker {
  /// A call that nobody ends is forgotten after so many nanoseconds.
  private static let forgetAfter: Int64 = 600_000_000_000

  func receivedInvite(_ octets: Span<UInt8>, _ connection: ClientConnection) {
    let key = CalleeCallTable.key(octets.extracting(reader.callID.range))
    if let position = calleeCalls.position(key) {
      repeatResponse(position, octets, connection)
      return
    }
    let id = operation(ofRequest: octets)
    checkDelivery(octets, connection)
    if let id, operations[id]?.course == .rejected { return answer("486 Busy Here", octets, connection) }
    let position = calleeCalls.insert(newCall(octets, key, connection, id))
    respond(position, "180 Ringing", connection)
    if let id, let course = operations[id]?.course, course != .answered {
      return scheduleCallee(position, .forget, after: Self.forgetAfter)
    }
    if plan.calls.ring == .zero { return answerCall(position) }
    scheduleCallee(position, .answer, after: plan.calls.ring.nanoseconds)
  }

  private func newCall(
    _ octets: Span<UInt8>, _ key: UInt64, _ connection: ClientConnection, _ id: OperationID?
  ) -> CalleeCall {
    var call = CalleeCall(key: key, connection: connection.index, operation: id)
    appendEchoedFields(octets, to: &call.echoed)
    for index in 0..<reader.recordRouteCount {
      call.recordRoutes.append("Record-Route: ")
      call.recordRoutes.append(octets, reader.recordRoutes[index])
      call.recordRoutes.append("\r\n")
      appendRoutes(octets, reader.recordRoutes[index], reversed: false, to: &call.routes)
    }
    call.target.append(octets, addressPart(octets, reader.contact))
    call.from.append(octets, reader.from)
    call.to.append(octets, reader.to)
    call.to.append(";tag=e")
    call.to.append(hexadecimal: UInt64(prepared.runWord), digits: 8)
    call.callID.append(octets, reader.callID)
    return call
  }

  private func repeatResponse(_ position: Int, _ octets: Span<UInt8>, _ connection: ClientConnection) {
    guard let call = calleeCalls[position] else { return }
    switch call.state {
    case .ringing: respond(position, "180 Ringing", connection)
    case .answered: sendAnswer(position, connection)
    case .confirmed, .ended: answer("200 OK", octets, connection)
    }
  }

  /// Sends a provisional or failing response to the call's INVITE.
  private func respond(_ position: Int, _ status: StaticString, _ connection: ClientConnection) {
    guard let call = calleeCalls[position] else { return }
    output.removeAll(keepingCapacity: true)
    output.append("SIP/2.0 ")
    output.append(status)
    output.append("\r\n")
    output.append(contentsOf: call.echoed)
    output.append(contentsOf: call.recordRoutes)
    appendContact(connection)
    output.append("\r\nContent-Length: 0\r\n\r\n")
    connection.send(output)
  }

  private func answerCall(_ position: Int) {
    guard let call = calleeCalls[position] else { return }
    _ = calleeCalls[position].modify {
      $0.state = .answered
      $0.answeredAt = System.monotonicNow.nanoseconds
      $0.repetition = Self.timerT1
    }
    results.count(.responsesSent)
    sendAnswer(position, connections[call.connection])
    // Until the ACK comes the 200 is repeated, over streams too (RFC 3261 §13.3.1.4).
    scheduleCallee(position, .repeatAnswer, after: Self.timerT1)
  }

  private func sendAnswer(_ position: Int, _ connection: ClientConnection) {
    guard let call = calleeCalls[position] else { return }
    output.removeAll(keepingCapacity: true)
    output.append("SIP/2.0 200 OK\r\n")
    output.append(contentsOf: call.echoed)
    output.append(contentsOf: call.recordRoutes)
    appendContact(connection)
    output.append("\r\nContent-Type: application/sdp\r\nContent-Length: ")
    output.append(decimal: UInt64(prepared.sessionDescription.count))
    output.append("\r\n\r\n")
    output.append(contentsOf: prepared.sessionDescription)
    connection.send(output)
  }

  // MARK: Requests within the call

  func receivedAcknowledgement(_ octets: Span<UInt8>) {
    guard let position = calleeCalls.position(CalleeCallTable.key(octets.extracting(reader.callID.range))),
      let call = calleeCalls[position], call.state == .answered
    else { return }
    _ = calleeCalls[position].modify { $0.state = .confirmed }
    guard let id = call.operation else { return scheduleCallee(position, .forget, after: Self.forgetAfter) }
    operations.update(id) { $0.acknowledged = true }
    guard operations[id]?.calleeEnds ?? false else {
      return scheduleCallee(position, .forget, after: Self.forgetAfter)
    }
    if plan.calls.hold == .zero { return sendCalleeBye(position) }
    scheduleCallee(position, .hangUp, after: plan.calls.hold.nanoseconds)
  }

  func receivedBye(_ octets: Span<UInt8>, _ connection: ClientConnection) {
    answer("200 OK", octets, connection)
    // A BYE of the callee comes to the caller, whose half of the call is the operation.
    guard let position = calleeCalls.position(CalleeCallTable.key(octets.extracting(reader.callID.range))),
      let call = calleeCalls[position]
    else { return }
    if let id = call.operation, operations[id]?.calleeEnds ?? false { return }
    forget(position)
  }

  func receivedCancel(_ octets: Span<UInt8>, _ connection: ClientConnection) {
    answer("200 OK", octets, connection)
    guard let position = calleeCalls.position(CalleeCallTable.key(octets.extracting(reader.callID.range))),
      let call = calleeCalls[position], call.state == .ringing
    else { return }
    results.count(.responsesSent)
    respond(position, "487 Request Terminated", connection)
    forget(position)
  }

  private func sendCalleeBye(_ position: Int) {
    guard let call = calleeCalls[position], let id = call.operation else { return }
    let connection = connections[call.connection]
    operations.update(id) { $0.state = .ending }
    uri.removeAll(keepingCapacity: true)
    uri.append(contentsOf: call.target)
    beginRequest("BYE", id, .calleeBye, connection)
    output.append(contentsOf: call.routes)
    output.append("From: ")
    output.append(contentsOf: call.to)
    output.append("\r\nTo: ")
    output.append(contentsOf: call.from)
    output.append("\r\nCall-ID: ")
    output.append(contentsOf: call.callID)
    appendSequence(1, "BYE")
    appendCredentials(connection.user, "BYE")
    output.append("Content-Length: 0\r\n\r\n")
    sendRequest(connection)
    forget(position)
  }

  // MARK: Timers

  private func scheduleCallee(_ position: Int, _ wake: CalleeCall.Wake, after wait: Int64) {
    _ = calleeCalls[position].modify { $0.wake = wake }
    calleeWheel.schedule(UInt32(position), at: System.monotonicNow.adding(nanoseconds: wait))
  }

  private func forget(_ position: Int) {
    calleeWheel.cancel(UInt32(position))
    calleeCalls.remove(position)
  }

  func calleeTimerFired(_ position: Int, _ now: Int64) {
    guard let call = calleeCalls[position] else { return }
    switch call.wake {
    case .answer: answerCall(position)
    case .hangUp: sendCalleeBye(position)
    case .forget: forget(position)
    case .repeatAnswer:
      // RFC 3261 §13.3.1.4: after 64 times T1 without an ACK the callee gives up.
      if call.state != .answered || now - call.answeredAt > 64 * Self.timerT1 { return forget(position) }
      results.count(.retransmissions)
      sendAnswer(position, connections[call.connection])
      let interval = min(Self.timerT2, call.repetition * 2)
      _ = calleeCalls[position].modify { $0.repetition = interval }
      scheduleCallee(position, .repeatAnswer, after: interval)
    }
  }
}

import Reactor
import Structures

/// What users do with requests that reach them: check and answer.
extension LoadWorker {
  func received(request octets: Span<UInt8>, _ connection: ClientConnection) {
    results.count(.requestsReceived)
    switch reader.method {
    case .message:
      checkDelivery(octets, connection)
      answer("200 OK", octets, connection)
    case .options:
      checkDelivery(octets, connection)
      answer("200 OK", octets, connection)
    case .invite: receivedInvite(octets, connection)
    case .ack: receivedAcknowledgement(octets)
    case .bye: receivedBye(octets, connection)
    case .cancel: receivedCancel(octets, connection)
    case .register, .other: answer("405 Method Not Allowed", octets, connection)
    }
  }

  /// The operation of this run that the Call-ID names; nil for requests of strangers.
  func operation(ofRequest octets: Span<UInt8>) -> OperationID? {
    let callID = octets.extracting(reader.callID.range)
    guard callID.hexadecimal(at: 0, digits: 8) == UInt64(prepared.runWord),
      let name = callID.hexadecimal(at: 8, digits: 16)
    else { return nil }
    let id = OperationID(slot: UInt32(name >> 32), generation: UInt32(truncatingIfNeeded: name))
    return operations.contains(id) ? id : nil
  }

  /// Whether the request is at the user that it was sent to, and has the octets that were sent.
  func checkDelivery(_ octets: Span<UInt8>, _ connection: ClientConnection) {
    guard let id = operation(ofRequest: octets), let operation = operations[id] else { return }
    if Int(operation.callee) != connection.user.index || !isForUser(octets, connection.user) {
      return operations.update(id) { $0.failure = .wrongUser }
    }
    if operation.kind == .message, !hasOurBody(octets, id) {
      return operations.update(id) { $0.failure = .wrongBody }
    }
    operations.update(id) { $0.delivered = true }
  }

  /// Whether the user part of the Request-URI is the user's name.
  func isForUser(_ octets: Span<UInt8>, _ user: ClientUser) -> Bool {
    let target = octets.extracting(reader.requestURI.range)
    guard let colon = target.position(of: 0x3A, from: 0) else { return false }
    let end = colon + 1 + user.name.count
    guard end < target.count, target[end] == 0x40 || target[end] == 0x3B else { return false }
    return target.extracting(colon + 1..<end).isSame(as: user.name)
  }

  private func hasOurBody(_ octets: Span<UInt8>, _ id: OperationID) -> Bool {
    let body = octets.extracting(reader.body.range)
    guard body.count == 16 + prepared.filler.count,
      body.hexadecimal(at: 0, digits: 16) == UInt64(id.slot) << 32 | UInt64(id.generation)
    else { return false }
    return body.extracting(16..<body.count).isSame(as: prepared.filler)
  }

  // MARK: Responses

  /// Sends a final response without a body.
  func answer(_ status: StaticString, _ octets: Span<UInt8>, _ connection: ClientConnection) {
    output.removeAll(keepingCapacity: true)
    output.append("SIP/2.0 ")
    output.append(status)
    output.append("\r\n")
    appendEchoedFields(octets, to: &output)
    output.append("Content-Length: 0\r\n\r\n")
    results.count(.responsesSent)
    connection.send(output)
  }

  /// The fields that every response takes over from its request (RFC 3261 §8.2.6.2); a tag for the callee is added.
  func appendEchoedFields(_ octets: Span<UInt8>, to output: inout [UInt8]) {
    for index in 0..<reader.viaLineCount {
      output.append("Via: ")
      output.append(octets, reader.viaLines[index])
      output.append("\r\n")
    }
    output.append("From: ")
    output.append(octets, reader.from)
    output.append("\r\nTo: ")
    output.append(octets, reader.to)
    let to = octets.extracting(reader.to.range)
    if find(";tag=", in: to) == nil {
      output.append(";tag=e")
      output.append(hexadecimal: UInt64(prepared.runWord), digits: 8)
    }
    output.append("\r\nCall-ID: ")
    output.append(octets, reader.callID)
    output.append("\r\nCSeq: ")
    output.append(octets, reader.sequence)
    output.append("\r\n")
  }
}

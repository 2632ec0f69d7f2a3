import Reactor
import Structures

/// The letter at the end of a branch: which transaction of an operation it is.
enum TransactionMark: UInt8 {
  case register = 0x72, simple = 0x6D, invite = 0x69, acknowledge = 0x61, callerBye = 0x62, calleeBye = 0x63
}

/// Writes requests. Everything goes through one buffer; nothing is allocated for a message.
extension LoadWorker {
  /// Begins a request to ``uri``: start line, Via, Max-Forwards.
  func beginRequest(_ method: StaticString, _ id: OperationID, _ mark: TransactionMark, _ connection: ClientConnection)
  {
    output.removeAll(keepingCapacity: true)
    output.append(method)
    output.append(" ")
    output.append(contentsOf: uri)
    output.append(" SIP/2.0\r\nVia: ")
    output.append(contentsOf: connection.viaStart)
    output.append(hexadecimal: UInt64(prepared.runWord), digits: 8)
    appendName(id)
    output.append(mark.rawValue)
    output.append(0x30 + (operations[id]?.attempt ?? 0))
    output.append(plan.transport == .udp ? ";rport\r\nMax-Forwards: 70\r\n" : "\r\nMax-Forwards: 70\r\n")
  }

  /// Sixteen hexadecimal digits that name an operation.
  func appendName(_ id: OperationID) {
    output.append(hexadecimal: UInt64(id.slot) << 32 | UInt64(id.generation), digits: 16)
  }

  /// `From: <sip:user@domain>;tag=…`.
  func appendFrom(_ user: ClientUser, _ id: OperationID) {
    output.append("From: <")
    output.append(contentsOf: user.address)
    output.append(">;tag=")
    appendName(id)
    output.append("\r\n")
  }

  /// `Call-ID` and `CSeq` of an operation's dialog.
  func appendCallID(_ id: OperationID, _ sequence: UInt32, _ method: StaticString) {
    output.append("Call-ID: ")
    output.append(hexadecimal: UInt64(prepared.runWord), digits: 8)
    appendName(id)
    appendSequence(sequence, method)
  }

  func appendSequence(_ sequence: UInt32, _ method: StaticString) {
    output.append("\r\nCSeq: ")
    output.append(decimal: UInt64(sequence))
    output.append(" ")
    output.append(method)
    output.append("\r\n")
  }

  /// The answer to the user's last challenge, for a request to ``uri``.
  func appendCredentials(_ user: ClientUser, _ method: StaticString) {
    guard let challenge = user.challenge else { return }
    digest.append(
      challenge, user: user.name, password: user.password, method: method, uri: uri,
      clientNonce: random.word(), to: &output)
  }

  /// `Contact: <sip:user@host:port;transport=…>` without the line's end.
  func appendContact(_ connection: ClientConnection) {
    output.append("Contact: <sip:")
    output.append(contentsOf: connection.user.name)
    output.append("@")
    output.append(contentsOf: connection.sentBy)
    output.append(contentsOf: prepared.contactTransport)
    output.append(">")
  }

  /// Sends what stands in ``output`` as a request.
  func sendRequest(_ connection: ClientConnection) {
    results.count(.requestsSent)
    connection.send(output)
  }

  // MARK: REGISTER

  func sendRegister(_ id: OperationID, _ connection: ClientConnection) {
    connection.registerSequence += 1
    repeatRegister(id, connection)
    armRetransmission(id)
  }

  func repeatRegister(_ id: OperationID, _ connection: ClientConnection) {
    let user = connection.user
    uri.removeAll(keepingCapacity: true)
    uri.append(contentsOf: prepared.serverURI)
    beginRequest("REGISTER", id, .register, connection)
    appendFrom(user, id)
    output.append("To: <")
    output.append(contentsOf: user.address)
    output.append(">\r\nCall-ID: r")
    output.append(hexadecimal: UInt64(prepared.runWord), digits: 8)
    output.append(hexadecimal: UInt64(connection.index), digits: 8)
    appendSequence(connection.registerSequence, "REGISTER")
    appendContact(connection)
    output.append(";expires=")
    output.append(decimal: connection.isLeaving ? 0 : prepared.expires)
    if plan.flows > 1 || plan.outbound {
      output.append(";reg-id=")
      output.append(decimal: UInt64(connection.registrationID))
      output.append(";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-")
      output.append(hexadecimal: UInt64(processIndex) << 32 | UInt64(user.index), digits: 12)
      output.append(">\"\r\nSupported: outbound, path")
    }
    output.append("\r\n")
    appendCredentials(user, "REGISTER")
    output.append("Content-Length: 0\r\n\r\n")
    sendRequest(connection)
  }

  // MARK: MESSAGE and OPTIONS

  /// Sends the one request that an operation of these kinds consists of.
  func sendSimple(_ id: OperationID, _ connection: ClientConnection) {
    guard let operation = operations[id] else { return }
    if operation.kind == .message { return sendMessage(id, operation, connection) }
    uri.removeAll(keepingCapacity: true)
    let callee = users[Int(operation.callee)]
    uri.append(contentsOf: plan.relaysOptions ? callee.address : prepared.serverURI)
    beginRequest("OPTIONS", id, .simple, connection)
    appendFrom(connection.user, id)
    output.append("To: <")
    output.append(contentsOf: uri)
    output.append(">\r\n")
    appendCallID(id, operation.sequence, "OPTIONS")
    appendCredentials(connection.user, "OPTIONS")
    output.append("Accept: application/sdp\r\nContent-Length: 0\r\n\r\n")
    sendRequest(connection)
  }

  private func sendMessage(_ id: OperationID, _ operation: Operation, _ connection: ClientConnection) {
    let callee = users[Int(operation.callee)]
    uri.removeAll(keepingCapacity: true)
    uri.append(contentsOf: callee.address)
    beginRequest("MESSAGE", id, .simple, connection)
    appendFrom(connection.user, id)
    output.append("To: <")
    output.append(contentsOf: callee.address)
    output.append(">\r\n")
    appendCallID(id, operation.sequence, "MESSAGE")
    appendCredentials(connection.user, "MESSAGE")
    output.append(contentsOf: prepared.messageTail)
    appendName(id)
    output.append(contentsOf: prepared.filler)
    sendRequest(connection)
  }
}

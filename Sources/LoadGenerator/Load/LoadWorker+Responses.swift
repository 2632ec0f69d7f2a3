import CLinux
import Reactor
import Structures

/// Answers to what the users sent.
extension LoadWorker {
  func received(response octets: Span<UInt8>, _ connection: ClientConnection) {
    if reader.status >= 200 { results.count(.responsesReceived) }
    guard reader.viaLineCount > 0, let (id, mark) = transaction(octets, connection), let operation = operations[id]
    else {
      results.count(.strayResponses)
      return
    }
    // Where users share connections, the operation says whose it is.
    let isCallers = !connection.followers.isEmpty && mark != .calleeBye
    let connection = isCallers ? connections[Int(operation.connection)] : connection
    if !hasOnlyOurVia(octets, connection) { operations.update(id) { $0.failure = .extraVia } }
    switch mark {
    case .register: answeredRegister(octets, id, operation, connection)
    case .simple: answeredSimple(octets, id, operation, connection)
    case .invite:
      if reader.method == .cancel { return }
      answeredInvite(octets, id, operation, connection)
    case .callerBye, .calleeBye: answeredBye(octets, id, operation, connection, mark)
    case .acknowledge: results.count(.strayResponses)
    }
  }

  /// The operation and the transaction that the topmost branch names; nil when it isn't one of this run.
  private func transaction(
    _ octets: Span<UInt8>, _ connection: ClientConnection
  ) -> (OperationID, TransactionMark)? {
    let via = octets.extracting(reader.viaLines[0].range)
    guard let position = ownBranch(via, connection) ?? find("branch=z9hG4bK", in: via).map({ $0 + 14 }),
      via.hexadecimal(at: position, digits: 8) == UInt64(prepared.runWord),
      let name = via.hexadecimal(at: position + 8, digits: 16), position + 25 < via.count,
      let mark = TransactionMark(rawValue: via[position + 24])
    else { return nil }
    let id = OperationID(slot: UInt32(name >> 32), generation: UInt32(truncatingIfNeeded: name))
    // An answer to an attempt that was given up for a later one is late, not wrong.
    let counts = mark == .register || mark == .simple
    guard let operation = operations[id], !counts || via[position + 25] == 0x30 + operation.attempt else { return nil }
    return (id, mark)
  }

  /// Where our part of the branch begins in a Via value that has our protocol and address; nil in any other.
  private func ownBranch(_ via: Span<UInt8>, _ connection: ClientConnection) -> Int? {
    let ours = connection.viaStart
    if via.count > ours.count, via.extracting(0..<ours.count).isSame(as: ours) { return ours.count }
    // Servers may put what they add (RFC 3581 §4) before the branch.
    let address = ours.count - ClientConnection.branchStart.utf8CodeUnitCount
    guard via.count > ours.count, via[address] == 0x3B,
      via.extracting(0..<address).isSame(as: Array(ours[0..<address]))
    else { return nil }
    return find(ClientConnection.branchStart, in: via).map { $0 + ClientConnection.branchStart.utf8CodeUnitCount }
  }

  /// RFC 3261 §16.7: whatever proxies added is gone again; what stays is what was sent, but for `received` and `rport`.
  private func hasOnlyOurVia(_ octets: Span<UInt8>, _ connection: ClientConnection) -> Bool {
    reader.viaCount == 1 && ownBranch(octets.extracting(reader.viaLines[0].range), connection) != nil
  }

  func find(_ literal: StaticString, in octets: Span<UInt8>) -> Int? {
    let found = octets.withUnsafeBufferPointer {
      clinux_find($0.baseAddress, $0.count, literal.utf8Start, literal.utf8CodeUnitCount)
    }
    return found < 0 ? nil : found
  }

  // MARK: Challenges

  /// Takes a challenge; false when the request was answered to one already and the server doesn't call it stale.
  func takeChallenge(_ octets: Span<UInt8>, _ id: OperationID, _ user: ClientUser) -> Bool {
    guard reader.status == 401 || reader.status == 407, !reader.challenge.isEmpty, let operation = operations[id],
      operation.attempt < 3, !user.password.isEmpty
    else { return false }
    user.challenge = DigestChallenge(octets.extracting(reader.challenge.range), isProxy: reader.isProxyChallenge)
    operations.update(id) {
      $0.attempt += 1
      $0.sequence += 1
    }
    return true
  }

  // MARK: REGISTER

  private func answeredRegister(
    _ octets: Span<UInt8>, _ id: OperationID, _ operation: Operation, _ connection: ClientConnection
  ) {
    if reader.status < 200 { return }
    if takeChallenge(octets, id, connection.user) { return sendRegister(id, connection) }
    if operation.isMeasured { results.countStatus(reader.status) }
    connection.operation = nil
    guard reader.status < 300 else {
      failureReasons["REGISTER: \(reader.status)", default: 0] += 1
      return fail(id, .status)
    }
    let now = System.monotonicNow.nanoseconds
    connection.isRegistered = !connection.isLeaving
    if connection.isLeaving { return succeed(id) }
    connection.refreshAt = now + Int64(plan.expires) * 750_000_000
    scheduleTimer(connection)
    if operation.stream == Operation.upkeep {
      results.record(.register, nanoseconds: now - operation.intended)
    }
    succeed(id)
    if operation.stream == Operation.upkeep { connectionIsUp(connection, now) }
  }

  // MARK: MESSAGE and OPTIONS

  private func answeredSimple(
    _ octets: Span<UInt8>, _ id: OperationID, _ operation: Operation, _ connection: ClientConnection
  ) {
    if reader.status < 200 { return }
    if takeChallenge(octets, id, connection.user) { return sendSimple(id, connection) }
    if operation.isMeasured { results.countStatus(reader.status) }
    if reader.status >= 300 { return fail(id, .status) }
    let isRelayed = operation.kind == .message || plan.relaysOptions
    if isRelayed, !operation.delivered, operation.failure == nil { return fail(id, .notDelivered) }
    succeed(id)
  }
}

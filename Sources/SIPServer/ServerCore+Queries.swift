import SIPMessage
import SIPTransaction
import Structures

/// What waits for the location service.
extension ServerCore {
  /// How many ACKs wait at most: they have no transaction that would bound them, and whoever sent them sends them again (RFC 3261 §13.2.2.4).
  static let maxWaitingAcks = 4_096

  /// Keeps what waits for an answer of the location service, for a bounded time.
  func open(_ query: Query, _ now: Instant) -> SlotHandle {
    open(query, until: now + settings.locationTimeout)
  }

  func open(_ query: Query, until deadline: Instant) -> SlotHandle {
    let handle = queries.insert(query)
    queryTimers.schedule(handle.index, at: deadline)
    switch query {
    case .registration(_, let update): registering[update.flow.id, default: []].append(handle)
    case .ack: waitingAcks += 1
    case .targets, .successor, .redirected, .sentAck, .offered, .orphan, .sender, .claim, .sameClaim, .existence: break
    }
    return handle
  }

  /// Keeps an ACK until its target is known; nil when too many wait, and then it is dropped.
  func openAck(_ message: Message, _ flow: Flow, _ now: Instant) -> SlotHandle? {
    guard waitingAcks < Self.maxWaitingAcks else {
      drop(message)
      return nil
    }
    return open(.ack(message, flow), now)
  }

  /// What waited for the answer that came; nil when it waits no more.
  func close(_ handle: SlotHandle) -> Query? {
    guard let query = queries.remove(handle) else { return nil }
    queryTimers.cancel(handle.index)
    switch query {
    case .registration(_, let update): forget(handle, over: update.flow.id)
    case .ack: waitingAcks -= 1
    case .targets, .successor, .redirected, .sentAck, .offered, .orphan, .sender, .claim, .sameClaim, .existence: break
    }
    return query
  }

  /// What is still being registered over a connection that is gone must not stay.
  func orphanRegistrations(over flow: FlowID) {
    guard let handles = registering.removeValue(forKey: flow) else { return }
    for handle in handles {
      queries.update(handle) { query in
        if case .registration(_, let update) = query { query = .orphan(update) }
      }
    }
  }

  private func forget(_ handle: SlotHandle, over flow: FlowID) {
    guard let position = registering[flow]?.firstIndex(of: handle) else { return }
    if registering[flow]?.count == 1 { registering[flow] = nil } else { registering[flow]?.remove(at: position) }
  }
}

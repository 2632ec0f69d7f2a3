import SIPMessage
import SIPTransaction
import Structures

/// What concerns the other workers of the node: messages that belong to one of them, connections of theirs, and their end.
///
/// A worker is one of several that look like one server from outside. Which of them a message comes to is chance; what decides whose it is stands
/// in the message: a response names its transaction's owner in our Via's branch. A request that may be part of a transaction is looked for
/// at all others (see `ServerCore+Offers.swift`).
extension ServerCore {
  /// How many connections of other workers are known to be of peers that we trust.
  private static let maxTrusted = 65_536

  /// RFC 6026 §7.3: a response to what another worker sent; whether that is still there, the owner of the core knows.
  func pass(
    _ message: Message, _ flow: Flow, to slot: UInt16, _ generation: UInt16, _ actions: inout ServerActions
  ) {
    let start = actions.passed.count
    let bytes = message.bytes
    actions.passed.append(bytes.span)
    statistics.responsesPassed &+= 1
    actions.passings.append(
      ServerActions.Passing(
        slot: slot, generation: generation, flow: flow, octets: start..<actions.passed.count))
  }

  /// The process that held a slot of this node has ended, and its connections with it: requests that went over them and have no response
  /// fail at once. Those that ring wait on: their response may come over another connection.
  public func slotLost(_ slot: UInt16, generation: UInt16, at now: Instant, actions: inout ServerActions) {
    let node = transactions.identity.node
    func isLost(_ flow: StreamFlow) -> Bool {
      flow.node == node && flow.slot == slot && flow.generation <= generation
    }
    trustedConnections = trustedConnections.filter { !isLost($0) }
    suspects = suspects.filter { flow in
      if case .stream(let stream) = flow { !isLost(stream) } else { true }
    }
    for flow in transactions.awaitedConnections(where: isLost) { connectionClosed(flow, at: now, actions: &actions) }
  }

  /// A message that carried a tag was refused, since too much waits already to be sent the same way.
  public func transportRefused(_ tag: UInt64, at now: Instant, actions: inout ServerActions) {
    let tag = TransactionTag(word: tag)
    if case .stateless(let handle) = tag {
      ackFailed(handle, now, &actions)
    } else {
      transactions.transportFailed(tag, isRefused: true, at: now, outbox: &actions.outbox)
    }
    endInput(now, &actions)
  }

  /// Another worker says that a peer which we trust is at the end of a connection of its own.
  public func connectionTrusted(_ flow: StreamFlow) {
    if trustedConnections.count < Self.maxTrusted { trustedConnections.insert(flow) }
  }

  /// The connections of a slot at whose end are peers that we trust.
  public func trustedConnections(of slot: UInt16) -> [StreamFlow] {
    trustedConnections.filter { $0.slot == slot }
  }
}

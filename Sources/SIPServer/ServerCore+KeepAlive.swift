import SIPMessage
import SIPTransaction
import Structures

/// Flows that die without a word (RFC 5626 §5.3.1): what is done when the transport doubts one.
extension ServerCore {
  // MARK: Inputs

  /// What was sent over a connection is not acknowledged. Requests over it without any response fail at once, so that the next flow is tried
  /// or the caller hears of it; the connection and what is registered over it stay. Comes again while more is sent in vain.
  public func flowSuspected(_ flow: StreamFlow, at now: Instant, actions: inout ServerActions) {
    suspects.insert(.stream(flow))
    transactions.flowSuspected(flow)
    endInput(now, &actions)
  }

  /// A connection that was in doubt lives.
  public func flowRecovered(_ flow: StreamFlow) {
    suspects.remove(.stream(flow))
  }

  // MARK: Queries

  /// Whether a flow seems to be dead, so that others of the same instance come before it.
  public func isSuspect(_ flow: FlowID) -> Bool { !suspects.isEmpty && suspects.contains(flow) }
}

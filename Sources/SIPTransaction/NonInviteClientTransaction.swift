import Structures

/// The client transaction of any request but INVITE and ACK: RFC 3261 §17.1.2.
///
/// It sends the request until a final response comes and hands responses to the transaction user, a final one once.
/// Its creator owns it together with the octets of the request.
///
///                      | created
///                      | transmit request
///                      v
///      Timer E   +------------+  Timer F: inform
///      transmit  |            |  transport failure: inform
///         +------|   trying   |-------------------------------+
///         +----->|            |                               |
///                +------------+                               |
///                   |      | 1xx                              |
///       200-699     |      | deliver                          |
///       deliver     |      v                                  |
///                   |  +------------+  Timer F: inform        |
///         Timer E   |  |            |  transport failure:     |
///         transmit  |  |            |  inform                 |
///            +------ - | proceeding |------------------------>+
///            +------ ->|            |                         |
///         1xx       |  |            |                         |
///         deliver +- - |            |                         |
///                 +- ->|            |                         |
///                   |  +------------+                         |
///                   |      | 200-699                          |
///                   |      | deliver                          |
///                   v      v                                  |
///                  +------------+                             |
///                  | completed  |  any response               |
///                  |            |---+ -                       |
///                  |            |<--+                         |
///                  +------------+                             |
///                        | Timer K                            v
///                        |                              +------------+
///                        +----------------------------->| terminated |
///                                                       +------------+
///
/// Over a reliable transport there is no Timer E, and Timer K is zero: `completed` isn't entered.
public struct NonInviteClientTransaction: Sendable {
  /// Where the transaction is; each case holds the timers that run in it.
  public enum State: Hashable, Sendable {
    /// The request was sent and nothing came back; `e` is nil over a reliable transport.
    case trying(e: Retransmission?, f: Instant)
    /// A provisional response came; `e` is nil over a reliable transport.
    case proceeding(e: Retransmission?, f: Instant)
    /// The final response came.
    case completed(k: Instant)
    /// Over.
    case terminated
  }

  /// The present state.
  public private(set) var state: State
  private let settings: TimerSettings
  private let isReliable: Bool

  /// Starts the transaction: orders the request to be sent.
  ///
  /// - Parameters:
  ///   - isReliable: whether the transport that the request takes is reliable.
  ///   - settings: the base values of the timers.
  ///   - now: when the request is sent.
  public init(isReliable: Bool, settings: TimerSettings, at now: Instant, into actions: inout TransactionActions) {
    self.settings = settings
    self.isReliable = isReliable
    state = .trying(
      e: settings.retransmission(.e, isReliable: isReliable, from: now), f: settings.timeout(from: now))
    actions.insert(.transmitRequest)
  }

  // MARK: Inputs

  /// A response with this status code (100 to 699) matched the transaction.
  public mutating func received(status: Int, at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .trying(let e, let f):
      if status >= 200 { return complete(at: now, into: &actions) }
      state = .proceeding(e: e, f: f)
      actions.insert(.deliverResponse)
    case .proceeding:
      if status >= 200 { return complete(at: now, into: &actions) }
      actions.insert(.deliverResponse)
    case .completed, .terminated:
      break
    }
  }

  /// Time went on to `now`. Does nothing when no timer is due.
  public mutating func deadlineReached(at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .trying(_, let f) where f <= now, .proceeding(_, let f) where f <= now:
      state = .terminated
      actions.insert([.informTimeout, .terminate])
    case .trying(let e?, let f) where e.at <= now:
      state = .trying(e: e.next(after: now, ceiling: settings.t2Nanoseconds), f: f)
      actions.insert(.transmitRequest)
    case .proceeding(let e?, let f) where e.at <= now:
      let t2 = settings.t2Nanoseconds
      state = .proceeding(e: Retransmission(at: now.adding(nanoseconds: t2), intervalNanoseconds: t2), f: f)
      actions.insert(.transmitRequest)
    case .completed(let k) where k <= now:
      state = .terminated
      actions.insert(.terminate)
    case .trying, .proceeding, .completed, .terminated:
      break
    }
  }

  /// The transport could not send what was last ordered, or the connection that carried it is gone.
  public mutating func transportFailed(into actions: inout TransactionActions) {
    switch state {
    case .trying, .proceeding:
      // RFC 3261 §17.1.4
      state = .terminated
      actions.insert([.informTransportFailure, .terminate])
    case .completed, .terminated:
      break
    }
  }

  // MARK: Queries

  /// When ``deadlineReached(at:into:)`` should be called next; nil when no timer runs.
  public var nextDeadline: Instant? {
    switch state {
    case .trying(let e, let f), .proceeding(let e, let f): min(e?.at ?? f, f)
    case .completed(let k): k
    case .terminated: nil
    }
  }

  // MARK: -

  /// The final response came.
  private mutating func complete(at now: Instant, into actions: inout TransactionActions) {
    actions.insert(.deliverResponse)
    if let k = settings.pending(.k, isReliable: isReliable, from: now) {
      state = .completed(k: k)
      actions.insert(.releaseMessage)
    } else {
      state = .terminated
      actions.insert(.terminate)
    }
  }
}

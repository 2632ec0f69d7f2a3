import Structures

/// The client transaction of an INVITE: RFC 3261 §17.1.1, RFC 6026 §7.2, RFC 6026 §8.4.
///
/// It sends the INVITE until anything answers, hands responses to the transaction user, and acknowledges a non-2xx
/// final response. Its creator owns it together with the octets of the INVITE, later of the ACK.
///
///                      | created
///                      | transmit INVITE
///                      v
///      Timer A   +------------+  Timer B: inform
///      transmit  |            |  transport failure: inform
///         +------|  calling   |  abandoned
///         +----->|            |---------------------------+
///                +------------+                           |
///      300-699    |     |    |  2xx                       |
///      ACK,       |     |    |  deliver                   |
///      deliver    |     |    +-----------------+          |
///        +--------+     | 1xx                  |          |
///        |              | deliver              |          |
///        |              v                      |          |
///        |   1xx     +------------+ abandoned  |          |
///        |   deliver |            |----------- | -------->+
///        |    +------| proceeding | 2xx        |          |
///        |    +----->|            | deliver    |          |
///        |           |            |----------->+          |
///        |           +------------+            |          |
///        |              | 300-699              |          |
///        |              | ACK, deliver         |          |
///        |              v                      v          |
///        |           +------------+         +----------+  |
///        +---------->|            |         |          |  |
///       300-699      | completed  |    2xx  | accepted |  |
///       ACK   +------|            | deliver |          |  |
///             +----->|            |  +------|          |  |
///       2xx          |            |  +----->|          |  |
///       deliver +----|            |         +----------+  |
///               +--->|            |            | Timer M  |
///                    +------------+            |          |
///                       | Timer D              v          v
///                       | transport failure: inform       |
///                       |                   +------------+|
///                       +------------------>| terminated |+
///                                           +------------+
///
/// What departs from the RFC's figure: a 2xx in `completed`, which neither RFC decides, goes to the transaction user.
/// A proxy further on may have sent a failure first and must still forward a late 2xx (RFC 3261 §16.7, step 5), and
/// losing it would leave the callee in a call of its own. Nothing is sent in `proceeding` and `accepted`, so the
/// failure of a transport means nothing to them: the answer may come over another connection.
public struct InviteClientTransaction: Sendable {
  /// Where the transaction is; each case holds the timers that run in it.
  public enum State: Hashable, Sendable {
    /// The INVITE was sent and nothing came back; `a` is nil over a reliable transport.
    case calling(a: Retransmission?, b: Instant)
    /// A provisional response came. No timer runs: the transaction user bounds this state by its Timer C.
    case proceeding
    /// A non-2xx final response came and was acknowledged.
    case completed(d: Instant)
    /// A 2xx came; more of them may follow.
    case accepted(m: Instant)
    /// Over.
    case terminated
  }

  /// The present state.
  public private(set) var state: State
  private let settings: TimerSettings
  private let isReliable: Bool

  /// Starts the transaction: orders the INVITE to be sent.
  ///
  /// - Parameters:
  ///   - isReliable: whether the transport that the INVITE takes is reliable.
  ///   - settings: the base values of the timers.
  ///   - now: when the INVITE is sent.
  public init(isReliable: Bool, settings: TimerSettings, at now: Instant, into actions: inout TransactionActions) {
    self.settings = settings
    self.isReliable = isReliable
    state = .calling(
      a: settings.retransmission(.a, isReliable: isReliable, from: now), b: settings.timeout(from: now))
    actions.insert(.transmitRequest)
  }

  // MARK: Inputs

  /// A response with this status code (100 to 699) matched the transaction.
  public mutating func received(status: Int, at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .calling, .proceeding:
      switch status {
      case ..<200:
        state = .proceeding
        actions.insert(.deliverResponse)
      case 200..<300:
        // RFC 6026 §7.2: no ACK from here, and the transaction stays for more of them.
        state = .accepted(m: settings.timeout(from: now))
        actions.insert([.deliverResponse, .releaseMessage])
      default:
        complete(at: now, into: &actions)
      }
    case .completed:
      // RFC 6026 §8.4: a retransmission is acknowledged again and stays here.
      if status >= 300 { actions.insert(.transmitAck) }
      if (200..<300).contains(status) { actions.insert(.deliverResponse) }
    case .accepted:
      if (200..<300).contains(status) { actions.insert(.deliverResponse) }
    case .terminated:
      break
    }
  }

  /// Time went on to `now`. Does nothing when no timer is due.
  public mutating func deadlineReached(at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .calling(_, let b) where b <= now:
      state = .terminated
      actions.insert([.informTimeout, .terminate])
    case .calling(let a?, let b) where a.at <= now:
      state = .calling(a: a.next(after: now), b: b)
      actions.insert(.transmitRequest)
    case .completed(let deadline) where deadline <= now, .accepted(let deadline) where deadline <= now:
      state = .terminated
      actions.insert(.terminate)
    case .calling, .proceeding, .completed, .accepted, .terminated:
      break
    }
  }

  /// The transport could not send what was last ordered, or the connection that carried it is gone.
  public mutating func transportFailed(into actions: inout TransactionActions) {
    switch state {
    case .calling, .completed:
      // RFC 3261 §17.1.4
      state = .terminated
      actions.insert([.informTransportFailure, .terminate])
    case .proceeding, .accepted, .terminated:
      break
    }
  }

  /// The transaction user waits no longer: its Timer C fired without a provisional response (RFC 3261 §16.8), or a
  /// CANCEL brought no final response in 64·T1 (RFC 3261 §9.1). It isn't told what it decided itself. Without effect
  /// once a final response came.
  public mutating func abandon(into actions: inout TransactionActions) {
    switch state {
    case .calling, .proceeding:
      state = .terminated
      actions.insert(.terminate)
    case .completed, .accepted, .terminated:
      break
    }
  }

  // MARK: Queries

  /// When ``deadlineReached(at:into:)`` should be called next; nil when no timer runs.
  public var nextDeadline: Instant? {
    switch state {
    case .calling(let a, let b): min(a?.at ?? b, b)
    case .completed(let deadline), .accepted(let deadline): deadline
    case .proceeding, .terminated: nil
    }
  }

  // MARK: -

  /// A non-2xx final response came.
  private mutating func complete(at now: Instant, into actions: inout TransactionActions) {
    actions.insert([.transmitAck, .deliverResponse])
    if let d = settings.pending(.d, isReliable: isReliable, from: now) {
      state = .completed(d: d)
    } else {
      state = .terminated
      actions.insert(.terminate)
    }
  }
}

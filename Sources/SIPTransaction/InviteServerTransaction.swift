import Structures

/// The server transaction of an INVITE: RFC 3261 §17.2.1, RFC 6026 §7.1, RFC 6026 §8.7.
///
/// It hands the INVITE to the transaction user once, sends the responses that it is given, answers retransmitted
/// INVITEs, and repeats a non-2xx final response until the ACK comes. Its creator owns it together with the octets of
/// the last response.
///
///                            | created
///                            | deliver INVITE
///                            v
///            INVITE    +------------+  1xx from user
///            repeat    |            |  store, transmit
///               +------| proceeding |------+
///               +----->|            |<-----+
///                      |            |  transport failure
///                      |            |---+  inform
///                      |            |<--+
///                      +------------+
///     300-699 from user   |      | 2xx from user
///     store, transmit     |      | transmit
///                         v      +-----------------+
///     INVITE,          +------------+              v
///     Timer G          |            |      +------------+  INVITE
///     repeat    +------|            |      |            |  -
///               +----->| completed  |      |            |------+
///     2xx from user    |            |      |  accepted  |<-----+
///     transmit  +------|            |      |            |  ACK
///               +----->|            |      |            |  deliver
///     transport        |            |      |            |------+
///     failure   +------|            |      |            |<-----+
///     inform    +----->|            |      |            |  2xx from user
///                      +------------+      |            |  transmit
///              Timer H   |       | ACK     |            |------+
///              inform    |       | -       |            |<-----+
///                        |       v         |            |  transport failure
///                        |  +-----------+  |            |  inform
///                        |  | confirmed |  |            |------+
///                        |  +-----------+  |            |<-----+
///                        |    |  Timer I   +------------+
///                        v    v                | Timer L
///                      +------------+          |
///                      | terminated |<---------+
///                      +------------+
///
/// Oddities:
/// - There is no timer of 200 ms for a 100 (Trying): our transaction user sends its own at once, so that nothing is
///   left for the machine to do.
/// - A 2xx in `completed` and `confirmed`, which neither RFC decides, is sent without changing anything: a proxy must
///   forward every 2xx, also after another final response (RFC 3261 §16.7, step 5).
/// - A failed transport never ends it, so that a retransmitted INVITE isn't taken for a new one (RFC 6026 §7.1).
/// - Over a reliable transport there is no Timer G, and Timer I is zero: `confirmed` isn't entered.
public struct InviteServerTransaction: Sendable {
  /// Where the transaction is; each case holds the timers that run in it.
  public enum State: Hashable, Sendable {
    /// No final response yet. `hasResponse`: a provisional one is stored and answers retransmitted INVITEs. No timer
    /// runs: the transaction user bounds this state.
    case proceeding(hasResponse: Bool)
    /// A non-2xx final response was sent and is stored; `g` is nil over a reliable transport.
    case completed(g: Retransmission?, h: Instant)
    /// The ACK to it came.
    case confirmed(i: Instant)
    /// A 2xx was sent; retransmitted INVITEs are absorbed.
    case accepted(l: Instant)
    /// Over.
    case terminated
  }

  /// The present state.
  public private(set) var state: State
  private let settings: TimerSettings
  private let isReliable: Bool

  /// Starts the transaction: orders the INVITE to be handed to the transaction user.
  ///
  /// - Parameters:
  ///   - isReliable: whether the transport over which the INVITE came is reliable.
  ///   - settings: the base values of the timers.
  public init(isReliable: Bool, settings: TimerSettings, into actions: inout TransactionActions) {
    self.settings = settings
    self.isReliable = isReliable
    state = .proceeding(hasResponse: false)
    actions.insert(.deliverRequest)
  }

  // MARK: Inputs

  /// The INVITE came again.
  public mutating func receivedRetransmission(into actions: inout TransactionActions) {
    switch state {
    case .proceeding(let hasResponse):
      if hasResponse { actions.insert(.retransmitResponse) }
    case .completed:
      actions.insert(.retransmitResponse)
    case .confirmed, .accepted, .terminated:
      // RFC 6026 §8.7: absorbed; whoever accepted repeats its 2xx by itself.
      break
    }
  }

  /// An ACK matched the transaction.
  public mutating func receivedAck(at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .completed:
      if let i = settings.pending(.i, isReliable: isReliable, from: now) {
        state = .confirmed(i: i)
        actions.insert(.releaseMessage)
      } else {
        state = .terminated
        actions.insert(.terminate)
      }
    case .accepted:
      // RFC 6026 §7.1
      actions.insert(.deliverAck)
    case .proceeding, .confirmed, .terminated:
      break
    }
  }

  /// The transaction user gives a response with this status code (100 to 699).
  public mutating func respond(status: Int, at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .proceeding:
      proceed(status: status, at: now, into: &actions)
    case .completed, .confirmed, .accepted:
      actions.insert((200..<300).contains(status) ? .transmitResponse : .refuse)
    case .terminated:
      actions.insert(.refuse)
    }
  }

  /// Time went on to `now`. Does nothing when no timer is due.
  public mutating func deadlineReached(at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .completed(_, let h) where h <= now:
      state = .terminated
      actions.insert([.informTimeout, .terminate])
    case .completed(let g?, let h) where g.at <= now:
      state = .completed(g: g.next(after: now, ceiling: settings.t2Nanoseconds), h: h)
      actions.insert(.retransmitResponse)
    case .confirmed(let deadline) where deadline <= now, .accepted(let deadline) where deadline <= now:
      state = .terminated
      actions.insert(.terminate)
    case .proceeding, .completed, .confirmed, .accepted, .terminated:
      break
    }
  }

  /// The transport could not send the response that was last ordered.
  public mutating func transportFailed(into actions: inout TransactionActions) {
    switch state {
    case .proceeding, .completed, .accepted:
      // RFC 6026 §8.8: the user is told, the state stays.
      actions.insert(.informTransportFailure)
    case .confirmed, .terminated:
      break
    }
  }

  // MARK: Queries

  /// When ``deadlineReached(at:into:)`` should be called next; nil when no timer runs.
  public var nextDeadline: Instant? {
    switch state {
    case .completed(let g, let h): min(g?.at ?? h, h)
    case .confirmed(let deadline), .accepted(let deadline): deadline
    case .proceeding, .terminated: nil
    }
  }

  // MARK: -

  /// A response before any final one.
  private mutating func proceed(status: Int, at now: Instant, into actions: inout TransactionActions) {
    actions.insert(.transmitResponse)
    switch status {
    case ..<200:
      state = .proceeding(hasResponse: true)
      actions.insert(.storeResponse)
    case 200..<300:
      // RFC 6026 §7.1: not stored, as the transaction never repeats a 2xx by itself.
      state = .accepted(l: settings.timeout(from: now))
      actions.insert(.releaseMessage)
    default:
      state = .completed(
        g: settings.retransmission(.g, isReliable: isReliable, from: now), h: settings.timeout(from: now))
      actions.insert(.storeResponse)
    }
  }
}

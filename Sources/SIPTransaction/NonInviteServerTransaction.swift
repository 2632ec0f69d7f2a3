import Structures

/// The server transaction of any request but INVITE and ACK: RFC 3261 §17.2.2, RFC 4320 §4.
///
/// It hands the request to the transaction user once, sends the responses that it is given, and answers
/// retransmissions with the last of them. Its creator owns it together with the octets of that response.
///
///                      | created
///                      | deliver request
///                      v
///       request  +------------+  64·T1
///       -        |            |  -
///         +------|   trying   |-----------------------------+
///         +----->|            |                             |
///                +------------+                             |
///                   |      | Timer E of the client at T2:   |
///                   |      |   send 100                     |
///                   |      | 100 from user (reliable):      |
///                   |      |   store, transmit              |
///       200-699     |      v                                |
///       from user   |  +------------+  64·T1                |
///       store,      |  |            |  -                    |
///       transmit    |  | proceeding |---------------------->+
///                   |  |            |  100 from user        |
///                   |  |            |---+ store, transmit   |
///                   |  |            |<--+                   |
///                   |  |            |  request              |
///                   |  |            |---+ repeat            |
///                   |  |            |<--+                   |
///                   |  |            |  transport failure    |
///                   |  |            |---+ inform            |
///                   |  |            |<--+                   |
///                   |  +------------+                       |
///                   |      | 200-699 from user              |
///                   |      | store, transmit                |
///                   v      v                                |
///                  +------------+  request                  |
///                  |            |---+ repeat                |
///                  | completed  |<--+                       |
///                  |            |  transport failure        |
///                  |            |---+ inform                |
///                  |            |<--+                       |
///                  +------------+                           v
///                        | Timer J                    +------------+
///                        +--------------------------->| terminated |
///                                                     +------------+
///
/// Oddities:
/// - The only provisional response is 100. The machine sends it by itself once the client's Timer E would have
///   reached T2 and nothing else was sent: over any transport, as RFC 4320 §4.1 asks without regard to it. From the
///   transaction user it is refused before that moment over an unreliable transport.
/// - A 408 is refused (RFC 4320 §4.2). A transaction without a final response ends in silence 64·T1 after it began,
///   when every client has given up by its Timer F.
/// - A failed transport doesn't end it: RFC 6026 §8.8 replaced the rule for both server machines, and the figure of
///   RFC 3261 §17.2.2 is older.
/// - Over a reliable transport Timer J is zero: `completed` isn't entered and the response isn't stored.
public struct NonInviteServerTransaction: Sendable {
  /// Where the transaction is; each case holds the timers that run in it.
  public enum State: Hashable, Sendable {
    /// Nothing was sent. At `due` a 100 is sent; at `end` it is over.
    case trying(due: Instant, end: Instant)
    /// A 100 was sent and is stored; at `end` it is over.
    case proceeding(end: Instant)
    /// A final response was sent and is stored.
    case completed(j: Instant)
    /// Over.
    case terminated
  }

  /// The present state.
  public private(set) var state: State
  private let settings: TimerSettings
  private let isReliable: Bool

  /// Starts the transaction: orders the request to be handed to the transaction user.
  ///
  /// - Parameters:
  ///   - isReliable: whether the transport over which the request came is reliable.
  ///   - settings: the base values of the timers.
  ///   - now: when the request came.
  public init(isReliable: Bool, settings: TimerSettings, at now: Instant, into actions: inout TransactionActions) {
    self.settings = settings
    self.isReliable = isReliable
    state = .trying(
      due: now.adding(nanoseconds: settings.timerEReachesT2Nanoseconds), end: settings.timeout(from: now))
    actions.insert(.deliverRequest)
  }

  // MARK: Inputs

  /// The request came again.
  public mutating func receivedRetransmission(into actions: inout TransactionActions) {
    switch state {
    case .proceeding, .completed:
      actions.insert(.retransmitResponse)
    case .trying, .terminated:
      break
    }
  }

  /// The transaction user gives a response with this status code (100 to 699).
  public mutating func respond(status: Int, at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .trying(let due, let end):
      if status >= 200 { return complete(status: status, at: now, into: &actions) }
      // RFC 4320 §4.1
      if status == 100, isReliable || due <= now {
        state = .proceeding(end: end)
        actions.insert([.storeResponse, .transmitResponse])
      } else {
        actions.insert(.refuse)
      }
    case .proceeding:
      if status >= 200 { return complete(status: status, at: now, into: &actions) }
      actions.insert(status == 100 ? [.storeResponse, .transmitResponse] : .refuse)
    case .completed, .terminated:
      actions.insert(.refuse)
    }
  }

  /// Time went on to `now`. Does nothing when no timer is due.
  public mutating func deadlineReached(at now: Instant, into actions: inout TransactionActions) {
    switch state {
    case .trying(_, let end) where end <= now, .proceeding(let end) where end <= now,
      .completed(let end) where end <= now:
      // RFC 4320 §4.2: whatever was left unanswered stays so.
      state = .terminated
      actions.insert(.terminate)
    case .trying(let due, let end) where due <= now:
      state = .proceeding(end: end)
      actions.insert(.send100)
    case .trying, .proceeding, .completed, .terminated:
      break
    }
  }

  /// The transport could not send the response that was last ordered.
  public mutating func transportFailed(into actions: inout TransactionActions) {
    switch state {
    case .proceeding, .completed:
      // RFC 6026 §8.8: the user is told, the state stays.
      actions.insert(.informTransportFailure)
    case .trying, .terminated:
      break
    }
  }

  // MARK: Queries

  /// When ``deadlineReached(at:into:)`` should be called next; nil when no timer runs.
  public var nextDeadline: Instant? {
    switch state {
    case .trying(let due, let end): min(due, end)
    case .proceeding(let end), .completed(let end): end
    case .terminated: nil
    }
  }

  // MARK: -

  /// A final response.
  private mutating func complete(status: Int, at now: Instant, into actions: inout TransactionActions) {
    // RFC 4320 §4.2
    guard status != 408 else {
      actions.insert(.refuse)
      return
    }
    actions.insert(.transmitResponse)
    if let j = settings.pending(.j, isReliable: isReliable, from: now) {
      state = .completed(j: j)
      actions.insert(.storeResponse)
    } else {
      state = .terminated
      actions.insert(.terminate)
    }
  }
}

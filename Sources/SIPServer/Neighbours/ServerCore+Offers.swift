import SIPMessage
import SIPTransaction
import Structures

/// Requests that are part of a transaction which another worker may have: CANCEL, the ACK to a response other than 2xx, a retransmitted INVITE.
///
/// They come to the worker that has the transaction as long as the client sends them over the flow of its INVITE: over a connection always, and over
/// UDP since the kernel chooses a listener's socket by both addresses. Only a client that has changed its flow meanwhile needs the
/// other workers: they get the whole request, and who has its transaction acts on it. If nobody has, it is as if there were no others.
///
/// Which INVITE may be a retransmission? Clients send one again over UDP alone (RFC 3261 §17.1.1.2), or over a new connection when the old one
/// broke; in both cases it comes over a flow over which they have not called yet. So the others are asked for the first INVITE over a flow, and
/// for every one until it is known that none of them had it: a caller that has called before never waits.
extension ServerCore {
  /// How long the others have to answer.
  private static let offerTime = Duration.milliseconds(100)

  /// Asks the other workers for the transaction of a request, unless it is an INVITE of a caller who is known; takes the message. False when they
  /// aren't asked.
  func offer(_ inquiry: Inquiry, _ now: Instant, _ actions: inout ServerActions) -> Bool {
    guard !isAlone, inquiry.message.method != .invite || !knownFlows.contains(inquiry.flow.id) else { return false }
    guard offerAllowance.take(now) else { return false }
    let query = open(.offered(inquiry.message, inquiry.flow, left: 1), until: now + Self.offerTime)
    let start = actions.passed.count
    let bytes = inquiry.message.bytes
    actions.passed.append(bytes.span)
    statistics.offersMade &+= 1
    actions.offers.append(
      ServerActions.Offer(query: query.word, flow: inquiry.flow, octets: start..<actions.passed.count))
    return true
  }

  // MARK: Inputs

  /// An offer went out to so many others. (To none: then the owner says later that nobody took it.)
  public func offered(_ query: UInt64, toOthers count: Int) {
    queries.update(SlotHandle(word: query)) { query in
      if case .offered(let message, let flow, _) = query { query = .offered(message, flow, left: max(1, count)) }
    }
  }

  /// One of the others has answered an offer. Whoever took it has acted on it.
  public func offerAnswered(_ query: UInt64, isTaken: Bool, at now: Instant, actions: inout ServerActions) {
    let handle = SlotHandle(word: query)
    guard case .offered(let message, let flow, let left) = queries[handle] else { return }
    if isTaken {
      statistics.offersTaken &+= 1
      _ = close(handle)
      transactions.pool.put(message)
    } else if left > 1 {
      queries.update(handle) { $0 = .offered(message, flow, left: left - 1) }
    } else {
      _ = close(handle)
      nobodyHas(message, flow, now, &actions)
    }
    endInput(now, &actions)
  }

  /// Another worker offers a request that came to it over `flow`. If it is part of a transaction here it is acted on, and true is returned.
  public func takesOffer(
    _ octets: Span<UInt8>, over flow: Flow, at now: Instant, actions: inout ServerActions
  ) -> Bool {
    let message = transactions.pool.take()
    message.load(octets, limits: settings.parserLimits)
    markTrust(message, flow, &actions)
    let isTaken = takes(message, flow, now, &actions)
    if !isTaken { transactions.pool.put(message) }
    endInput(now, &actions)
    return isTaken
  }

  private func takes(_ message: Message, _ flow: Flow, _ now: Instant, _ actions: inout ServerActions) -> Bool {
    guard message.isRequest, message.check() == nil, let via = try? message.topVia(),
      let uri = try? message.requestURI()
    else { return false }
    let inquiry = Inquiry(message: message, flow: flow, via: via, uri: uri)
    switch message.method {
    case .cancel:
      guard transactions.target(ofCancel: message, via: via) != nil || isParked(message, via, as: .invite) else {
        return false
      }
      receivedCancel(inquiry, now, &actions)
      return true
    case .ack, .invite:
      switch transactions.received(message, via: via, from: flow, at: now, outbox: &actions.outbox) {
      case .new:
        guard isParked(message, via, as: .invite), message.method == .invite else { return false }
        transactions.pool.put(message)
      case .absorbed: transactions.pool.put(message)
      case .ack: receivedAck(inquiry, now, &actions)
      }
      return true
    default:
      // Copies come over UDP, and only while the slot has two processes.
      guard case .absorbed = transactions.received(message, via: via, from: flow, at: now, outbox: &actions.outbox)
      else { return false }
      transactions.pool.put(message)
      return true
    }
  }

  /// No other worker has the transaction of a request: it is dealt with here. It may have got one here meanwhile.
  func nobodyHas(_ message: Message, _ flow: Flow, _ now: Instant, _ actions: inout ServerActions) {
    guard let via = try? message.topVia(), let uri = try? message.requestURI() else {
      transactions.pool.put(message)
      return
    }
    if message.method == .invite { knownFlows.insert(flow.id) }
    dispatch(
      Inquiry(message: message, flow: flow, via: via, uri: uri), mayBeElsewhere: false, now, &actions)
  }
}

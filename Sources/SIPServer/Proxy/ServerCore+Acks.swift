import SIPMessage
import SIPTransaction
import Structures

/// The ACK to a 2xx, which has no transaction (RFC 3261 §13.2.2.4, §16.6).
extension ServerCore {
  /// An ACK to a 2xx is forwarded without a transaction (RFC 3261 §16.6, §17.1.1.3); one for a response of ours is for us.
  ///
  /// One that has a token goes where that leads. Any other may be the ACK to a response of a transaction of another worker: `mayBeElsewhere`.
  func receivedAck(
    _ inquiry: Inquiry, mayBeElsewhere: Bool = false, _ now: Instant, _ actions: inout ServerActions
  ) {
    var inquiry = inquiry
    readRoutes(&inquiry)
    if mayBeElsewhere, inquiry.token == nil, offer(inquiry, now, &actions) { return }
    let bytes = inquiry.message.bytes
    guard inquiry.message.number(of: .maxForwards) != 0, !hasLocalTag(inquiry.message), inquiry.uri.isSIP,
      !hasLooped(inquiry)
    else {
      drop(inquiry.message)
      return
    }
    if let gruu = gruu(of: inquiry, bytes.span), !inquiry.hasBadToken {
      var key: [UInt8] = []
      gruu.gruu.appendKey(domain: gruu.domain.name.span, to: &key)
      if let query = openAck(inquiry.message, inquiry.flow, now) { ask(query, key: key.span, &actions) }
    } else if isLetThrough(inquiry) {
      keyScratch.clear()
      if mayHaveMoved(inquiry) { appendTokenRecord(of: inquiry, to: &keyScratch) }
      if !keyScratch.isEmpty {
        let key = keyScratch
        if let query = openAck(inquiry.message, inquiry.flow, now) { ask(query, key: key.span, &actions) }
        return
      }
      if let hop = tokenHop(of: inquiry) {
        // Whether the flow is still there is not known before the ACK is sent.
        let sent = open(.sentAck(inquiry.message, inquiry.flow), until: now + Self.sentAckTime)
        forwardAck(inquiry, hop, nil, tag: TransactionTag.stateless(sent).word, &actions)
        return
      }
      if let hop = nextHop(of: inquiry) { forwardAck(inquiry, hop, nil, &actions) }
      transactions.pool.put(inquiry.message)
    } else if !inquiry.hasBadToken, !inquiry.hasForeignRoute, inquiry.uri.user != nil,
      let domain = domain(of: inquiry.uri, bytes.span, inquiry.flow)
    {
      // A caller that keeps to the address it called, without the route set: its callee's contact is asked for again.
      guard let query = openAck(inquiry.message, inquiry.flow, now) else { return }
      ask(query, inquiry.uri, domain, bytes.span, &actions)
    } else {
      drop(inquiry.message)
    }
  }

  /// The contact for an ACK without a route is known.
  func forwardAck(
    _ message: Message, to bindings: BindingSet?, from flow: Flow, _ now: Instant, _ actions: inout ServerActions
  ) {
    defer { transactions.pool.put(message) }
    guard let inquiry = readAgain(message, flow) else { return }
    let bindings = bindings ?? .empty
    let bytes = message.bytes
    if let gruu = gruu(of: inquiry, bytes.span)?.gruu {
      forwardAck(inquiry, toGRUU: gruu, bindings, &actions)
    } else if let token = inquiry.token, let gone = tokenHop(of: inquiry) {
      let others = bindings.successors(of: token.owner.identity, hashing: hashing).lazy.compactMap {
        self.target(of: $0)
      }
      let isStill = mayHaveMoved(inquiry) && isPresent(gone, in: bindings, as: token.owner.identity)
      guard !isStill, let next = others.first(where: { $0.hop.destination != gone.destination }) else {
        if mayHaveMoved(inquiry) { forwardAck(inquiry, gone, nil, &actions) }
        return
      }
      let kept = target(of: inquiry, over: next.hop)
      forwardAck(
        inquiry,
        to: ResponseContext.Target(
          uri: kept.uri, hop: next.hop, q: 1_000, lastRoute: kept.lastRoute, route: next.route), &actions)
    } else {
      let isSecure = inquiry.uri.scheme == .sips
      let targets = bindings.bindings.lazy.compactMap { self.target(of: $0) }
      if let target = targets.first(where: { self.admitted($0, isSecure: isSecure) != nil }) {
        forwardAck(inquiry, to: target, &actions)
      }
    }
  }

  /// RFC 5627 §6.1: the ACK goes to the contact that a GRUU means, over the flow of its token if that is one of the instance's.
  private func forwardAck(
    _ inquiry: Inquiry, toGRUU gruu: GRUU, _ bindings: BindingSet, _ actions: inout ServerActions
  ) {
    let named = tokenHop(of: inquiry)
    let meant = bindings.bindings.filter { gruu.matches($0) }
    let binding = meant.first { $0.flow.id == named?.flow } ?? meant.first
    if inquiry.hasForeignRoute {
      if let hop = nextHop(of: inquiry) { forwardAck(inquiry, hop, binding.map { requestURI(of: $0) }, &actions) }
    } else if let target = binding.flatMap({ target(of: $0) }) {
      forwardAck(inquiry, to: target, &actions)
    } else if let named {
      forwardAck(inquiry, named, nil, &actions)
    }
  }

  /// The GRUU of ours that the Request-URI of a request is, with its domain.
  private func gruu(of inquiry: Inquiry, _ text: Span<UInt8>) -> (gruu: GRUU, domain: ServerSettings.Domain)? {
    guard !inquiry.uri.parameters.isEmpty, let domain = domain(of: inquiry.uri, text, inquiry.flow),
      case .gruu(let gruu) = GRUU.read(inquiry.uri, in: text, hashing: hashing)
    else { return nil }
    return (gruu, domain)
  }

  /// An ACK over the flow of a token could not be sent: it goes over the flow that the same binding has now.
  func ackFailed(_ handle: SlotHandle, _ now: Instant, _ actions: inout ServerActions) {
    guard case .sentAck(let message, let flow) = close(handle) else { return }
    let owner = tokenOwner(message, flow)
    guard !owner.aor.isEmpty else {
      drop(message)
      return
    }
    guard let query = openAck(message, flow, now) else { return }
    ask(query, key: owner.aor.span, &actions)
  }

  /// How long it may take to turn out that a flow is gone, of another worker perhaps.
  private static let sentAckTime = Duration.milliseconds(500)

  private func forwardAck(
    _ inquiry: Inquiry, _ hop: NextHop, _ contact: [UInt8]?, tag: UInt64 = 0, _ actions: inout ServerActions
  ) {
    let target = contact.map { ResponseContext.Target(uri: $0, hop: hop, q: 1_000) } ?? target(of: inquiry, over: hop)
    forwardAck(inquiry, to: target, tag: tag, &actions)
  }

  private func forwardAck(
    _ inquiry: Inquiry, to target: ResponseContext.Target, tag: UInt64 = 0, _ actions: inout ServerActions
  ) {
    // RFC 5630 §5.3
    guard let target = admitted(target, isSecure: inquiry.uri.scheme == .sips) else { return }
    let bytes = inquiry.message.bytes
    let start = actions.outbox.octets.count
    // The same ACK gets the same branch each time it comes, and none that names a transaction.
    scratch.clear()
    scratch.append(bytes.span.extracting(inquiry.via.range.positions))
    let octets = scratch
    let word = hashing.shortMAC(octets.span)
    append(
      inquiry.message, via: inquiry.via, from: inquiry.flow, to: target,
      branch: branchText(
        SlotHandle(index: UInt32(truncatingIfNeeded: word), generation: 0), loopCheck(inquiry.message)),
      breadth: incomingBreadth(inquiry.message) ?? settings.maxBreadth,
      poppedRoutes: inquiry.poppedRoutes, caller: .unknown, calleeRecord: [], &actions.outbox.octets)
    actions.outbox.transmit(from: start, to: target.hop.destination, tag: tag)
    statistics.requestsForwarded &+= 1
  }

  func drop(_ message: Message) {
    statistics.dropped &+= 1
    transactions.pool.put(message)
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// What becomes of a request before it is forwarded: RFC 3261 §16.3 and §22, and what is meant for the server itself.
extension ServerCore {
  /// A request that passed the first checks, with what was learned of it.
  struct Inquiry {
    let message: Message
    let flow: Flow
    let via: Via
    let uri: SIPURI
    /// The domain of ours that From names; nil when it is another's.
    var fromDomain: ServerSettings.Domain?
    /// How many Route values at the top are ours.
    var poppedRoutes = 0
    /// How many of them have a token.
    var tokenCount = 0
    /// The token that says where the request goes.
    var token: FlowToken?
    /// The user part that is the token.
    var tokenText = ByteRange(0, 0)
    /// Whether it has something else where a token of ours would stand.
    var hasBadToken = false
    /// Whether a Route value of somebody else is left.
    var hasForeignRoute = false
    /// `user@domain` of the user that proved who he is; empty when nobody did.
    var authenticated: [UInt8] = []
    /// What was asked of its sender already.
    var asked: ParkedRequest.Asked = []
  }

  func receivedRequest(_ message: Message, _ flow: Flow, _ now: Instant, _ actions: inout ServerActions) {
    statistics.requestsReceived &+= 1
    statistics.methods[Int(message.method.rawValue)] &+= 1
    if let error = message.check() ?? undoStrictRoute(message, flow) {
      refuse(message, error, flow, &actions)
      return
    }
    guard let via = try? message.topVia(), let uri = try? message.requestURI() else {
      transactions.pool.put(message)
      return
    }
    dispatch(Inquiry(message: message, flow: flow, via: via, uri: uri), now, &actions)
  }

  /// What a sound request is: a part of something that is known, or new. `mayBeElsewhere`: also to be looked for at the other workers of the node.
  func dispatch(
    _ inquiry: consuming Inquiry, mayBeElsewhere: Bool = true, _ now: Instant, _ actions: inout ServerActions
  ) {
    let (message, flow) = (inquiry.message, inquiry.flow)
    switch transactions.received(message, via: inquiry.via, from: flow, at: now, outbox: &actions.outbox) {
    case .absorbed: transactions.pool.put(message)
    case .ack: receivedAck(inquiry, now, &actions)
    case .new:
      switch message.method {
      case .ack: receivedAck(inquiry, mayBeElsewhere: mayBeElsewhere, now, &actions)
      case .cancel: receivedCancel(inquiry, mayBeElsewhere: mayBeElsewhere, now, &actions)
      default:
        if isParked(message, inquiry.via, as: message.method) {
          transactions.pool.put(message)
          return
        }
        if mayBeElsewhere, message.method == .invite || hasPredecessor && flow.transport == .udp,
          offer(inquiry, now, &actions)
        {
          return
        }
        receivedNew(&inquiry, now, &actions)
      }
    }
  }

  /// A request that no transaction knows: checks in the order of RFC 3261 §16.3, then who sent it, then where it goes.
  func receivedNew(_ inquiry: inout Inquiry, _ now: Instant, _ actions: inout ServerActions) {
    guard transactions.serverCount < settings.maxTransactions else {
      statistics.overloaded &+= 1
      refuse(inquiry, 503, "Too Many Transactions", &actions)
      return
    }
    // RFC 3261 §16.3 step 2
    guard inquiry.uri.isSIP else {
      refuse(inquiry, 416, &actions)
      return
    }
    readRoutes(&inquiry)
    let staysHere = !inquiry.hasForeignRoute && inquiry.token == nil && isForUs(inquiry)
    // What isn't forwarded needs no hops, and asks nothing of a proxy (RFC 3261 §16.3, RFC 4475 §3.3.11).
    let isForServer = staysHere && (inquiry.uri.user == nil || inquiry.message.method == .register)
    // RFC 3261 §16.3 step 3
    if !isForServer, inquiry.message.number(of: .maxForwards) == 0 {
      refuse(inquiry, 483, &actions)
      return
    }
    // RFC 3261 §16.3 step 4, RFC 5393 §4.2.2
    if hasLooped(inquiry) {
      refuse(inquiry, 482, &actions)
      return
    }
    // RFC 3261 §16.3 step 5
    guard meetsPrivacy(inquiry, isForServer: isForServer, &actions) else { return }
    // RFC 5626 §5.3.1
    guard !inquiry.hasBadToken else {
      refuse(inquiry, 403, "Flow Token Is Not Ours", &actions)
      return
    }
    // Who asks the server for itself wants to know whether it lives; that is no secret.
    if isForServer, inquiry.message.method == .options {
      // RFC 3261 §21.5.4: whoever spreads requests over servers should take another.
      if !isReady { return refuse(inquiry, 503, "Moving Clients Elsewhere", &actions) }
      answerForUs(inquiry, &actions)
      return
    }
    let isRegister = isForServer && inquiry.message.method == .register
    if isRegister, refusesRegister(inquiry, &actions) { return }
    guard authorize(&inquiry, isRegister: isRegister, now, &actions) else { return }
    if isRegister {
      receivedRegister(inquiry, now, &actions)
    } else if isForServer {
      refuse(inquiry, 404, &actions)
    } else {
      route(inquiry, now, &actions)
    }
  }

  /// Whether the Request-URI means this server or one of its domains.
  func isForUs(_ inquiry: Inquiry) -> Bool {
    let bytes = inquiry.message.bytes
    return domain(of: inquiry.uri, bytes.span, inquiry.flow) != nil
  }

  /// The domain of ours that a URI names, our own host names standing for the first one; nil when it is another's.
  func domain(of uri: SIPURI, _ text: Span<UInt8>, _ flow: Flow) -> ServerSettings.Domain? {
    guard uri.isSIP else { return nil }
    if let domain = settings.domain(text.extracting(uri.host.positions)) { return domain }
    return settings.isOurs(uri, text, flow) ? settings.domains.first : nil
  }

  /// RFC 3261 §11: what a server says of itself.
  private func answerForUs(_ inquiry: Inquiry, _ actions: inout ServerActions) {
    if refusesExtensions(inquiry, &actions) { return }
    let start = begin(200, "OK", inquiry, &actions)
    actions.outbox.octets.append("Allow: ")
    actions.outbox.octets.append(Self.allowed)
    actions.outbox.octets.append(
      "\r\nAccept: */*\r\nAccept-Encoding: identity\r\nAccept-Language: en\r\nSupported: path, outbound, gruu\r\n")
    finish(inquiry, from: start, 200, &actions)
  }

  /// The methods that the server itself acts on; others pass through it as well.
  static let allowed: StaticString =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, PUBLISH, REFER, INFO, UPDATE, PRACK"

  // MARK: Who sent it

  /// Challenges requests whose From is in one of our domains, and REGISTER; others are accepted only towards our domains. Peers that we trust have done
  /// that already (RFC 3325 §5). Returns false when the request was answered.
  private func authorize(
    _ inquiry: inout Inquiry, isRegister: Bool, _ now: Instant, _ actions: inout ServerActions
  ) -> Bool {
    let message = inquiry.message
    let bytes = message.bytes
    let text = bytes.span
    guard let from = try? message.from() else {
      drop(message)
      return false
    }
    inquiry.fromDomain = domain(of: from.uri, text, inquiry.flow)
    if isLetThrough(inquiry) { return true }
    var claim = inquiry.fromDomain.map { Claim(domain: $0, uri: from.uri) }
    if isRegister, let to = try? message.to() {
      if let domain = domain(of: to.uri, text, inquiry.flow) { claim = Claim(domain: domain, uri: to.uri) }
    } else if message.isTrusted {
      if claim != nil || isAssertedUser(inquiry, text) { return true }
    } else if claim == nil, settings.authenticationRequired {
      claim = concealedClaim(inquiry, from.uri, text)
    }
    guard let claim else {
      // Nobody's relay: from elsewhere only to our own.
      if inquiry.hasForeignRoute || domain(of: inquiry.uri, text, inquiry.flow) == nil {
        refuse(inquiry, 403, "Relaying Denied", &actions)
        return false
      }
      return true
    }
    if isProvenByCertificate(&inquiry, claim, from.uri, isRegister: isRegister) { return true }
    guard settings.authenticationRequired else { return true }
    return authenticate(&inquiry, claim, from.uri, isRegister, now, &actions)
  }

  private func authenticate(
    _ inquiry: inout Inquiry, _ claim: Claim, _ from: SIPURI, _ isRegister: Bool, _ now: Instant,
    _ actions: inout ServerActions
  ) -> Bool {
    let verdict = authenticator.check(
      inquiry.message, header: isRegister ? .authorization : .proxyAuthorization, domain: claim.domain.name.span,
      realm: claim.domain.realm.span, users: directory(of: claim.domain), flow: inquiry.flow.id,
      mayClaim: !inquiry.asked.contains(.claim), now: unixSeconds)
    switch verdict {
    case .accepted:
      if authenticator.isFirstUse { noteClaim(&actions) }
      guard isHimself(inquiry, claim.domain, from, isRegister: isRegister) else {
        refuse(inquiry, 403, "User Is Not Who From Says", &actions)
        return false
      }
      inquiry.authenticated += authenticator.user
      inquiry.authenticated.append(UInt8(ascii: "@"))
      inquiry.authenticated.append(claim.domain.name.span)
      return true
    case .missing, .refused: challenge(inquiry, claim, isRegister, isStale: false, &actions)
    case .stale: challenge(inquiry, claim, isRegister, isStale: true, &actions)
    case .needsUser: askForSender(inquiry, claim.domain, now, &actions)
    case .unavailable: refuseForNow(inquiry, &actions)
    case .needsClaim: claimNonce(inquiry, isUnderWay: false, now, &actions)
    case .awaitsClaim: claimNonce(inquiry, isUnderWay: true, now, &actions)
    }
    return false
  }

  private func challenge(
    _ inquiry: Inquiry, _ claim: Claim, _ isRegister: Bool, isStale: Bool, _ actions: inout ServerActions
  ) {
    statistics.challenges &+= 1
    let status = isRegister ? 401 : 407
    let start = begin(status, StatusCode.reason(status), inquiry, &actions)
    scratch.clear()
    let bytes = inquiry.message.bytes
    if let user = claim.uri?.user { bytes.span.appendUnescaped(user, to: &scratch) } else { scratch += claim.user }
    let user = scratch
    let offered = authenticator.offered(
      to: user.span, domain: claim.domain.name.span, users: directory(of: claim.domain))
    authenticator.appendChallenge(
      isRegister ? .wwwAuthenticate : .proxyAuthenticate, realm: claim.domain.realm.span, algorithms: offered,
      stale: isStale, flow: inquiry.flow.id, now: unixSeconds, to: &actions.outbox.octets)
    finish(inquiry, from: start, status, &actions)
  }

  // MARK: CANCEL

  /// RFC 3261 §9.2, §16.10
  func receivedCancel(
    _ inquiry: Inquiry, mayBeElsewhere: Bool = false, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard let invite = transactions.target(ofCancel: inquiry.message, via: inquiry.via) else {
      if cancelParked(inquiry, now, &actions) { return }
      if mayBeElsewhere, offer(inquiry, now, &actions) { return }
      refuse(inquiry, 481, &actions)
      return
    }
    let start = begin(200, "OK", inquiry, &actions)
    send(inquiry, from: start, 200, &actions)
    if !invite.isAnswered, let context = contexts[invite.context] {
      context.isStopped = true
      cancelPending(context, reason: inquiry.message, now, &actions)
      completeIfDone(context, now, &actions)
    }
    transactions.pool.put(inquiry.message)
  }
}

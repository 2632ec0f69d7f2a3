import SIPMessage
import SIPTransaction
import Structures

/// Requests whose sender has to be asked for: users that are kept elsewhere, and nonces that another worker gave out (RFC 7616 §5.5).
///
/// Such a request waits without a transaction; when the answer is there it goes through the checks from the beginning. Their number, their octets
/// and their time are bounded.
extension ServerCore {
  // MARK: Inputs

  /// The answer to a claim.
  public func claimed(
    _ query: UInt64, _ outcome: ClaimOutcome, at now: Instant, actions: inout ServerActions
  ) {
    if case .claim(let parked) = close(SlotHandle(word: query)) { claimAnswered(parked, outcome, now, &actions) }
    endInput(now, &actions)
  }

  /// The answer about a user.
  public func userFound(
    _ query: UInt64, _ answer: UserAnswer, at now: Instant, actions: inout ServerActions
  ) {
    switch close(SlotHandle(word: query)) {
    case .sender(let parked): foundSender(of: parked, answer, now, &actions)
    case .existence(let handle, let bindings):
      if let record = contexts[handle]?.record { userCache.take(answer, key: record.span, now: unixSeconds) }
      existenceKnown(handle, bindings, now, &actions)
    default: break
    }
    endInput(now, &actions)
  }

  /// Whether a request with these features waits here: for workers that ask for the transaction of a CANCEL or of a copy.
  func isParked(_ message: Message, _ via: Via, as method: Method) -> Bool {
    !parking.isEmpty && parking[transactions.hash(of: message, via: via, as: method)] != nil
  }

  // MARK: Asking

  /// Where the users of a domain are.
  func directory(of domain: ServerSettings.Domain) -> any UserDirectory { domain.asksForUsers ? userCache : users }

  /// Asks who the user is that the credentials of a request name; takes the message.
  func askForSender(
    _ inquiry: Inquiry, _ domain: ServerSettings.Domain, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard !inquiry.asked.contains(.user) else {
      refuseForNow(inquiry, &actions)
      return
    }
    var key = authenticator.user
    key.append(UInt8(ascii: "@"))
    key += domain.name
    guard let parked = park(inquiry, user: key, nonce: nil, asked: .user, &actions) else { return }
    askForUser(open(.sender(parked), now), key.span, &actions)
  }

  /// Claims the nonce of the credentials that were just checked; takes the message. With `isUnderWay` somebody has asked already.
  func claimNonce(_ inquiry: Inquiry, isUnderWay: Bool, _ now: Instant, _ actions: inout ServerActions) {
    guard let nonce = authenticator.nonce else {
      drop(inquiry.message)
      return
    }
    guard let parked = park(inquiry, user: [], nonce: nonce, asked: .claim, &actions) else {
      if !isUnderWay { authenticator.claimed(nonce, .unavailable) }
      return
    }
    if isUnderWay {
      parking.follow(nonce, open(.sameClaim(parked), now))
      return
    }
    let query = open(.claim(parked), now)
    let start = actions.keys.count
    authenticator.appendClaim(of: nonce, to: &actions.keys)
    actions.questions.append(.claim(query: query.word, key: start..<actions.keys.count))
  }

  /// Tells the other workers that a nonce of ours is in use.
  func noteClaim(_ actions: inout ServerActions) {
    guard let nonce = authenticator.nonce else { return }
    let start = actions.keys.count
    authenticator.appendClaim(of: nonce, to: &actions.keys)
    actions.questions.append(.noteClaim(key: start..<actions.keys.count))
  }

  /// Answers that it can't be said now who the sender is; takes the message.
  ///
  /// RFC 3261 §21.5.1: a 503 would send away those as well whom we know.
  func refuseForNow(_ inquiry: Inquiry, _ actions: inout ServerActions) {
    let start = begin(500, "Users Unavailable", inquiry, &actions)
    actions.outbox.octets.append("Retry-After: 5\r\n")
    finish(inquiry, from: start, 500, &actions)
  }

  private func askForUser(_ query: SlotHandle, _ key: Span<UInt8>, _ actions: inout ServerActions) {
    let start = actions.keys.count
    actions.keys.append(key)
    actions.questions.append(.user(query: query.word, key: start..<actions.keys.count))
  }

  /// Lets a request wait; nil when too much waits already, and then it is answered.
  private func park(
    _ inquiry: Inquiry, user: [UInt8], nonce: Nonce?, asked: ParkedRequest.Asked, _ actions: inout ServerActions
  ) -> ParkedRequest? {
    let message = inquiry.message
    let parked = ParkedRequest(
      message, inquiry.flow, hash: transactions.hash(of: message, via: inquiry.via, as: message.method), user: user,
      nonce: nonce, asked: inquiry.asked.union(asked))
    guard parking.count < settings.maxParked, parking.octets + parked.length <= settings.maxParkedOctets else {
      statistics.overloaded &+= 1
      refuse(inquiry, 503, "Too Many Requests Waiting", &actions)
      return nil
    }
    parking.insert(parked)
    return parked
  }

  // MARK: Answers

  func foundSender(
    of parked: ParkedRequest, _ answer: UserAnswer, _ now: Instant, _ actions: inout ServerActions
  ) {
    let key = parked.user
    userCache.take(answer, key: key.span, now: unixSeconds)
    resume(parked, now, &actions)
  }

  func claimAnswered(
    _ parked: ParkedRequest, _ outcome: ClaimOutcome, _ now: Instant, _ actions: inout ServerActions
  ) {
    var others: [SlotHandle] = []
    if let nonce = parked.nonce {
      authenticator.claimed(nonce, outcome)
      others = parking.takeFollowers(of: nonce)
    }
    resume(parked, now, &actions)
    for handle in others {
      if case .sameClaim(let other) = close(handle) { resume(other, now, &actions) }
    }
  }

  /// A request goes on, unless its connection is gone: then nobody would hear the answer.
  func resume(_ parked: ParkedRequest, _ now: Instant, _ actions: inout ServerActions) {
    parking.remove(parked)
    guard let message = parked.message else { return }
    if case .stream(let stream) = parked.flow.id, closedConnections.contains(stream) {
      drop(message)
      return
    }
    guard let via = try? message.topVia(), let uri = try? message.requestURI() else {
      drop(message)
      return
    }
    var inquiry = Inquiry(message: message, flow: parked.flow, via: via, uri: uri)
    inquiry.asked = parked.asked
    receivedNew(&inquiry, now, &actions)
  }

  /// A request waits for nothing any more.
  func discard(_ parked: ParkedRequest) {
    parking.remove(parked)
    if let message = parked.message { drop(message) }
  }

  /// RFC 3261 §9.2: a CANCEL for an INVITE that waits, which has got no response yet: it is answered with 487. False when there is none.
  func cancelParked(_ inquiry: Inquiry, _ now: Instant, _ actions: inout ServerActions) -> Bool {
    guard !parking.isEmpty,
      let parked = parking[transactions.hash(of: inquiry.message, via: inquiry.via, as: .invite)],
      let invite = parked.message, invite.method == .invite, let via = try? invite.topVia()
    else { return false }
    parking.remove(parked)
    parked.message = nil
    finish(inquiry, from: begin(200, "OK", inquiry, &actions), 200, &actions)
    let server = transactions.startServer(
      invite, via: via, from: parked.flow, respondingTo: responseDestination(invite, via, parked.flow), at: now)
    respond(server, 487, now, &actions)
    return true
  }

  // MARK: Who is called

  /// Asks whether there is the user for whom no contact was found; false when that is known.
  func askForExistence(
    _ context: ResponseContext, _ bindings: BindingSet?, _ now: Instant, _ actions: inout ServerActions
  ) -> Bool {
    let record = context.record
    guard bindings?.isEmpty != false, settings.staticContacts(for: record.span).isEmpty,
      readiness(of: record.span) == .unknown
    else { return false }
    askForUser(open(.existence(context: context.handle, bindings), now), record.span, &actions)
    return true
  }

  func existenceKnown(
    _ handle: SlotHandle, _ bindings: BindingSet?, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard let context = contexts[handle], !context.isAnswered else { return }
    context.best = .local(status: statusWithoutTarget(context, bindings))
    completeIfDone(context, now, &actions)
  }

  /// Whether it is known at all if there is the user of an address of record, given as its key.
  func readiness(of record: Span<UInt8>) -> UserReadiness {
    guard let at = record.indices.last(where: { record[$0] == UInt8(ascii: "@") }),
      let domain = settings.domain(record.extracting(at + 1..<record.count)), domain.asksForUsers
    else { return .ready }
    let (user, name) = (record.extracting(0..<at), domain.name)
    return userCache.readiness(domain: name.span, user: user, now: unixSeconds)
  }
}

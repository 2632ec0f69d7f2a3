import SIPMessage
import SIPTransaction
import Structures

/// The SIP server of one worker: proxy (RFC 3261 §16) and registrar (RFC 3261 §10), without a socket, a clock or a log.
///
/// Read this first. What happened comes in as an input with the time; what is to be done is appended to the caller's ``ServerActions``.
/// A request takes this way: `ServerCore+Requests` (is it sound, do we know it, may it) → `Proxy/ServerCore+Routing` (where to) →
/// `Proxy/ServerCore+Forwarding` (as what) → `Proxy/ServerCore+Responses` (which answer goes back); REGISTER turns off to `Registrar/`.
/// The location service is asked by an action and answers by an input: nothing here builds on an immediate answer.
public final class ServerCore {
  /// What it was told to do.
  public internal(set) var settings: ServerSettings
  let hashing: any Hashing
  var users: any UserDirectory
  /// The users of domains that ask for them.
  let userCache: UserCache
  let authenticator: Authenticator
  let transactions: TransactionLayer
  var contexts = SlotTable<ResponseContext>()
  var spareContexts: [ResponseContext] = []
  var contextTimers: TimerWheel
  var queries = SlotTable<Query>()
  var queryTimers: TimerWheel
  /// The updates under way, by flow.
  var registering: [FlowID: [SlotHandle]] = [:]
  /// How many ACKs wait for the location service.
  var waitingAcks = 0
  /// Requests whose senders are being asked for.
  var parking = Parking()
  /// Whether load balancers may choose this server, which they ask by OPTIONS.
  public var isReady = true
  /// What is registered over flows of this worker.
  public let owned: OwnedBindings
  /// When which of them is kept alive.
  var keepAlives: KeepAliveSchedule
  /// Flows that seem dead though they are not closed.
  var suspects: Set<FlowID> = []
  /// Connections of peers that we trust over which something came.
  var trustedConnections: Set<StreamFlow> = []
  /// For whom the peers of this worker's connections speak by their certificates; most have none.
  var provenPeers: [StreamFlow: ProvenPeer] = [:]
  /// The transactions of REGISTER requests by what they have in common with their copies (RFC 3261 §8.2.2.2); no more than there are
  /// server transactions.
  var registersUnderWay: [UInt64: SlotHandle] = [:]
  var closedConnections = ClosedConnections()
  /// Over what callers have called already; see ``ServerCore/offer(_:_:_:)``.
  var knownFlows = KnownFlows()
  var offerAllowance: OfferAllowance
  /// Whether no other process of the node can be asked for anything; the owner sets it.
  public var isAlone = true
  /// Whether an earlier process of the slot still has transactions: a request over UDP may be the copy of one that it has.
  public var hasPredecessor = false
  /// Datagram peers that could not be reached by TCP.
  var refusals = StreamRefusals()
  var scratch: [UInt8] = []
  var tokenScratch: [UInt8] = []
  var keyScratch: [UInt8] = []
  /// Seconds of the wall clock; the owner sets it before each input.
  public var unixSeconds: Int64
  /// What was counted.
  public internal(set) var statistics = Statistics()

  /// What waits for an answer of the location service.
  enum Query {
    /// The targets of a request that is being proxied.
    case targets(context: SlotHandle)
    /// The targets that a 3xx names in a domain of ours; `q` in thousandths.
    case redirected(context: SlotHandle, q: UInt16)
    /// The present flow of a branch's target whose flow is gone.
    case successor(context: SlotHandle, branch: Int)
    /// The target of an ACK, which has no transaction.
    case ack(Message, Flow)
    /// An ACK that went over the flow of its token, for as long as it may turn out that the flow is gone.
    case sentAck(Message, Flow)
    /// A request that the other workers of the node are asked for, with the number of answers to come.
    case offered(Message, Flow, left: Int)
    /// The outcome of a REGISTER.
    case registration(server: SlotHandle, RegistrationUpdate)
    /// The outcome of a REGISTER whose connection has closed meanwhile.
    case orphan(RegistrationUpdate)
    /// The sender of a request.
    case sender(ParkedRequest)
    /// Whether a nonce belongs to who used it.
    case claim(ParkedRequest)
    /// The same, asked for another request.
    case sameClaim(ParkedRequest)
    /// Whether there is the user that a request is for, which found no contact.
    case existence(context: SlotHandle, BindingSet?)
  }

  /// A server without users' requests yet. `identity` gives node, slot and generation for branches.
  public init(
    settings: ServerSettings, identity: Branch, hashing: any Hashing, users: any UserDirectory, start: Instant,
    unixSeconds: Int64
  ) {
    self.settings = settings
    self.hashing = hashing
    self.users = users
    self.unixSeconds = unixSeconds
    userCache = UserCache(offers: users, capacity: settings.maxCachedUsers, now: unixSeconds)
    authenticator = Authenticator(
      hashing: hashing, identity: identity, algorithms: settings.algorithms,
      nonceLifetime: settings.nonceLifetime.components.seconds,
      now: unixSeconds)
    transactions = TransactionLayer(
      identity: identity, settings: settings.timers, hashing: hashing, start: start)
    owned = OwnedBindings(now: unixSeconds, maximum: settings.maxBindings, hashing: hashing)
    keepAlives = KeepAliveSchedule(start: start)
    offerAllowance = OfferAllowance(start)
    contextTimers = TimerWheel(start: start)
    queryTimers = TimerWheel(start: start)
  }

  // MARK: Inputs

  /// A whole message came.
  public func received(_ octets: Span<UInt8>, over flow: Flow, at now: Instant, actions: inout ServerActions) {
    let message = transactions.pool.take()
    message.load(octets, limits: settings.parserLimits)
    markTrust(message, flow, &actions)
    switch message.kind {
    case .request: receivedRequest(message, flow, now, &actions)
    case .response: receivedResponse(message, flow, now, &actions)
    case .malformed:
      statistics.malformed &+= 1
      transactions.pool.put(message)
    }
    endInput(now, &actions)
  }

  /// A message came whose end can't be found; the caller closes the connection afterwards (RFC 3261 §18.3).
  public func receivedUnframed(
    _ octets: Span<UInt8>, because error: FramingError, over flow: Flow, at now: Instant, actions: inout ServerActions
  ) {
    statistics.malformed &+= 1
    let message = transactions.pool.take()
    message.load(octets, limits: settings.parserLimits)
    if message.isRequest, message.method != .ack, canBeAnswered(message) {
      statistics.requestsReceived &+= 1
      let (status, reason): (Int, StaticString) =
        switch error {
        case .missingContentLength: (400, "Missing Content-Length")
        case .badContentLength: (400, "Bad Content-Length")
        case .headTooLarge, .messageTooLarge: (513, "Message Too Large")
        case .malformedStart: (400, "Malformed Message")
        }
      answer(message, status, reason, over: flow, &actions)
    }
    transactions.pool.put(message)
  }

  /// The location service answers a lookup: the contacts, or none.
  public func located(
    _ query: UInt64, _ bindings: BindingSet?, at now: Instant, actions: inout ServerActions
  ) {
    switch close(SlotHandle(word: query)) {
    case .targets(let handle): foundTargets(handle, bindings, now, &actions)
    case .successor(let handle, let branch): foundSuccessors(handle, branch, bindings, now, &actions)
    case .redirected(let handle, let q): foundRedirected(handle, q, bindings, now, &actions)
    case .ack(let message, let flow): forwardAck(message, to: bindings, from: flow, now, &actions)
    case .sentAck(let message, _): transactions.pool.put(message)
    case .offered(let message, let flow, _): nobodyHas(message, flow, now, &actions)
    case .sender(let parked), .claim(let parked), .sameClaim(let parked): discard(parked)
    case .registration, .orphan, .existence, nil: break
    }
    endInput(now, &actions)
  }

  /// The location service answers an update.
  public func registered(
    _ query: UInt64, _ outcome: UpdateOutcome, at now: Instant, actions: inout ServerActions
  ) {
    switch close(SlotHandle(word: query)) {
    case .registration(let server, let update): finishRegistration(server, update, outcome, now, &actions)
    case .orphan(let update): actions.questions.append(.remove(aor: update.aor, flow: update.flow.id))
    case .sentAck(let message, _): transactions.pool.put(message)
    case .offered(let message, let flow, _): nobodyHas(message, flow, now, &actions)
    case .sender(let parked), .claim(let parked), .sameClaim(let parked): discard(parked)
    case .targets, .successor, .redirected, .ack, .existence, nil: break
    }
    endInput(now, &actions)
  }

  /// A connection is gone.
  public func connectionClosed(_ flow: StreamFlow, at now: Instant, actions: inout ServerActions) {
    for aor in owned.removeAll(over: .stream(flow)) {
      actions.questions.append(.remove(aor: aor, flow: .stream(flow)))
    }
    orphanRegistrations(over: .stream(flow))
    trustedConnections.remove(flow)
    provenPeers[flow] = nil
    authenticator.flowClosed(.stream(flow))
    if transactions.serverCount > 0 || !parking.isEmpty { closedConnections.insert(flow) }
    suspects.remove(.stream(flow))
    transactions.connectionClosed(flow, at: now, outbox: &actions.outbox)
    endInput(now, &actions)
  }

  /// The system reported that nobody listens at a datagram peer's port.
  public func datagramRefused(_ flow: DatagramFlow, at now: Instant, actions: inout ServerActions) {
    noteRefusal(flow, &actions)
    transactions.datagramRefused(flow, at: now, outbox: &actions.outbox)
    endInput(now, &actions)
  }

  /// A message that carried a tag could not be sent.
  public func transportFailed(_ tag: UInt64, at now: Instant, actions: inout ServerActions) {
    let tag = TransactionTag(word: tag)
    if case .stateless(let handle) = tag {
      ackFailed(handle, now, &actions)
    } else {
      transactions.transportFailed(tag, at: now, outbox: &actions.outbox)
    }
    endInput(now, &actions)
  }

  /// A message that carried a tag went over a connection that the transport chose or opened. Returns how long that may take to open if the
  /// message can go another way then; nil when it can't.
  public func sent(_ tag: UInt64, over flow: StreamFlow) -> Duration? {
    guard case .client(let handle) = TransactionTag(word: tag) else { return nil }
    transactions.sent(handle, over: flow)
    return timeToConnect(handle)
  }

  /// Time went on. Does nothing when no timer is due.
  public func deadlineReached(at now: Instant, actions: inout ServerActions) {
    transactions.deadlineReached(at: now, outbox: &actions.outbox)
    sendKeepAlives(now, &actions)
    while let position = contextTimers.popExpired(now) {
      if let handle = contexts.handle(at: position), let context = contexts[handle] { expire(context, now, &actions) }
    }
    while let position = queryTimers.popExpired(now) {
      if let handle = queries.handle(at: position), let query = close(handle) { giveUp(query, now, &actions) }
    }
    endInput(now, &actions)
  }

  /// Forgets nonces that nobody can use any more and bindings that have ended; to be called every second or so.
  public func removeExpired() {
    owned.removeExpired(unixSeconds)
    userCache.removeExpired(unixSeconds)
    authenticator.removeExpired(unixSeconds)
  }

  // MARK: Queries

  /// When ``deadlineReached(at:actions:)`` is due; nil when nothing waits.
  public var nextDeadline: Instant? {
    let waiting = Self.earlier(contextTimers.nextDeadline, queryTimers.nextDeadline)
    return Self.earlier(Self.earlier(transactions.nextDeadline, keepAlives.nextDeadline), waiting)
  }

  private static func earlier(_ left: Instant?, _ right: Instant?) -> Instant? {
    guard let left, let right else { return left ?? right }
    return min(left, right)
  }

  /// Whether a request waits for its final answer. Looks at all that are being proxied: for a drain, not for every message.
  public var hasUnanswered: Bool {
    var found = queries.count > 0
    contexts.forEach { _, context in found = found || !context.isAnswered }
    return found
  }

  /// Whether a REGISTER request that came over a flow waits for the location service.
  public func isRegistering(over flow: FlowID) -> Bool { registering[flow] != nil }

  /// Whether a request that came over UDP may still come again, or its response have to be sent again.
  public var holdsDatagramRequests: Bool {
    var found = false
    transactions.forEachServer { server in found = found || !server.source.transport.isReliable }
    return found
  }

  /// The connections over which requests came, or went, that have yet to be answered.
  public var busyConnections: Set<StreamFlow> {
    var busy: Set<StreamFlow> = []
    contexts.forEach { _, context in
      guard !context.isAnswered else { return }
      if let server = transactions.server(context.server), case .stream(let flow) = server.source.id {
        busy.insert(flow)
      }
      for target in context.targets {
        if case .stream(let flow)? = target.hop.flow { busy.insert(flow) }
      }
    }
    return busy
  }

  /// What the server holds, to see that nothing is left behind.
  public var holdings: Holdings { holdings(countingFlows: true) }

  /// The same; without the ``Holdings/connections``, for which all flows are looked at, it costs next to nothing.
  public func holdings(countingFlows: Bool) -> Holdings {
    Holdings(
      clientTransactions: transactions.clientCount, serverTransactions: transactions.serverCount,
      contexts: contexts.count, timers: transactions.timerCount + contextTimers.count + queryTimers.count,
      queries: queries.count, messages: transactions.pool.outstanding,
      connections: countingFlows ? owned.streamCount : 0, registers: registersUnderWay.count,
      strayResponses: transactions.strayResponses)
  }

  /// See ``ServerCore/holdings``.
  public struct Holdings: Sendable, Equatable {
    /// Transactions towards next hops.
    public let clientTransactions: Int
    /// Transactions of requests that came.
    public let serverTransactions: Int
    /// Requests being proxied.
    public let contexts: Int
    /// Pending deadlines.
    public let timers: Int
    /// Questions to the location service without an answer.
    public let queries: Int
    /// Messages in use.
    public let messages: Int
    /// Connections over which somebody is registered.
    public let connections: Int
    /// REGISTER requests whose copies would be known.
    public let registers: Int
    /// Responses that matched nothing.
    public let strayResponses: UInt64
  }

  /// The location service has not answered.
  private func giveUp(_ query: Query, _ now: Instant, _ actions: inout ServerActions) {
    switch query {
    case .targets(let handle):
      guard let context = contexts[handle] else { return }
      if let routed = context.routed, routed.origin == .token, !context.isStopped {
        context.targets.append(routed)
      } else {
        context.best = .local(status: 500)
      }
      completeIfDone(context, now, &actions)
    case .successor(let handle, let branch): foundSuccessors(handle, branch, nil, now, &actions)
    case .redirected(let handle, let q): foundRedirected(handle, q, nil, now, &actions)
    case .ack(let message, let flow): forwardAck(message, to: nil, from: flow, now, &actions)
    case .sentAck(let message, _): transactions.pool.put(message)
    case .offered(let message, let flow, _): nobodyHas(message, flow, now, &actions)
    case .registration(let server, let update): finishRegistration(server, update, .unavailable, now, &actions)
    case .orphan: break
    case .sender(let parked): foundSender(of: parked, .unavailable, now, &actions)
    case .claim(let parked): claimAnswered(parked, .unavailable, now, &actions)
    case .sameClaim(let parked): resume(parked, now, &actions)
    case .existence(let handle, let bindings): existenceKnown(handle, bindings, now, &actions)
    }
  }

  /// Takes what the transactions reported, until nothing is left; then what ended can be used again.
  func endInput(_ now: Instant, _ actions: inout ServerActions) {
    var index = 0
    while index < transactions.events.count {
      handle(transactions.events[index], now, &actions)
      index += 1
    }
    transactions.events.clear()
    transactions.endInput()
  }
}

import Cluster
import Configuration
import Logging
import Reactor
import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import TLSEngine
import Transport

/// One worker put together: what the transport reports becomes an input of the core, what the core orders goes to the transport and to the
/// location service. The only place that knows both sides.
///
/// Follow a message: `transport(received:over:)` → ``ServerCore/received(_:over:at:actions:)`` → ``carryOut()`` → `TransportLayer.send`; at the end of the
/// loop's turn the transport writes what was sent.
final class WorkerNode: TransportDelegate, DeadlineOwner {
  let loop: EventLoop
  let core: ServerCore
  private(set) var log: Logger
  let transport: TransportLayer
  /// The channel to the supervisor, for what is to be told to it; none in tests.
  weak var control: ControlChannel?
  let location: any LocationService
  /// Looks after peers' certificates that are revoked, and after our own.
  let revocation: RevocationDesk
  /// What this worker's session tickets are sealed with.
  let tickets: TicketKeyRing
  /// The contexts that connections begin with.
  var contexts: TLSContexts?
  /// The TLS server profile of each listener.
  let listenerProfiles: [String]
  /// A new configuration that the supervisor has not decided on.
  var prepared: PreparedConfiguration?
  private let pages: SharedPages?
  private var counters: WorkerCounters?
  /// Answers administrators.
  var desk: ControlDesk?
  /// What the TLS profiles in force show.
  var profileCertificates = ProfileCertificates()
  /// Whether the secrets of TLS connections are written to a file.
  var isKeyLogOn = false
  /// Knows what the certificates of peers prove.
  private(set) var certificates: CertificateDesk?
  private var connectionLog: ConnectionLog
  private var timer: DeadlineID?
  var actions = ServerActions()
  /// Connections found gone while sending, to be told to the core when the present input is done.
  var goneFlows: [StreamFlow] = []
  /// Those that ended with the process that was to take over, of which others have yet to be told.
  var lostFlows: [StreamFlow] = []
  var failedTags: [UInt64] = []
  /// Tags of what a link had no room for.
  var refusedTags: [UInt64] = []
  /// Offers that nobody got.
  var unheardOffers: [UInt64] = []
  /// The links with the other workers of the node; nil for a worker that is alone.
  private(set) var links: LinkSet?
  /// What was sent for them, and who uses which connection.
  var foreign = ForeignUse()
  /// What was asked of an earlier process of the slot for others.
  var relayed = ForeignUse()
  /// Hands everything over to the next process of the slot.
  var departure: Departure?
  /// Takes everything over from the process that had the slot.
  var arrival: Arrival?
  /// Moves clients elsewhere.
  var movingOff: MovingOff?
  /// What it had counted when the next process began to; that goes on from there.
  private var counted: [UInt64] = []
  private var drainEnd: Instant?
  /// Until when it is waited for what has yet to be written; then the worker ends.
  var stopEnd: Instant?
  private var nextSweep = Instant(nanoseconds: 0)
  /// Connections that had been accepted when free memory was last given back.
  private var acceptedAtReturn: UInt64 = 0

  /// A worker for a slot; it takes connections once its listeners are added to ``transport``.
  /// `location`: another than its own in memory.
  init(
    _ configuration: NodeConfiguration, arguments: WorkerArguments, loop: EventLoop, log: Logger,
    location other: (any LocationService)? = nil
  ) throws {
    self.loop = loop
    self.log = log
    listenerProfiles = configuration.listen.map(\.profile)
    let unixSeconds = System.wallSeconds
    let hashing = try ClusterCryptography(secret: configuration.clusterSecret.span)
    let node = NodeNumber.of(configuration.node, hashing)
    core = ServerCore(
      settings: ServerSettings(configuration, interfaces: try Socket.interfaceAddresses()),
      identity: Branch(
        node: node, slot: arguments.slot, generation: arguments.generation,
        transaction: SlotHandle(index: 0, generation: 0)),
      hashing: hashing, users: Users(configuration), start: loop.now, unixSeconds: unixSeconds)
    tickets = try TicketKeyRing(secret: configuration.clusterSecret)
    location =
      try other
      ?? Self.makeLocation(
        configuration, arguments, core: core, hashing: hashing, tickets: tickets, loop: loop, log: log)
    connectionLog = ConnectionLog(log, start: loop.now)
    let pages = try Self.pages(arguments)
    self.pages = pages
    transport = TransportLayer(
      loop: loop,
      identity: TransportIdentity(
        node: node, slot: arguments.slot, epoch: arguments.epoch, generation: arguments.generation),
      settings: TransportSettings(configuration),
      node: pages.map { NodeCounts(pages: $0, slot: Int(arguments.slot), hashing: hashing) })
    revocation = RevocationDesk(
      transport: transport, admin: configuration.stateDirectory + "/" + AdminChannel.socketName, slot: arguments.slot,
      loop: loop, log: log)
    transport.delegate = self
    transport.peerAuthority = revocation
    certificates = CertificateDesk(node: self, configuration)
    timer = loop.addDeadline(self)
    loop.addHook(.decide) { [unowned self] in self.decide() }
    desk = ControlDesk(node: self, nodeName: configuration.node) { [unowned self] id, answer in
      tell(answer, to: id)
    }
    if arguments.handOver < 0 { startCounting() } else { transport.isMuted = true }
    if arguments.slots > 1, !arguments.linkDirectory.isEmpty {
      links = LinkSet(
        loop: loop,
        identity: LinkIdentity(
          node: node, epoch: arguments.epoch, slot: arguments.slot, generation: arguments.generation),
        settings: LinkSettings(directory: arguments.linkDirectory, slots: arguments.slots))
      links?.delegate = self
      location.peers = self
    }
  }

  /// Does what the supervisor wants. A drain stops accepting and ends the worker when no request waits for its answer any
  /// more, or after four seconds: the supervisor waits for five.
  func obey(_ order: consuming ControlChannel.Order) {
    switch consume order {
    case .stop: stop()
    case .abandoned: stop()
    case .drain:
      guard drainEnd == nil else { return }
      drainEnd = loop.now + .seconds(4)
      transport.stopAccepting()
    case .question(let id, let octets): desk?.asked(id, octets)
    case .prepare(let version, let memory): prepare(version, memory)
    case .commit(let version): commit(version)
    case .abort(let version): abort(version)
    case .handOver(let socket): depart(socket)
    case .goOn: returnFromDeparture()
    case .moveOff(let seconds, let refuses): moveOff(seconds: seconds, refuses: refuses)
    case .stay: stay()
    case .slotEnded(let slot, let generation): links?.ended(slot, generation: generation)
    }
  }

  /// Writes what is counted to the page of the slot from now on.
  func startCounting() {
    let identity = transport.identity
    transport.isMuted = false
    counters = pages.map { pages in
      WorkerCounters(
        pages: pages, slot: Int(identity.slot), generation: identity.generation, counted: counted, loop: loop
      ) { [unowned self] in self.readings }
    }
  }

  /// The next process of the slot writes there.
  func stopCounting() {
    transport.isMuted = true
    counted = counters?.finish() ?? []
    counters = nil
  }

  /// Writes lines of this level and above from now on.
  func setLogLevel(_ level: Logger.Level) {
    log.logLevel = level
    connectionLog.setLevel(level)
    revocation.setLevel(level)
  }

  /// Closes everything; the loop has ended.
  func end() {
    logStatistics(.info)
    transport.closeAll()
    links?.closeAll()
    location.peers = nil
  }

  // MARK: Between inputs

  /// Runs what the turn left: answers of the location service, failures found while sending; then asks when to come back.
  private func decide() {
    let now = loop.now
    endLostFlows()
    while location.hasAnswers || !goneFlows.isEmpty || !failedTags.isEmpty || hasNews {
      for answer in location.takeAnswers() {
        if ControlDesk.isOwn(answer.query) {
          desk?.answered(answer)
          continue
        }
        begin()
        switch answer {
        case .bindings(let query, let bindings): core.located(query, bindings, at: now, actions: &actions)
        case .outcome(let query, let outcome): core.registered(query, outcome, at: now, actions: &actions)
        case .claim(let query, let outcome): core.claimed(query, outcome, at: now, actions: &actions)
        case .user(let query, let answer): core.userFound(query, answer, at: now, actions: &actions)
        }
        carryOut()
      }
      // First: what failed because of them is told apart from what the transport could not take.
      while let flow = goneFlows.popLast() {
        location.flowGone(flow)
        begin()
        core.connectionClosed(flow, at: now, actions: &actions)
        carryOut()
      }
      while let tag = failedTags.popLast() { failed(tag) }
      decideLinks()
    }
    certificates?.turn()
    counters?.turn()
    stopWhenWritten()
    guard let timer else { return }
    loop.schedule(timer, at: min(core.nextDeadline ?? .distantFuture, nextSweep, stopEnd ?? .distantFuture))
  }

  func deadlinePassed(_ deadline: DeadlineID) {
    begin()
    core.deadlineReached(at: loop.now, actions: &actions)
    carryOut()
    if nextSweep <= loop.now { sweep() }
  }

  /// Once a second: forgets what has expired, tells what the log left out, and looks whether a drain is done.
  private func sweep() {
    nextSweep = loop.now + .seconds(1)
    core.removeExpired()
    location.sweep(at: core.unixSeconds)
    connectionLog.tellSuppressed()
    returnMemory()
    guard let drainEnd else { return }
    if loop.now >= drainEnd || !core.hasUnanswered { stop() }
  }

  /// Gives back what handshakes left free: each takes ten times the memory of the connection that comes of it.
  private func returnMemory() {
    let io = transport.counters
    guard io.handshakes < 8, io.accepted &- acceptedAtReturn >= 256 else { return }
    acceptedAtReturn = io.accepted
    System.returnFreeMemory()
  }

  /// Writes what was counted and what is held.
  func logStatistics(_ level: Logger.Level) {
    let (counted, held, io) = (core.statistics, core.holdings, transport.counters)
    log.log(
      level: level,
      """
      statistics: requests \(counted.requestsReceived) responses \(counted.responsesReceived) \
      forwarded requests \(counted.requestsForwarded) forwarded responses \(counted.responsesForwarded) \
      registrations \(counted.registrationsAccepted) challenges \(counted.challenges) malformed \(counted.malformed) \
      keep-alives \(counted.keepAlivesSent) given up \(counted.contactsGivenUp) suspects \(io.suspects) \
      stun \(io.stunAnswered) dropped \(counted.dropped) stray \(held.strayResponses) overloaded \(counted.overloaded + io.overloads) \
      messages in \(io.messagesReceived) out \(io.messagesSent) accepted \(io.accepted)
      """)
    log.log(
      level: level,
      """
      holdings: connections \(io.connections) descriptors \(loop.counters.descriptors) bindings \(location.bindingCount) \
      client transactions \(held.clientTransactions) server transactions \(held.serverTransactions) \
      contexts \(held.contexts) queries \(held.queries) messages \(held.messages) timers \(held.timers) \
      registered connections \(held.connections) longest turn \(loop.counters.longestTurn)
      """)
  }

  func begin() {
    actions.removeAll()
    core.unixSeconds = System.wallSeconds
  }

  /// Sends, asks and closes as the core ordered.
  func carryOut() {
    let octets = actions.outbox.octets
    for transmission in actions.outbox.transmissions {
      let message = octets.span.extracting(transmission.start..<transmission.end)
      switch transmission.destination {
      case .flow(.stream(let flow)) where flow.slot != transport.identity.slot:
        send(message, overForeign: flow, transmission.tag)
      case .flow(let flow):
        let result = transport.send(message, over: flow, tag: transmission.tag)
        if result == .noSuchFlow, case .stream(let stream) = flow,
          sendByKin(message, stream, tag: transmission.tag)
        {
          continue
        }
        note(result, flow, transmission.tag)
      case .address(let address, let kind, let name):
        let peer = name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
        note(
          transport.send(message, to: address, transport: kind, name: peer, tag: transmission.tag), transmission.tag)
        if transmission.tag != 0, let flow = transport.connection(to: address, transport: kind, name: peer) {
          if let limit = core.sent(transmission.tag, over: flow) { transport.expectConnection(of: flow, within: limit) }
        }
      }
    }
    if !actions.questions.isEmpty { location.ask(actions, at: core.unixSeconds) }
    for (flow, limit) in actions.supervisions { transport.expectLife(of: flow, within: limit) }
    for flow in actions.closes { transport.close(flow, afterFlush: true) }
    if links != nil || arrival != nil || departure != nil { carryOutLinks() }
  }

  /// The core hears that a message of its own could not be sent, or another worker does that one of its messages couldn't.
  func failed(_ tag: UInt64) {
    if failedForOther(tag) { return }
    begin()
    core.transportFailed(tag, at: loop.now, actions: &actions)
    carryOut()
  }

  private func note(_ result: SendResult, _ flow: FlowID, _ tag: UInt64) {
    switch result {
    case .accepted: return
    case .overloaded: if tag != 0 { failedTags.append(tag) }
    case .noSuchFlow:
      if tag != 0 { failedTags.append(tag) }
      // A binding may have been written after its connection was gone.
      if case .stream(let stream) = flow { goneFlows.append(stream) }
    }
  }

  private func note(_ result: SendResult, _ tag: UInt64) {
    switch result {
    case .accepted: return
    case .overloaded, .noSuchFlow: if tag != 0 { failedTags.append(tag) }
    }
  }

  // MARK: What the transport reports

  func transport(received message: Span<UInt8>, over flow: Flow) {
    begin()
    core.received(message, over: flow, at: loop.now, actions: &actions)
    carryOut()
  }

  func transport(cannotFrame head: Span<UInt8>, because error: FramingError, over flow: Flow) {
    begin()
    core.receivedUnframed(head, because: error, over: flow, at: loop.now, actions: &actions)
    carryOut()
  }

  func transport(opened flow: Flow, facts: ConnectionFacts) {
    certificates?.opened(flow, facts.tls?.peer)
    connectionLog.opened(flow, facts)
  }

  func transport(closed flow: Flow, because reason: CloseReason) {
    connectionLog.closed(flow, reason, at: loop.now)
    guard case .stream(let stream) = flow.id else { return }
    tellUsers(of: stream, .closed(stream))
    tellKin(.closed(stream))
    begin()
    core.connectionClosed(stream, at: loop.now, actions: &actions)
    carryOut()
  }

  /// Tells of new connections at the levels of their profiles from now on.
  func setConnectionLevels(_ configuration: NodeConfiguration) {
    func level(_ choices: TLSChoices) -> Logger.Level { Logger.Level(rawValue: choices.logLevel.rawValue) ?? .info }
    connectionLog.setLevels(
      server: configuration.tlsServer.mapValues { level($0.choices) },
      client: configuration.tlsClient.mapValues { level($0.choices) })
  }

  func transport(
    handshakeFailed local: SocketAddress, remote: SocketAddress, isServer: Bool, because failure: HandshakeFailure
  ) {
    connectionLog.failed(local, remote, isServer, failure, at: loop.now)
  }

  func transport(failedToSend tag: UInt64, because reason: SendFailure) { failed(tag) }

  func transport(suspect flow: Flow) {
    guard case .stream(let stream) = flow.id else { return }
    if !core.isSuspect(flow.id) { connectionLog.suspected(flow, at: loop.now) }
    tellUsers(of: stream, .suspect(stream))
    tellKin(.suspect(stream))
    begin()
    core.flowSuspected(stream, at: loop.now, actions: &actions)
    carryOut()
  }

  func transport(recovered flow: Flow) {
    guard case .stream(let stream) = flow.id else { return }
    connectionLog.recovered(flow, at: loop.now)
    tellUsers(of: stream, .recovered(stream))
    tellKin(.recovered(stream))
    core.flowRecovered(stream)
  }

  func transport(datagramRefused flow: DatagramFlow) {
    links?.sendToAll(.refused(flow))
    tellKin(.refused(flow))
    begin()
    core.datagramRefused(flow, at: loop.now, actions: &actions)
    carryOut()
  }
}

import SIPServer
import SIPTransaction
import Structures

/// A server core with what a worker does around it: its orders are carried out over the simulated network, the location service answers after a while,
/// and what could not be sent is told to the core as an input of its own.
final class SimulatedServer {
  static let node: UInt32 = 7

  private unowned let world: World
  private let core: ServerCore
  private var actions = ServerActions()
  private var location: InMemoryLocation
  /// Until when the location service says nothing.
  var locationReturns = Instant(nanoseconds: 0)
  private var failedTags: [UInt64] = []
  private var goneFlows: [StreamFlow] = []
  private var saboteur: Saboteur?

  init(world: World) {
    self.world = world
    location = InMemoryLocation(now: World.start)
    var settings = ServerSettings(
      domains: [.init(name: Array("example.test".utf8), aliases: [], realm: Array("example.test".utf8))],
      listeners: [
        Self.listener(.tls, "192.0.2.1:5061"), Self.listener(.tcp, "192.0.2.1:5060"),
        Self.listener(.udp, "192.0.2.1:5060"),
      ],
      hosts: [Array("sip.example.test".utf8), Array("node1.example.test".utf8), Array("192.0.2.1".utf8)])
    settings.authenticationRequired = false
    settings.registrar.expiresSpread = 0
    core = ServerCore(
      settings: settings,
      identity: Branch(node: Self.node, slot: 0, generation: 1, transaction: SlotHandle(index: 0, generation: 0)),
      hashing: SimpleHashing(seed: world.random.next()), users: NoUsers(), start: world.now,
      unixSeconds: world.unixSeconds)
    saboteur = world.sabotage.map { Saboteur($0) }
  }

  private static func listener(_ transport: TransportProtocol, _ address: String) -> ServerSettings.Listener {
    let socket = SocketAddress(address) ?? SocketAddress(IPAddress(v4: 0), port: 0)
    return ServerSettings.Listener(
      transport: transport, address: socket, sentBy: Array("node1.example.test:\(socket.port)".utf8),
      recordRoute: Array("sip.example.test:\(socket.port)".utf8))
  }

  // MARK: Inputs

  func received(_ packet: Packet, over connection: Connection) {
    world.witness.serverReceived(packet, over: connection, at: world.now)
    input { core, actions in
      core.received(packet.octets.span, over: connection.flow, at: world.now, actions: &actions)
    }
  }

  func closed(_ connection: Connection) {
    guard case .stream(let flow) = connection.flow.id else { return }
    input { core, actions in core.connectionClosed(flow, at: world.now, actions: &actions) }
  }

  /// What was sent over a connection is not acknowledged.
  func suspected(_ connection: Connection) {
    guard case .stream(let flow) = connection.flow.id else { return }
    world.witness.suspected(connection, at: world.now)
    input { core, actions in core.flowSuspected(flow, at: world.now, actions: &actions) }
  }

  /// Nobody listens at a phone's port.
  private func refused(_ flow: DatagramFlow) {
    input { core, actions in core.datagramRefused(flow, at: world.now, actions: &actions) }
  }

  var nextDeadline: Instant? { core.nextDeadline }

  func deadlineReached() {
    input { core, actions in core.deadlineReached(at: world.now, actions: &actions) }
  }

  // MARK: Orders

  /// Hands in what happened, carries out what is ordered, and tells of what failed while doing so.
  private func input(_ tell: (ServerCore, inout ServerActions) -> Void) {
    once(tell)
    while !failedTags.isEmpty || !goneFlows.isEmpty {
      while let tag = failedTags.popLast() {
        once { core, actions in core.transportFailed(tag, at: world.now, actions: &actions) }
      }
      while let flow = goneFlows.popLast() {
        once { core, actions in core.connectionClosed(flow, at: world.now, actions: &actions) }
      }
    }
  }

  private func once(_ tell: (ServerCore, inout ServerActions) -> Void) {
    actions.removeAll()
    core.unixSeconds = world.unixSeconds
    tell(core, &actions)
    for transmission in actions.outbox.transmissions {
      let packet = Packet(Array(actions.outbox.octets[transmission.start..<transmission.end]))
      for (packet, destination) in saboteur?.changed(packet, transmission.destination) ?? [
        (packet, transmission.destination)
      ] {
        send(packet, to: destination, tag: transmission.tag)
      }
    }
    for question in actions.questions { ask(question) }
    for flow in actions.closes {
      if let connection = world.connections[flow] { world.end(connection, .closedByServer) }
    }
  }

  private func send(_ packet: Packet, to destination: Destination, tag: UInt64) {
    switch destination {
    case .flow(let id):
      let connection = world.connections[id]
      if case .stream(let flow) = id, connection?.isOpenAtServer != true {
        if tag != 0 { failedTags.append(tag) }
        goneFlows.append(flow)
        return
      }
      transmit(packet, connection, id)
    case .address(let address, .udp, _):
      let flow = DatagramFlow(node: Self.node, listener: 2, remote: address)
      transmit(packet, world.connections[.datagram(flow)], .datagram(flow))
    case .address:
      world.witness.serverSent(packet, to: nil, at: world.now)
      // Nobody takes connections here.
      world.after(.milliseconds(5)) { [self] in
        if tag != 0 { input { core, actions in core.transportFailed(tag, at: world.now, actions: &actions) } }
      }
    }
  }

  private func transmit(_ packet: Packet, _ connection: Connection?, _ id: FlowID) {
    world.witness.serverSent(packet, to: connection, at: world.now)
    if let connection { world.sendDown(packet, connection) }
    guard case .datagram(let flow) = id, connection?.isOpenAtPhone != true, world.random.chance(30) else { return }
    world.after(.milliseconds(20)) { [self] in refused(flow) }
  }

  // MARK: Location

  private func ask(_ question: ServerActions.Question) {
    let delay = world.random.milliseconds(world.conditions.location)
    let isSilent = world.now < locationReturns
    switch question {
    case .lookup(let query, let range):
      guard !isSilent else { return }
      let key = Array(actions.keys[range])
      world.after(delay) { [self] in
        let set = location.lookup(aor: key.span, now: world.unixSeconds)
        input { core, actions in core.located(query, set, at: world.now, actions: &actions) }
      }
    case .update(let query, let update):
      guard !isSilent else { return }
      world.after(delay) { [self] in
        let outcome = location.update(update)
        input { core, actions in core.registered(query, outcome, at: world.now, actions: &actions) }
      }
    case .remove(let aor, let flow):
      _ = location.remove(aor: aor.span, flow: flow)
    case .claim, .noteClaim, .user: world.witness.complain("nobody has to prove anything, yet it is asked for")
    }
  }

  // MARK: The end

  /// Complains about all that is left of requests that are over.
  func expectNothingLeft() {
    let left = core.holdings
    let counts = [
      left.clientTransactions, left.serverTransactions, left.contexts, left.timers, left.queries, left.messages,
    ]
    if counts != [0, 0, 0, 0, 0, 0] { world.witness.complain("left behind: \(left)") }
  }
}

/// Nobody has a password: nobody is asked for one.
private final class NoUsers: UserDirectory {
  func appendHA1(domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]) -> Bool {
    false
  }

  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? { nil }
}

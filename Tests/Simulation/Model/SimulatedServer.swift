import SIPServer
import SIPTransaction
import Structures

/// The simulated node: its workers, the links between them, and the location service that they share. Each connection belongs to one of the workers, and
/// datagrams of one address come to the same. A worker may be killed; another process takes its slot.
final class SimulatedServer {
  static let node: UInt32 = 7

  private unowned let world: World
  private(set) var workers: [SimulatedWorker] = []
  private let hashing: SimpleHashing
  private var location: InMemoryLocation
  /// Until when the location service says nothing.
  var locationReturns = Instant(nanoseconds: 0)
  /// When the slots of killed workers have a process again.
  private var returns: [UInt16: Instant] = [:]
  /// What goes over the links at this moment.
  private var links: [(SimulatedWorker, (SimulatedWorker) -> Void)] = []
  private var isDelivering = false
  private var saboteur: Saboteur?

  init(world: World, workers count: Int) {
    self.world = world
    location = InMemoryLocation(now: World.start)
    hashing = SimpleHashing(seed: world.random.next())
    saboteur = world.sabotage.map { Saboteur($0) }
    for slot in 0..<UInt16(count) { workers.append(process(slot, generation: 1)) }
  }

  private func process(_ slot: UInt16, generation: UInt16) -> SimulatedWorker {
    var settings = ServerSettings(
      domains: [.init(name: Array("example.test".utf8), aliases: [], realm: Array("example.test".utf8))],
      listeners: [
        Self.listener(.tls, "192.0.2.1:5061"), Self.listener(.tcp, "192.0.2.1:5060"),
        Self.listener(.udp, "192.0.2.1:5060"),
      ],
      hosts: [Array("sip.example.test".utf8), Array("node1.example.test".utf8), Array("192.0.2.1".utf8)])
    settings.authenticationRequired = false
    settings.registrar.expiresSpread = 0
    let core = ServerCore(
      settings: settings,
      identity: Branch(
        node: Self.node, slot: slot, generation: generation, transaction: SlotHandle(index: 0, generation: 0)),
      hashing: hashing, users: NoUsers(), start: world.now, unixSeconds: world.unixSeconds)
    core.isAlone = world.workerCount == 1
    return SimulatedWorker(slot, generation: generation, of: self, world: world, core: core)
  }

  private static func listener(_ transport: TransportProtocol, _ address: String) -> ServerSettings.Listener {
    let socket = SocketAddress(address) ?? SocketAddress(IPAddress(v4: 0), port: 0)
    return ServerSettings.Listener(
      transport: transport, address: socket, sentBy: Array("node1.example.test:\(socket.port)".utf8),
      recordRoute: Array("sip.example.test:\(socket.port)".utf8))
  }

  // MARK: Workers

  /// The process that has a slot; nil while none does.
  func worker(_ slot: UInt16) -> SimulatedWorker? {
    let worker = workers[Int(slot)]
    return worker.isAlive ? worker : nil
  }

  /// The slot whose process gets what comes over a connection or from an address.
  func slot(of flow: FlowID) -> UInt16 {
    switch flow {
    case .stream(let stream): stream.slot
    case .datagram(let datagram): slot(of: UInt64(datagram.remote.port) ^ datagram.remote.address.low << 16)
    }
  }

  /// As chance as a kernel's choice, and the same each time.
  func slot(of word: UInt64) -> UInt16 {
    UInt16((word &* 0x9E37_79B9_7F4A_7C15) >> 33 % UInt64(workers.count))
  }

  /// The generation that takes a connection to a slot now, and when.
  func accepting(_ slot: UInt16) -> (generation: UInt16, at: Instant) {
    let worker = workers[Int(slot)]
    return worker.isAlive ? (worker.generation, world.now) : (worker.generation + 1, returns[slot] ?? world.now)
  }

  /// Whether the process of a connection has ended.
  func hasEnded(_ flow: StreamFlow) -> Bool {
    let worker = workers[Int(flow.slot)]
    return flow.generation < worker.generation || flow.generation == worker.generation && !worker.isAlive
  }

  /// A worker is killed: its connections break, its transactions are gone; after a while the next process takes its slot.
  func kill(_ slot: UInt16, until back: Instant) {
    guard let worker = worker(slot), workers.count > 1 else { return }
    world.trace("worker \(slot) killed")
    worker.isAlive = false
    returns[slot] = back
    world.witness.killed(slot, at: world.now)
    for connection in world.connections.values.sorted(by: { $0.number < $1.number })
    where connection.isOpenAtServer && connection.isReliable && connection.slot == slot {
      connection.isOpenAtServer = false
      world.lose(connection)
    }
    for other in workers where other.isAlive {
      link(to: other) { [world] other in
        other.input { core, actions in
          core.slotLost(slot, generation: worker.generation, at: world.now, actions: &actions)
        }
      }
    }
    world.at(back) { [self] in workers[Int(slot)] = process(slot, generation: worker.generation + 1) }
  }

  // MARK: Links

  /// Has something done at a worker to which a link leads: at once, but never within something else, or after a while.
  func link(to worker: SimulatedWorker, _ run: @escaping (SimulatedWorker) -> Void) {
    if world.conditions.links.upperBound > 0 {
      let delay = world.linkRandom.milliseconds(world.conditions.links)
      // What goes over one link keeps its order.
      let arrival = max(world.now + delay, world.linkArrivals[worker.slot] ?? world.now)
      world.linkArrivals[worker.slot] = arrival
      return world.at(arrival) { if worker.isAlive { run(worker) } }
    }
    links.append((worker, run))
  }

  /// Lets everything go over the links.
  func deliver() {
    guard !isDelivering else { return }
    isDelivering = true
    while !links.isEmpty {
      let (worker, run) = links.removeFirst()
      if worker.isAlive { run(worker) }
    }
    isDelivering = false
  }

  // MARK: Inputs

  func received(_ packet: Packet, over connection: Connection) {
    let slot = connection.slot
    guard let worker = worker(slot) else {
      // The socket outlives the process: what comes waits.
      return world.at(returns[slot] ?? world.now) { [self] in received(packet, over: connection) }
    }
    world.witness.serverReceived(packet, over: connection, at: world.now)
    worker.input { core, actions in
      core.received(packet.octets.span, over: connection.flow, at: world.now, actions: &actions)
    }
  }

  func closed(_ connection: Connection) {
    tell(connection) { core, flow, now, actions in core.connectionClosed(flow, at: now, actions: &actions) }
  }

  /// What was sent over a connection is not acknowledged.
  func suspected(_ connection: Connection) {
    world.witness.suspected(connection, at: world.now)
    tell(connection) { core, flow, now, actions in core.flowSuspected(flow, at: now, actions: &actions) }
  }

  /// Tells something of a connection to its worker and to all others that have used it.
  private func tell(
    _ connection: Connection, _ news: @escaping (ServerCore, StreamFlow, Instant, inout ServerActions) -> Void
  ) {
    guard case .stream(let flow) = connection.flow.id, let owner = worker(flow.slot) else { return }
    owner.input { core, actions in news(core, flow, world.now, &actions) }
    for slot in owner.users[flow, default: []].sorted() {
      guard let other = worker(slot) else { continue }
      link(to: other) { [world] other in other.input { core, actions in news(core, flow, world.now, &actions) } }
    }
    deliver()
  }

  /// Nobody listens at a phone's port; one of the workers' sockets learns of it.
  private func refused(_ flow: DatagramFlow) {
    guard let worker = worker(slot(of: .datagram(flow))) else { return }
    worker.input { core, actions in core.datagramRefused(flow, at: world.now, actions: &actions) }
  }

  var nextDeadline: Instant? { workers.compactMap { $0.isAlive ? $0.core.nextDeadline : nil }.min() }

  func deadlineReached() {
    for worker in workers where worker.isAlive {
      guard let deadline = worker.core.nextDeadline, deadline <= world.now else { continue }
      worker.input { core, actions in core.deadlineReached(at: world.now, actions: &actions) }
    }
  }

  // MARK: Orders

  /// What really leaves in place of a message.
  func changed(_ packet: Packet, _ destination: Destination) -> [(Packet, Destination)] {
    saboteur?.changed(packet, destination) ?? [(packet, destination)]
  }

  func transmit(_ packet: Packet, _ connection: Connection?, _ id: FlowID) {
    world.witness.serverSent(packet, to: connection, at: world.now)
    if let connection { world.sendDown(packet, connection) }
    guard case .datagram(let flow) = id, connection?.isOpenAtPhone != true, world.random.chance(30) else { return }
    world.after(.milliseconds(20)) { [self] in refused(flow) }
  }

  // MARK: Location

  func ask(_ question: ServerActions.Question, _ keys: [UInt8], for worker: SimulatedWorker) {
    let delay = world.random.milliseconds(world.conditions.location)
    let isSilent = world.now < locationReturns
    switch question {
    case .lookup(let query, let range):
      guard !isSilent else { return }
      let key = Array(keys[range])
      world.after(delay) { [self] in
        let set = location.lookup(aor: key.span, now: world.unixSeconds)
        worker.input { core, actions in core.located(query, set, at: world.now, actions: &actions) }
      }
    case .update(let query, let update):
      guard !isSilent else { return }
      world.after(delay) { [self] in
        let outcome = location.update(update)
        worker.input { core, actions in core.registered(query, outcome, at: world.now, actions: &actions) }
      }
    case .remove(let aor, let flow):
      _ = location.remove(aor: aor.span, flow: flow)
    case .claim, .noteClaim, .user: world.witness.complain("nobody has to prove anything, yet it is asked for")
    }
  }

  // MARK: The end

  /// Complains about all that is left of requests that are over.
  func expectNothingLeft() {
    for worker in workers where worker.isAlive {
      let left = worker.core.holdings
      let counts = [
        left.clientTransactions, left.serverTransactions, left.contexts, left.timers, left.queries, left.messages,
      ]
      if counts != [0, 0, 0, 0, 0, 0] { world.witness.complain("left behind at \(worker.slot): \(left)") }
    }
  }
}

/// Nobody has a password: nobody is asked for one.
private final class NoUsers: UserDirectory {
  func appendHA1(domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]) -> Bool {
    false
  }

  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? { nil }
}

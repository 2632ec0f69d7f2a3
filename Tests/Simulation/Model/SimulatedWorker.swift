import SIPServer
import SIPTransaction
import Structures

/// One process of the simulated node: a server core with what a worker does around it. Its orders are carried out over the simulated network and its
/// links to the others; what could not be sent is told to the core as an input of its own.
final class SimulatedWorker {
  let slot: UInt16
  let generation: UInt16
  /// Whether the process still runs.
  var isAlive = true
  let core: ServerCore
  private unowned let server: SimulatedServer
  private unowned let world: World
  private var actions = ServerActions()
  private var failedTags: [UInt64] = []
  private var goneFlows: [StreamFlow] = []
  /// Which other workers used a connection of this one.
  private(set) var users: [StreamFlow: Set<UInt16>] = [:]

  init(_ slot: UInt16, generation: UInt16, of server: SimulatedServer, world: World, core: ServerCore) {
    self.slot = slot
    self.generation = generation
    self.server = server
    self.world = world
    self.core = core
  }

  // MARK: Inputs

  /// Hands in what happened, carries out what is ordered, and tells of what failed while doing so.
  func input(_ tell: (ServerCore, inout ServerActions) -> Void) {
    guard isAlive else { return }
    once(tell)
    while !failedTags.isEmpty || !goneFlows.isEmpty {
      while let flow = goneFlows.popLast() {
        once { core, actions in core.connectionClosed(flow, at: world.now, actions: &actions) }
      }
      while let tag = failedTags.popLast() {
        once { core, actions in core.transportFailed(tag, at: world.now, actions: &actions) }
      }
    }
    server.deliver()
  }

  /// A message can't be sent, perhaps as its connection is gone.
  func failed(_ tag: UInt64, _ gone: StreamFlow?) {
    if let gone { input { core, actions in core.connectionClosed(gone, at: world.now, actions: &actions) } }
    if tag != 0 { input { core, actions in core.transportFailed(tag, at: world.now, actions: &actions) } }
  }

  /// Another worker wants a message sent over a connection of this one.
  func sendForOther(_ packet: Packet, _ flow: StreamFlow, _ tag: UInt64, _ other: SimulatedWorker) {
    guard let connection = world.connections[.stream(flow)], connection.isOpenAtServer else {
      return server.link(to: other) { $0.failed(tag, flow) }
    }
    users[flow, default: []].insert(other.slot)
    server.transmit(packet, connection, .stream(flow))
  }

  /// Another worker offers a request that may be part of a transaction here.
  func offered(_ packet: Packet, _ flow: Flow, _ query: UInt64, _ other: SimulatedWorker) {
    var isTaken = false
    input { core, actions in
      isTaken = core.takesOffer(packet.octets.span, over: flow, at: world.now, actions: &actions)
    }
    server.link(to: other) { [world] worker in
      worker.input { core, actions in
        core.offerAnswered(query, isTaken: isTaken, at: world.now, actions: &actions)
      }
    }
  }

  // MARK: Orders

  private func once(_ tell: (ServerCore, inout ServerActions) -> Void) {
    actions.removeAll()
    core.unixSeconds = world.unixSeconds
    tell(core, &actions)
    for transmission in actions.outbox.transmissions {
      let packet = Packet(Array(actions.outbox.octets[transmission.start..<transmission.end]))
      for (packet, destination) in server.changed(packet, transmission.destination) {
        send(packet, to: destination, tag: transmission.tag)
      }
    }
    for question in actions.questions { server.ask(question, actions.keys, for: self) }
    for flow in actions.closes {
      if let connection = world.connections[flow] { world.end(connection, .closedByServer) }
    }
    for passing in actions.passings {
      let packet = Packet(Array(actions.passed[passing.octets]))
      guard let owner = server.worker(passing.slot), owner.generation == passing.generation else { continue }
      server.link(to: owner) { [world] worker in
        worker.input { core, actions in
          core.received(packet.octets.span, over: passing.flow, at: world.now, actions: &actions)
        }
      }
    }
    for offer in actions.offers { make(offer, Packet(Array(actions.passed[offer.octets]))) }
  }

  private func make(_ offer: ServerActions.Offer, _ packet: Packet) {
    let others = server.workers.filter { $0 !== self && $0.isAlive }
    core.offered(offer.query, toOthers: others.count)
    for other in others { server.link(to: other) { $0.offered(packet, offer.flow, offer.query, self) } }
    guard others.isEmpty else { return }
    server.link(to: self) { [world] worker in
      worker.input { core, actions in
        core.offerAnswered(offer.query, isTaken: false, at: world.now, actions: &actions)
      }
    }
  }

  private func send(_ packet: Packet, to destination: Destination, tag: UInt64) {
    switch destination {
    case .flow(.stream(let flow)) where flow.slot != slot:
      guard let owner = server.worker(flow.slot) else {
        if tag != 0 { failedTags.append(tag) }
        // Of a process that has ended the connections are gone; of one that is about to come nothing is known.
        if server.hasEnded(flow) { goneFlows.append(flow) }
        return
      }
      // Over links that take no time it leaves in the order in which one worker alone would send it.
      if world.conditions.links.upperBound == 0 { return owner.sendForOther(packet, flow, tag, self) }
      server.link(to: owner) { $0.sendForOther(packet, flow, tag, self) }
    case .flow(let id):
      let connection = world.connections[id]
      if case .stream(let flow) = id, connection?.isOpenAtServer != true {
        if tag != 0 { failedTags.append(tag) }
        goneFlows.append(flow)
        return
      }
      server.transmit(packet, connection, id)
    case .address(let address, .udp, _):
      let flow = DatagramFlow(node: SimulatedServer.node, listener: 2, remote: address)
      server.transmit(packet, world.connections[.datagram(flow)], .datagram(flow))
    case .address:
      world.witness.serverSent(packet, to: nil, at: world.now)
      // Nobody takes connections here.
      world.after(.milliseconds(5)) { [self] in failed(tag, nil) }
    }
  }
}

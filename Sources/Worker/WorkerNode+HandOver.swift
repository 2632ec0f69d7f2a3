import Cluster
import Reactor
import Structures
import Transport

/// Two processes of one slot: how messages find the one that has their connection or their transaction.
///
/// The new process has the listeners, the links and, one after the other, the connections. The old one has the transactions that it began. What the old sends
/// over a connection that it has no more goes to the new one as over a link, what the new one gets for a transaction of the old goes back.
extension WorkerNode {
  /// Begins to hand over to the next process of the slot.
  func depart(_ socket: consuming Descriptor) {
    guard departure == nil else { return }
    do {
      let departure = try Departure(self, socket)
      self.departure = departure
      stopCounting()
      log.notice("hands over to the next process", metadata: ["connections": "\(transport.counters.connections)"])
      departure.begin()
    } catch {
      log.error("can't hand over: \(error)")
      // The next process takes the end of the socket for the end of this one.
      stop()
    }
  }

  /// Begins to take over from the process that has the slot; `takeListeners` is called when that has let them go.
  func arrive(_ socket: consuming Descriptor, takeListeners: @escaping () throws -> Void) throws {
    core.hasPredecessor = true
    core.isAlone = false
    arrival = try Arrival(self, socket) { [unowned self] in
      try takeListeners()
      try links?.listen()
      links?.sendToAll(.succeeds)
      startCounting()
      log.notice("took the listeners over")
    }
  }

  /// The next process has ended, and is known to be dead.
  func returnFromDeparture() {
    guard let departure = departure.take() else { return }
    lostFlows = departure.abandon()
    loop.turnAgain()
    do {
      try transport.restart()
      try links?.listen()
    } catch {
      log.error("can't go on: \(error)")
      return stop()
    }
    core.keepAliveAgain()
    startCounting()
    log.warning("goes on: the next process ended before it had taken over")
  }

  /// Tells of connections that ended with another process, some each turn.
  func endLostFlows() {
    for flow in lostFlows.suffix(64) {
      tellUsers(of: flow, .closed(flow))
      goneFlows.append(flow)
    }
    lostFlows.removeLast(min(64, lostFlows.count))
    if !lostFlows.isEmpty { loop.turnAgain() }
  }

  /// Nobody of this slot is left but this process.
  func predecessorEnded() {
    core.hasPredecessor = false
    core.isAlone = links?.hasPeers != true
  }

  /// The process can't do what it was started for.
  func failed(toTakeOver reason: String) {
    log.error("can't take over: \(reason)")
    stop()
  }

  /// Has a message sent over a connection that another process of this slot has, or may have; what can't be passed on has failed. False: no other
  /// process can have it.
  func sendByKin(_ message: Span<UInt8>, _ flow: StreamFlow, tag: UInt64) -> Bool {
    let generation = transport.identity.generation
    let isPassed: Bool
    if let departure {
      isPassed = departure.pass(flow, tag: tag, generation: generation, message)
    } else if let arrival, let link = arrival.link, flow.generation <= arrival.generation {
      isPassed = link.send(.sendOnFlow(flow, tag: tag, generation: generation), message)
    } else {
      return false
    }
    // The connection itself may live.
    if !isPassed { fail(tag) }
    return true
  }

  /// The link towards another process of the slot: the one before, or the next. There may be one more behind either.
  private func kinLink(_ generation: UInt16) -> HandOverLink? {
    generation < transport.identity.generation ? arrival?.link : departure?.link
  }

  /// Tells the other processes of the slot what became of a connection: their transactions may use it.
  func tellKin(_ frame: LinkFrame) {
    arrival?.link?.send(frame)
    departure?.link?.send(frame)
  }

  /// Answers a process by its slot and generation, this one included.
  func answer(_ frame: LinkFrame, slot: UInt16, generation: UInt16) {
    guard slot == transport.identity.slot else {
      _ = links?.send(frame, to: slot)
      return
    }
    if generation != transport.identity.generation {
      kinLink(generation)?.send(frame)
      return
    }
    switch frame {
    case .failed(let tag, _): fail(tag)
    case .notMine(let flow, let tag, _): fail(tag, flow)
    default: break
    }
  }

  /// The other process of the slot sent a frame.
  func heardFromKin(_ frame: LinkFrame, _ octets: Span<UInt8>, isSuccessor: Bool) {
    let own = transport.identity
    let generation = isSuccessor ? own.generation &+ 1 : arrival?.generation ?? 0
    switch frame {
    case .sendOnFlow(let flow, let tag, let origin):
      return sendForKin(octets, flow, tag, origin, isSuccessor: isSuccessor)
    case .notMine(_, _, let origin), .failed(_, let origin), .has(_, let origin, _):
      if origin != own.generation {
        // One that is neither of the two.
        kinLink(origin)?.send(frame)
        return
      }
    case .closed(let flow), .suspect(let flow), .recovered(let flow):
      if isSuccessor { arrival?.link?.send(frame) } else { departure?.link?.send(frame) }
      // Others may know the connection from when it was here, or have used it through us.
      if flow.slot == own.slot { tellUsers(of: flow, frame) }
    case .refused:
      if isSuccessor { arrival?.link?.send(frame) } else { departure?.link?.send(frame) }
    default: break
    }
    links(
      received: frame, octets,
      from: LinkIdentity(node: own.node, epoch: own.epoch, slot: own.slot, generation: generation))
  }

  private func sendForKin(
    _ octets: Span<UInt8>, _ flow: StreamFlow, _ tag: UInt64, _ origin: UInt16, isSuccessor: Bool
  ) {
    let own = transport.identity
    // One of our own messages that has come back: the connection has arrived in the meantime, or is gone.
    let isOurs = origin == own.generation
    let order = ForeignUse.Order(slot: own.slot, generation: origin, tag: tag)
    let name = tag == 0 || isOurs ? tag : foreign.note(order)
    guard flow.slot == own.slot else { return send(octets, overForeign: flow, name) }
    switch transport.send(octets, over: .stream(flow), tag: name) {
    case .accepted: break
    case .overloaded: answer(.failed(tag: tag, generation: origin), slot: own.slot, generation: origin)
    case .noSuchFlow:
      // An earlier process may have it still, which gives it back when it hasn't; else it is on its way to the next process, or there already;
      // or it has never been.
      if isSuccessor, let arrival, let link = arrival.link, flow.generation <= arrival.generation,
        link.send(.sendOnFlow(flow, tag: tag, generation: origin), octets)
      {
        return
      }
      if departure?.pass(flow, tag: tag, generation: origin, octets) == true { return }
      answer(.notMine(flow, tag: tag, generation: origin), slot: own.slot, generation: origin)
    }
  }

  /// Hands a response to the process of this slot that sent its request: an earlier one, or the next, where the connection has yet to go. False when that is not there.
  func passToKin(_ flow: Flow, generation: UInt16, _ octets: Span<UInt8>) -> Bool {
    kinLink(generation)?.send(.messageFromFlow(flow), octets) ?? false
  }

  /// Asks the earlier process of the slot what another worker asks this one. False: there is none.
  func askKin(_ flow: Flow, _ octets: Span<UInt8>, question: UInt64, slot: UInt16, generation: UInt16) -> Bool {
    guard let link = arrival?.link else { return false }
    let number = relayed.note(ForeignUse.Order(slot: slot, generation: generation, tag: question))
    link.send(.whoHas(question: Self.relayMark | number, generation: transport.identity.generation, flow), octets)
    return true
  }

  /// The earlier process has answered. True when another worker wanted to know it.
  func kinAnswered(_ question: UInt64, _ isTaken: Bool) -> Bool {
    guard question & Self.relayMark != 0 else { return false }
    guard let order = relayed.order(question & ~Self.relayMark) else { return true }
    answer(
      .has(question: order.tag, generation: order.generation, isTaken), slot: order.slot, generation: order.generation)
    return true
  }

  /// No question of the core has this bit.
  private static var relayMark: UInt64 { 1 << 63 }

  /// Frames of other slots that are for the other process of this one. True when it was one.
  func isForKin(_ frame: LinkFrame, _ octets: Span<UInt8>) -> Bool {
    switch frame {
    case .notMine(_, _, let generation), .failed(_, let generation), .has(_, let generation, _),
      .isAt(_, let generation):
      if generation == transport.identity.generation { return false }
      // The asker's link to us may be older than the process that is answered.
      guard let link = kinLink(generation) else { return false }
      link.send(frame, octets)
      return true
    case .closed, .suspect, .recovered, .refused:
      // Transactions of either may use the connection.
      arrival?.link?.send(frame, octets)
      return false
    default: return false
    }
  }
}

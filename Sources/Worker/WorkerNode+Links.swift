import Cluster
import Reactor
import SIPServer
import SIPTransaction
import Structures

/// What makes the workers of a node one server: messages over each other's connections, and news of these.
///
/// Follow a message to a connection of another worker: ``carryOut()`` → `send(_:overForeign:_:)` → ``LinkFrame/sendOnFlow(_:tag:generation:)`` → the other's
/// `sendForOther` → its transport. What goes wrong there comes back as ``LinkFrame/notMine(_:tag:generation:)`` or
/// ``LinkFrame/failed(tag:generation:)`` and is told to the core like a failure of our own transport.
extension WorkerNode: LinkDelegate {
  /// Makes the links, from the listener of the slot, and waits until all others have said hello, but no longer than `limit`: they may
  /// be starting as well. To be called before the worker takes its first connection.
  func startLinks(listener: consuming Descriptor, listens: Bool = true, limit: Duration) throws {
    guard let links else { return }
    try links.start(listener: listener, listens: listens)
    let end = System.monotonicNow + limit
    while !(listens ? links.isComplete : links.canSend), System.monotonicNow < end { try loop.runOnce(until: end) }
  }

  // MARK: Towards others

  /// Has a message sent over a connection of another worker. A link that is full refuses new requests alone.
  func send(_ message: Span<UInt8>, overForeign flow: StreamFlow, _ tag: UInt64) {
    let own = transport.identity
    // Nothing is known here of other nodes.
    guard flow.node == own.node else { return fail(tag) }
    guard flow.epoch == own.epoch, let links else { return fail(tag, flow) }
    let frame = LinkFrame.sendOnFlow(flow, tag: tag, generation: own.generation)
    switch links.send(frame, message, to: flow.slot, isUrgent: !Self.isNewRequest(message, tag)) {
    case .queued: break
    case .full: if tag != 0 { refusedTags.append(tag) }
    case .down:
      // Others link to our successor, and tell it alone when they hand over themselves: nothing is known here any more.
      if departure != nil {
        _ = sendByKin(message, flow, tag: tag)
        return
      }
      // A connection of a process that is known to have ended is gone; of any other nothing is known.
      if case .lost(let generation) = links.state(of: flow.slot), flow.generation <= generation {
        fail(tag, flow)
      } else {
        fail(tag)
      }
    }
  }

  func fail(_ tag: UInt64, _ gone: StreamFlow? = nil) {
    if tag != 0 { failedTags.append(tag) }
    // What another process of the slot disowns may have stayed here, as it refused it.
    if let gone, !transport.has(gone) { goneFlows.append(gone) }
  }

  /// Whether a message is the request of a client transaction, other than what ends one.
  private static func isNewRequest(_ message: Span<UInt8>, _ tag: UInt64) -> Bool {
    guard tag != 0, case .client = TransactionTag(word: tag), message.count > 4 else { return false }
    let isAck = message[0] == UInt8(ascii: "A") && message[1] == UInt8(ascii: "C") && message[2] == UInt8(ascii: "K")
    let isCancel = message[0] == UInt8(ascii: "C") && message[1] == UInt8(ascii: "A") && message[2] == UInt8(ascii: "N")
    return !isAck && !isCancel
  }

  /// Hands over and offers what the core ordered.
  func carryOutLinks() {
    let octets = actions.passed
    for passing in actions.passings {
      if passing.slot == transport.identity.slot {
        if !passToKin(passing.flow, generation: passing.generation, octets.span.extracting(passing.octets)) {
          foreign.dropped += 1
        }
        continue
      }
      // A later process of the slot passes it on.
      guard let links, case .up(let generation) = links.state(of: passing.slot), generation >= passing.generation,
        links.send(.messageFromFlow(passing.flow), octets.span.extracting(passing.octets), to: passing.slot) == .queued
      else {
        foreign.dropped += 1
        continue
      }
      note(use: passing.flow, by: passing.slot)
    }
    for offer in actions.offers {
      let frame = LinkFrame.whoHas(question: offer.query, generation: transport.identity.generation, offer.flow)
      let message = octets.span.extracting(offer.octets)
      var count = links?.sendToAll(frame, message) ?? 0
      for link in [arrival?.link, departure?.link] where link?.send(frame, message) == true { count += 1 }
      core.offered(offer.query, toOthers: count)
      if count == 0 { unheardOffers.append(offer.query) }
    }
    guard let links else { return }
    for flow in actions.trusted {
      links.sendToAll(.trusted(flow))
      foreign.useByAll(flow.connection)
    }
  }

  private func note(use flow: Flow, by slot: UInt16) {
    guard case .stream(let stream) = flow.id, stream.slot == transport.identity.slot else { return }
    foreign.use(stream.connection, by: slot)
  }

  /// Whether there is anything for ``decideLinks()``.
  var hasNews: Bool { !refusedTags.isEmpty || !unheardOffers.isEmpty }

  /// Tells the core what was found while its orders were carried out.
  func decideLinks() {
    while let tag = refusedTags.popLast() {
      begin()
      core.transportRefused(tag, at: loop.now, actions: &actions)
      carryOut()
    }
    while let query = unheardOffers.popLast() {
      begin()
      core.offerAnswered(query, isTaken: false, at: loop.now, actions: &actions)
      carryOut()
    }
  }

  /// Tells those who use a connection of ours what became of it.
  func tellUsers(of flow: StreamFlow, _ frame: LinkFrame) {
    let users = foreign.users(of: flow.connection)
    guard users != 0, let links else { return }
    links.sendToAll(frame, slots: users)
    if case .closed = frame { foreign.forget(flow.connection) }
  }

  /// Tells another worker that what it ordered failed; false when the tag is one of our own.
  func failedForOther(_ tag: UInt64) -> Bool {
    guard ForeignUse.isForeign(tag) else { return false }
    if let order = foreign.order(tag) {
      answer(.failed(tag: order.tag, generation: order.generation), slot: order.slot, generation: order.generation)
    }
    return true
  }

  // MARK: From others

  func links(up peer: LinkIdentity) {
    core.isAlone = false
    // It may have linked to the process that was here before.
    if arrival != nil { _ = links?.send(.succeeds, to: peer.slot) }
    log.debug("link up", metadata: ["slot": "\(peer.slot)", "generation": "\(peer.generation)"])
    for flow in core.trustedConnections(of: transport.identity.slot) {
      _ = links?.send(.trusted(flow), to: peer.slot)
    }
  }

  func links(down slot: UInt16) {
    core.isAlone = links?.hasPeers != true
    log.debug("link down", metadata: ["slot": "\(slot)"])
  }

  func links(lost slot: UInt16, generation: UInt16) {
    log.notice("a slot's connections are lost", metadata: ["slot": "\(slot)", "generation": "\(generation)"])
    begin()
    core.slotLost(slot, generation: generation, at: loop.now, actions: &actions)
    carryOut()
  }

  func links(received frame: LinkFrame, _ octets: Span<UInt8>, from sender: LinkIdentity) {
    if sender.slot != transport.identity.slot, isForKin(frame, octets) { return }
    switch frame {
    case .succeeds: links?.follow(sender)
    case .sendOnFlow(let flow, let tag, let generation): sendForOther(octets, flow, tag, generation, sender.slot)
    case .messageFromFlow(let flow):
      begin()
      core.received(octets, over: flow, at: loop.now, actions: &actions)
      carryOut()
    case .notMine(let flow, let tag, let generation) where flow.slot == sender.slot:
      fail(isOurs(generation) ? tag : 0, flow)
    case .failed(let tag, let generation):
      if isOurs(generation) { fail(tag) }
    case .whoHas(let question, let generation, let flow):
      begin()
      let isTaken = core.takesOffer(octets, over: flow, at: loop.now, actions: &actions)
      carryOut()
      // Whoever comes later, or elsewhere, doesn't know of the process before.
      if !isTaken, sender.slot != transport.identity.slot || sender.generation > transport.identity.generation,
        askKin(flow, octets, question: question, slot: sender.slot, generation: generation)
      {
        return
      }
      answer(
        .has(question: question, generation: generation, isTaken), slot: sender.slot, generation: sender.generation)
    case .has(let question, let generation, let isTaken):
      guard isOurs(generation), !kinAnswered(question, isTaken) else { return }
      begin()
      core.offerAnswered(question, isTaken: isTaken, at: loop.now, actions: &actions)
      carryOut()
    case .closed(let flow), .suspect(let flow), .recovered(let flow), .trusted(let flow):
      if flow.slot == sender.slot || sender.slot == transport.identity.slot { heard(frame, flow) }
    case .whereIs(let question, let generation):
      let found = location.bindings(heldFor: octets, at: core.unixSeconds)
      guard found.count <= LinkFrame.maximumOctets else { return }
      _ = links?.send(.isAt(question: question, generation: generation), found.span, to: sender.slot)
    case .isAt(let question, let generation):
      if isOurs(generation) { location.peerAnswered(question, octets) }
    case .refused(let flow):
      guard flow.node == transport.identity.node else { return }
      begin()
      core.datagramRefused(flow, at: loop.now, actions: &actions)
      carryOut()
    case .hello, .notMine: break
    }
  }

  /// Whether what is answered was asked by this process, and not by an earlier one of its slot.
  private func isOurs(_ generation: UInt16) -> Bool { generation == transport.identity.generation }

  /// News of a connection of another worker.
  private func heard(_ frame: LinkFrame, _ flow: StreamFlow) {
    begin()
    switch frame {
    case .closed: core.connectionClosed(flow, at: loop.now, actions: &actions)
    case .suspect: core.flowSuspected(flow, at: loop.now, actions: &actions)
    case .recovered: core.flowRecovered(flow)
    case .trusted: core.connectionTrusted(flow)
    case .hello, .sendOnFlow, .messageFromFlow, .notMine, .failed, .whoHas, .has, .whereIs, .isAt, .refused, .succeeds:
      break
    }
    carryOut()
  }

  /// Another worker wants a message sent over a connection of ours: one that is here under exactly this name.
  private func sendForOther(
    _ octets: Span<UInt8>, _ flow: StreamFlow, _ tag: UInt64, _ generation: UInt16, _ slot: UInt16
  ) {
    let order = ForeignUse.Order(slot: slot, generation: generation, tag: tag)
    let own = tag == 0 ? 0 : foreign.note(order)
    switch transport.send(octets, over: .stream(flow), tag: own) {
    case .accepted: foreign.use(flow.connection, by: slot)
    case .overloaded: if tag != 0 { _ = links?.send(.failed(tag: tag, generation: generation), to: slot) }
    case .noSuchFlow:
      if sendByKin(octets, flow, tag: own) {
        foreign.use(flow.connection, by: slot)
        return
      }
      _ = links?.send(.notMine(flow, tag: tag, generation: generation), to: slot)
    }
  }
}

extension WorkerNode: LocationPeers {
  func whereIs(_ aor: Span<UInt8>, question: UInt64) -> Int {
    let frame = LinkFrame.whereIs(question: question, generation: transport.identity.generation)
    return links?.sendToAll(frame, aor) ?? 0
  }
}

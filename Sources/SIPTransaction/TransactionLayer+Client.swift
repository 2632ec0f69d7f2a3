import SIPMessage
import Structures

extension TransactionLayer {
  /// What a response turned out to be.
  public enum ResponseOutcome {
    /// To be handled by the user.
    case deliver(ClientTransaction)
    /// Dealt with here: a retransmission.
    case absorbed
    /// Nobody's: dropped and counted (RFC 6026 §7.3, §8.9).
    case stray
    /// The response to something that another process of this node sent.
    case elsewhere(slot: UInt16, generation: UInt16)
  }

  // MARK: Inputs

  /// Makes a client transaction that sends nothing yet: its handle goes into the branch of the request, which the caller then writes.
  public func prepareClient(context: SlotHandle, branch: Int) -> ClientTransaction {
    let client = spareClients.popLast() ?? ClientTransaction()
    client.handle = clients.insert(client)
    client.context = context
    client.branch = branch
    return client
  }

  /// Makes a client transaction whose request keeps something alive.
  public func prepareClient(keepingAlive handle: SlotHandle) -> ClientTransaction {
    // No response context has generation 0.
    let client = prepareClient(context: SlotHandle(index: 0, generation: 0), branch: 0)
    client.keepsAlive = handle
    return client
  }

  /// The user waits for no answer any more.
  public func forget(_ handle: SlotHandle) {
    if let client = clients[handle] { end(client) }
  }

  /// Whether a response is that to a request which kept something alive.
  public func isKeepAlive(_ response: Message, via: Via) -> Bool {
    branch(of: response, via).flatMap { match(response, $0) }?.keepsAlive != nil
  }

  /// Sends the request that was written to the outbox from `start` on, and starts the transaction.
  public func start(
    _ client: ClientTransaction, method: Method, from start: Int, to destination: Destination, isReliable: Bool,
    at now: Instant, outbox: inout Outbox
  ) {
    client.destination = destination
    client.method = method
    client.isReliable = isReliable
    // An INVITE is needed for its ACK and CANCEL; anything else only where it may have to be sent again.
    if client.isInvite || !isReliable {
      client.stored.append(outbox.octets.span.extracting(start..<outbox.octets.count))
    }
    var actions: TransactionActions = []
    if client.isInvite {
      client.machine = .invite(
        InviteClientTransaction(isReliable: isReliable, settings: settings, at: now, into: &actions))
    } else {
      client.machine = .nonInvite(
        NonInviteClientTransaction(isReliable: isReliable, settings: settings, at: now, into: &actions))
    }
    if actions.contains(.transmitRequest) {
      outbox.transmit(from: start, to: destination, tag: TransactionTag.client(client.handle).word)
    }
    if let peer = PeerTable.Peer(destination) { peers.link(client, to: peer, in: clients) }
    schedule(client)
  }

  /// The request of a transaction went over this connection, which the transport chose: the transaction fails with it.
  public func sent(_ handle: SlotHandle, over flow: StreamFlow) {
    guard let client = clients[handle], client.list == PeerTable.none else { return }
    peers.link(client, to: .stream(flow), in: clients)
  }

  /// A response came. `via` is its topmost value.
  public func received(_ response: Message, via: Via, at now: Instant, outbox: inout Outbox) -> ResponseOutcome {
    let branch = branch(of: response, via)
    if let branch, !isOwn(branch), branch.node == identity.node {
      return .elsewhere(slot: branch.slot, generation: branch.generation)
    }
    guard let branch, let client = match(response, branch) else {
      strayResponses &+= 1
      return .stray
    }
    client.hasResponse = true
    peers.unlink(client, in: clients)
    var actions: TransactionActions = []
    switch client.machine.take() {
    case .invite(var machine):
      machine.received(status: response.status, at: now, into: &actions)
      client.machine = .invite(machine)
    case .nonInvite(var machine):
      machine.received(status: response.status, at: now, into: &actions)
      client.machine = .nonInvite(machine)
    case nil: return .stray
    }
    carryOut(actions, client, response, &outbox)
    return actions.contains(.deliverResponse) ? .deliver(client) : .absorbed
  }

  /// Sends a CANCEL for an INVITE that was answered provisionally (RFC 3261 §9.1). `reason` is header lines to add, with their CRLF.
  public func cancel(_ invite: ClientTransaction, reason: Span<UInt8>, at now: Instant, outbox: inout Outbox) {
    guard invite.isInvite, invite.cancel == nil, !invite.stored.isEmpty else { return }
    let request = pool.take()
    let sent = invite.stored
    request.load(sent.span, limits: .largest)
    let start = outbox.octets.count
    RequestWriter.appendCancel(of: request, reason: reason, into: &outbox.octets)
    pool.put(request)
    let client = prepareClient(context: invite.context, branch: invite.branch)
    invite.cancel = client.handle
    self.start(
      client, method: .cancel, from: start, to: invite.destination, isReliable: invite.isReliable, at: now,
      outbox: &outbox)
  }

  /// The user gives up an INVITE that it neither waits for nor can cancel (RFC 3261 §16.8).
  public func abandon(_ client: ClientTransaction, at now: Instant, outbox: inout Outbox) {
    guard case .invite(var machine) = client.machine else { return }
    var actions: TransactionActions = []
    machine.abandon(into: &actions)
    client.machine = .invite(machine)
    carryOut(actions, client, nil, &outbox)
  }

  // MARK: Orders

  func expire(_ client: ClientTransaction, _ now: Instant, _ outbox: inout Outbox) {
    var actions: TransactionActions = []
    switch client.machine.take() {
    case .invite(var machine):
      machine.deadlineReached(at: now, into: &actions)
      client.machine = .invite(machine)
    case .nonInvite(var machine):
      machine.deadlineReached(at: now, into: &actions)
      client.machine = .nonInvite(machine)
    case nil: return
    }
    carryOut(actions, client, nil, &outbox)
  }

  func fail(_ client: ClientTransaction, _ now: Instant, _ outbox: inout Outbox) {
    var actions: TransactionActions = []
    switch client.machine.take() {
    case .invite(var machine):
      machine.transportFailed(into: &actions)
      client.machine = .invite(machine)
    case .nonInvite(var machine):
      machine.transportFailed(into: &actions)
      client.machine = .nonInvite(machine)
    case nil: return
    }
    carryOut(actions, client, nil, &outbox)
  }

  private func carryOut(
    _ actions: TransactionActions, _ client: ClientTransaction, _ response: Message?, _ outbox: inout Outbox
  ) {
    if actions.contains(.transmitRequest) { transmitStored(client, &outbox) }
    if actions.contains(.transmitAck) {
      if let response, !client.stored.starts(with: "ACK ".utf8) { storeAck(client, response) }
      transmitStored(client, &outbox)
    }
    if actions.contains(.informTimeout) { events.append(.timeout(client)) }
    if actions.contains(.informTransportFailure) { events.append(.transportFailed(client)) }
    if actions.contains(.releaseMessage) { client.stored = [] }
    if actions.contains(.terminate) { end(client) } else { schedule(client) }
  }

  private func transmitStored(_ client: ClientTransaction, _ outbox: inout Outbox) {
    outbox.transmit(client.stored, to: client.destination, tag: TransactionTag.client(client.handle).word)
  }

  /// RFC 3261 §17.1.1.3: the ACK to a final response other than 2xx, from the INVITE as it was sent and the To of the response.
  private func storeAck(_ client: ClientTransaction, _ response: Message) {
    let invite = pool.take()
    let sent = client.stored
    invite.load(sent.span, limits: .largest)
    scratch.clear()
    RequestWriter.appendAck(of: invite, to: response, into: &scratch)
    client.stored.clear()
    client.stored += scratch
    pool.put(invite)
  }

  private func end(_ client: ClientTransaction) {
    peers.unlink(client, in: clients)
    wheel.cancel(client.handle.index << 1)
    clients.remove(client.handle)
    events.append(.clientEnded(client))
    retiredClients.append(client)
    if let cancel = client.cancel, let other = clients[cancel] { end(other) }
  }

  private func schedule(_ client: ClientTransaction) {
    if let deadline = client.nextDeadline {
      wheel.schedule(client.handle.index << 1, at: deadline)
    } else {
      wheel.cancel(client.handle.index << 1)
    }
  }

  /// The branch that one of our workers wrote, of whatever node; nil when it is another's.
  private func branch(of response: Message, _ via: Via) -> Branch? {
    guard let range = via.branch else { return nil }
    let bytes = response.bytes
    return Branch(bytes.span.extracting(range.positions), hashing: hashing, scratch: &scratch)
  }

  private func isOwn(_ branch: Branch) -> Bool {
    branch.node == identity.node && branch.slot == identity.slot && branch.generation == identity.generation
  }

  /// RFC 3261 §17.1.3: by the branch, which holds the handle, and the method in CSeq.
  private func match(_ response: Message, _ branch: Branch) -> ClientTransaction? {
    guard isOwn(branch), let client = clients[branch.transaction], let cseq = try? response.cseq() else { return nil }
    let bytes = response.bytes
    let method = Method(bytes.span.extracting(cseq.method.positions))
    // RFC 3261 §9.1: a CANCEL has the branch of its INVITE.
    if method == .cancel { return client.cancel.flatMap { clients[$0] } }
    return client.method == method ? client : nil
  }
}

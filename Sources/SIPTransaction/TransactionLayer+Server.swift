import SIPMessage
import Structures

extension TransactionLayer {
  /// What a request turned out to be.
  public enum RequestOutcome {
    /// One that no transaction knows.
    case new
    /// Dealt with here: a retransmission, or the ACK to a response other than 2xx.
    case absorbed
    /// An ACK that belongs to a transaction whose 2xx was sent: the user passes it on.
    case ack
  }

  // MARK: Inputs

  /// A request came: is it part of a transaction? `via` is its topmost value.
  public func received(
    _ request: Message, via: Via, from source: Flow, at now: Instant, outbox: inout Outbox
  ) -> RequestOutcome {
    guard let server = match(request, via, as: request.method == .ack ? .invite : request.method) else { return .new }
    var actions: TransactionActions = []
    switch server.machine.take() {
    case .invite(var machine):
      if request.method == .ack {
        machine.receivedAck(at: now, into: &actions)
      } else {
        machine.receivedRetransmission(into: &actions)
      }
      server.machine = .invite(machine)
    case .nonInvite(var machine):
      machine.receivedRetransmission(into: &actions)
      server.machine = .nonInvite(machine)
    case nil: return .new
    }
    let isAck = actions.contains(.deliverAck)
    carryOut(actions, server, nil, now, &outbox)
    return isAck ? .ack : .absorbed
  }

  /// The INVITE transaction that a CANCEL is for (RFC 3261 §9.2); nil when there is none.
  public func target(ofCancel cancel: Message, via: Via) -> ServerTransaction? {
    match(cancel, via, as: .invite)
  }

  /// What a request, its copies and, with the method of the request, its CANCEL have in common; another in each process.
  public func hash(of request: Message, via: Via, as method: Method) -> UInt64 {
    TransactionHash.ofRequest(request, via, as: method, scratch: &scratch)
  }

  /// Makes the server transaction of a new request, which it keeps.
  public func startServer(
    _ request: Message, via: Via, from source: Flow, respondingTo destination: Destination, at now: Instant
  ) -> ServerTransaction {
    let server: ServerTransaction
    if let spare = spareServers.popLast() {
      server = spare
      server.request = request
      server.via = via
      server.source = source
      server.destination = destination
    } else {
      server = ServerTransaction(request: request, via: via, source: source, destination: destination)
    }
    server.handle = servers.insert(server)
    server.hash = hashOfNew(request, via)
    serverIndex.insert(server.hash, server.handle.index)
    if request.method == .invite { noteBranch(server) }
    var actions: TransactionActions = []
    let isReliable = source.transport.isReliable
    if request.method == .invite {
      server.machine = .invite(InviteServerTransaction(isReliable: isReliable, settings: settings, into: &actions))
    } else {
      server.machine = .nonInvite(
        NonInviteServerTransaction(isReliable: isReliable, settings: settings, at: now, into: &actions))
    }
    schedule(server)
    return server
  }

  /// Gives the response that was written to the outbox from `start` on; it is sent unless the transaction doesn't allow it,
  /// in which case its octets are dropped and false is returned.
  @discardableResult
  public func respond(
    _ server: ServerTransaction, status: Int, from start: Int, at now: Instant, outbox: inout Outbox
  ) -> Bool {
    var actions: TransactionActions = []
    switch server.machine.take() {
    case .invite(var machine):
      machine.respond(status: status, at: now, into: &actions)
      server.machine = .invite(machine)
    case .nonInvite(var machine):
      machine.respond(status: status, at: now, into: &actions)
      server.machine = .nonInvite(machine)
    case nil: actions.insert(.refuse)
    }
    let isSent = actions.contains(.transmitResponse)
    if isSent, status >= 200 { server.isAnswered = true }
    carryOut(actions, server, start, now, &outbox)
    if !isSent { outbox.octets.removeSubrange(start..<outbox.octets.count) }
    return isSent
  }

  // MARK: Orders

  func expire(_ server: ServerTransaction, _ now: Instant, _ outbox: inout Outbox) {
    var actions: TransactionActions = []
    switch server.machine.take() {
    case .invite(var machine):
      machine.deadlineReached(at: now, into: &actions)
      server.machine = .invite(machine)
    case .nonInvite(var machine):
      machine.deadlineReached(at: now, into: &actions)
      server.machine = .nonInvite(machine)
    case nil: return
    }
    carryOut(actions, server, nil, now, &outbox)
  }

  func fail(_ server: ServerTransaction, _ now: Instant, _ outbox: inout Outbox) {
    var actions: TransactionActions = []
    switch server.machine.take() {
    case .invite(var machine):
      machine.transportFailed(into: &actions)
      server.machine = .invite(machine)
    case .nonInvite(var machine):
      machine.transportFailed(into: &actions)
      server.machine = .nonInvite(machine)
    case nil: return
    }
    carryOut(actions, server, nil, now, &outbox)
  }

  private func carryOut(
    _ actions: TransactionActions, _ server: ServerTransaction, _ start: Int?, _ now: Instant, _ outbox: inout Outbox
  ) {
    let tag = TransactionTag.server(server.handle).word
    if actions.contains(.storeResponse), let start {
      server.stored.clear()
      server.stored.append(outbox.octets.span.extracting(start..<outbox.octets.count))
    }
    if actions.contains(.transmitResponse), let start { outbox.transmit(from: start, to: server.destination, tag: tag) }
    if actions.contains(.retransmitResponse) { outbox.transmit(server.stored, to: server.destination, tag: tag) }
    if actions.contains(.send100) {
      let start = outbox.octets.count
      ResponseWriter.append(
        100, "Trying", to: server.request, via: server.via, source: server.source, toTag: nil, into: &outbox.octets)
      ResponseWriter.end(body: 0, into: &outbox.octets)
      server.stored.clear()
      server.stored.append(outbox.octets.span.extracting(start..<outbox.octets.count))
      outbox.transmit(from: start, to: server.destination, tag: tag)
    }
    if actions.contains(.releaseMessage) { server.stored = [] }
    // An ACK that never comes (Timer H) and a response that can't be sent are orders to inform the user; a proxy has nothing left to do for
    // that request, so they make no event.
    if actions.contains(.terminate) { end(server) } else { schedule(server) }
  }

  private func end(_ server: ServerTransaction) {
    wheel.cancel(server.handle.index << 1 | 1)
    serverIndex.remove(server.hash, server.handle.index)
    if server.branchHash != 0 { branchIndex.remove(server.branchHash, server.handle.index) }
    servers.remove(server.handle)
    events.append(.serverEnded(server))
    retiredServers.append(server)
  }

  private func schedule(_ server: ServerTransaction) {
    if let deadline = server.nextDeadline {
      wheel.schedule(server.handle.index << 1 | 1, at: deadline)
    } else {
      wheel.cancel(server.handle.index << 1 | 1)
    }
  }

  // MARK: Matching

  private func match(_ request: Message, _ via: Via, as method: Method) -> ServerTransaction? {
    let hash = TransactionHash.ofRequest(request, via, as: method, scratch: &scratch)
    lastHash = (ObjectIdentifier(request), method, hash)
    if let server = find(hash, { Self.isSame($0, request, via, as: method) && Self.isOfOneRequest($0, request) }) {
      return server
    }
    guard request.method == .ack || request.method == .cancel else { return nil }
    if via.hasMagicCookie {
      // RFC 3261 §9.2, §17.2.3: what isn't a request of its own is found by the branch alone.
      return find(in: branchIndex, TransactionHash.ofBranch(via, request, scratch: &scratch)) {
        Self.isSame($0, request, via, as: method)
      }
    }
    // The INVITE that began a dialog had no To tag; its ACK has that of the response.
    guard request.method == .ack, request.tag(of: .to) != nil else { return nil }
    return find(TransactionHash.ofRequest(request, via, as: method, hasToTag: false, scratch: &scratch)) {
      Self.isSame($0, request, via, as: method)
    }
  }

  /// The hash of a request that no transaction knew: as it was computed when it was looked for.
  private func hashOfNew(_ request: Message, _ via: Via) -> UInt64 {
    if let (message, method, hash) = lastHash, message == ObjectIdentifier(request), method == request.method {
      return hash
    }
    return TransactionHash.ofRequest(request, via, as: request.method, scratch: &scratch)
  }

  /// Lets the first INVITE of a branch be found by the branch alone; further ones have to be named in full, so that no run of equal hashes builds up.
  private func noteBranch(_ server: ServerTransaction) {
    guard server.via.hasMagicCookie else { return }
    let hash = TransactionHash.ofBranch(server.via, server.request, scratch: &scratch)
    guard find(in: branchIndex, hash, { _ in true }) == nil else { return }
    server.branchHash = hash
    branchIndex.insert(hash, server.handle.index)
  }

  private func find(_ hash: UInt64, _ matches: (ServerTransaction) -> Bool) -> ServerTransaction? {
    find(in: serverIndex, hash, matches)
  }

  private func find(
    in index: HashIndex, _ hash: UInt64, _ matches: (ServerTransaction) -> Bool
  ) -> ServerTransaction? {
    let position = index.find(hash) { position in
      guard let handle = servers.handle(at: position), let server = servers[handle] else { return false }
      return matches(server)
    }
    guard let position, let handle = servers.handle(at: position) else { return nil }
    return servers[handle]
  }

  /// Whether a request that has the branch of a transaction is of its request at all.
  ///
  /// Deviation: RFC 3261 §17.2.3 trusts the branch to be unique. Clients behind one NAT that count their branches up and name the same private
  /// address would have their calls swallowed as retransmissions of each other's (CollisionTests).
  private static func isOfOneRequest(_ server: ServerTransaction, _ request: Message) -> Bool {
    let (mine, theirs) = (server.request.bytes, request.bytes)
    func same(_ left: ByteRange?, _ right: ByteRange?) -> Bool {
      guard let left, let right else { return left == nil && right == nil }
      return mine.span.extracting(left.positions).equals(theirs.span.extracting(right.positions))
    }
    return same(server.request.value(of: .callID), request.value(of: .callID))
      && same(server.request.tag(of: .from), request.tag(of: .from))
      && (try? server.request.cseq().number) == (try? request.cseq().number)
  }

  private static func isSame(_ server: ServerTransaction, _ request: Message, _ via: Via, as method: Method) -> Bool {
    guard server.request.method == method, server.via.hasMagicCookie == via.hasMagicCookie else { return false }
    let (mine, theirs) = (server.request.bytes, request.bytes)
    func same(_ left: ByteRange?, _ right: ByteRange?) -> Bool {
      guard let left, let right else { return left == nil && right == nil }
      return mine.span.extracting(left.positions).equals(theirs.span.extracting(right.positions))
    }
    if method == .other, !same(server.request.methodToken, request.methodToken) { return false }
    guard via.hasMagicCookie else { return isSameByOldRules(server, request, via, same) }
    // RFC 3261 §17.2.3: branch, sent-by, method.
    return same(server.via.branch, via.branch)
      && mine.span.extracting(server.via.host.positions).equalsIgnoringCase(theirs.span.extracting(via.host.positions))
      && server.via.port == via.port
  }

  /// RFC 3261 §17.2.3 for branches without the cookie (RFC 2543): Request-URI, tags, Call-ID, CSeq and the whole top Via. The To tag of an ACK is
  /// that of the response.
  private static func isSameByOldRules(
    _ server: ServerTransaction, _ request: Message, _ via: Via, _ same: (ByteRange?, ByteRange?) -> Bool
  ) -> Bool {
    guard same(server.request.requestURIRange, request.requestURIRange), same(server.via.range, via.range),
      same(server.request.value(of: .callID), request.value(of: .callID)),
      same(server.request.tag(of: .from), request.tag(of: .from)),
      let mine = try? server.request.cseq(), let theirs = try? request.cseq(), mine.number == theirs.number
    else { return false }
    guard request.method == .ack else { return same(server.request.tag(of: .to), request.tag(of: .to)) }
    let response = Message()
    let sentResponse = server.stored
    response.load(sentResponse.span, limits: .largest)
    guard let sent = response.tag(of: .to), let got = request.tag(of: .to) else { return server.stored.isEmpty }
    let (sentBytes, gotBytes) = (response.bytes, request.bytes)
    return sentBytes.span.extracting(sent.positions).equals(gotBytes.span.extracting(got.positions))
  }
}

import Reactor
import Structures
import TLSEngine

/// From the socket to a connection that can be used.
extension Connection {
  /// Takes up an accepted connection, or one that the kernel is opening.
  func start() throws(SystemError) {
    deadline = layer.loop.addDeadline(self)
    try layer.loop.register(number, state == .connecting ? .writable : .readable, handler: self)
    if state == .connecting {
      deadlines.begin(.connect, until: layer.loop.now + layer.settings.connectTime)
      arm()
    } else {
      beginTLSOrOpen()
    }
  }

  /// Connects sooner than it must otherwise, or ends.
  func expectConnection(within limit: Duration) {
    guard state == .connecting else { return }
    deadlines.begin(.connect, until: min(deadlines.stage, layer.loop.now + limit))
    arm()
  }

  func finishConnecting() {
    if let error = Socket.pendingError(number) { return end(.system(error.code)) }
    deadlines.endStage()
    layer.setOptions(number)
    if let local = try? Socket.localAddress(number) { flow = flow.with(local: local, isVerified: false) }
    beginTLSOrOpen()
  }

  private func beginTLSOrOpen() {
    guard let context else { return open(tls: nil) }
    do {
      session = try TLSSession(context, descriptor: number, peerName: key.map { $0.name ?? "\($0.remote.address)" })
    } catch {
      return fail(error)
    }
    state = .handshaking
    deadlines.begin(.handshake, until: layer.loop.now + (context.handshakeTime ?? layer.settings.handshakeTime))
    arm()
    // A client speaks first.
    wantsWrite = !isAccepted
    updateInterest()
  }

  func stepHandshake() {
    // Established traffic first: a step that doesn't fit into this turn is done in the next, for the socket stays ready.
    guard let session, layer.mayStepHandshake() else { return }
    let start = System.monotonicNow
    let step = session.handshake()
    layer.noteHandshakeWork(System.monotonicNow - start)
    switch step {
    case .done:
      wantsWrite = false
      adopt(session.takeContext())
      judge(session)
    case .wantRead, .wantWrite:
      wantsWrite = step == .wantWrite
      updateInterest()
    case .failed(let error): fail(error)
    }
  }

  /// Lets peers without a certificate in, others as soon as theirs is found good. The time for the handshake runs until then.
  private func judge(_ session: TLSSession) {
    guard let peerChain, let authority = layer.peerAuthority else { return admit() }
    switch authority.judge(peerChain, staple: session.staple, of: flow) {
    case .admitted: admit()
    case .refused(let error): settle(refusal: error)
    case .open:
      state = .judged
      updateInterest()
    }
  }

  /// It is known whether the peer may come in.
  func settle(refusal: TLSError?) {
    guard let refusal else { return admit() }
    session?.shutdown()
    state = .handshaking
    fail(refusal)
  }

  private func admit() {
    deadlines.endStage()
    layer.endHandshake(self)
    open(tls: session?.facts)
  }

  private func fail(_ error: TLSError) {
    layer.counters.handshakeFailures[Int(error.kind.rawValue)] += 1
    end(.tls(error))
  }

  private func open(tls: TLSFacts?) {
    state = .open
    flow = flow.with(local: flow.local, isVerified: tls?.isVerified ?? false)
    layer.counters.opened += 1
    if let tls { layer.counters.tls.opened(tls, isAccepted: isAccepted) }
    if isAccepted { deadlines.begin(.firstMessage, until: layer.loop.now + layer.settings.firstMessageTime) }
    touch()
    arm()
    updateInterest()
    if output.count > 0 { queueForFlush() }
    let facts = ConnectionFacts(
      isAccepted: isAccepted, profile: key?.profile ?? context?.profile(forServerName: tls?.serverName),
      peerName: key?.name, tls: tls)
    layer.delegate?.transport(opened: flow, facts: facts)
  }
}

extension Flow {
  func with(local: SocketAddress, isVerified: Bool) -> Flow {
    Flow(
      id: id, transport: transport, listener: listener, local: local, remote: remote, isVerified: isVerified)
  }

  func with(isTrusted: Bool) -> Flow {
    Flow(
      id: id, transport: transport, listener: listener, local: local, remote: remote, isVerified: isVerified,
      isTrusted: isTrusted)
  }
}

import Reactor
import Structures
import TLSEngine

/// The ways to the end of a connection.
extension Connection {
  /// Reads and takes no more, sends what waits, then closes.
  func finish(_ reason: CloseReason) {
    switch state {
    case .connecting, .handshaking, .judged, .arriving: end(reason)
    case .open:
      state = .flushing(reason)
      layer.pool.give(&input)
      deadlines.clear()
      deadlines.send = layer.loop.now + sendTime
      arm()
      updateInterest()
      queueForFlush()
    case .flushing, .draining, .leaving, .closed: break
    }
  }

  /// Everything is sent: says so and waits for the peer to do the same.
  func beginDraining(_ reason: CloseReason) {
    state = .draining
    session?.shutdown()
    session = nil
    Socket.shutdownWrite(number)
    deadlines.clear()
    deadlines.begin(.drain, until: layer.loop.now + layer.settings.drainTime)
    arm()
    updateInterest()
    reportClosed(reason)
  }

  /// Reads what nobody wants any more.
  func drain() {
    var scratch = layer.takeScratch()
    let result = Socket.read(number, into: &scratch)
    layer.giveScratch(&scratch)
    switch result {
    case .octets, .wouldBlock: break
    case .endOfFile, .failed: end(.ordered)
    }
  }

  /// Ends at once: gives everything back, then tells whoever has to know.
  func end(_ reason: CloseReason) {
    let last = state
    guard last != .closed else { return }
    state = .closed
    layer.loop.unregister(number)
    if let deadline = deadline.take() { layer.loop.removeDeadline(deadline) }
    // OpenSSL's object goes before the descriptor that it writes to.
    session = nil
    descriptor = nil
    layer.forget(self)
    layer.pool.give(&input)
    let failure = sendFailure(last, reason)
    output.forEachWaitingTag { layer.queueFailure($0, failure) }
    output.discard(pool: &layer.pool)
    report(last, reason)
  }

  private func report(_ last: State, _ reason: CloseReason) {
    switch last {
    case .handshaking, .judged:
      let failure: HandshakeFailure =
        switch reason {
        case .tls(let error): .tls(error)
        case .deadline: .deadline
        case .peerClosed, .system, .framing, .ordered, .shutdown: .abandoned
        }
      layer.delegate?.transport(
        handshakeFailed: flow.local, remote: flow.remote, isServer: isAccepted, because: failure)
    case .open, .flushing, .arriving, .leaving:
      reportClosed(reason)
    case .connecting, .draining, .closed: break
    }
  }

  private func reportClosed(_ reason: CloseReason) {
    layer.counters.closed += 1
    if context != nil { layer.counters.tls.open -= 1 }
    layer.delegate?.transport(closed: flow, because: reason)
  }

  private func sendFailure(_ last: State, _ reason: CloseReason) -> SendFailure {
    switch (last, reason) {
    case (.connecting, .system(let code)): .connectFailed(code)
    case (.connecting, .deadline): .connectTimeout
    case (.handshaking, .tls(let error)), (.judged, .tls(let error)): .handshakeFailed(error)
    case (.handshaking, .deadline), (.judged, .deadline): .handshakeFailed(nil)
    default: .closed(reason)
    }
  }
}

import Reactor
import Structures

/// Whether the peer still lives: what is written must be acknowledged, and who promised signs of life must give them.
extension Connection {
  /// Octets were written. Costs a comparison unless nothing was watched before.
  func noteWritten() {
    guard let limit = layer.settings.acknowledgementTime, state == .open else { return }
    guard watch.note(layer.loop.now, limit: limit) else { return }
    deadlines.acknowledgement = min(deadlines.acknowledgement, layer.loop.now + limit)
    arm()
  }

  /// Octets were read.
  func noteLife() {
    if silenceLimit > 0 { deadlines.silence = layer.loop.now.adding(nanoseconds: silenceLimit) }
    if isSuspect { recover() }
  }

  /// Closes the connection unless something is read at least so often; zero: no more.
  func expectLife(within limit: Duration) {
    guard state == .open else { return }
    silenceLimit = limit.nanoseconds
    deadlines.silence = limit > .zero ? layer.loop.now + limit : .distantFuture
    arm()
  }

  /// Looks whether what was written so long ago has arrived. What waits because the peer's window is closed was not sent; and a peer that
  /// answered when it was asked last, by data sent again or by a probe, is there, however rarely it is asked.
  func lookForAcknowledgement() {
    deadlines.acknowledgement = .distantFuture
    guard state == .open, let limit = layer.settings.acknowledgementTime else { return }
    let now = layer.loop.now
    guard Socket.unacknowledged(number) > 0, let peer = Socket.acknowledgements(number), peer.inFlight + peer.probes > 0
    else {
      watch.clear()
      if isSuspect { recover() }
      return
    }
    let acknowledged = now.adding(nanoseconds: -peer.silence.nanoseconds)
    let hasNew = watch.oldest != nil
    watch.acknowledge(until: acknowledged + Self.clockSlack)
    // What is in flight without being watched is older than the last acknowledgement.
    let age = watch.oldest.map { now - $0 } ?? peer.silence
    guard peer.silence >= limit, age >= limit else {
      deadlines.acknowledgement = max(acknowledged, watch.oldest ?? acknowledged) + limit
      return
    }
    let isAsked = peer.probes > 0 || peer.lastSent + Self.clockSlack < peer.silence
    guard isAsked, peer.lastSent >= Self.patience else {
      deadlines.acknowledgement = now + Self.patience
      return
    }
    deadlines.acknowledgement = now + limit
    watch.clear()
    if isSuspect, !hasNew { return }
    if !isSuspect { layer.counters.suspects += 1 }
    isSuspect = true
    layer.delegate?.transport(suspect: flow)
  }

  /// The kernel tells times in ticks of up to 10 ms.
  private static var clockSlack: Duration { .milliseconds(10) }
  /// What was sent just now may yet be acknowledged.
  private static var patience: Duration { .milliseconds(200) }

  private func recover() {
    isSuspect = false
    layer.delegate?.transport(recovered: flow)
  }
}

import Reactor
import Structures
import TLSEngine

/// From messages to octets: what a turn sends to one connection goes out together at its end.
extension Connection {
  private enum Writing {
    case octets(Int)
    case wait
    case failed(CloseReason)
  }

  func enqueue(_ octets: Span<UInt8>, tag: UInt64) -> SendResult {
    guard takesMessages else { return .noSuchFlow }
    // The first is always taken: a limit below the size of a message must not make a connection useless.
    if output.count > 0, output.count + octets.count > layer.settings.maximumQueuedBytes {
      layer.counters.overloads += 1
      return .overloaded
    }
    output.append(octets, tag: tag, pool: &layer.pool)
    if state == .open { queueForFlush() }
    return .accepted
  }

  func queueForFlush() {
    if isQueuedForFlush { return }
    isQueuedForFlush = true
    layer.queueForFlush(self)
  }

  /// Writes what the socket takes and decides what to wait for.
  func flush() {
    switch state {
    case .open, .flushing: break
    case .connecting, .handshaking, .judged, .draining, .leaving, .arriving, .closed: return
    }
    var hasProgress = false
    writing: while output.count > 0 {
      switch writeSome() {
      case .octets(let count):
        hasProgress = true
        layer.counters.octetsSent += UInt64(count)
        output.advance(count, pool: &layer.pool)
      case .wait: break writing
      case .failed(let reason): return end(reason)
      }
    }
    if hasProgress {
      touch()
      noteWritten()
    }
    if case .flushing(let reason) = state, output.count == 0 { return beginDraining(reason) }
    if hasEnded {
      session?.shutdown()
      return end(.peerClosed)
    }
    superviseOutput(hasProgress)
    updateInterest()
  }

  private func superviseOutput(_ hasProgress: Bool) {
    if output.count == 0 {
      deadlines.send = .distantFuture
    } else if hasProgress || deadlines.send == .distantFuture {
      deadlines.send = layer.loop.now + sendTime
      arm()
    }
    let suspends = output.count > layer.settings.backPressureBytes
    if suspends, !isSuspended { layer.counters.suspensions += 1 }
    isSuspended = suspends
  }

  private func writeSome() -> Writing {
    let octets = output.octets
    let waiting = octets.span.extracting(output.sent..<octets.count)
    guard let session else {
      switch Socket.send(number, waiting) {
      case .octets(let count): return .octets(count)
      case .wouldBlock: return .wait
      case .endOfFile: return .failed(.peerClosed)
      case .failed(let code): return .failed(.system(code))
      }
    }
    switch session.write(waiting) {
    case .octets(let count): return .octets(count)
    case .wantRead, .wantWrite: return .wait
    case .endOfFile: return .failed(.peerClosed)
    case .failed(let error): return .failed(.tls(error))
    }
  }
}

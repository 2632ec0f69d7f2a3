import Reactor
import SIPMessage
import Structures

/// From octets to messages. Whole messages are delivered from the buffer that all connections share; only the beginning
/// of an unfinished one is copied.
extension Connection {
  private enum Reading {
    case octets(Int)
    case wait
    case endOfFile
    case failed(CloseReason)
  }

  /// Delivers what was left of the last turn, or reads once; the socket is reported again while more is there, so that no peer keeps the others
  /// waiting.
  func readMore() {
    guard state == .open else { return }
    messagesLeft = Int32(clamping: layer.settings.messagesPerTurn)
    guard hasBacklog else { return read() }
    hasBacklog = false
    frameInput()
    superviseInput()
    // No event tells of what TLS has inside.
    if state == .open, !hasBacklog, session?.hasPending == true { layer.queueReader(self) }
  }

  private func read() {
    var scratch = layer.takeScratch()
    // Again only for what TLS has inside already (never more than a record): no event would tell of that.
    repeat {
      switch readSome(&scratch) {
      case .octets(let count): receive(scratch.span.extracting(0..<count))
      case .wait: updateInterest()
      case .endOfFile:
        hasEnded = true
        updateInterest()
        queueForFlush()
      case .failed(let reason): end(reason)
      }
    } while state == .open && !hasEnded && !hasBacklog && session?.hasPending == true
    layer.giveScratch(&scratch)
  }

  private func readSome(_ scratch: inout [UInt8]) -> Reading {
    guard let session else {
      switch Socket.read(number, into: &scratch) {
      case .octets(let count): return .octets(count)
      case .wouldBlock: return .wait
      case .endOfFile: return .endOfFile
      case .failed(let code): return .failed(.system(code))
      }
    }
    switch session.read(into: &scratch) {
    case .octets(let count): return .octets(count)
    case .wantRead: return .wait
    case .wantWrite:
      wantsWrite = true
      return .wait
    case .endOfFile: return .endOfFile
    case .failed(let error): return .failed(.tls(error))
    }
  }

  private func receive(_ octets: Span<UInt8>) {
    layer.counters.octetsReceived += UInt64(octets.count)
    touch()
    noteLife()
    if input.isEmpty {
      let used = frame(octets)
      if state == .open, used < octets.count {
        input = layer.pool.take()
        input.append(octets.extracting(used..<octets.count))
      }
    } else {
      input.append(octets)
      frameInput()
    }
    superviseInput()
  }

  /// A message that has begun must end in time; one that waits for its turn need not.
  private func superviseInput() {
    guard state == .open else { return }
    if hasBacklog { layer.queueReader(self) }
    if input.isEmpty || hasBacklog {
      deadlines.message = .distantFuture
    } else if deadlines.message == .distantFuture {
      deadlines.message = layer.loop.now + layer.settings.messageTime
      arm()
    }
  }

  /// The buffer is out of reach while its messages are delivered: whoever gets them may close this connection.
  private func frameInput() {
    var buffer: [UInt8] = []
    swap(&buffer, &input)
    let used = frame(buffer.span)
    if state == .open, used < buffer.count {
      if used > 0 { buffer.removeFirst(used) }
      swap(&buffer, &input)
    } else {
      layer.pool.give(&buffer)
    }
  }

  /// Delivers whole messages, as many as the turn allows, and returns how many octets are done with.
  private func frame(_ octets: Span<UInt8>) -> Int {
    var used = 0
    while state == .open {
      if messagesLeft <= 0, used < octets.count {
        hasBacklog = true
        return used
      }
      switch framer.next(octets.extracting(used..<octets.count)) {
      case .incomplete: return used
      case .keepAlive(let length, let isPing):
        used += length
        layer.counters.keepAlives += 1
        deadlines.message = .distantFuture
        // RFC 5626 §4.4.1: a double line break is answered with a single one.
        if isPing { answerPing() }
      case .message(let length):
        let message = octets.extracting(used..<used + length)
        used += length
        messagesLeft -= 1
        layer.counters.messagesReceived += 1
        deadlines.endStage()
        deadlines.message = .distantFuture
        layer.delegate?.transport(received: message, over: flow)
      case .broken(let error, let head):
        layer.counters.framingErrors += 1
        layer.delegate?.transport(cannotFrame: octets.extracting(used..<used + head), because: error, over: flow)
        finish(.framing(error))
      }
    }
    return octets.count
  }

  private func answerPing() {
    let lineBreak = layer.lineBreak
    _ = enqueue(lineBreak.span, tag: 0)
  }
}

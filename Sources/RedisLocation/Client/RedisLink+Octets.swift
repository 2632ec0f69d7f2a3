import Reactor
import Structures

/// Octets in and out of a connection.
extension RedisLink {
  func write() {
    while sent < output.count {
      let octets = output
      guard let outcome = socket?.write(octets.span.extracting(sent..<octets.count)) else { return }
      switch outcome {
      case .octets(let count): sent += count
      case .wait:
        isBlocked = true
        // What was sent is cut off once it is more than what waits: each octet is moved once on average.
        if sent > 64 << 10, sent > output.count / 2 {
          output.removeFirst(sent)
          sent = 0
        }
        return updateInterest()
      case .failed(let trouble): return lost(trouble)
      }
    }
    output.clear()
    sent = 0
    updateInterest()
  }

  /// Reads at most as much as the scratch has room for.
  func read() {
    var buffer: [UInt8] = []
    swap(&buffer, &scratch.octets)
    defer { swap(&buffer, &scratch.octets) }
    var count = 0
    guard let outcome = socket?.read(into: &buffer) else { return }
    switch outcome {
    case .octets(let number): count = number
    case .wait: return updateInterest()
    case .failed(let trouble): return lost(trouble)
    }
    // No event tells of what TLS has inside.
    if socket?.hasInside ?? false {
      readsAgain = true
      loop.turnAgain()
    }
    updateInterest()
    take(buffer.span.extracting(0..<count))
  }

  /// Takes replies until the octets are used up or the connection that brought them is gone.
  private func take(_ octets: Span<UInt8>) {
    let origin = connection
    var position = 0
    while connection == origin {
      let reply: RedisReply?
      do {
        reply = try reader.next(from: octets, at: &position)
      } catch {
        return lost(.malformed)
      }
      guard let reply else { return }
      machine.received(reply, at: loop.now, into: &actions)
      perform()
    }
  }
}

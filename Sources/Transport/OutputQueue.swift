import Structures

/// The octets that wait to be sent on one connection, and the tags of the messages that they are of.
struct OutputQueue {
  private struct Mark {
    let tag: UInt64
    /// Position in the whole stream of the octet after the message.
    let end: UInt64
  }

  private(set) var octets: [UInt8] = []
  /// Octets at the front that are sent already.
  private(set) var sent = 0
  /// Position in the whole stream of `octets[0]`.
  private var base: UInt64 = 0
  private var marks: [Mark] = []

  /// How many octets wait.
  var count: Int { octets.count - sent }

  /// Appends a message; tag 0 means that nobody asks.
  mutating func append(_ message: Span<UInt8>, tag: UInt64, pool: inout BufferPool) {
    if octets.capacity == 0 { octets = pool.take() }
    octets.append(message)
    if tag != 0 { marks.append(Mark(tag: tag, end: base + UInt64(octets.count))) }
  }

  /// Notes that `count` more octets were sent.
  mutating func advance(_ count: Int, pool: inout BufferPool) {
    sent += count
    if sent == octets.count {
      base += UInt64(sent)
      sent = 0
      marks.removeAll(keepingCapacity: true)
      pool.give(&octets)
    } else if sent > 64 << 10, sent > octets.count / 2 {
      // What was sent is cut off once it is more than what waits: each octet is moved once on average.
      base += UInt64(sent)
      octets.removeFirst(sent)
      sent = 0
      let reached = base
      marks.removeAll { $0.end <= reached }
    }
  }

  /// Calls `body` with each tag of which octets wait.
  func forEachWaitingTag(_ body: (UInt64) -> Void) {
    for mark in marks where mark.end > base + UInt64(sent) { body(mark.tag) }
  }

  /// Gives the room back; nothing waits any more.
  mutating func discard(pool: inout BufferPool) {
    base += UInt64(octets.count)
    sent = 0
    marks = []
    pool.give(&octets)
  }
}

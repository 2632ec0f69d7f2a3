import Structures

/// The end of a message in an output queue, for those who ask what became of it.
struct OutputMark {
  let tag: UInt64
  /// Position in the queue's octets of the one after the message.
  var end: Int
}

/// The octets that wait to be sent on one connection, and the tags of the messages that they are of.
struct OutputQueue {
  private(set) var octets: [UInt8] = []
  /// Octets at the front that are sent already.
  private(set) var sent = 0
  private var marks: [OutputMark] = []

  /// How many octets wait.
  var count: Int { octets.count - sent }

  /// Appends a message; tag 0 means that nobody asks.
  mutating func append(_ message: Span<UInt8>, tag: UInt64, pool: inout BufferPool) {
    if octets.capacity == 0 { octets = pool.take() }
    octets.append(message)
    if tag == 0 { return }
    if marks.capacity == 0 { marks = pool.takeMarks() }
    marks.append(OutputMark(tag: tag, end: octets.count))
  }

  /// Notes that `count` more octets were sent.
  mutating func advance(_ count: Int, pool: inout BufferPool) {
    sent += count
    if sent == octets.count {
      discard(pool: &pool)
    } else if sent > 64 << 10, sent > octets.count / 2 {
      // What was sent is cut off once it is more than what waits: each octet is moved once on average.
      octets.removeFirst(sent)
      marks.removeAll { $0.end <= sent }
      for index in marks.indices { marks[index].end -= sent }
      sent = 0
    }
  }

  /// Calls `body` with the tag of each message that hasn't been sent to its end.
  func forEachWaitingTag(_ body: (UInt64) -> Void) {
    for mark in marks where mark.end > sent { body(mark.tag) }
  }

  /// Forgets everything.
  mutating func discard(pool: inout BufferPool) {
    sent = 0
    pool.give(&marks)
    pool.give(&octets)
  }
}

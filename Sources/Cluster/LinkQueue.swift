import Structures

/// What waits to be sent over one link, cut into packets. Bounded in octets; a reserve beyond the bound is for what must not be refused.
struct LinkQueue {
  /// A packet is as long as that unless a single frame is longer.
  static let packetSize = 65_536

  /// The frames, one behind the other; those before ``sent`` are gone.
  private var octets: [UInt8] = []
  private var sent = 0
  /// Where a packet begins, but the first.
  private var boundaries: [Int] = []
  private var nextBoundary = 0
  private var lastStart = 0

  /// Octets that wait.
  var count: Int { octets.count - sent }
  var isEmpty: Bool { count == 0 }

  /// Adds a frame unless more than `limit` octets would wait then; returns whether it was. The first is always taken.
  mutating func append(_ frame: LinkFrame, _ payload: Span<UInt8>, limit: Int) -> Bool {
    guard isEmpty || count + payload.count + LinkFrame.longestHead <= limit else { return false }
    let start = octets.count
    frame.append(payload, to: &octets)
    if octets.count - lastStart > Self.packetSize, start > lastStart {
      boundaries.append(start)
      lastStart = start
    }
    return true
  }

  /// Hands the packets to `send` until it takes one no more. A packet is taken whole or not at all.
  mutating func flush(_ send: (Span<UInt8>) -> Bool) {
    while sent < octets.count {
      let end = nextBoundary < boundaries.count ? boundaries[nextBoundary] : octets.count
      guard send(octets.span.extracting(sent..<end)) else { break }
      sent = end
      nextBoundary += 1
    }
    if sent == octets.count { removeAll() } else { compact() }
  }

  /// Forgets everything, keeping the memory of a usual turn.
  mutating func removeAll() {
    octets.removeAll(keepingCapacity: octets.capacity <= 4 * Self.packetSize)
    boundaries.removeAll(keepingCapacity: true)
    sent = 0
    nextBoundary = 0
    lastStart = 0
  }

  /// What waits must not keep the room of what was sent.
  private mutating func compact() {
    guard sent > octets.count / 2 else { return }
    octets.removeSubrange(..<sent)
    boundaries.removeSubrange(..<nextBoundary)
    for index in boundaries.indices { boundaries[index] -= sent }
    lastStart -= sent
    nextBoundary = 0
    sent = 0
  }
}

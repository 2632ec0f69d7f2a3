import CLinux
import Glibc
import Reactor
import Structures
import Testing

@testable import Cluster

/// A directory of listeners as a supervisor holds them, and workers' ends in one loop.
final class LinkBench {
  /// One worker's end, with what it heard.
  final class End: LinkDelegate {
    let links: LinkSet
    private(set) var frames: [LinkFrame] = []
    private(set) var payloads: [[UInt8]] = []
    private(set) var senders: [LinkIdentity] = []
    private(set) var ups: [LinkIdentity] = []
    private(set) var downs: [UInt16] = []
    private(set) var losses: [(slot: UInt16, generation: UInt16)] = []
    var answer: ((LinkFrame, End) -> Void)?

    init(_ links: LinkSet) { self.links = links }

    func links(received frame: LinkFrame, _ octets: Span<UInt8>, from sender: LinkIdentity) {
      frames.append(frame)
      payloads.append((0..<octets.count).map { octets[$0] })
      senders.append(sender)
      answer?(frame, self)
    }

    /// Sends a frame with octets behind it.
    func send(_ frame: LinkFrame, _ payload: [UInt8] = [], to slot: UInt16, isUrgent: Bool = true) -> LinkResult {
      links.send(frame, payload.span, to: slot, isUrgent: isUrgent)
    }

    func links(up peer: LinkIdentity) { ups.append(peer) }
    func links(down slot: UInt16) { downs.append(slot) }
    func links(lost slot: UInt16, generation: UInt16) { losses.append((slot, generation)) }
  }

  let loop: EventLoop
  let directory: String
  private var listeners: [Int32] = []

  init(slots: Int) throws {
    System.ignoreBrokenPipes()
    loop = try EventLoop()
    var template = Array("/tmp/apus-links-XXXXXX".utf8CString)
    directory = try template.withUnsafeMutableBufferPointer { text in
      let start = try #require(text.baseAddress)
      return String(cString: try #require(mkdtemp(start)))
    }
    for slot in 0..<slots {
      let number = clinux_unix_listen("\(directory)/\(slot)", clinux_seqpacket, 0o600, 64)
      try #require(number >= 0)
      listeners.append(number)
    }
  }

  deinit {
    for listener in listeners { close(listener) }
    for slot in 0..<listeners.count { unlink("\(directory)/\(slot)") }
    rmdir(directory)
  }

  /// A worker of a slot begins; its listener is a copy of the one that is held.
  func start(
    _ slot: UInt16, generation: UInt16 = 1, epoch: UInt64 = 9, limit: Int = 1 << 20, reserve: Int = 1 << 20,
    listens: Bool = true
  ) throws -> End {
    var settings = LinkSettings(directory: directory, slots: UInt16(listeners.count))
    settings.limit = limit
    settings.reserve = reserve
    let links = LinkSet(
      loop: loop, identity: LinkIdentity(node: 7, epoch: epoch, slot: slot, generation: generation), settings: settings)
    let end = End(links)
    links.delegate = end
    try links.start(listener: Descriptor(owning: dup(listeners[Int(slot)])), listens: listens)
    return end
  }

  /// Turns the loop until `condition` holds; false when it doesn't within ten seconds.
  func turn(until condition: () -> Bool) -> Bool {
    let limit = System.monotonicNow + .seconds(10)
    while System.monotonicNow < limit {
      if condition() { return true }
      guard (try? loop.runOnce(until: System.monotonicNow + .milliseconds(2))) != nil else { return false }
    }
    return condition()
  }

  /// Somebody's connection to the listener of a slot that has no worker; the caller closes it.
  func accept(_ slot: Int) -> Int32? {
    var number: Int32?
    _ = turn {
      guard let made = LinkSocket.accept(self.listeners[slot]) else { return false }
      number = made.release()
      return true
    }
    return number
  }

  /// Turns the loop for some time, whatever happens.
  func turn(for duration: Duration) {
    let end = System.monotonicNow + duration
    while System.monotonicNow < end { try? loop.runOnce(until: System.monotonicNow + .milliseconds(2)) }
  }

  /// Two workers that have said hello.
  func pair(limit: Int = 1 << 20, reserve: Int = 1 << 20) throws -> (End, End) {
    let (left, right) = (
      try start(0, limit: limit, reserve: reserve), try start(1, limit: limit, reserve: reserve)
    )
    try #require(turn { left.links.isComplete && right.links.isComplete })
    return (left, right)
  }
}

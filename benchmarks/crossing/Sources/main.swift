import CLinux
import Cluster
import Glibc
import Reactor
import Structures

/// One of two processes that send frames to each other over a link: `crossing DIRECTORY SLOT FRAMES WINDOW OCTETS`.
///
/// Slot 0 keeps `WINDOW` frames of so many octets under way, slot 1 sends each of them back, until slot 0 got `FRAMES`. Each prints the processor
/// time that it took, in microseconds.
final class Crossing: LinkDelegate {
  private let loop: EventLoop
  private let links: LinkSet
  private let slot: UInt16
  private let frames: Int
  private let window: Int
  private let flow: StreamFlow
  private let payload: [UInt8]
  private var received = 0
  private var started: Int64 = 0

  init(_ words: [String]) throws {
    guard words.count == 6, let slot = UInt16(words[2]), let frames = Int(words[3]), let window = Int(words[4]),
      let octets = Int(words[5])
    else { throw SystemError("arguments", code: 22) }
    (self.slot, self.frames, self.window) = (slot, frames, window)
    payload = [UInt8](repeating: 0x41, count: octets)
    flow = StreamFlow(node: 1, slot: 1 - slot, epoch: 1, connection: 1 << 48)
    loop = try EventLoop()
    links = LinkSet(
      loop: loop, identity: LinkIdentity(node: 1, epoch: 1, slot: slot, generation: 1),
      settings: LinkSettings(directory: words[1], slots: 2))
    links.delegate = self
    let listener = clinux_unix_listen("\(words[1])/\(slot)", clinux_seqpacket, 0o600, 16)
    guard listener >= 0 else { throw SystemError("listen", code: -listener) }
    try links.start(listener: Descriptor(owning: listener))
  }

  func run() throws {
    let limit = System.monotonicNow + .seconds(60)
    while !links.isComplete, System.monotonicNow < limit { try loop.runOnce(until: limit) }
    // The other may still wait for the answer to its hello.
    let settled = System.monotonicNow + .milliseconds(100)
    while System.monotonicNow < settled { try loop.runOnce(until: settled) }
    started = Self.processorTime()
    if slot == 0 { for _ in 0..<window { send() } }
    while received < frames, System.monotonicNow < limit { try loop.runOnce(until: limit) }
    print(Self.processorTime() - started)
    links.closeAll()
  }

  func links(received frame: LinkFrame, _ octets: Span<UInt8>, from sender: LinkIdentity) {
    received += 1
    send()
  }

  func links(up peer: LinkIdentity) {}
  func links(down slot: UInt16) { received = frames }
  func links(lost slot: UInt16, generation: UInt16) {}

  private func send() {
    let octets = payload
    _ = links.send(.sendOnFlow(flow, tag: 5, generation: 1), octets.span, to: 1 - slot)
  }

  /// User and system time of this process, in microseconds.
  private static func processorTime() -> Int64 {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int64(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000
      + Int64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
  }
}

try Crossing(CommandLine.arguments).run()

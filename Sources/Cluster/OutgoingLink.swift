import Reactor
import Structures

/// The link over which this worker sends to one other slot. It only ever sends, but for the other's hello.
///
///     waiting ──connected──► greeting ──hello──► up
///        ▲                       │                │
///        └────── end of file ────┴────────────────┘
///
/// That a connection is made proves nothing: the supervisor holds the listener of a slot whose process is dead, and the next process takes
/// what waits there. So the link is up when the other's hello has come.
final class OutgoingLink: EventHandler, DeadlineOwner {
  enum State {
    case waiting
    case greeting(Int32)
    case up(Int32, generation: UInt16)
    case closed
  }

  private static let firstDelay = Duration.milliseconds(20)
  private static let longestDelay = Duration.milliseconds(200)

  let slot: UInt16
  private unowned let links: LinkSet
  private(set) var state = State.waiting
  private var queue = LinkQueue()
  private var descriptor: Descriptor?
  private var isQueuedForFlush = false
  private var delay = firstDelay
  private var retry: DeadlineID?

  init(slot: UInt16, links: LinkSet) {
    self.slot = slot
    self.links = links
  }

  var generation: UInt16? {
    if case .up(_, let generation) = state { return generation }
    return nil
  }

  // MARK: Inputs

  /// Tries to connect unless it did already.
  func connect() {
    guard case .waiting = state else { return }
    do {
      let made = try LinkSocket.connect(to: "\(links.settings.directory)/\(slot)")
      let number = made.number
      try links.loop.register(number, .readable, handler: self)
      descriptor = consume made
      state = .greeting(number)
      var hello: [UInt8] = []
      LinkFrame.hello(links.identity).append(to: &hello)
      if case .failed = Socket.send(number, hello.span) { drop() }
    } catch {
      retryLater()
    }
  }

  /// The other slot's process lives: it is worth another try at once.
  func poke() {
    delay = Self.firstDelay
    connect()
  }

  func send(_ frame: LinkFrame, _ octets: Span<UInt8>, isUrgent: Bool) -> LinkResult {
    // A process that asks may have linked to us before our own link to it stands: it waits for its answer.
    guard generation != nil || frame.isAnswer && links.isLinkedFrom(slot) else { return .down }
    let limit = links.settings.limit + (isUrgent ? links.settings.reserve : 0)
    guard octets.count <= LinkFrame.maximumOctets, queue.append(frame, octets, limit: limit) else {
      links.counters.refused += 1
      return .full
    }
    links.counters.framesSent += 1
    links.counters.longestQueue = max(links.counters.longestQueue, queue.count)
    if !isQueuedForFlush {
      isQueuedForFlush = true
      links.queueForFlush(self)
    }
    return .queued
  }

  /// Sends what the kernel takes.
  func flush() {
    isQueuedForFlush = false
    guard case .up(let number, _) = state else { return }
    var isBroken = false
    queue.flush { packet in
      switch Socket.send(number, packet) {
      case .octets:
        links.counters.packetsSent += 1
        return true
      case .wouldBlock: return false
      case .failed(Errno.noBuffers), .failed(Errno.noMemory): return false
      case .endOfFile, .failed:
        isBroken = true
        return false
      }
    }
    if isBroken { return drop() }
    links.loop.modify(number, queue.isEmpty ? .readable : [.readable, .writable])
  }

  /// Goes on in place of a link to an earlier process of the slot, with all that waits there, and ends that one. It is no loss.
  func replace(_ other: OutgoingLink) {
    other.flush()
    swap(&queue, &other.queue)
    other.close(isLoss: false)
    if !queue.isEmpty, !isQueuedForFlush {
      isQueuedForFlush = true
      links.queueForFlush(self)
    }
  }

  /// Ends it for good. `isLoss`: whether the process at the other end is lost with it.
  func close(isLoss: Bool = true) {
    if !isLoss { state = .closed }
    drop()
    state = .closed
    if let retry { links.loop.removeDeadline(retry) }
    retry = nil
  }

  // MARK: Events

  func ready(_ events: Events) {
    switch state {
    case .greeting(let number), .up(let number, _):
      if !events.isDisjoint(with: [.readable, .hangup, .error]) { read(number) }
      if events.contains(.writable), case .up = state { flush() }
    case .waiting, .closed: break
    }
  }

  func deadlinePassed(_ deadline: DeadlineID) { connect() }

  private func read(_ number: Int32) {
    switch links.receive(number, { self.received($0) }) {
    case .octets, .wouldBlock: break
    case .endOfFile, .failed: drop()
    }
  }

  private func received(_ packet: Span<UInt8>) {
    var reader = LinkReader()
    guard case .greeting(let number) = state, case .frame(.hello(let peer), _) = reader.next(packet),
      links.isPeer(peer), peer.slot == slot
    else {
      // Nothing else is ever said in this direction by the present version; a later one may say more.
      if case .greeting = state { drop() }
      return
    }
    state = .up(number, generation: peer.generation)
    delay = Self.firstDelay
    if !queue.isEmpty, !isQueuedForFlush {
      isQueuedForFlush = true
      links.queueForFlush(self)
    }
    links.isUp(peer, self)
  }

  // MARK: End

  func drop() {
    let wasUp = generation != nil
    if let number = descriptor?.number { links.loop.unregister(number) }
    descriptor = nil
    if wasUp { queue.removeAll() }
    if case .closed = state { return }
    state = .waiting
    retryLater()
    if wasUp, links.isCurrent(self) { links.isDown(slot) }
  }

  private func retryLater() {
    let deadline = retry ?? links.loop.addDeadline(self)
    retry = deadline
    links.loop.schedule(deadline, at: links.loop.now + delay)
    delay = min(delay * 2, Self.longestDelay)
  }
}

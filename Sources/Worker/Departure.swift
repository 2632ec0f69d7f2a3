import Cluster
import Reactor
import Structures
import TLSEngine

/// The old process's side of a hand-over: everything that can go on in the next process of the slot goes there, and what was begun here is finished through it.
///
/// In order: no more is accepted, nor are datagrams read (they wait in the sockets); the next process takes the listeners; connections follow, some at a time,
/// between other work. What is sent over a connection that has gone is passed on, in the order in which it was sent. When no transaction waits any
/// more the process ends.
final class Departure: HandOverDelegate {
  /// Connections that are on their way at a time.
  private static let window = 64
  /// How long one turn may be busy with connections.
  private static let budget = Duration.milliseconds(1)
  /// Octets of records in one packet, about.
  private static let pieceSize = 32 << 10
  /// Records that are looked at before the clock is.
  private static let recordsAtOnce = 64
  /// How long it stays when all is done: others may still be on their way to the next process.
  private static let linger = Duration.seconds(1)
  /// The same while requests over UDP may come again, or what was answered be lost (RFC 3261 §17.2: T2 and a little more; not for the whole of
  /// 64*T1, as earlier processes hold up the next replacement of the slot).
  private static let datagramLinger = Duration.seconds(5)
  /// How long connections that can't be moved stay: handshakes under way, peers with certificates, SSL objects. Then they are closed, a twentieth
  /// each second, so that clients don't come back all at once.
  private static let patience = Duration.seconds(10)
  private static let slices = 20
  /// How long the whole takes at most: no transaction lasts longer than Timer C (RFC 3261 §16.6).
  private static let longest = Duration.seconds(190)

  /// How long the supervisor may take to say that this process goes on when the next one has ended.
  private static let decisionTime = Duration.seconds(2)

  private unowned let node: WorkerNode
  private(set) var link: HandOverLink?
  /// Where records are that may have bindings over UDP and have yet to be told.
  private var records: [UInt32] = []
  private var orphanedSince: Instant?
  private var queue: [UInt64] = []
  private var onTheirWay: [UInt64: StreamFlow] = [:]
  /// Connections that the next process has.
  private var moved: [StreamFlow] = []
  private var refused: Set<UInt64> = []
  private var state: [UInt8] = []
  private let start: Instant
  private var isComplete = false
  private var doneSince: Instant?
  private var slice = 0
  private var nextSlice: Instant
  private var deadline: DeadlineID?

  init(_ node: WorkerNode, _ descriptor: consuming Descriptor) throws(SystemError) {
    self.node = node
    start = node.loop.now
    nextSlice = start + Self.patience
    state.reserveCapacity(128 << 10)
    link = try HandOverLink(descriptor, loop: node.loop, delegate: self)
    deadline = node.loop.addDeadline(self)
  }

  /// Lets go of the listeners.
  func begin() {
    node.transport.rest()
    node.links?.stopListening()
    node.core.stopKeepingAlive(at: node.loop.now)
    node.location.flush()
    records = node.core.owned.recordPositions
    link?.send(.listeners(node.transport.identity.generation))
    queue = node.transport.movableConnections
    wake(after: .zero)
  }

  /// The next process is known to be dead: connections on their way stay. Returns those that are lost.
  func abandon() -> [StreamFlow] {
    for id in onTheirWay.keys { node.transport.stay(id) }
    onTheirWay = [:]
    link?.close()
    link = nil
    if let deadline = deadline.take() { node.loop.removeDeadline(deadline) }
    return moved
  }

  /// Passes on what is to be sent over a connection that has gone. False when that can't be.
  func pass(_ flow: StreamFlow, tag: UInt64, generation: UInt16, _ octets: Span<UInt8>) -> Bool {
    guard let link else { return false }
    return link.send(.sendOnFlow(flow, tag: tag, generation: generation), octets)
  }

  // MARK: Connections

  /// Sends what the window and the time allow.
  private func advance() {
    if let orphanedSince {
      // What is left here nobody can reach any more.
      if node.loop.now - orphanedSince >= Self.decisionTime { return node.stop() }
      return wake(after: .milliseconds(50))
    }
    let begin = System.monotonicNow
    tellRecords(from: begin)
    while onTheirWay.count < Self.window, System.monotonicNow - begin < Self.budget, let id = queue.last {
      if onTheirWay[id] != nil || refused.contains(id) {
        queue.removeLast()
        continue
      }
      guard tell(id) else { return wake(after: .milliseconds(2)) }
      queue.removeLast()
    }
    if !queue.isEmpty || !records.isEmpty { return wake(after: .zero) }
    finishIfDone()
  }

  /// Tells what is registered over UDP, as far as half the time goes and the link has room.
  private func tellRecords(from begin: Instant) {
    guard let link else { return }
    while !records.isEmpty, System.monotonicNow - begin < Self.budget / 2, link.queuedBytes < Self.pieceSize {
      var piece: [UInt8] = []
      var looked = 0
      while piece.count < Self.pieceSize, looked < Self.recordsAtOnce, let position = records.popLast() {
        node.core.owned.appendDatagramRecord(at: position, to: &piece)
        looked += 1
      }
      if !piece.isEmpty { link.send(.records, piece.span) }
    }
  }

  /// False when the socket has no room.
  private func tell(_ id: UInt64) -> Bool {
    guard let link else { return true }
    // What can't go out yet would be told again when the turn comes again, and pile up.
    if link.queuedBytes > Self.pieceSize { return false }
    let identity = node.transport.identity
    let name = StreamFlow(node: identity.node, slot: identity.slot, epoch: identity.epoch, connection: id)
    // What its REGISTER brings goes with it: it is this one's turn again when that is known.
    if node.core.isRegistering(over: .stream(name)) { return true }
    state.removeAll(keepingCapacity: true)
    HandOverMessage.connection.append(to: &state)
    state.append(bigEndian: id, 8)
    var left: (descriptor: Int32, flow: Flow)?
    state.append(counted: 4) { left = node.transport.leave(id, to: &$0) }
    guard let (number, flow) = left else { return true }
    guard state.count <= HandOverLink.packetSize else {
      refused.insert(id)
      wipe(&state)
      node.transport.stay(id)
      return true
    }
    // They are there before it.
    node.core.owned.records(over: flow.id, pieces: Self.pieceSize) { link.send(.records, $0.span) }
    let users = node.foreign.users(of: id)
    if users != 0 { link.send(.used(id, by: users)) }
    var packet: [UInt8] = []
    swap(&packet, &state)
    let isSent = link.send(packet: packet.span, passing: number)
    wipe(&packet)
    swap(&packet, &state)
    guard isSent, case .stream(let stream) = flow.id else {
      node.transport.stay(id)
      return isSent
    }
    onTheirWay[id] = stream
    return true
  }

  func handOver(received message: HandOverMessage, _ octets: Span<UInt8>, _ passed: consuming Descriptor?) {
    switch message {
    case .arrived(let id):
      guard let flow = onTheirWay.removeValue(forKey: id) else { return }
      moved.append(flow)
      node.transport.leaveForGood(id)
      link?.send(.goOn(id))
    case .refused(let id):
      guard onTheirWay.removeValue(forKey: id) != nil else { return }
      refused.insert(id)
      node.transport.stay(id)
    case .connection, .goOn, .records, .listeners, .complete, .used: return
    }
    wake(after: .zero)
  }

  func handOver(received frame: LinkFrame, _ octets: Span<UInt8>) {
    node.heardFromKin(frame, octets, isSuccessor: true)
  }

  func handOverHasRoom() { wake(after: .zero) }

  /// The next process has ended; whether this one goes on the supervisor decides.
  func handOverEnded() {
    link = nil
    orphanedSince = node.loop.now
  }

  // MARK: The end

  private func finishIfDone() {
    // Handshakes have ended meanwhile, and what was much to send has become less.
    queue = node.transport.movableConnections.filter { !refused.contains($0) }
    if !queue.isEmpty { return wake(after: .milliseconds(2)) }
    let now = node.loop.now
    guard onTheirWay.isEmpty else { return wake(after: .milliseconds(20)) }
    if !isComplete, node.transport.counters.handshakes == 0 || now - start >= .seconds(1) {
      isComplete = true
      link?.send(.complete)
    }
    if isComplete { closeSome(now) }
    let isFree = node.transport.counters.connections == 0
    // An earlier process speaks through this one.
    let isNeeded = node.core.hasUnanswered || node.location.hasUnwritten || node.arrival?.link != nil
    if isComplete, isFree, !isNeeded || now - start >= Self.longest {
      let since = doneSince ?? now
      doneSince = since
      let linger = node.core.holdsDatagramRequests ? Self.datagramLinger : Self.linger
      if now - since >= linger { return node.stop() }
    } else {
      doneSince = nil
    }
    wake(after: .milliseconds(50))
  }

  private func closeSome(_ now: Instant) {
    guard now >= nextSlice, node.transport.counters.connections > 0 else { return }
    nextSlice = now + .seconds(1)
    if slice == 0 { slice = (node.transport.counters.connections + Self.slices - 1) / Self.slices }
    // Those with requests under way last: whoever is cut off while it rings could answer no more.
    let busy = now - start < Self.patience * 4 ? node.core.busyConnections : []
    node.transport.closeSome(slice) { !busy.contains($0) }
  }

  private func wake(after time: Duration) {
    if let deadline { node.loop.schedule(deadline, at: node.loop.now + time) }
  }
}

extension Departure: DeadlineOwner {
  func deadlinePassed(_: DeadlineID) { advance() }
}

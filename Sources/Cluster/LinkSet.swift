import Reactor
import Structures

/// The links of one worker with the other workers of its node: one outgoing and one incoming link for each of them.
///
/// Each worker connects to the listener of every other slot and sends over that connection alone; what others send comes over the connections
/// that it accepts. So there is nothing to settle when two connect at once, and a link that is full in one direction keeps nobody from
/// reading in the other. What a turn sends to one slot goes out at its end, in one packet or few. Nothing here ever waits.
public final class LinkSet: EventHandler {
  /// Packets may be as long as that; a longer one, of a later version, is cut and ends its link.
  private static let scratchSize = 2 * LinkQueue.packetSize + LinkFrame.longestHead
  /// Connections that may be accepted, for each slot: at most two generations of it live, and one may connect anew.
  private static let incomingPerSlot = 4

  let loop: EventLoop
  let settings: LinkSettings
  /// Who we are.
  public let identity: LinkIdentity
  /// Who hears of it; kept alive until ``closeAll()``.
  public var delegate: (any LinkDelegate)?
  /// What was done so far.
  public internal(set) var counters = LinkCounters()

  private var listener: Descriptor?
  private var listenerNumber: Int32 = -1
  private var outgoing: [OutgoingLink] = []
  private var incoming: [IncomingLink] = []
  /// Links on their way to processes that have taken a slot over.
  private var followers: [OutgoingLink] = []
  private var lost: [UInt16: UInt16] = [:]
  private var flushes: [OutgoingLink] = []
  private var scratch = [UInt8](repeating: 0, count: scratchSize)

  /// Links that are not made yet. Create it after the transport, so that frames about connections that end while they are written to go out in
  /// the same turn.
  public init(loop: EventLoop, identity: LinkIdentity, settings: LinkSettings) {
    self.loop = loop
    self.identity = identity
    self.settings = settings
    outgoing = (0..<settings.slots).filter { $0 != identity.slot }.map { OutgoingLink(slot: $0, links: self) }
    loop.addHook(.flush) { [weak self] in self?.flushAll() }
  }

  /// Accepts from the slot's own listener and connects to the others. `listens`: false while an earlier process of the slot does; see
  /// ``listen()``.
  public func start(listener descriptor: consuming Descriptor, listens: Bool = true) throws(SystemError) {
    try Socket.adopt(descriptor.number)
    listenerNumber = descriptor.number
    listener = consume descriptor
    if listens { try listen() }
    for link in outgoing { link.connect() }
  }

  /// Accepts links from now on.
  public func listen() throws(SystemError) { try loop.register(listenerNumber, .readable, handler: self) }

  /// Accepts no more links: the next process of the slot does.
  public func stopListening() { loop.unregister(listenerNumber) }

  /// Whether every other slot has said hello to us.
  public var canSend: Bool { outgoing.allSatisfy { $0.generation != nil } }

  /// Sends what is for a slot to the process that has taken it over.
  public func follow(_ successor: LinkIdentity) {
    guard let known = link(to: successor.slot)?.generation, known != successor.generation,
      !followers.contains(where: { $0.slot == successor.slot })
    else { return }
    let follower = OutgoingLink(slot: successor.slot, links: self)
    followers.append(follower)
    follower.connect()
  }

  /// All processes of another slot up to this generation have ended, as the supervisor says: it alone knows, since the end of a link may mean
  /// that an earlier process goes on with the connections.
  public func ended(_ slot: UInt16, generation: UInt16) {
    guard slot != identity.slot, slot < settings.slots else { return }
    for link in incoming where link.peer?.slot == slot && (link.peer?.generation ?? 0) <= generation { link.readAll() }
    // What is sent from now on fails at once; it may be that the end of the link has yet to be read.
    if let link = link(to: slot), let last = link.generation, last <= generation { link.drop() }
    if let known = lost[slot], known >= generation { return }
    lost[slot] = generation
    delegate?.links(lost: slot, generation: generation)
  }

  /// Ends all links; what waits is sent as far as it goes at once.
  public func closeAll() {
    flushAll()
    delegate = nil
    for link in outgoing + followers { link.close() }
    followers = []
    for link in incoming { link.close() }
    loop.unregister(listenerNumber)
    listenerNumber = -1
    listener = nil
  }

  // MARK: Orders

  /// Sends a frame to another slot, with octets behind it; more than ``LinkFrame/maximumOctets`` are refused. `isUrgent`: what must not be refused while there is any room.
  public func send(
    _ frame: LinkFrame, _ octets: Span<UInt8> = Span(), to slot: UInt16, isUrgent: Bool = true
  ) -> LinkResult {
    link(to: slot)?.send(frame, octets, isUrgent: isUrgent) ?? .down
  }

  /// Sends a frame to every other slot whose bit is set in `slots` (slot modulo 64), and returns how many will get it.
  @discardableResult
  public func sendToAll(_ frame: LinkFrame, _ octets: Span<UInt8> = Span(), slots: UInt64 = .max) -> Int {
    var count = 0
    for link in outgoing where slots & 1 << UInt64(link.slot % 64) != 0 {
      if link.send(frame, octets, isUrgent: true) == .queued { count += 1 }
    }
    return count
  }

  // MARK: Queries

  /// What is known of another slot.
  public func state(of slot: UInt16) -> LinkState {
    if let generation = link(to: slot)?.generation { return .up(generation: generation) }
    return lost[slot].map { .lost(generation: $0) } ?? .unknown
  }

  /// Whether any other slot can be reached.
  public var hasPeers: Bool { outgoing.contains { $0.generation != nil } }
  /// How many other slots can be reached.
  public var peerCount: Int { outgoing.count { $0.generation != nil } }

  /// Whether every other slot has said hello in both directions.
  public var isComplete: Bool {
    outgoing.allSatisfy { link in
      link.generation.map { own in incoming.contains { $0.peer?.slot == link.slot && $0.peer?.generation == own } }
        ?? false
    }
  }

  private func link(to slot: UInt16) -> OutgoingLink? {
    guard slot != identity.slot, slot < settings.slots else { return nil }
    return outgoing[position(of: slot)]
  }

  private func position(of slot: UInt16) -> Int { Int(slot) - (slot > identity.slot ? 1 : 0) }

  // MARK: For links

  /// Whether a hello is that of another slot of this node.
  func isPeer(_ peer: LinkIdentity) -> Bool {
    peer.node == identity.node && peer.epoch == identity.epoch && peer.slot < settings.slots
      && peer.slot != identity.slot
  }

  /// Whether a process of another slot has linked to us.
  func isLinkedFrom(_ slot: UInt16) -> Bool { incoming.contains { $0.peer?.slot == slot } }

  /// Whether a link is the one that is used for its slot.
  func isCurrent(_ link: OutgoingLink) -> Bool { self.link(to: link.slot) === link }

  func isUp(_ peer: LinkIdentity, _ link: OutgoingLink) {
    if let position = followers.firstIndex(where: { $0 === link }) {
      followers.remove(at: position)
      guard let old = self.link(to: peer.slot), old.generation != peer.generation else {
        return link.close(isLoss: false)
      }
      outgoing[self.position(of: peer.slot)] = link
      link.replace(old)
    }
    // Its link alone had ended.
    if let known = lost[peer.slot], known >= peer.generation { lost[peer.slot] = nil }
    delegate?.links(up: peer)
  }

  /// Another slot's process has connected to us, so it takes connections as well.
  func greeted(_ peer: LinkIdentity) {
    if let link = link(to: peer.slot), link.generation == nil { link.poke() }
  }

  func isDown(_ slot: UInt16) {
    // Another process of the slot that lives may have taken it over.
    if incoming.contains(where: { $0.peer?.slot == slot }) { link(to: slot)?.poke() }
    delegate?.links(down: slot)
    // The end may have been found while writing, at the end of a turn.
    loop.turnAgain()
  }

  func forget(_ link: IncomingLink) { incoming.removeAll { $0 === link } }

  func queueForFlush(_ link: OutgoingLink) { flushes.append(link) }

  /// Reads one packet and hands it on.
  func receive(_ number: Int32, _ body: (Span<UInt8>) -> Void) -> IOResult {
    var buffer: [UInt8] = []
    swap(&buffer, &scratch)
    if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: Self.scratchSize) }
    let result = Socket.read(number, into: &buffer)
    if case .octets(let count) = result { body(buffer.span.extracting(..<count)) }
    swap(&buffer, &scratch)
    return result
  }

  private func flushAll() {
    // By position: whoever hears of a link's end may send over others.
    var position = 0
    while position < flushes.count {
      flushes[position].flush()
      position += 1
    }
    flushes.removeAll(keepingCapacity: true)
  }

  // MARK: The listener

  /// Somebody connects.
  public func ready(_ events: Events) {
    while listenerNumber >= 0, let made = LinkSocket.accept(listenerNumber) {
      guard incoming.count < Self.incomingPerSlot * Int(settings.slots) else { continue }
      let link = IncomingLink(made, links: self)
      guard (try? link.start()) != nil else { continue }
      incoming.append(link)
    }
  }
}

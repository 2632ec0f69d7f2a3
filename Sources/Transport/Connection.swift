import Reactor
import SIPMessage
import Structures
import TLSEngine

/// One TCP or TLS connection, accepted or opened; owned by the ``TransportLayer`` until its end.
///
///     connecting ─► handshaking ─► open ─► flushing ─► draining ─► closed
///         │              │ └► judged ┘│         │                     │
///         └──────────────┴─────┴──────┴─────────┴─────────────────────┘
///                                     │
///     arriving ─► open ─► leaving ────┘
///
/// Connecting is for those that we open, handshaking for TLS, judged for peers whose certificate has yet to be found good. Flushing sends what waits; draining lets the peer close, so
/// that what it still sends doesn't reset the connection and take our last message with it. Leaving is for those that another process is to have,
/// arriving for those that another had (`Connection+Moving.swift`).
final class Connection: EventHandler, DeadlineOwner, PacedReader {
  enum State: Hashable {
    case connecting
    case handshaking
    case judged
    case open
    /// The reason lies elsewhere: it is larger than all else of a state, and this one is rare.
    indirect case flushing(CloseReason)
    case draining
    case leaving
    case arriving
    case closed
  }

  /// What a connection that we opened is found by: nobody may get one to the same address that was verified for another name
  /// or under another profile.
  struct Key: Hashable {
    let transport: TransportProtocol
    let remote: SocketAddress
    let profile: String
    let name: String?
  }

  /// Keeps the key out of the many connections that have none.
  private final class Opened {
    let key: Key
    init(_ key: Key) { self.key = key }
  }

  let layer: TransportLayer
  private let opened: Opened?
  /// The one that the handshake began with, then the one that the client's server name chose.
  private(set) var context: TLSContext?
  var session: TLSSession?
  /// When it was accepted, or we began to open it.
  let since: Instant
  var state: State
  var flow: Flow
  let number: Int32
  var descriptor: Descriptor?
  var deadline: DeadlineID?

  var framer: StreamFramer
  /// The first octets of a message of which the rest hasn't come.
  var input: [UInt8] = []
  var output = OutputQueue()

  // Small things stand together, for the sake of memory.
  var messagesLeft: Int32 = 0
  /// Whether ``input`` may hold whole messages that wait for the next turn.
  var hasBacklog = false
  var isWaitingToRead = false
  /// TLS can't go on before the socket is writable.
  var wantsWrite = false
  /// The peer doesn't read, so we don't either.
  var isSuspended = false
  /// Stands in the layer's list of those that are flushed at the end of the turn.
  var isQueuedForFlush = false
  /// The peer sends no more: closed at the end of the turn, after what the turn brings was sent.
  var hasEnded = false
  /// Counts among the handshakes under way.
  var countsAsHandshake = false
  /// Nothing that was written is acknowledged any more, though the connection is open.
  var isSuspect = false

  /// Writes that the peer may not have acknowledged.
  var watch = AcknowledgementWatch()
  /// How long a peer that promised signs of life may be silent, in nanoseconds; 0: for ever.
  var silenceLimit: Int64 = 0

  var deadlines = ConnectionDeadlines()

  init(
    layer: TransportLayer, key: Key?, state: State, flow: Flow, descriptor: consuming Descriptor,
    context: TLSContext?, since: Instant? = nil
  ) {
    self.layer = layer
    opened = key.map { Opened($0) }
    self.state = state
    self.flow = flow
    self.context = context
    self.since = since ?? layer.loop.now
    number = descriptor.number
    self.descriptor = consume descriptor
    framer = StreamFramer(
      maximumHead: layer.settings.maximumHead, maximumMessage: min(layer.settings.maximumMessage, 65_535))
    layer.counters.connectionObjects += 1
  }

  deinit { layer.counters.connectionObjects -= 1 }

  /// Goes on by the profile that the handshake ended with.
  func adopt(_ chosen: TLSContext?) { if let chosen { context = chosen } }

  /// How long it may be without progress while octets wait to be sent.
  var sendTime: Duration { context?.sendTime ?? layer.settings.sendTime }

  /// Names it among the connections of this process.
  var id: UInt64 { if case .stream(let name) = flow.id { name.connection } else { 0 } }

  /// Who issued the certificate that the peer proved; nil for nearly all.
  var peerChain: PeerChain? { session?.peerChain }

  /// Whether it is one that the peer opened.
  var isAccepted: Bool { opened == nil }

  /// Nil for an accepted connection.
  var key: Key? { opened?.key }

  /// Whether messages can be queued; also after the peer's last octet, for the rest of the turn.
  var takesMessages: Bool {
    switch state {
    case .connecting, .handshaking, .judged, .open, .arriving: true
    case .flushing, .draining, .leaving, .closed: false
    }
  }

  // MARK: Events

  func ready(_ events: Events) {
    switch state {
    case .connecting: finishConnecting()
    case .handshaking: stepHandshake()
    case .judged:
      if events.isDisjoint(with: [.hangup, .error]) { break }
      end(Socket.pendingError(number).map { .system($0.code) } ?? .peerClosed)
    case .open: readyWhileOpen(events)
    case .flushing(let reason):
      if events.isDisjoint(with: [.hangup, .error]) { flush() } else { end(reason) }
    case .draining: drain()
    case .leaving, .arriving, .closed: break
    }
  }

  private func readyWhileOpen(_ events: Events) {
    let readsAfterWrite = wantsWrite
    if events.contains(.writable) {
      wantsWrite = false
      flush()
    }
    guard state == .open else { return }
    let isBroken = !events.isDisjoint(with: [.hangup, .error])
    if isSuspended {
      // Nothing is read, so nothing else would tell.
      if isBroken { end(Socket.pendingError(number).map { .system($0.code) } ?? .peerClosed) }
    } else if isBroken || events.contains(.readable) || readsAfterWrite {
      layer.serve(self)
    }
  }

  func deadlinePassed(_: DeadlineID) {
    deadlines.scheduled = .distantFuture
    if deadlines.acknowledgement <= layer.loop.now { lookForAcknowledgement() }
    // Who isn't read from can't give a sign of life.
    if isSuspended, silenceLimit > 0 {
      deadlines.silence = max(deadlines.silence, layer.loop.now.adding(nanoseconds: silenceLimit))
    }
    guard let due = deadlines.due(layer.loop.now) else { return arm() }
    layer.counters.deadlines[Int(due.rawValue)] += 1
    session?.shutdown()
    end(.deadline(due))
  }

  /// Sets the loop's deadline to the earliest of ours, unless it is earlier already.
  func arm() {
    guard let deadline, deadlines.earliest < deadlines.scheduled else { return }
    deadlines.scheduled = deadlines.earliest
    layer.loop.schedule(deadline, at: deadlines.scheduled)
  }

  func touch() {
    guard let idleTime = layer.settings.idleTime else { return }
    deadlines.idle = layer.loop.now + idleTime
  }

  func updateInterest() {
    var interest: Events = []
    switch state {
    case .connecting: interest = .writable
    case .handshaking: interest = wantsWrite ? .writable : .readable
    case .open:
      if !isSuspended, !hasEnded { interest = .readable }
      if wantsWrite || output.count > 0 { interest.insert(.writable) }
    case .flushing: interest = .writable
    case .draining: interest = .readable
    case .judged: interest = []
    case .leaving, .arriving, .closed: return
    }
    layer.loop.modify(number, interest)
  }
}

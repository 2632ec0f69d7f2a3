import Reactor
import Structures
import TLSEngine

/// All listeners and connections of one worker: octets to messages, messages to octets, and which flow they belong to.
///
/// Owned by the worker's wiring, which is its delegate; lives on one thread, in one ``EventLoop``. It knows nothing of
/// SIP but where messages end. ``closeAll()`` must come before the last reference goes: connections keep it alive.
public final class TransportLayer {
  /// As large as the contents of a TLS record. A turn reads no more than that from a connection, so that one which sends
  /// without end keeps the others waiting for a quarter of a thousand small messages, not for thousands.
  private static let scratchSize = 16 << 10

  /// Whose flows these are.
  public let identity: TransportIdentity
  /// How long it waits and how much it holds.
  public private(set) var settings: TransportSettings
  /// What it did and holds.
  public internal(set) var counters = TransportCounters()
  /// Who hears of it; kept alive until ``closeAll()``.
  public var delegate: (any TransportDelegate)?
  /// Who says whether peers with a certificate may come in; nil: all that TLS lets in may.
  public weak var peerAuthority: (any PeerAuthority)?

  let loop: EventLoop
  let lineBreak: [UInt8] = [0x0D, 0x0A]
  var pool = BufferPool()
  private var scratch = [UInt8](repeating: 0, count: scratchSize)
  private var flushes: [Connection] = []
  private var failures: [(tag: UInt64, reason: SendFailure)] = []
  private var spare: Descriptor?

  var connections: [UInt64: Connection] = [:]
  var outgoing: [Connection.Key: Connection] = [:]
  var addresses: AddressTable
  /// The other workers of the node; nil when there are none.
  let node: NodeCounts?
  /// Handshakes with accepted connections by their start, with some that are over already.
  var handshakes: [(connection: UInt64, start: Instant)] = []
  var streamListeners: [StreamListener] = []
  var datagramListeners: [DatagramListener] = []
  var clientContexts: [String: TLSContext] = [:]
  var clientNames = NameTable<String>()
  /// Readers that have more than fitted into a turn, in order.
  var waitingReaders: [any PacedReader] = []
  var readingTurn = Instant(nanoseconds: 0)
  var readingWork = Duration.zero
  private var lastConnection: UInt64 = 0
  /// Whether whoever connects is turned away.
  public var refusesConnections = false
  private var handshakeTurn: UInt64 = 0
  private var handshakeWork = Duration.zero

  /// A transport without listeners, whose limits hold for the whole `node`. Create it before anything else that hooks into the loop's turns.
  public init(
    loop: EventLoop, identity: TransportIdentity, settings: TransportSettings,
    node: NodeCounts? = nil, delegate: (any TransportDelegate)? = nil
  ) {
    self.loop = loop
    self.node = node
    addresses = AddressTable(node: node)
    self.identity = identity
    self.settings = settings
    self.delegate = delegate
    spare = try? Socket.spare()
    loop.addHook(.decide) { [weak self] in
      self?.serveWaiting()
      self?.deliverFailures()
    }
    loop.addHook(.flush) { [weak self] in self?.flushAll() }
  }

  // MARK: Listeners

  /// Accepts from a listening socket; `index` is its position in the configuration. TLS needs a server context.
  public func addStreamListener(
    _ descriptor: consuming Descriptor, index: UInt16, transport: TransportProtocol, context: TLSContext? = nil
  ) throws(SystemError) {
    precondition((transport == .tls) == (context != nil) && transport != .udp)
    streamListeners.append(
      try StreamListener(layer: self, descriptor: descriptor, index: index, transport: transport, context: context))
  }

  /// Receives from and sends through a bound UDP socket; `index` is its position in the configuration.
  public func addDatagramListener(_ descriptor: consuming Descriptor, index: UInt16) throws(SystemError) {
    datagramListeners.append(try DatagramListener(layer: self, descriptor: descriptor, index: index))
  }

  /// Connections accepted from now on at a TLS listener use another context.
  public func setServerContext(_ context: TLSContext, listener index: UInt16) {
    for listener in streamListeners where listener.index == index && listener.transport == .tls {
      listener.context = context
    }
  }

  /// TLS connections opened from now on under this profile use this context.
  public func setClientContext(_ context: TLSContext, profile: String = "default") {
    clientContexts[profile] = context
  }

  /// TLS connections to these names are opened under these profiles from now on, where the sender names none.
  public func setClientNames(_ names: NameTable<String>) { clientNames = names }

  /// The key of a connection that we open. Without patterns nothing is looked up.
  func key(
    _ address: SocketAddress, _ transport: TransportProtocol, _ name: String?, _ profile: String?
  ) -> Connection.Key {
    var profile = profile
    if profile == nil, transport == .tls, !clientNames.isEmpty { profile = clientNames[name ?? "\(address.address)"] }
    return Connection.Key(transport: transport, remote: address, profile: profile ?? "default", name: name)
  }

  /// Waits and holds by other settings from now on. Deadlines that run already, and options of sockets that are open, stay
  /// as they are.
  public func adopt(_ settings: TransportSettings) {
    self.settings = settings
    for listener in streamListeners { listener.setOptions() }
  }

  /// Accepts no more connections; datagrams and what is open go on.
  public func stopAccepting() {
    for listener in streamListeners { listener.stop() }
    streamListeners = []
  }

  /// Ends everything at once, after trying to send what waits. The delegate hears of each connection and then no more.
  public func closeAll() {
    stopAccepting()
    flushAll()
    for connection in Array(connections.values) {
      connection.session?.shutdown()
      connection.end(.shutdown)
    }
    for listener in datagramListeners { listener.stop() }
    datagramListeners = []
    deliverFailures()
    delegate = nil
  }

  // MARK: For connections

  func nextConnectionID() -> UInt64 {
    lastConnection += 1
    // 2^48 connections of one process are never reached.
    return UInt64(identity.generation) << 48 | lastConnection
  }

  /// The buffer that all connections read into; whoever takes it gives it back before anybody else reads.
  func takeScratch() -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &scratch)
    return taken.isEmpty ? [UInt8](repeating: 0, count: Self.scratchSize) : taken
  }

  func giveScratch(_ buffer: inout [UInt8]) { swap(&buffer, &scratch) }

  func queueForFlush(_ connection: Connection) { flushes.append(connection) }

  /// Delegates hear of failures at the end of the turn, never from within the call that sends.
  func queueFailure(_ tag: UInt64, _ reason: SendFailure) {
    failures.append((tag, reason))
    loop.turnAgain()
  }

  private func deliverFailures() {
    if failures.isEmpty { return }
    let queued = failures
    failures = []
    for failure in queued { delegate?.transport(failedToSend: failure.tag, because: failure.reason) }
  }

  private func flushAll() {
    // By position: whoever hears of a connection's end may send to others.
    var position = 0
    while position < flushes.count {
      let connection = flushes[position]
      position += 1
      connection.isQueuedForFlush = false
      connection.flush()
    }
    flushes.removeAll(keepingCapacity: true)
  }

  // MARK: Handshakes

  var handshakesAreFull: Bool { counters.handshakes >= settings.maximumHandshakes }

  /// Whether there is time for another handshake step in this turn of the loop.
  func mayStepHandshake() -> Bool {
    if handshakeTurn != loop.counters.turns {
      handshakeTurn = loop.counters.turns
      handshakeWork = .zero
    }
    return handshakeWork == .zero || handshakeWork < settings.handshakeBudget
  }

  func noteHandshakeWork(_ duration: Duration) { handshakeWork += duration }

  // MARK: Descriptors

  /// Refuses one waiting connection although there is no descriptor for it: else it would be reported for ever. False
  /// when not even that works.
  func shedConnection(of listener: Int32) -> Bool {
    guard spare != nil else {
      spare = try? Socket.spare()
      return spare != nil
    }
    spare = nil
    var isShed = false
    if case .connection(let connection, _) = Socket.accept(listener) {
      Socket.setAbortiveClose(connection.number)
      counters.refusedBySystem += 1
      isShed = true
    }
    spare = try? Socket.spare()
    return isShed
  }

  func setOptions(_ number: Int32) {
    Socket.setNoDelay(number)
    if let idle = settings.keepAliveIdle {
      let (interval, count) = (settings.keepAliveInterval, settings.keepAliveCount)
      Socket.setKeepAlive(number, idle: idle, interval: interval, count: count)
    } else {
      Socket.clearKeepAlive(number)
    }
    Socket.setUserTimeout(number, settings.userTimeout ?? .zero)
  }
}

import Reactor
import SIPMessage
import Structures
import TLSEngine

/// Connections that go on in another process of the slot, in two phases: nobody reads or writes one while both have it.
///
/// The process that has one writes its state (``leave(_:to:)``) and sends it along with the descriptor. The other makes a connection of it that waits
/// (``arrive(_:_:)``). Then the first wipes the keys and closes its descriptor (``leaveForGood(_:)``), and only then the other begins
/// (``goOn(_:)``). Until then the first may go on itself, once the other process is known to be dead (``stay(_:)``).
extension TransportLayer {
  /// Accepts no connections and reads no datagrams for the time being: another process that has the sockets does.
  public func rest() {
    for listener in streamListeners { listener.rest() }
    for listener in datagramListeners { listener.stop() }
  }

  /// Accepts and reads again.
  public func restart() throws(SystemError) {
    for listener in streamListeners { try listener.restart() }
    for listener in datagramListeners { try listener.restart() }
  }

  /// Closes so many connections, whichever of those that `isClosable` says, after what waits was sent.
  public func closeSome(_ count: Int, where isClosable: (StreamFlow) -> Bool = { _ in true }) {
    var chosen: [Connection] = []
    for connection in connections.values where chosen.count < count {
      if case .stream(let name) = connection.flow.id, isClosable(name) { chosen.append(connection) }
    }
    for connection in chosen {
      switch connection.state {
      case .open: connection.finish(.shutdown)
      case .connecting, .handshaking, .judged: connection.end(.shutdown)
      case .flushing, .draining, .leaving, .arriving, .closed: break
      }
    }
  }

  /// Whether another process of the slot tells the node what the slot has.
  public var isMuted: Bool {
    get { node?.isMuted ?? false }
    set {
      node?.isMuted = newValue
      if newValue { return }
      node?.tell(streams: connections.count)
      addresses.tellAll()
    }
  }

  /// The connections that can be moved, in no order. Looks at all of them.
  public var movableConnections: [UInt64] {
    connections.compactMap { id, connection in connection.canMove ? id : nil }
  }

  /// Appends the state of a connection, which must be wiped once it is sent, and returns its descriptor. From then on nothing is read from it or
  /// written to it. Nil when it can't be moved (any more).
  public func leave(_ id: UInt64, to state: inout [UInt8]) -> (descriptor: Int32, flow: Flow)? {
    guard let connection = connections[id], connection.canMove else { return nil }
    MovedConnection.append(connection, at: loop.now, to: &state)
    connection.leave()
    return (connection.number, connection.flow)
  }

  /// The other process has the connection's state and has yet to use it: keys and descriptor go.
  public func leaveForGood(_ id: UInt64) {
    guard let connection = connections[id], connection.state == .leaving else { return }
    connection.depart()
  }

  /// The other process is dead and never used it: the connection stays.
  public func stay(_ id: UInt64) {
    guard let connection = connections[id], connection.state == .leaving else { return }
    connection.begin()
  }

  /// Takes over a connection that another process had; it waits for ``goOn(_:)``. Nil when the octets aren't the state of one, or it is
  /// here already.
  public func arrive(_ state: Span<UInt8>, _ descriptor: consuming Descriptor) -> Flow? {
    guard let moved = MovedConnection(state), case .stream(let name) = moved.flow.id, name.slot == identity.slot,
      name.epoch == identity.epoch, name.node == identity.node, connections[name.connection] == nil
    else { return nil }
    let number = descriptor.number
    var session: TLSSession?
    var context: TLSContext?
    if moved.isTLS {
      let octets = state.extracting(moved.session)
      session = TLSSession(moved: octets, isServer: moved.isAccepted, descriptor: number)
      let first =
        moved.isAccepted
        ? streamListeners.first { $0.index == moved.flow.listener }?.context : clientContexts[moved.profile]
      context = first?.serving(session?.facts.serverName)
      if session == nil { return nil }
    }
    let key =
      moved.isAccepted
      ? nil
      : Connection.Key(
        transport: moved.flow.transport, remote: moved.flow.remote, profile: moved.profile, name: moved.name)
    let connection = Connection(
      layer: self, key: key, state: .arriving, flow: moved.flow, descriptor: descriptor, context: context,
      since: loop.now.adding(nanoseconds: -max(0, moved.age)))
    connection.take(moved, state, session)
    connections[name.connection] = connection
    if let key {
      outgoing[key] = connection
    } else {
      addresses.add(AddressTable.key(moved.flow.remote.address), isHandshake: false)
    }
    countConnections()
    return moved.flow
  }

  /// The process that had the connection can't use it any more: it is ours. What was sent to it meanwhile goes out.
  public func goOn(_ id: UInt64) {
    guard let connection = connections[id], connection.state == .arriving else { return }
    connection.begin()
  }
}

extension Connection {
  /// Octets that may wait for a connection to be moved: it is told in one packet.
  private static let maximumWaiting = 65_536

  /// Whether all that it is can be told to another process.
  var canMove: Bool {
    state == .open && !hasEnded && output.count + input.count <= Self.maximumWaiting && (session?.canMove ?? true)
  }

  func leave() {
    state = .leaving
    layer.loop.unregister(number)
    if let deadline = deadline.take() { layer.loop.removeDeadline(deadline) }
  }

  /// Nothing is told to the peer, nor to those who use the connection: it lives.
  func depart() {
    state = .closed
    session?.forget()
    session = nil
    descriptor = nil
    layer.forget(self)
    layer.pool.give(&input)
    output.discard(pool: &layer.pool)
    if context != nil { layer.counters.tls.open -= 1 }
  }

  func take(_ moved: MovedConnection, _ octets: Span<UInt8>, _ session: TLSSession?) {
    self.session = session
    let now = layer.loop.now
    isSuspect = moved.isSuspect
    silenceLimit = max(0, moved.silenceLimit)
    if silenceLimit > 0 { deadlines.silence = now.adding(nanoseconds: silenceLimit) }
    if moved.firstMessage >= 0 { deadlines.begin(.firstMessage, until: now.adding(nanoseconds: moved.firstMessage)) }
    if moved.message >= 0 { deadlines.message = now.adding(nanoseconds: moved.message) }
    framer = StreamFramer(
      maximumHead: layer.settings.maximumHead, maximumMessage: min(layer.settings.maximumMessage, 65_535),
      hadBreak: moved.hadBreak)
    input.append(octets.extracting(moved.input))
    if !moved.output.isEmpty { output.append(octets.extracting(moved.output), tag: 0, pool: &layer.pool) }
    if context != nil { layer.counters.tls.open += 1 }
  }

  /// Reads and writes from now on, what was left of earlier first.
  func begin() {
    state = .open
    session?.takeBack()
    deadline = layer.loop.addDeadline(self)
    deadlines.scheduled = .distantFuture
    do {
      try layer.loop.register(number, .readable, handler: self)
    } catch {
      return end(.system(error.code))
    }
    touch()
    arm()
    // Whether the peer still lives must be seen by what was sent to it before.
    if Socket.unacknowledged(number) > 0 { noteWritten() }
    if output.count > 0 { queueForFlush() }
    // What is here already makes no socket readable.
    hasBacklog = !input.isEmpty
    if hasBacklog || session?.hasPending == true { layer.queueReader(self) }
    layer.loop.turnAgain()
  }
}

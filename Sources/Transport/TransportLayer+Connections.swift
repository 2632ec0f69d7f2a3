import Reactor
import Structures
import TLSEngine

/// Who gets in, and the tables of those who are.
extension TransportLayer {
  /// Takes up an accepted connection unless there are too many.
  func admit(_ descriptor: consuming Descriptor, from remote: SocketAddress, at listener: StreamListener) {
    let key = AddressTable.key(remote.address)
    let isTLS = listener.context != nil
    let hasRoom =
      !refusesConnections && counters.connections + (node?.othersStreams ?? 0) < settings.maximumConnections
    let use = addresses.use(key)
    let addressHasRoom =
      use.connections < settings.maximumConnectionsPerAddress
      && (!isTLS || use.handshakes < settings.maximumHandshakesPerAddress)
    guard hasRoom, addressHasRoom, let local = listener.local ?? (try? Socket.localAddress(descriptor.number)) else {
      if !hasRoom { counters.refusedConnections += 1 } else if !addressHasRoom { counters.refusedByAddress += 1 }
      return Socket.setAbortiveClose(descriptor.number)
    }
    counters.accepted += 1
    let id = nextConnectionID()
    let flow = makeFlow(id, listener.transport, listener: listener.index, local: local, remote: remote)
    let connection = Connection(
      layer: self, key: nil, state: .handshaking, flow: flow, descriptor: descriptor, context: listener.context)
    connection.countsAsHandshake = isTLS
    addresses.add(key, isHandshake: isTLS)
    counters.addresses = addresses.count
    if isTLS {
      counters.handshakes += 1
      handshakes.append((id, loop.now))
    }
    begin(connection)
  }

  /// Makes room for a handshake, if need be by ending the oldest one that has taken unduly long: else those who never
  /// finish theirs, or never start it, would keep everybody else out. False when all are recent.
  func makeRoomForHandshake() -> Bool {
    while handshakesAreFull {
      guard let (id, start) = handshakes.first, loop.now - start >= settings.handshakeGrace else { return false }
      handshakes.removeFirst()
      guard let connection = connections[id], connection.countsAsHandshake else { continue }
      counters.evictedHandshakes += 1
      connection.end(.deadline(.handshake))
    }
    return true
  }

  /// Begins to open a connection.
  func connect(_ key: Connection.Key, context: TLSContext?) throws(SystemError) -> Connection {
    let descriptor = try Socket.connect(to: key.remote)
    counters.initiated += 1
    let id = nextConnectionID()
    let local = SocketAddress(key.remote.address.family == .v4 ? IPAddress(v4: 0) : IPAddress(v6: 0, 0), port: 0)
    let flow = makeFlow(id, key.transport, listener: listenerIndex(for: key), local: local, remote: key.remote)
    let connection = Connection(
      layer: self, key: key, state: .connecting, flow: flow, descriptor: descriptor, context: context)
    outgoing[key] = connection
    begin(connection)
    return connection
  }

  private func begin(_ connection: Connection) {
    connections[connection.id] = connection
    countConnections()
    do {
      try connection.start()
    } catch {
      connection.end(.system(error.code))
    }
  }

  private func makeFlow(
    _ id: UInt64, _ transport: TransportProtocol, listener: UInt16, local: SocketAddress, remote: SocketAddress
  ) -> Flow {
    let name = StreamFlow(node: identity.node, slot: identity.slot, epoch: identity.epoch, connection: id)
    return Flow(
      id: .stream(name), transport: transport, listener: listener, local: local, remote: remote, isVerified: false)
  }

  /// The listener whose identity an outgoing connection has: the first of its transport, or the first at all.
  private func listenerIndex(for key: Connection.Key) -> UInt16 {
    (streamListeners.first { $0.transport == key.transport } ?? streamListeners.first)?.index ?? 0
  }

  /// The handshake of a connection is no longer under way.
  func endHandshake(_ connection: Connection) {
    guard connection.countsAsHandshake else { return }
    connection.countsAsHandshake = false
    counters.handshakes -= 1
    addresses.endHandshake(AddressTable.key(connection.flow.remote.address))
    forgetFinishedHandshakes()
    for listener in streamListeners where listener.isPaused { listener.resume() }
  }

  /// Keeps the list of handshakes, of which any may end first, within twice their number.
  private func forgetFinishedHandshakes() {
    guard handshakes.count > 2 * counters.handshakes + 64 else { return }
    handshakes.removeAll { connections[$0.connection]?.countsAsHandshake != true }
  }

  /// A connection has ended.
  func forget(_ connection: Connection) {
    endHandshake(connection)
    connections[connection.id] = nil
    countConnections()
    if let key = connection.key {
      if outgoing[key] === connection { outgoing[key] = nil }
    } else {
      addresses.remove(AddressTable.key(connection.flow.remote.address))
      counters.addresses = addresses.count
    }
  }

  func countConnections() {
    counters.connections = connections.count
    node?.tell(streams: connections.count)
  }
}

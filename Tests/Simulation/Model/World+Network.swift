import Structures

/// The network: datagrams are lost, doubled, late and out of order; streams are late, and break.
extension World {
  /// A new connection or socket of a phone's.
  func connect(_ phone: Phone) -> Connection {
    connectionCount += 1
    let port = UInt16(20_000 + connectionCount % 40_000)
    let remote = SocketAddress(IPAddress(v4: 0xC633_6400 &+ UInt32(phone.number)), port: port)
    let listener: UInt16 = phone.transport == .tls ? 0 : phone.transport == .tcp ? 1 : 2
    let slot = server.slot(of: connectionCount)
    let (generation, accepted) = server.accepting(slot)
    let id: FlowID =
      phone.transport == .udp
      ? .datagram(DatagramFlow(node: SimulatedServer.node, listener: listener, remote: remote))
      : .stream(
        StreamFlow(
          node: SimulatedServer.node, slot: slot, epoch: 99, connection: UInt64(generation) << 48 | connectionCount))
    let local = SocketAddress(IPAddress(v4: 0xC000_0201), port: phone.transport == .tls ? 5061 : 5060)
    let connection = Connection(
      flow: Flow(
        id: id, transport: phone.transport, listener: listener, local: local, remote: remote, isVerified: false),
      number: connectionCount, slot: server.slot(of: id), phone: phone)
    connections[id] = connection
    // A handshake takes its time.
    connection.upArrival = max(now, accepted) + delay() + delay()
    return connection
  }

  /// The phone sends.
  func sendUp(_ packet: Packet, _ connection: Connection) {
    guard connection.isOpenAtPhone else { return }
    trace("\(connection.phone.name) > ", packet)
    guard connection.isReliable else {
      for arrival in arrivals(packet, up: true) {
        after(arrival) { [self] in
          if now <= connection.upCut { server.received(packet, over: connection) }
        }
      }
      return
    }
    let arrival = max(connection.upArrival, now + delay())
    connection.upArrival = arrival
    at(arrival) { [self] in
      if now <= connection.upCut, connection.isOpenAtServer { server.received(packet, over: connection) }
    }
  }

  /// The server sends. On a stream that silently died it finds out after a while, if told to look.
  func sendDown(_ packet: Packet, _ connection: Connection) {
    trace("\(connection.phone.name) < ", packet)
    guard connection.isReliable else {
      for arrival in arrivals(packet, up: false) {
        after(arrival) { [self] in
          if now <= connection.downCut, connection.isOpenAtPhone { connection.phone.received(packet, over: connection) }
        }
      }
      return
    }
    let arrival = max(connection.downArrival, now + delay())
    connection.downArrival = arrival
    // Octets that nobody acknowledges make the server doubt.
    if arrival > connection.downCut {
      after(.seconds(3)) { [self] in
        if connection.isOpenAtServer { server.suspected(connection) }
      }
    }
    at(arrival) { [self] in
      if now <= connection.downCut, connection.isOpenAtPhone { connection.phone.received(packet, over: connection) }
    }
  }

  /// Ends a connection in one of the ways that connections end.
  func end(_ connection: Connection, _ breakage: Breakage) {
    guard connection.isOpenAtPhone, connection.brokenAt == nil else { return }
    connection.brokenAt = now
    trace("\(connection.phone.name) \(breakage) of \(connection.flow.remote)")
    if !connection.isReliable { return endSocket(connection, breakage) }
    switch breakage {
    case .closedByPhone:
      connection.downCut = now
      phoneLearns(connection, after: .zero)
      serverLearns(connection, at: max(connection.upArrival, now + delay()))
    case .closedByServer:
      connection.upCut = now
      serverLearns(connection, at: now)
      at(max(connection.downArrival, now + delay())) { [self] in phoneLearns(connection, after: .zero) }
    case .reset:
      connection.upCut = now
      connection.downCut = now
      serverLearns(connection, at: now + random.milliseconds(0...2_000))
      phoneLearns(connection, after: random.milliseconds(0...2_000))
    case .silent:
      connection.upCut = now
      connection.downCut = now
      phoneLearns(connection, after: random.milliseconds(0...60_000))
      serverLearns(connection, at: now + .seconds(Int.random(in: 30...40, using: &random)))
    }
  }

  /// The server's end of a connection is gone with its process.
  func lose(_ connection: Connection) {
    connection.brokenAt = connection.brokenAt ?? now
    connection.upCut = min(connection.upCut, now)
    connection.downCut = min(connection.downCut, now)
    phoneLearns(connection, after: linkRandom.milliseconds(0...2_000))
  }

  /// A phone takes another port: what goes to the old one is lost, or refused.
  private func endSocket(_ connection: Connection, _ breakage: Breakage) {
    connection.downCut = now
    if breakage == .silent { connection.upCut = now }
    phoneLearns(connection, after: .zero)
  }

  private func phoneLearns(_ connection: Connection, after delay: Duration) {
    after(delay) {
      guard connection.isOpenAtPhone else { return }
      connection.isOpenAtPhone = false
      connection.phone.lost(connection)
    }
  }

  private func serverLearns(_ connection: Connection, at instant: Instant) {
    at(instant) { [self] in
      guard connection.isOpenAtServer else { return }
      connection.isOpenAtServer = false
      server.closed(connection)
    }
  }

  /// When the copies of a datagram arrive: none when it is lost. Of the same octets two are lost at most, so that what the RFCs repeat does
  /// arrive, and what it is answered with.
  private func arrivals(_ packet: Packet, up: Bool) -> [Duration] {
    var hasher = Hasher()
    hasher.combine(up)
    hasher.combine(packet.octets)
    let key = hasher.finalize()
    if random.chance(conditions.loss), losses[key, default: 0] < 2 {
      losses[key, default: 0] += 1
      trace("  lost")
      return []
    }
    return random.chance(conditions.duplication) ? [delay(), delay()] : [delay()]
  }

  private func delay() -> Duration {
    let late = random.chance(conditions.lateness) ? Int.random(in: 0...1_500, using: &random) : 0
    return .milliseconds(late) + random.milliseconds(conditions.delay)
  }
}

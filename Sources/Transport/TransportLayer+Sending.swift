import Reactor
import Structures
import TLSEngine

/// Orders to send and to close.
extension TransportLayer {
  /// Sends a message over a flow of this worker, or from its own socket over a datagram flow of this node. What goes wrong
  /// later is reported under `tag` unless that is 0.
  public func send(_ message: Span<UInt8>, over flow: FlowID, tag: UInt64 = 0) -> SendResult {
    switch flow {
    case .stream(let name):
      guard let connection = find(name) else { return .noSuchFlow }
      return count(connection.enqueue(message, tag: tag))
    case .datagram(let name):
      guard name.node == identity.node,
        let listener = datagramListeners.first(where: { $0.index == name.listener })
      else { return .noSuchFlow }
      listener.send(message, to: name.remote, tag: tag)
      return count(.accepted)
    }
  }

  /// Sends a message to an address: over the connection that was opened to it for the same profile and name, or over a new
  /// one; a datagram from the first listener of the family. `name` is the domain or host that the peer must prove to be;
  /// nil: its address. `profile`: nil: the one for that name.
  public func send(
    _ message: Span<UInt8>, to address: SocketAddress, transport: TransportProtocol, name: String? = nil,
    profile: String? = nil, tag: UInt64 = 0
  ) -> SendResult {
    if transport == .udp { return sendDatagram(message, to: address, tag) }
    let key = key(address, transport, name, profile)
    // One in doubt is left to itself: a new one finds out sooner whether the peer is there.
    if let connection = outgoing[key], connection.takesMessages, !connection.hasEnded, !connection.isSuspect {
      return count(connection.enqueue(message, tag: tag))
    }
    let context = clientContexts[key.profile]
    if transport == .tls, context == nil { return fail(tag, .noProfile) }
    guard counters.connections < settings.maximumConnections else {
      counters.overloads += 1
      return .overloaded
    }
    do {
      let connection = try connect(key, context: transport == .tls ? context : nil)
      return count(connection.enqueue(message, tag: tag))
    } catch {
      return fail(tag, .connectFailed(error.code))
    }
  }

  /// The connection over which a message to an address goes that was just accepted (``send(_:to:transport:name:profile:tag:)``):
  /// its end is the end of hoping for an answer. Nil for datagrams.
  public func connection(
    to address: SocketAddress, transport: TransportProtocol, name: String? = nil, profile: String? = nil
  ) -> StreamFlow? {
    let key = key(address, transport, name, profile)
    guard case .stream(let flow) = outgoing[key]?.flow.id else { return nil }
    return flow
  }

  /// Closes a connection, at once or after what waits was sent; a datagram flow has nothing to close.
  public func close(_ flow: FlowID, afterFlush: Bool) {
    guard case .stream(let name) = flow, let connection = find(name) else { return }
    if afterFlush { return connection.finish(.ordered) }
    connection.session?.shutdown()
    connection.end(.ordered)
  }

  /// Closes a connection unless something is read from it at least so often (RFC 5626 §4.4); zero ends that.
  public func expectLife(of name: StreamFlow, within limit: Duration) {
    find(name)?.expectLife(within: limit)
  }

  /// Gives a connection up, with all that waits to be sent over it, unless it is connected by then; nothing if it is.
  public func expectConnection(of name: StreamFlow, within limit: Duration) {
    find(name)?.expectConnection(within: limit)
  }

  /// The flow of a connection that can be used, with what a sender must know.
  public func flow(_ name: StreamFlow) -> Flow? {
    guard let connection = find(name), connection.state == .open else { return nil }
    return connection.flow
  }

  /// Whether a connection is here.
  public func has(_ name: StreamFlow) -> Bool { find(name) != nil }

  private func find(_ name: StreamFlow) -> Connection? {
    guard name.slot == identity.slot, name.epoch == identity.epoch, name.node == identity.node else { return nil }
    return connections[name.connection]
  }

  private func sendDatagram(_ message: Span<UInt8>, to address: SocketAddress, _ tag: UInt64) -> SendResult {
    guard let listener = datagramListeners.first(where: { $0.local.address.family == address.address.family }) else {
      return fail(tag, .noListener)
    }
    listener.send(message, to: address, tag: tag)
    return count(.accepted)
  }

  private func count(_ result: SendResult) -> SendResult {
    if result == .accepted { counters.messagesSent += 1 }
    return result
  }

  /// Failures are reported, not returned, so that there is one way to hear of them.
  private func fail(_ tag: UInt64, _ reason: SendFailure) -> SendResult {
    if tag != 0 { queueFailure(tag, reason) }
    return .accepted
  }
}

/// The transports that a listener can have.
public enum TransportProtocol: UInt8, Hashable, Sendable, CaseIterable {
  case udp = 0
  case tcp = 1
  case tls = 2

  /// Whether it delivers or fails: no retransmission is needed (RFC 3261 §17).
  @inlinable public var isReliable: Bool { self != .udp }

  /// 5060, and 5061 for TLS (RFC 3261 §19.1.2).
  public var defaultPort: UInt16 { self == .tls ? 5061 : 5060 }

  /// The name as it stands in a URI parameter and in the configuration: `udp`, `tcp`, `tls`.
  public var name: StaticString {
    switch self {
    case .udp: "udp"
    case .tcp: "tcp"
    case .tls: "tls"
    }
  }
}

/// Names a connection for ever: no later connection of any process has the same name.
public struct StreamFlow: Hashable, Sendable {
  /// The node, as a number that all nodes of the cluster derive from its name in the same way.
  public let node: UInt32
  /// The worker slot that holds the connection.
  public let slot: UInt16
  /// 64 random bits drawn when the node's supervisor started.
  public let epoch: UInt64
  /// The worker generation that accepted or opened the connection (upper 16 bits), then a counter.
  public let connection: UInt64

  /// A name from its parts.
  public init(node: UInt32, slot: UInt16, epoch: UInt64, connection: UInt64) {
    self.node = node
    self.slot = slot
    self.epoch = epoch
    self.connection = connection
  }

  /// The worker generation that accepted or opened the connection.
  @inlinable public var generation: UInt16 { UInt16(truncatingIfNeeded: connection >> 48) }
}

/// Names a datagram peer as seen by one listener of a node. Nobody owns it: each worker of the node can send to it.
public struct DatagramFlow: Hashable, Sendable {
  /// The node; see ``StreamFlow/node``.
  public let node: UInt32
  /// Position of the listener in the node's configuration.
  public let listener: UInt16
  /// The peer.
  public let remote: SocketAddress

  /// A name from its parts.
  public init(node: UInt32, listener: UInt16, remote: SocketAddress) {
    self.node = node
    self.listener = listener
    self.remote = remote
  }
}

/// Where a message came from and where others for the same peer can be sent (RFC 5626 §3.1).
public enum FlowID: Hashable, Sendable {
  case stream(StreamFlow)
  case datagram(DatagramFlow)
}

/// A flow with what a sender must know to write Via and Record-Route for it.
public struct Flow: Hashable, Sendable {
  /// The name of the flow.
  public let id: FlowID
  /// Its transport.
  public let transport: TransportProtocol
  /// Position in the configuration of the listener that accepted it, or whose identity an outgoing connection uses.
  public let listener: UInt16
  /// Our end.
  public let local: SocketAddress
  /// The peer's end.
  public let remote: SocketAddress
  /// Whether TLS proved the peer's certificate.
  public let isVerified: Bool
  /// Whether that certificate makes it a peer of our trust domain (RFC 3324 §2.3).
  public let isTrusted: Bool

  /// A flow from its facts.
  public init(
    id: FlowID, transport: TransportProtocol, listener: UInt16, local: SocketAddress, remote: SocketAddress,
    isVerified: Bool, isTrusted: Bool = false
  ) {
    self.id = id
    self.transport = transport
    self.listener = listener
    self.local = local
    self.remote = remote
    self.isVerified = isVerified
    self.isTrusted = isTrusted
  }
}

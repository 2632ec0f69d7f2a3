import TLSEngine

/// What a ``TransportLayer`` did and holds.
public struct TransportCounters: Sendable {
  /// Connections now, in whatever state.
  public internal(set) var connections = 0
  /// Connection objects in memory; the same as ``connections`` unless one leaked.
  public internal(set) var connectionObjects = 0
  /// TLS handshakes under way with accepted connections.
  public internal(set) var handshakes = 0
  /// Peer addresses (IPv6: /64) with accepted connections now.
  public internal(set) var addresses = 0
  /// Connections accepted so far.
  public internal(set) var accepted: UInt64 = 0
  /// Connections that we began to open so far.
  public internal(set) var initiated: UInt64 = 0
  /// Connections that became usable so far.
  public internal(set) var opened: UInt64 = 0
  /// Usable connections that ended so far.
  public internal(set) var closed: UInt64 = 0
  /// Connections ended by a deadline, by ``TransportDeadline``.
  public internal(set) var deadlines = [UInt64](repeating: 0, count: TransportDeadline.allCases.count)
  /// What TLS handshakes agreed upon.
  public internal(set) var tls = TLSTally()
  /// Failed handshakes by ``TLSError/Kind``; those that took too long stand among the deadlines.
  public internal(set) var handshakeFailures = [UInt64](repeating: 0, count: TLSError.Kind.allCases.count)
  /// Usable connections ended because the peer's certificate was revoked meanwhile.
  public internal(set) var endedRevoked: UInt64 = 0
  /// Connections refused because there were too many.
  public internal(set) var refusedConnections: UInt64 = 0
  /// Connections refused because their address had too many, or too many handshakes.
  public internal(set) var refusedByAddress: UInt64 = 0
  /// Handshakes ended before their time because others waited.
  public internal(set) var evictedHandshakes: UInt64 = 0
  /// Connections refused for want of descriptors or memory.
  public internal(set) var refusedBySystem: UInt64 = 0
  /// Whole messages received, over streams and as datagrams.
  public internal(set) var messagesReceived: UInt64 = 0
  /// Messages accepted for sending.
  public internal(set) var messagesSent: UInt64 = 0
  /// Keep-alives received: line breaks and datagrams without content.
  public internal(set) var keepAlives: UInt64 = 0
  /// Streams whose messages couldn't be told apart.
  public internal(set) var framingErrors: UInt64 = 0
  /// Octets received, after decryption.
  public internal(set) var octetsReceived: UInt64 = 0
  /// Octets sent, before encryption.
  public internal(set) var octetsSent: UInt64 = 0
  /// Messages refused because too much waited.
  public internal(set) var overloads: UInt64 = 0
  /// How often a connection's reading was suspended because it didn't read.
  public internal(set) var suspensions: UInt64 = 0
  /// How often a connection fell under suspicion because what was written to it wasn't acknowledged.
  public internal(set) var suspects: UInt64 = 0
  /// STUN Binding requests answered, also with an error.
  public internal(set) var stunAnswered: UInt64 = 0
  /// Datagrams that began like STUN and got no answer.
  public internal(set) var stunIgnored: UInt64 = 0
  /// Datagrams that the socket didn't take.
  public internal(set) var datagramsDropped: UInt64 = 0
  /// Datagrams that ICMP reported as not delivered.
  public internal(set) var datagramsRefused: UInt64 = 0
}

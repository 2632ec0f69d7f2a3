import Structures

/// Whose flows a ``TransportLayer`` names.
public struct TransportIdentity: Sendable {
  /// See ``StreamFlow/node``.
  public let node: UInt32
  /// See ``StreamFlow/slot``.
  public let slot: UInt16
  /// See ``StreamFlow/epoch``.
  public let epoch: UInt64
  /// How many processes have held the slot before; the upper 16 bits of every connection id.
  public let generation: UInt16

  /// An identity from its parts.
  public init(node: UInt32, slot: UInt16, epoch: UInt64, generation: UInt16) {
    self.node = node
    self.slot = slot
    self.epoch = epoch
    self.generation = generation
  }
}

/// How long the transport waits and how much it holds. The defaults are safe for a server that anybody can reach.
public struct TransportSettings: Sendable {
  /// From a TCP connection to the end of its TLS handshake; so an idle connection that never starts one ends too.
  public var handshakeTime = Duration.seconds(10)
  /// From there (or from a TCP connection) to the first whole message of an accepted connection; keep-alives don't count.
  public var firstMessageTime = Duration.seconds(30)
  /// From the first octet of a message to its last, however they trickle.
  public var messageTime = Duration.seconds(30)
  /// Without any progress while octets wait to be sent.
  public var sendTime = Duration.seconds(10)
  /// For a TCP connection that we open.
  public var connectTime = Duration.seconds(10)
  /// After which octets that the peer hasn't acknowledged put the connection under suspicion; nil: never.
  public var acknowledgementTime: Duration? = Duration.seconds(3)
  /// Without an octet in either direction; nil: for ever. Longer than the hour for which phones register by default.
  public var idleTime: Duration? = Duration.seconds(3_700)
  /// For the peer to close after we sent our last octet: else what it still sends would reset the connection and take
  /// our answer with it.
  public var drainTime = Duration.seconds(2)
  /// Stream connections of the node.
  public var maximumConnections = 100_000
  /// Accepted connections of the node from one address; an IPv6 address counts with its whole /64.
  public var maximumConnectionsPerAddress = 1_024
  /// TLS handshakes with accepted connections under way; further ones wait in the kernel for a place.
  public var maximumHandshakes = 512
  /// How long a handshake may take when there are so many: the oldest that has taken longer makes room for a new one.
  public var handshakeGrace = Duration.seconds(2)
  /// TLS handshakes of the node under way with one address (IPv6: /64).
  public var maximumHandshakesPerAddress = 64
  /// Handshake work in one turn of the loop; at least one step is done.
  public var handshakeBudget = Duration.milliseconds(1)
  /// Messages that one connection delivers before it is others' turn.
  public var messagesPerTurn = 16
  /// Work on messages in one turn of the loop, after which the rest waits for the next; what was begun is finished.
  public var messageBudget = Duration.milliseconds(5)
  /// Bytes that wait to be sent on one connection; beyond, further messages are refused.
  public var maximumQueuedBytes = 1 << 20
  /// Bytes waiting to be sent above which nothing more is read from the peer.
  public var backPressureBytes = 64 << 10
  /// Bytes of start line and header fields.
  public var maximumHead = 16_384
  /// Bytes of a message, at most 65,535.
  public var maximumMessage = 65_535
  /// Silence after which the kernel probes a peer; nil: never.
  public var keepAliveIdle: Duration? = Duration.seconds(120)
  /// Between probes.
  public var keepAliveInterval = Duration.seconds(30)
  /// Unanswered probes that end the connection.
  public var keepAliveCount: Int32 = 4
  /// How long sent octets may stay unacknowledged (TCP_USER_TIMEOUT); nil: the kernel's choice.
  public var userTimeout: Duration? = Duration.seconds(30)

  /// Settings with every default.
  public init() {}
}

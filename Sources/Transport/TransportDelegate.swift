import Reactor
import SIPMessage
import Structures
import TLSEngine

/// Hears what the transport receives and what becomes of flows. It may call the transport back from within any of these.
/// Nothing is reported from within an order to send.
public protocol TransportDelegate: AnyObject {
  /// One whole message with untouched octets, valid during the call. Keep-alives are not delivered.
  func transport(received message: Span<UInt8>, over flow: Flow)
  /// The end of a message can't be found; `head` is what could be read of it. An answer may be sent over the flow, which is
  /// then closed.
  func transport(cannotFrame head: Span<UInt8>, because error: FramingError, over flow: Flow)
  /// A connection can be used: accepted or opened, and past its TLS handshake.
  func transport(opened flow: Flow, facts: ConnectionFacts)
  /// A connection can't be used any more. Comes once for each that was opened.
  func transport(closed flow: Flow, because reason: CloseReason)
  /// A connection ended before it could be used.
  func transport(
    handshakeFailed local: SocketAddress, remote: SocketAddress, isServer: Bool, because failure: HandshakeFailure)
  /// A message accepted under this tag will not be sent, or didn't arrive.
  func transport(failedToSend tag: UInt64, because reason: SendFailure)
  /// What was written to a connection stays unacknowledged: its peer seems to be gone. Comes again when more was written and isn't acknowledged
  /// either; the connection stays open.
  func transport(suspect flow: Flow)
  /// A connection that was under suspicion gave a sign of life.
  func transport(recovered flow: Flow)
  /// ICMP says that the peer of this flow isn't there any more.
  func transport(datagramRefused flow: DatagramFlow)
}

/// What is known of a connection when it opens.
public struct ConnectionFacts: Sendable {
  /// Whether the peer opened it.
  public let isAccepted: Bool
  /// The TLS profile: of one that we opened the client's, else the server's that the client's server name chose.
  public let profile: String?
  /// Whom we meant to reach, of one that we opened.
  public let peerName: String?
  /// What the TLS handshake agreed upon; nil for TCP.
  public let tls: TLSFacts?
}

/// The things that a connection must do in time.
public enum TransportDeadline: UInt8, Sendable, CaseIterable {
  case connect, handshake, firstMessage, message, send, idle, drain, silence
}

/// Why a connection was closed.
public enum CloseReason: Hashable, Sendable {
  /// The peer closed it.
  case peerClosed
  /// The system reported an errno.
  case system(Int32)
  /// TLS failed.
  case tls(TLSError)
  /// It didn't do this in time.
  case deadline(TransportDeadline)
  /// The end of a message couldn't be found.
  case framing(FramingError)
  /// We were told to.
  case ordered
  /// The transport ends.
  case shutdown
}

/// Why a connection never came to be used.
public enum HandshakeFailure: Hashable, Sendable {
  /// TLS failed.
  case tls(TLSError)
  /// It took too long.
  case deadline
  /// It was closed from our side meanwhile.
  case abandoned
}

/// What became of an order to send, at once.
public enum SendResult: Sendable {
  /// It is on its way; what goes wrong from here on is reported under its tag.
  case accepted
  /// There is no such flow, or it is being closed.
  case noSuchFlow
  /// Too much waits on this connection, or there are too many connections.
  case overloaded
}

/// Why a message was not sent in the end.
public enum SendFailure: Hashable, Sendable {
  /// The connection couldn't be opened; the errno.
  case connectFailed(Int32)
  /// The connection wasn't opened in time.
  case connectTimeout
  /// TLS failed, or took too long (nil).
  case handshakeFailed(TLSError?)
  /// The connection ended while the message waited.
  case closed(CloseReason)
  /// ICMP reported that a datagram didn't arrive, or the system refused it; the errno.
  case unreachable(Int32)
  /// There is no TLS client profile of that name.
  case noProfile
  /// There is no listener of the family to send a datagram from.
  case noListener
}

import Structures
import TLSEngine

/// What is told of a connection to whoever looks at a running node.
public struct ConnectionReport: Sendable {
  /// Its flow.
  public let flow: Flow
  /// Whether the peer opened it.
  public let isAccepted: Bool
  /// What it is doing: `connecting`, `handshake` (also while its certificate is looked up), `open` or `closing`.
  public let state: StaticString
  /// When it was accepted, or we began to open it.
  public let since: Instant
  /// The TLS profile, a server's or a client's; nil for TCP.
  public let profile: String?
  /// The certificate that we have for it; nil for TCP and for a client without one.
  public let certificate: PeerCertificate?
  /// What was written to it isn't acknowledged.
  public let isSuspect: Bool
  /// Bytes that wait to be sent.
  public let queuedBytes: Int
  /// What the TLS handshake agreed upon; nil for TCP, and before its end.
  public let tls: TLSFacts?
}

extension TransportLayer {
  /// The ids of all connections, in no order. Looks at all of them.
  public var connectionIDs: [UInt64] { Array(connections.keys) }

  /// The ids of all connections whose peer's certificate was proved, in no order. Looks at all of them.
  public var verifiedConnections: [UInt64] { connections.values.filter { $0.flow.isVerified }.map(\.id) }

  /// Says whether the peer of a connection belongs to our trust domain by its certificate; what comes over it says so from now on.
  public func setTrusted(_ isTrusted: Bool, connection id: UInt64) {
    guard let connection = connections[id], connection.flow.isVerified else { return }
    connection.flow = connection.flow.with(isTrusted: isTrusted)
  }

  /// What is known of a connection; nil when there is none with this id.
  public func report(of id: UInt64) -> ConnectionReport? {
    guard let connection = connections[id] else { return nil }
    let state: StaticString =
      switch connection.state {
      case .connecting: "connecting"
      case .handshaking, .judged: "handshake"
      case .open, .leaving, .arriving: "open"
      case .flushing, .draining, .closed: "closing"
      }
    var tls: TLSFacts?
    if case .open = connection.state { tls = connection.session?.facts }
    let context = connection.context
    return ConnectionReport(
      flow: connection.flow, isAccepted: connection.isAccepted, state: state, since: connection.since,
      profile: context?.profile(forServerName: tls?.serverName),
      certificate: context?.certificate(forServerName: tls?.serverName), isSuspect: connection.isSuspect,
      queuedBytes: connection.output.count, tls: tls)
  }
}

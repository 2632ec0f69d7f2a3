import Structures
import TLSEngine

/// Says of peers that proved a certificate whether they may come in, beyond what the TLS handshake found.
public protocol PeerAuthority: AnyObject {
  /// Judges a peer whose handshake is done; it may have begun before what is in force now. `staple`: the response that it
  /// sent along, or empty.
  func judge(_ chain: PeerChain, staple: [UInt8], of flow: Flow) -> PeerJudgement
}

/// Whether a peer may come in.
public enum PeerJudgement: Equatable {
  case admitted
  /// It may not, and why.
  case refused(TLSError)
  /// It isn't known yet: ``TransportLayer/settle(_:refusal:)`` will tell. Nothing is read from it until then.
  case open
}

extension TransportLayer {
  /// The answer for a connection that waits for it; others are left alone. `refusal`: why it may not come in.
  public func settle(_ connection: UInt64, refusal: TLSError?) {
    guard let connection = connections[connection], connection.state == .judged else { return }
    connection.settle(refusal: refusal)
  }

  /// The peers with a certificate of all connections that can be used.
  public var peerChains: [(flow: Flow, chain: PeerChain)] {
    connections.values.compactMap { connection in
      guard connection.state == .open, let chain = connection.peerChain else { return nil }
      return (connection.flow, chain)
    }
  }

  /// Ends the connections whose peers may no longer be connected: `refusal` is asked for each that has a certificate.
  public func endConnections(refused refusal: (PeerChain) -> TLSError?) {
    for connection in Array(connections.values) {
      guard let chain = connection.peerChain, let error = refusal(chain) else { continue }
      switch connection.state {
      case .open, .flushing:
        counters.endedRevoked += 1
        connection.session?.shutdown()
        connection.end(.tls(error))
      case .judged: connection.settle(refusal: error)
      // Those with a certificate are never moved.
      case .connecting, .handshaking, .draining, .leaving, .arriving, .closed: break
      }
    }
  }
}

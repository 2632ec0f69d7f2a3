import TLSEngine

/// Says of peers that proved a certificate whether they may come in, beyond what the TLS handshake found.
public protocol PeerAuthority: AnyObject {
  /// Why the peer may not come in; nil: it may. Its handshake may have begun before what is asked now was in force.
  func refusal(of chain: PeerChain) -> TLSError?
}

extension TransportLayer {
  /// Ends the connections whose peers may no longer be connected: `refusal` is asked for each that has a certificate.
  public func endConnections(refused refusal: (PeerChain) -> TLSError?) {
    for connection in Array(connections.values) {
      guard let chain = connection.peerChain, let error = refusal(chain) else { continue }
      switch connection.state {
      case .open, .flushing:
        counters.endedRevoked += 1
        connection.session?.shutdown()
        connection.end(.tls(error))
      case .connecting, .handshaking, .draining, .closed: break
      }
    }
  }
}

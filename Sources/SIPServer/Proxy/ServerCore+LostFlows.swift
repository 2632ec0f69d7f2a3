import SIPMessage
import SIPTransaction
import Structures

/// Responses to requests whose connection is gone (RFC 3261 §18.2.2).
extension ServerCore {
  /// A binding whose connection is gone is removed if it still is that connection's: its registration may have been stored when nobody waited for
  /// it any more, so that it isn't known here.
  func removeIfClosed(
    _ target: ResponseContext.Target, _ context: ResponseContext, _ actions: inout ServerActions
  ) {
    guard target.origin == .binding, target.route.isEmpty, case .stream(let stream) = target.hop.flow,
      closedConnections.contains(stream)
    else { return }
    actions.questions.append(.remove(aor: context.record, flow: .stream(stream)))
  }

  /// Sees that the responses of a transaction go where its sender can be reached: over the connection of the request, as long as there is one.
  /// Another way is looked for once; what can't be sent there either is lost.
  func leadBack(_ server: ServerTransaction) {
    guard !closedConnections.isEmpty, case .flow(.stream(let stream)) = server.destination,
      closedConnections.contains(stream), let other = destinationWithoutFlow(server)
    else { return }
    server.destination = other
  }

  /// RFC 3261 §18.2.2: the address that the request came from, at the port of sent-by, where a server listens that only calls by way of us; for
  /// TLS under the name in sent-by. Nil when its sender can't be reached there.
  func destinationWithoutFlow(_ server: ServerTransaction) -> Destination? {
    let transport = server.source.transport
    let port = server.via.port ?? transport.defaultPort
    guard transport.isReliable, port != 0 else { return nil }
    var name: [UInt8] = []
    if transport == .tls {
      let bytes = server.request.bytes
      name.append(bytes.span.extracting(server.via.host.positions))
    }
    return .address(SocketAddress(server.source.remote.address, port: port), transport, name: name)
  }
}

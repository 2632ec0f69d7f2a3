import SIPMessage
import SIPTransaction
import Structures

/// Requests that are too large for a datagram: RFC 3261 §18.1.1. They go by TCP to the address that they would have gone to by UDP, and by UDP
/// after all where no connection can be had. What goes over a flow stays on it (RFC 5626 §7).
extension ServerCore {
  /// How long a connection may take to open before its requests go by UDP: less than a caller notices.
  private static let timeToConnect = Duration.seconds(2)

  /// Leads a target to the same address and port by TCP. False for a next hop that isn't a UDP address, for one that is known to refuse, and
  /// when we have no TCP listener of its family, whose name would stand in Via.
  func divert(_ target: inout ResponseContext.Target, _ now: Instant) -> Bool {
    guard settings.udpSize > 0, let remote = datagramAddress(of: target.hop),
      let listener = settings.listener(for: .tcp, family: remote.address.family),
      settings.listeners[Int(listener)].address.address.family == remote.address.family,
      !refusals.contains(remote, at: now)
    else { return false }
    target.hop = NextHop(destination: .address(remote, .tcp, name: []), transport: .tcp, listener: listener)
    return true
  }

  /// Writes the request of a branch.
  func append(
    _ context: ResponseContext, _ server: ServerTransaction, to target: ResponseContext.Target, _ branch: Branch,
    _ breadth: Int, _ output: inout [UInt8]
  ) {
    append(
      server.request, via: server.via, from: server.source, to: target, branch: branch, breadth: breadth,
      poppedRoutes: context.poppedRoutes, callerRecord: context.callerRecord, calleeRecord: context.record,
      asserted: context.asserted, &output)
  }

  private func datagramAddress(of hop: NextHop) -> SocketAddress? {
    switch hop.destination {
    case .address(let remote, .udp, _): remote
    case .flow(.datagram(let flow)) where hop.isContactAddress: flow.remote
    default: nil
    }
  }

  /// Whether a request that went by TCP for its size alone never left, so that it goes by UDP; its peer is remembered. One that went over a
  /// connection may have arrived before that was lost: it is not sent twice.
  func isRefusedForSize(_ client: ClientTransaction, _ context: ResponseContext, _ now: Instant) -> Bool {
    guard context.branches[client.branch].isTooLarge, client.isUnsent,
      case .address(let remote, _, _) = client.destination
    else { return false }
    refusals.insert(remote, at: now)
    return true
  }

  /// How long the connection of a transaction's request may take to open; nil when nothing else is tried afterwards.
  func timeToConnect(_ handle: SlotHandle) -> Duration? {
    guard let client = transactions.client(handle), !client.isCancel, let context = contexts[client.context],
      client.branch < context.branches.count, context.branches[client.branch].isTooLarge
    else { return nil }
    return Self.timeToConnect
  }
}

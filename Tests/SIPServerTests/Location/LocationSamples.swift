import SIPServer
import Structures

/// Flows, updates and what is in a set, for tests of the registrar and its location.
enum LocationSamples {
  /// A TLS connection.
  static func stream(_ connection: UInt64) -> Flow {
    Flow(
      id: .stream(StreamFlow(node: 1, slot: 0, epoch: 7, connection: connection)), transport: .tls, listener: 0,
      local: SocketAddress(IPAddress(v4: 0x7F00_0001), port: 5061),
      remote: SocketAddress(IPAddress(v4: 0xC000_0207), port: 40_000), isVerified: false)
  }

  /// A UDP peer, 192.0.2.7 unless told.
  static func datagram(_ address: UInt32 = 0xC000_0207, port: UInt16 = 5060) -> Flow {
    let remote = SocketAddress(IPAddress(v4: address), port: port)
    return Flow(
      id: .datagram(DatagramFlow(node: 1, listener: 2, remote: remote)), transport: .udp, listener: 2,
      local: SocketAddress(IPAddress(v4: 0x7F00_0001), port: 5060), remote: remote, isVerified: false)
  }

  /// One Contact value.
  static func contact(_ uri: String, _ duration: Int64 = 3_600, q: UInt16? = nil)
    -> RegistrationUpdate.ContactChange
  {
    .init(uri: Array(uri.utf8), q: q, duration: duration, isReachedByFlow: true)
  }

  /// An update of alice's bindings.
  static func update(
    _ operation: RegistrationUpdate.Operation, callID: String = "a", cseq: UInt32 = 1, flow: UInt64 = 1,
    limit: Int = 10, now: Int64 = 1_000, aor: String = "alice@example.test"
  ) -> RegistrationUpdate {
    RegistrationUpdate(
      aor: Array(aor.utf8), operation: operation, callID: Array(callID.utf8), cseq: cseq, flow: stream(flow),
      maxContacts: limit, now: now)
  }

  /// The URIs of a set in their order; nil for no set.
  static func uris(_ set: BindingSet?) -> [String]? {
    set?.bindings.map { String(decoding: $0.uri, as: UTF8.self) }
  }
}

extension UpdateOutcome {
  /// The URIs of the resulting set, or what went wrong instead.
  var summary: [String] {
    switch self {
    case .done(let set, _): LocationSamples.uris(set) ?? []
    case .outOfOrder: ["out of order"]
    case .tooManyContacts: ["too many contacts"]
    case .full: ["full"]
    case .unavailable: ["unavailable"]
    }
  }

  /// Whether the update changed where requests go; nil when it was not done.
  var isChange: Bool? {
    if case .done(_, let changed) = self { return changed }
    return nil
  }
}

import SIPServer
import Structures

/// Flows and updates for tests of the location.
enum Samples {
  static let alice = Array("alice@example.test".utf8)

  /// A TLS connection of a worker.
  static func stream(_ connection: UInt64, slot: UInt16 = 0) -> Flow {
    Flow(
      id: .stream(StreamFlow(node: 1, slot: slot, epoch: 7, connection: connection)), transport: .tls, listener: 0,
      local: SocketAddress(IPAddress(v4: 0x7F00_0001), port: 5061),
      remote: SocketAddress(IPAddress(v4: 0xC000_0207), port: 40_000), isVerified: false)
  }

  /// A UDP peer.
  static func datagram(_ port: UInt16 = 5060) -> Flow {
    let remote = SocketAddress(IPAddress(v4: 0xC000_0207), port: port)
    return Flow(
      id: .datagram(DatagramFlow(node: 1, listener: 2, remote: remote)), transport: .udp, listener: 2,
      local: SocketAddress(IPAddress(v4: 0x7F00_0001), port: 5060), remote: remote, isVerified: false)
  }

  /// A REGISTER request with one contact; 0 seconds remove it.
  static func register(
    _ contact: String, over flow: Flow, cseq: UInt32 = 1, seconds: Int64 = 3_600, callID: String? = nil,
    aor: [UInt8] = alice, limit: Int = 10, now: Int64 = Station.start
  ) -> RegistrationUpdate {
    RegistrationUpdate(
      aor: aor,
      operation: .change([.init(uri: Array(contact.utf8), duration: seconds, isReachedByFlow: true)]),
      callID: Array((callID ?? contact).utf8), cseq: cseq, flow: flow, maxContacts: limit, now: now)
  }

  /// A REGISTER request that does something else.
  static func other(
    _ operation: RegistrationUpdate.Operation, over flow: Flow, cseq: UInt32 = 9, callID: String = "other",
    aor: [UInt8] = alice, now: Int64 = Station.start
  ) -> RegistrationUpdate {
    RegistrationUpdate(
      aor: aor, operation: operation, callID: Array(callID.utf8), cseq: cseq, flow: flow, maxContacts: 10, now: now)
  }
}

extension UpdateOutcome {
  /// Where the resulting set leads, or what went wrong instead.
  var summary: [String] {
    switch self {
    case .done(let set, _): Station.targets(set)
    case .outOfOrder: ["out of order"]
    case .tooManyContacts: ["too many contacts"]
    case .full: ["full"]
    case .unavailable: ["unavailable"]
    }
  }
}

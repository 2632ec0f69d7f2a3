import SIPMessage
import SIPServer
import SIPTransaction
import Structures

/// The peers of the targets, and a server that they talk to.
enum Peers {
  /// How many there are.
  static let count = 6

  /// The flow of a peer: two over TLS, one over TCP, two over UDP (one with IPv6), one over TLS with a proved certificate. Another `life` is
  /// another connection of the same peer.
  static func flow(_ peer: Int, life: UInt64 = 0) -> Flow {
    let transport: TransportProtocol = [.tls, .tls, .tcp, .udp, .udp, .tls][peer % count]
    let listener: UInt16 = transport == .tls ? 0 : transport == .tcp ? 1 : 2
    let address =
      peer == 4 ? IPAddress(v6: 0x2001_0DB8_0000_0000, 0x10) : IPAddress(v4: 0xC633_6400 + UInt32(peer % count))
    let remote = SocketAddress(address, port: 5_060)
    let id: FlowID =
      transport == .udp
      ? .datagram(DatagramFlow(node: 7, listener: listener, remote: remote))
      : .stream(StreamFlow(node: 7, slot: 0, epoch: 99, connection: 1 << 48 | life << 8 | UInt64(peer % count) + 1))
    return Flow(
      id: id, transport: transport, listener: listener,
      local: SocketAddress(IPAddress(v4: 0xC000_0201), port: transport.defaultPort), remote: remote,
      isVerified: peer % count == 5)
  }

  /// A server of the domain `e.test` with few places, so that they run out.
  static func core(hashing: any Hashing, isChallenging: Bool, start: Instant) -> ServerCore {
    let listeners: [ServerSettings.Listener] = [TransportProtocol.tls, .tcp, .udp].map { transport in
      let address = SocketAddress(IPAddress(v4: 0xC000_0201), port: transport.defaultPort)
      let name = Array("n.e.test:\(transport.defaultPort)".utf8)
      return ServerSettings.Listener(transport: transport, address: address, sentBy: name, recordRoute: name)
    }
    let domain = ServerSettings.Domain(
      name: Array("e.test".utf8), aliases: [Array("f.test".utf8)], realm: Array("e.test".utf8))
    var settings = ServerSettings(
      domains: [domain], listeners: listeners, hosts: [Array("n.e.test".utf8), Array("192.0.2.1".utf8)])
    settings.authenticationRequired = isChallenging
    settings.maxTransactions = 200
    settings.maxBranches = 4
    settings.registrar.expiresSpread = 0
    // All bindings are over when a story ends, and with them what keeps their flows alive.
    settings.registrar.maxExpires = 300
    settings.keepAlive = KeepAliveSettings(interval: .seconds(30), removeAfter: 3)
    settings.staticContacts.add(
      StaticContact(uri: Array("sip:s@198.51.100.3".utf8), q: 500), to: Array("s@e.test".utf8))
    let identity = Branch(node: 7, slot: 0, generation: 1, transaction: SlotHandle(index: 0, generation: 0))
    return ServerCore(
      settings: settings, identity: identity, hashing: hashing, users: FuzzUsers(), start: start, unixSeconds: 1_000_000
    )
  }
}

/// Everybody is a user whose name is one letter.
final class FuzzUsers: UserDirectory {
  func appendHA1(domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]) -> Bool {
    guard user.count == 1 else { return false }
    output.append(contentsOf: repeatElement(UInt8(ascii: "a"), count: algorithm.length * 2))
    return true
  }

  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? { nil }
}

import SIPServer
import Structures
import Testing

@Suite("A call between IPv4 and IPv6, RFC 5658 §3, RFC 3261 §16.6 steps 4 and 8")
struct FamilyTests {
  private static func settings(_ settings: inout ServerSettings) {
    func listener(_ transport: TransportProtocol, _ address: String) -> ServerSettings.Listener {
      ServerSettings.Listener(
        transport: transport, address: SocketAddress(address) ?? SocketAddress(IPAddress(v4: 0), port: 0),
        sentBy: Array(address.utf8), recordRoute: Array(address.utf8))
    }
    settings.listeners = [
      listener(.tls, "192.0.2.1:5061"), listener(.tcp, "192.0.2.1:5060"), listener(.udp, "192.0.2.1:5060"),
      listener(.tls, "[2001:db8::1]:5061"), listener(.udp, "[2001:db8::1]:5060"),
    ]
    settings.hosts = [Array("192.0.2.1".utf8), Array("[2001:db8::1]".utf8)]
  }

  private static func sixth(_ name: String, _ transport: TransportProtocol) -> TestNode.Peer {
    let remote = SocketAddress("[2001:db8:9::5]:40123") ?? SocketAddress(IPAddress(v4: 0), port: 0)
    let listener: UInt16 = transport == .tls ? 3 : 4
    let local = SocketAddress(IPAddress(v6: 0x2001_0DB8_0000_0000, 1), port: transport == .tls ? 5_061 : 5_060)
    let id: FlowID =
      transport == .udp
      ? .datagram(DatagramFlow(node: 7, listener: listener, remote: remote))
      : .stream(StreamFlow(node: 7, slot: 0, epoch: 99, connection: 2 << 48 | 1))
    return TestNode.Peer(
      name: name,
      flow: Flow(
        id: id, transport: transport, listener: listener, local: local, remote: remote, isVerified: false))
  }

  @Test(
    "each side has Via and Record-Route values of its own family, and both reach each other by them",
    arguments: [TransportProtocol.tls, .udp], [true, false])
  func call(_ transport: TransportProtocol, _ isCallerSixth: Bool) {
    let node = TestNode(Self.settings)
    let (four, six) = (node.peer("alice", transport), Self.sixth("bob", transport))
    let (alice, bob) = isCallerSixth ? (six, four) : (four, six)
    node.register("bob", bob)
    node.send(node.request("INVITE", from: alice, "Contact: <sip:alice@\(alice.flow.remote)>"), from: alice)
    node.settle()
    let invite = node.one(by: bob)
    let (hostOfFour, hostOfSix) = ("192.0.2.1:", "[2001:db8::1]:")
    let (near, far) = isCallerSixth ? (hostOfSix, hostOfFour) : (hostOfFour, hostOfSix)
    #expect(TestNode.header("Via", invite).contains(" " + far))
    let routes = TestNode.headers("Record-Route", invite)
    #expect(routes.count == 2 && routes[0].contains("@" + far) && routes[1].contains("@" + near), "\(routes)")
    node.send(TestNode.response("200 OK", to: invite), from: bob)
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 200 OK")
    // Each side sends to the host of the first value in its route set, its own family's, and is led to the other.
    let upwards = "Route: " + routes.reversed().joined(separator: ", ")
    node.send(
      node.request("ACK", "sip:bob@\(bob.flow.remote)", from: alice, tag: "callee", upwards), from: alice)
    node.settle()
    #expect(TestNode.start(node.one(by: bob)) == "ACK sip:bob@\(bob.flow.remote) SIP/2.0")
    let downwards = "Route: " + routes.joined(separator: ", ")
    node.send(
      node.request(
        "BYE", "sip:alice@\(alice.flow.remote)", from: bob, user: "bob", cseq: 7, tag: "alice-tag", downwards),
      from: bob)
    node.settle()
    let bye = node.one(by: alice)
    #expect(TestNode.start(bye) == "BYE sip:alice@\(alice.flow.remote) SIP/2.0")
    #expect(TestNode.header("Via", bye).contains(" " + near))
    node.send(TestNode.response("200 OK", to: bye), from: alice)
    #expect(TestNode.start(node.one(by: bob)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }
}

import SIPServer
import Structures
import Testing

@Suite("Connections that must give signs of life, RFC 5626 §5.4")
struct FlowTimerTests {
  private static func register(
    _ peer: TestNode.Peer, _ node: TestNode, sequence: Int = 1, contact: String? = nil,
    supported: String = "outbound, path"
  ) -> String {
    let given = "<sip:bob@192.168.0.9>;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000001>\""
    node.send(
      """
      REGISTER sip:example.test SIP/2.0
      Via: SIP/2.0/TLS 192.168.0.9;branch=z9hG4bKreg\(sequence)-\(peer.name);rport
      Max-Forwards: 70
      From: <sip:bob@example.test>;tag=r
      To: <sip:bob@example.test>
      Call-ID: register-bob
      CSeq: \(sequence) REGISTER
      Contact: \(contact ?? given)
      Supported: \(supported)

      """, from: peer)
    node.settle()
    return node.one(by: peer)
  }

  @Test("who is told a Flow-Timer is watched for that time and the grace", arguments: [TransportProtocol.tls, .tcp])
  func told(_ transport: TransportProtocol) {
    let node = TestNode {
      $0.registrar.flowTimer = 90
      $0.keepAlive.flowGrace = .seconds(20)
    }
    let bob = node.peer("bob", transport)
    let answer = Self.register(bob, node)
    #expect(TestNode.header("Flow-Timer", answer) == "90")
    #expect(node.supervisions[bob.flow.id] == .seconds(110))
  }

  @Test("who isn't told is not watched")
  func notTold() {
    let node = TestNode()
    let (bob, old, datagrams) = (node.peer("bob"), node.peer("old"), node.peer("datagrams", .udp))
    let plain = Self.register(old, node, contact: "<sip:bob@192.168.0.9>", supported: "path")
    #expect(TestNode.headers("Flow-Timer", plain).isEmpty)
    #expect(TestNode.headers("Flow-Timer", Self.register(datagrams, node, sequence: 2)).isEmpty)
    #expect(node.supervisions.isEmpty)
    let silent = TestNode { $0.registrar.flowTimer = 0 }
    #expect(TestNode.headers("Flow-Timer", Self.register(bob, silent)).isEmpty)
    #expect(silent.supervisions.isEmpty)
  }

  @Test(
    "who registers no more is watched no more",
    arguments: [
      "*", "<sip:bob@192.168.0.9>;expires=0;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000001>\"",
    ])
  func removed(contact: String) {
    let node = TestNode()
    let bob = node.peer("bob")
    _ = Self.register(bob, node)
    #expect(node.supervisions[bob.flow.id] == .seconds(150))
    _ = Self.register(bob, node, sequence: 2, contact: contact + (contact == "*" ? "\nExpires: 0" : ""))
    #expect(node.supervisions[bob.flow.id] == .zero)
  }
}

import Structures
import TLSEngine
import Testing

@testable import Transport

@Suite("TLS profiles of connections")
struct ProfileTests {
  @Test("a profile's own time for the handshake goes before that of all")
  func handshakeTime() throws {
    let bench = try Bench()
    let address = try bench.listen(.tls)
    let set = try Credentials.shared.get()
    var settings = TLSSettings()
    (settings.chain, settings.privateKey) = (set.server.certificate, set.server.privateKey)
    settings.handshakeTime = .milliseconds(60)
    bench.layer.setServerContext(try TLSContext(.server, settings), listener: 0)
    let client = try bench.connect(to: address)
    // Else the ten seconds of all are too long for this.
    bench.turn {
      client.receive()
      return client.isEnded
    }
    #expect(client.isEnded)
    #expect(bench.recorder.failedHandshakes == [.deadline])
  }

  @Test(
    "the client profile goes by the name that is wanted, else by the address; over TLS alone",
    arguments: [
      ("a.test", TransportProtocol.tls, "exact"), ("x.a.test", .tls, "below"), ("b.test", .tls, "default"),
      (nil, .tls, "address"), ("a.test", .tcp, "default"),
    ] as [(String?, TransportProtocol, String)])
  func clientProfile(name: String?, transport: TransportProtocol, expected: String) throws {
    let bench = try Bench()
    let address = try #require(SocketAddress("192.0.2.1:5061"))
    #expect(bench.layer.key(address, transport, name, nil).profile == "default")
    var names = NameTable<String>()
    for (name, profile) in [("a.test", "exact"), ("*.a.test", "below"), ("192.0.2.1", "address")] {
      names.set(profile, for: name)
    }
    bench.layer.setClientNames(names)
    #expect(bench.layer.key(address, transport, name, nil).profile == expected)
    #expect(bench.layer.key(address, transport, name, "mine").profile == "mine")
    #expect(bench.layer.key(address, transport, name, nil).name == name)
  }
}

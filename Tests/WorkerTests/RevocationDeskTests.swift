import Configuration
import Glibc
import Structures
import TLSEngine
import Testing
import Transport

@testable import Worker

@Suite("Peers whose status is asked for, RFC 6960")
struct RevocationDeskTests {
  /// Contexts of client profiles that ask a responder.
  private static func contexts(_ profiles: [String], _ mode: String) throws -> TLSContexts {
    let profile = SettingNode.mapping(
      [("ocsp", mode), ("ocsp_responder", "http://127.0.0.1:1/")].map {
        .init(key: $0.0, position: .start, value: .scalar(text: $0.1, wasQuoted: true, .start))
      }, .start)
    let client = SettingNode.mapping(
      profiles.map { .init(key: $0, position: .start, value: profile) }, .start)
    let tree = SettingNode.mapping(
      [
        .init(key: "domains", position: .start, value: ["example.test"]),
        .init(key: "listen", position: .start, value: ["tcp:127.0.0.1:0"]),
        .init(
          key: "tls", position: .start, value: .mapping([.init(key: "client", position: .start, value: client)], .start)
        ),
      ], .start)
    let facts = SettingsSources.Facts(hostName: "n", cores: 1, clusterSecret: Array(repeating: 9, count: 32))
    let resolved = ConfigurationBundle(file: "test", settings: tree, facts: facts).resolve()
    return try TLSContexts(try #require(resolved.configuration, "\(resolved.errors)"))
  }

  /// What a server proved to us under a client profile that asks a responder.
  private static func chain(_ profile: String) throws -> PeerChain {
    let authority = try CertificateAuthority(name: "Test authority", days: 2)
    let pair = try authority.makeServerCertificate(names: ["example.test"], days: 1)
    var theirs = TLSSettings()
    (theirs.chain, theirs.privateKey) = (pair.certificate, pair.privateKey)
    var ours = TLSSettings()
    ours.profile = profile
    ours.authorities = authority.pair.certificate
    ours.revocation.ocsp.mode = .soft
    ours.revocation.ocsp.responder = "http://127.0.0.1:1/"
    var numbers: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &numbers) == 0)
    defer { for number in numbers { close(number) } }
    let server = try TLSSession(try TLSContext(.server, theirs), descriptor: numbers[0])
    let client = try TLSSession(try TLSContext(.client, ours), descriptor: numbers[1], peerName: "example.test")
    var step = HandshakeStep.wantWrite
    for _ in 0..<10 where step != .done {
      step = client.handshake()
      if !server.isEstablished { _ = server.handshake() }
    }
    return try #require(client.peerChain)
  }

  private static func flow() throws -> Flow {
    let address = try #require(SocketAddress("127.0.0.1:5061"))
    return Flow(
      id: .datagram(DatagramFlow(node: 0, listener: 0, remote: address)), transport: .tls, listener: 0, local: address,
      remote: address, isVerified: true)
  }

  @Test("a stapled answer that is none doesn't keep us from asking")
  func uselessStaple() throws {
    let bench = try Bench()
    let desk = bench.node.revocation
    desk.adopt(try Self.contexts(["default"], "soft"))
    _ = desk.judge(try Self.chain("default"), staple: [1, 2, 3], of: try Self.flow())
    #expect(desk.figures.asked == 1)
  }

  @Test("who is judged by a profile that went away is asked about as it says")
  func goneProfile() throws {
    let bench = try Bench()
    let desk = bench.node.revocation
    desk.adopt(try Self.contexts(["default", "old"], "hard"))
    desk.adopt(try Self.contexts(["default"], "hard"))
    // Nobody can be asked here.
    guard case .refused(let error) = desk.judge(try Self.chain("old"), staple: [], of: try Self.flow()) else {
      Issue.record("admitted")
      return
    }
    #expect(error.kind == .ocspUnavailable && desk.figures.asked == 1)
  }
}

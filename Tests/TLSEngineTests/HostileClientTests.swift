import Structures
import Testing

@testable import TLSEngine

@Suite("Clients that mean harm")
struct HostileClientTests {
  @Test("takes one key update at a time, so that a peer that sends nothing else keeps nobody waiting")
  func keyUpdates() throws {
    let setting = try Setting()
    let server = try setting.server { $0.detaches = false }
    let wire = try Wire(server, try setting.client { $0.detaches = false }, name: "example.test")
    #expect(wire.handshake() == (.done, .done))
    let client = try Raw(wire.client)
    for _ in 0..<3 { try client.updateKey() }
    let text = Array("x".utf8)
    #expect(wire.client.write(text.span) == .octets(1))
    var buffer = [UInt8](repeating: 0, count: 64)
    var (result, steps) = (TLSResult.wantRead, 0)
    while result == .wantRead, steps < 10 {
      result = wire.server.read(into: &buffer)
      steps += 1
    }
    #expect(result == .octets(1))
    #expect(steps > 3)
  }

  @Test("holds a client to the versions of the profile that it names, not of the listener's")
  func versionByName() throws {
    let setting = try Setting()
    let server = try setting.server()
    let pair = try setting.authority.makeServerCertificate(names: ["modern.test", "old.test"], days: 1)
    server.setContext(try setting.server(pair) { $0.minimumVersion = .v13 }, forServerName: "modern.test")
    server.setContext(try setting.server(pair) { $0.maximumVersion = .v12 }, forServerName: "old.test")
    let refused = try Wire(server, try setting.client { $0.maximumVersion = .v12 }, name: "modern.test").handshake()
    #expect(refused.server != .done)
    let old = try Wire(server, try setting.client(), name: "old.test")
    #expect(old.handshake() == (.done, .done))
    #expect(old.server.facts.version == "TLSv1.2")
  }

  /// One profile for everybody, one for those who show a certificate.
  private func twoProfiles(_ setting: Setting) throws -> TLSContext {
    let server = try setting.server { $0.profile = "open" }
    let pair = try setting.authority.makeServerCertificate(names: ["closed.test"], days: 1)
    let closed = try setting.server(pair, verification: .required) { $0.profile = "closed" }
    server.setContext(closed, forServerName: "closed.test")
    closed.setContext(closed, forServerName: "closed.test")
    return server
  }

  @Test("goes on with a session under its own profile only", arguments: [TLSProtocolVersion.v12, .v13])
  func sessionOfAnotherProfile(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    let server = try twoProfiles(setting)
    let context = try setting.client {
      $0.maximumVersion = version
      $0.detaches = false
    }
    let first = try Wire(server, context, name: "example.test")
    #expect(first.handshake() == (.done, .done))
    var buffer = [UInt8](repeating: 0, count: 64)
    // The ticket of TLS 1.3 comes behind the handshake.
    #expect(first.client.read(into: &buffer) == .wantRead)

    let again = try Wire(server, context, name: "example.test")
    try Raw(first.client).giveSession(to: try Raw(again.client))
    #expect(again.handshake() == (.done, .done))
    #expect(again.server.facts.isResumed)

    let elsewhere = try Wire(server, context, name: "closed.test")
    try Raw(first.client).giveSession(to: try Raw(elsewhere.client))
    let step = elsewhere.handshake().server
    guard case .failed(let error) = step else { return #expect(step == .failed(TLSError(.noCertificate, ""))) }
    #expect(error.kind == .noCertificate)
  }
}

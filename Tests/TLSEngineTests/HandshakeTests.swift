import Glibc
import Structures
import Testing

@testable import TLSEngine

extension TLSSession {
  /// An array in place of a view: a test's expectations can't hold views.
  fileprivate func write(_ octets: [UInt8]) -> TLSResult { write(octets.span) }
}

/// Two connected non-blocking sockets with a session on each.
final class Wire {
  let server: TLSSession
  let client: TLSSession
  let numbers: [Int32]

  init(_ serverContext: TLSContext, _ clientContext: TLSContext, name: String?) throws {
    // OpenSSL writes without MSG_NOSIGNAL: whoever uses it ignores the signal.
    signal(SIGPIPE, SIG_IGN)
    var numbers: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &numbers) == 0)
    self.numbers = numbers
    server = try TLSSession(serverContext, descriptor: numbers[0])
    client = try TLSSession(clientContext, descriptor: numbers[1], peerName: name)
  }

  deinit { for number in numbers { close(number) } }

  /// Runs both sides until neither has more to do.
  func handshake() -> (server: HandshakeStep, client: HandshakeStep) {
    var (server, client) = (HandshakeStep.wantRead, HandshakeStep.wantRead)
    for _ in 0..<10 {
      if client == .wantRead || client == .wantWrite { client = self.client.handshake() }
      if server == .wantRead || server == .wantWrite { server = self.server.handshake() }
    }
    return (server, client)
  }
}

/// An authority and contexts of it, made once for all tests.
struct Setting {
  let authority: CertificateAuthority
  let pair: CertificatePair
  let tickets: TicketKeyRing

  init() throws {
    tickets = try TicketKeyRing(secret: [1, 2, 3])
    authority = try CertificateAuthority(name: "Test authority", days: 2)
    pair = try authority.makeServerCertificate(names: ["example.test", "127.0.0.1"], days: 1)
  }

  func server(
    _ pair: CertificatePair? = nil, verification: PeerVerification = .off,
    _ change: (inout TLSSettings) -> Void = { _ in }
  ) throws -> TLSContext {
    var settings = TLSSettings()
    settings.chain = (pair ?? self.pair).certificate
    settings.privateKey = (pair ?? self.pair).privateKey
    settings.authorities = authority.pair.certificate
    settings.verification = verification
    change(&settings)
    return try TLSContext(.server, settings, tickets: tickets)
  }

  func client(_ change: (inout TLSSettings) -> Void = { _ in }) throws -> TLSContext {
    var settings = TLSSettings()
    settings.authorities = authority.pair.certificate
    change(&settings)
    return try TLSContext(.client, settings)
  }
}

private func kind(_ step: HandshakeStep) -> TLSError.Kind? {
  if case .failed(let error) = step { error.kind } else { nil }
}

private func text(_ step: HandshakeStep) -> String {
  if case .failed(let error) = step { error.text } else { "" }
}

@Suite("Handshakes")
struct HandshakeTests {
  @Test(
    "is established in either version, carries octets both ways and ends cleanly",
    arguments: [TLSProtocolVersion.v12, .v13])
  func exchange(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    let wire = try Wire(try setting.server(), try setting.client { $0.maximumVersion = version }, name: "example.test")
    #expect(wire.handshake() == (.done, .done))
    let (server, client) = (wire.server.facts, wire.client.facts)
    #expect(server.version == (version == .v12 ? "TLSv1.2" : "TLSv1.3"))
    #expect(server.cipher == client.cipher)
    #expect(server.cipherBits >= 128)
    #expect(server.serverName == "example.test")
    #expect(server.peer == nil)
    #expect(!server.isVerified)
    #expect(client.isVerified)
    #expect(client.peer?.subject == "CN=example.test")

    var buffer = [UInt8](repeating: 0, count: 32_768)
    #expect(wire.server.read(into: &buffer) == .wantRead)
    // The ticket of TLS 1.3 lies before what the server sends.
    #expect(wire.client.read(into: &buffer) == .wantRead)
    let text = Array("MESSAGE sip:bob@example.test SIP/2.0".utf8)
    #expect(wire.client.write(text) == .octets(text.count))
    #expect(wire.client.write(text) == .octets(text.count))
    // What has come is read at once, however many records it is.
    #expect(wire.server.read(into: &buffer, from: 100) == .octets(2 * text.count))
    #expect(Array(buffer[100..<100 + 2 * text.count]) == text + text)
    #expect(!wire.server.hasPending)
    #expect(wire.server.write(text) == .octets(text.count))
    #expect(wire.client.read(into: &buffer) == .octets(text.count))
    wire.client.shutdown()
    #expect(wire.server.read(into: &buffer) == .endOfFile(isClean: true))
  }

  @Test("tells a connection that was cut from one that was ended")
  func cut() throws {
    let setting = try Setting()
    let wire = try Wire(try setting.server(), try setting.client(), name: "example.test")
    #expect(wire.handshake() == (.done, .done))
    Glibc.shutdown(wire.numbers[1], Int32(SHUT_RDWR))
    var buffer = [UInt8](repeating: 0, count: 64)
    #expect(wire.server.read(into: &buffer) == .endOfFile(isClean: false))
    #expect(wire.server.read(into: &buffer) == .endOfFile(isClean: false))
  }

  @Test("takes part of a large output when the socket is full and the rest later")
  func partialWrites() throws {
    let setting = try Setting()
    let wire = try Wire(try setting.server(), try setting.client(), name: "example.test")
    #expect(wire.handshake() == (.done, .done))
    let whole = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var (sent, received): (Int, [UInt8]) = (0, [])
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var wasFull = false
    while received.count < whole.count {
      let rest = Array(whole[sent...])
      switch wire.client.write(rest.span) {
      case .octets(let count): sent += count
      case .wantWrite: wasFull = true
      case let other: if !rest.isEmpty { Issue.record("\(other)"); return }
      }
      if wasFull || sent == whole.count {
        while case .octets(let count) = wire.server.read(into: &buffer) { received += buffer[..<count] }
      }
    }
    #expect(wasFull)
    #expect(received == whole)
  }

  @Test("leaves a server whose certificate comes from a stranger, and says so")
  func unknownAuthority() throws {
    let (setting, stranger) = (try Setting(), try Setting())
    let result = try Wire(try setting.server(), try stranger.client(), name: "example.test").handshake()
    #expect(kind(result.client) == .unknownAuthority)
    #expect(text(result.client).hasPrefix("certificate verify failed: "))
    #expect(kind(result.server) == .alert)
    #expect(text(result.server) == "tlsv1 alert unknown ca")
  }

  @Test("leaves a server whose certificate names somebody else")
  func wrongIdentity() throws {
    let setting = try Setting()
    let result = try Wire(try setting.server(), try setting.client(), name: "other.test").handshake()
    #expect(kind(result.client) == .identity)
    #expect(text(result.client).hasSuffix("not for other.test"))
  }

  @Test("accepts a server by its address")
  func addressIdentity() throws {
    let setting = try Setting()
    let wire = try Wire(try setting.server(), try setting.client(), name: "127.0.0.1")
    #expect(wire.handshake() == (.done, .done))
    #expect(wire.server.facts.serverName == nil)
  }

  @Test("accepts anybody with verification off, and doesn't call that verified")
  func verificationOff() throws {
    let (setting, stranger) = (try Setting(), try Setting())
    let wire = try Wire(try setting.server(), try stranger.client { $0.verification = .off }, name: "other.test")
    #expect(wire.handshake() == (.done, .done))
    #expect(!wire.client.facts.isVerified)
  }

  @Test("refuses an expired certificate")
  func expired() throws {
    let setting = try Setting()
    let pair = try setting.authority.makeServerCertificate(names: ["example.test"], days: -1)
    let result = try Wire(try setting.server(pair), try setting.client(), name: "example.test").handshake()
    #expect(text(result.client) == "certificate verify failed: certificate has expired")
  }

  @Test("asks clients for a certificate when told to", arguments: [PeerVerification.optional, .required])
  func clientCertificates(_ verification: PeerVerification) throws {
    let (setting, stranger) = (try Setting(), try Setting())
    let server = try setting.server(verification: verification)
    let none = try Wire(server, try setting.client { $0.maximumVersion = .v12 }, name: "example.test").handshake()
    #expect(kind(none.server) == (verification == .required ? .noCertificate : nil))

    let good = try setting.authority.makeClientCertificate(user: "alice@example.test", days: 1)
    let wire = try Wire(
      server, try setting.client { ($0.chain, $0.privateKey) = (good.certificate, good.privateKey) },
      name: "example.test")
    #expect(wire.handshake().server == .done)
    #expect(wire.server.facts.isVerified)
    #expect(wire.server.facts.peer?.names.uris == ["sip:alice@example.test"])

    let bad = try stranger.authority.makeClientCertificate(user: "alice@example.test", days: 1)
    let refused = try Wire(
      server, try setting.client { ($0.chain, $0.privateKey) = (bad.certificate, bad.privateKey) }, name: "example.test"
    )
    #expect(kind(refused.handshake().server) == .unknownAuthority)
  }

  @Test("chooses the certificate by the name that the client sends")
  func serverNames() throws {
    let setting = try Setting()
    let server = try setting.server()
    let pair = try setting.authority.makeServerCertificate(names: ["other.test"], days: 1)
    server.setContext(try setting.server(pair), forServerName: "Other.test")
    #expect(try Wire(server, try setting.client(), name: "other.TEST").handshake() == (.done, .done))
    #expect(try Wire(server, try setting.client(), name: "example.test").handshake() == (.done, .done))
    let third = try Wire(server, try setting.client(), name: "third.test").handshake()
    #expect(kind(third.client) == .identity)
  }

  @Test("names what is wrong when the ends can't agree")
  func disagreement() throws {
    let setting = try Setting()
    let modern = try setting.server { $0.minimumVersion = .v13 }
    let old = try Wire(modern, try setting.client { $0.maximumVersion = .v12 }, name: "example.test").handshake()
    #expect(kind(old.server) == .version)
    #expect(text(old.server) == "unsupported protocol")
    let picky = try setting.server { ($0.maximumVersion, $0.cipherList) = (.v12, "ECDHE-ECDSA-AES128-GCM-SHA256") }
    let other = try setting.client { ($0.maximumVersion, $0.cipherList) = (.v12, "ECDHE-ECDSA-AES256-GCM-SHA384") }
    let cipher = try Wire(picky, other, name: "example.test").handshake()
    #expect(kind(cipher.server) == .cipher)
    #expect(text(cipher.server) == "no shared cipher")
  }

  @Test(
    "tells octets that are not TLS", arguments: ["OPTIONS sip:example.test SIP/2.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"])
  func notTLS(_ input: String) throws {
    let setting = try Setting()
    let wire = try Wire(try setting.server(), try setting.client(), name: "example.test")
    let octets = Array(input.utf8)
    #expect(write(wire.numbers[1], octets, octets.count) == octets.count)
    #expect(kind(wire.server.handshake()) == .notTLS)
  }

  @Test("tells a peer that leaves during the handshake")
  func leaves() throws {
    let setting = try Setting()
    let wire = try Wire(try setting.server(), try setting.client(), name: "example.test")
    Glibc.shutdown(wire.numbers[1], Int32(SHUT_RDWR))
    #expect(kind(wire.server.handshake()) == .closed)
    #expect(kind(wire.server.handshake()) == .other)
  }

  @Test("names the setting that can't be used and why")
  func badSettings() throws {
    let setting = try Setting()
    #expect(throws: TLSError(.configuration, "certificate: none given")) { try TLSContext(.server, TLSSettings()) }
    #expect(throws: TLSError(.configuration, "certificate: no start line")) {
      try setting.server { $0.chain = Array("nothing".utf8) }
    }
    let other = try setting.authority.makeServerCertificate(names: ["example.test"], days: 1)
    #expect(throws: TLSError(.configuration, "private key: it does not belong to the certificate CN=example.test")) {
      try setting.server { $0.privateKey = other.privateKey }
    }
    #expect(throws: TLSError(.configuration, "cipher list: no cipher match")) {
      try setting.server { $0.cipherList = "NONSENSE" }
    }
  }
}

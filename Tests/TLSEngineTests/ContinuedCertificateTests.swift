import Testing

@testable import TLSEngine

@Suite("Client certificates of continued sessions (RFC 8446 §2.2, §4.6.1)")
struct ContinuedCertificateTests {
  private let set: AuthoritySet
  private let tickets: TicketKeyRing

  init() throws {
    set = try AuthoritySet.shared.get()
    tickets = try TicketKeyRing(secret: [1, 2, 3])
  }

  private func server(
    lists: [String] = [], issuers: IssuerTable = IssuerTable(), _ change: (inout TLSSettings) -> Void = { _ in }
  ) throws -> TLSContext {
    try set.context(.server, leaf: "good", lists: lists, issuers: issuers, tickets: tickets, change)
  }

  /// What comes of a second handshake, which offers to go on with the session of the first.
  private func again(
    _ leaf: String, _ version: TLSProtocolVersion, from one: TLSContext, at other: TLSContext
  ) throws -> (step: HandshakeStep, server: TLSSession) {
    let client = try set.context(.client, leaf: leaf) {
      $0.maximumVersion = version
      $0.detaches = false
      $0.verification = .off
    }
    let first = try Wire(one, client, name: "example.test")
    try #require(first.handshake() == (.done, .done))
    // The ticket of TLS 1.3 comes after the handshake.
    var buffer = [UInt8](repeating: 0, count: 64)
    #expect(first.client.read(into: &buffer) == .wantRead)
    let second = try Wire(other, client, name: "example.test")
    try Raw(first.client).giveSession(to: try Raw(second.client))
    return (second.handshake().server, second.server)
  }

  @Test(
    "a session isn't continued after the end of the client's certificate", arguments: [TLSProtocolVersion.v12, .v13])
  func expired(_ version: TLSProtocolVersion) throws {
    let server = try server()
    let (before, session) = try again("good", version, from: server, at: server)
    #expect(before == .done && session.facts.isResumed && session.facts.isVerified)
    let end = try #require(session.facts.peer?.notAfter)
    server.clock = { end + 1 }
    let (after, other) = try again("good", version, from: server, at: server)
    // By its own clock OpenSSL still finds the certificate good.
    #expect(after == .done && !other.facts.isResumed && other.facts.isVerified)
  }

  struct Lists: CustomTestStringConvertible, Sendable {
    let peer: String
    let list: String
    let refusal: TLSError.Kind

    var testDescription: String { "\(peer) by \(list)" }
  }

  @Test(
    "lists are looked at again, by a worker that knows nothing of the client",
    arguments: [
      Lists(peer: "revoked", list: "middle.crl", refusal: .revoked),
      Lists(peer: "good", list: "expired.crl", refusal: .crlExpired),
      Lists(peer: "good", list: "root.crl", refusal: .certificate),
    ], [TLSProtocolVersion.v12, .v13])
  func lists(_ test: Lists, _ version: TLSProtocolVersion) throws {
    let (step, _) = try again(test.peer, version, from: try server(), at: try server(lists: [test.list]))
    guard case .failed(let error) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(error.kind == test.refusal)
  }

  @Test(
    "where the status is asked for, a session is continued if its issuer is known, so that it can be",
    arguments: [TLSProtocolVersion.v12, .v13])
  func status(_ version: TLSProtocolVersion) throws {
    func asking(_ issuers: IssuerTable) throws -> TLSContext {
      try server(issuers: issuers) {
        $0.revocation.ocsp.mode = .soft
        // For that the issuer of our own certificate is kept, which is that of the client's.
        $0.revocation.stapling = false
      }
    }
    let one = try asking(IssuerTable())
    let (known, continued) = try again("good", version, from: one, at: one)
    #expect(known == .done && continued.facts.isResumed && continued.peerChain?.query != nil)
    let (unknown, other) = try again("good", version, from: one, at: try asking(IssuerTable()))
    #expect(unknown == .done && !other.facts.isResumed && other.peerChain?.query != nil)
  }
}

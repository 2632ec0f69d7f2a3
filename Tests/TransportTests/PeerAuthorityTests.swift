import Reactor
import Structures
import TLSEngine
import Testing

@testable import Transport

/// Judges as the test says.
private final class Judge: PeerAuthority {
  var judgement = PeerJudgement.open
  private(set) var asked: [Flow] = []

  func judge(_ chain: PeerChain, staple: [UInt8], of flow: Flow) -> PeerJudgement {
    asked.append(flow)
    return judgement
  }
}

@Suite("Peers that are judged before they come in")
struct PeerAuthorityTests {
  /// A bench whose listener wants certificates, and a client with one whose handshake is done on its side and which has sent
  /// a message.
  private static func judged(
    _ judge: Judge, withCertificate: Bool = true, _ change: (inout TransportSettings) -> Void = { _ in }
  ) throws -> (Bench, Client) {
    let bench = try Bench(node: nil, change)
    bench.layer.peerAuthority = judge
    let address = try bench.listen(.tls)
    let set = try Credentials.shared.get()
    var settings = TLSSettings()
    (settings.chain, settings.privateKey) = (set.server.certificate, set.server.privateKey)
    settings.authorities = set.authority.certificate
    settings.verification = .optional
    bench.layer.setServerContext(try TLSContext(.server, settings), listener: 0)
    var own = TLSSettings()
    own.authorities = set.authority.certificate
    if withCertificate {
      let pair = try CertificateAuthority(set.authority).makeClientCertificate(user: "alice@one.test", days: 1)
      (own.chain, own.privateKey) = (pair.certificate, pair.privateKey)
    }
    let descriptor = try Socket.connect(to: address)
    let session = try TLSSession(try TLSContext(.client, own), descriptor: descriptor.number, peerName: "one.test")
    let client = Client(descriptor, session: session)
    var step = HandshakeStep.wantWrite
    bench.turn {
      if step != .done { step = session.handshake() }
      return step == .done
    }
    try #require(step == .done)
    client.send(message("early"))
    return (bench, client)
  }

  @Test("nothing is read before it is settled; then what came meanwhile is delivered")
  func admitted() throws {
    let judge = Judge()
    let (bench, client) = try Self.judged(judge)
    #expect(bench.turn { judge.asked.count == 1 })
    bench.turn(for: .milliseconds(50))
    #expect(bench.recorder.opened.isEmpty && bench.recorder.messages.isEmpty)
    #expect(bench.layer.counters.handshakes == 1)
    let flow = try #require(judge.asked.first)
    guard case .stream(let name) = flow.id else {
      Issue.record("\(flow)")
      return
    }
    bench.layer.settle(name.connection &+ 1, refusal: nil)
    bench.turn(for: .milliseconds(20))
    #expect(bench.recorder.messages.isEmpty)
    bench.layer.settle(name.connection, refusal: nil)
    #expect(bench.turn { bench.recorder.messages.count == 1 })
    #expect(bench.recorder.opened.count == 1 && bench.layer.counters.handshakes == 0)
    #expect(bench.layer.peerChains.map(\.flow.id) == [flow.id])
    // Once is enough.
    bench.layer.settle(name.connection, refusal: TLSError(.revoked, "late"))
    bench.turn(for: .milliseconds(20))
    #expect(bench.recorder.closed.isEmpty)
    client.close()
  }

  @Test("who is refused is closed and counted as a handshake that failed", arguments: [true, false])
  func refused(_ isSettledLater: Bool) throws {
    let judge = Judge()
    let error = TLSError(.revoked, "certificate revoked")
    if !isSettledLater { judge.judgement = .refused(error) }
    let (bench, client) = try Self.judged(judge)
    #expect(bench.turn { judge.asked.count == 1 })
    if isSettledLater, case .stream(let name) = judge.asked[0].id {
      bench.layer.settle(name.connection, refusal: error)
    }
    #expect(bench.turn { bench.layer.counters.connections == 0 })
    #expect(bench.layer.counters.handshakeFailures[Int(TLSError.Kind.revoked.rawValue)] == 1)
    #expect(bench.recorder.opened.isEmpty && bench.recorder.closed.isEmpty && bench.recorder.messages.isEmpty)
    #expect(bench.layer.counters.handshakes == 0)
    client.close()
  }

  @Test("a judgement that doesn't come ends with the time for the handshake")
  func deadline() throws {
    let judge = Judge()
    let (bench, client) = try Self.judged(judge) { $0.handshakeTime = .milliseconds(300) }
    #expect(bench.turn { bench.layer.counters.deadlines[Int(TransportDeadline.handshake.rawValue)] == 1 })
    #expect(bench.turn { bench.layer.counters.connections == 0 })
    #expect(bench.recorder.opened.isEmpty && judge.asked.count == 1)
    client.close()
  }

  @Test("a peer without a certificate is not judged")
  func withoutCertificate() throws {
    let judge = Judge()
    let (bench, client) = try Self.judged(judge, withCertificate: false)
    #expect(bench.turn { bench.recorder.messages.count == 1 })
    #expect(judge.asked.isEmpty && bench.layer.peerChains.isEmpty)
    client.close()
  }

  @Test("who is refused later loses the connection, and nobody else does")
  func endedLater() throws {
    let judge = Judge()
    judge.judgement = .admitted
    let (bench, client) = try Self.judged(judge)
    #expect(bench.turn { bench.recorder.messages.count == 1 })
    bench.layer.endConnections { _ in nil }
    #expect(bench.layer.counters.connections == 1)
    let error = TLSError(.revoked, "certificate revoked")
    bench.layer.endConnections { _ in error }
    #expect(bench.layer.counters.connections == 0 && bench.layer.counters.endedRevoked == 1)
    #expect(bench.recorder.reasons == [.tls(error)])
    client.close()
  }

  @Test("who is refused while the judgement is open doesn't come in by it")
  func refusedWhileOpen() throws {
    let judge = Judge()
    let (bench, client) = try Self.judged(judge)
    #expect(bench.turn { judge.asked.count == 1 })
    guard case .stream(let name)? = judge.asked.first?.id else { return #expect(Bool(false)) }
    bench.layer.endConnections { _ in nil }
    #expect(bench.layer.counters.connections == 1)
    bench.layer.endConnections { _ in TLSError(.revoked, "certificate revoked") }
    bench.layer.settle(name.connection, refusal: nil)
    #expect(bench.turn { bench.layer.counters.connections == 0 })
    #expect(bench.layer.counters.handshakeFailures[Int(TLSError.Kind.revoked.rawValue)] == 1)
    #expect(bench.recorder.opened.isEmpty && bench.recorder.messages.isEmpty)
    client.close()
  }
}

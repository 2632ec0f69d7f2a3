import Structures
import Testing

@testable import TLSEngine

@Suite("Session tickets (RFC 5077, RFC 8446 §4.6.1)")
struct TicketTests {
  /// A worker: contexts of the same settings, with keys of its own.
  private func worker(_ setting: Setting, secret: [UInt8] = [7], salts: [UInt64: [UInt8]]) throws -> TLSContext {
    var settings = TLSSettings()
    settings.chain = setting.pair.certificate
    settings.privateKey = setting.pair.privateKey
    let tickets = try TicketKeyRing(secret: secret)
    for (epoch, salt) in salts { try tickets.add(epoch: epoch, salt: salt) }
    return try TLSContext(.server, settings, tickets: tickets)
  }

  /// Whether a client that got a ticket at one worker goes on with its session at another.
  private func resumes(
    _ setting: Setting, _ version: TLSProtocolVersion, from one: TLSContext, at other: TLSContext
  ) throws -> Bool {
    let context = try setting.client {
      $0.maximumVersion = version
      $0.detaches = false
    }
    let first = try Wire(one, context, name: "example.test")
    try #require(first.handshake() == (.done, .done))
    #expect(!first.server.facts.isResumed)
    // The ticket of TLS 1.3 comes after the handshake.
    var buffer = [UInt8](repeating: 0, count: 64)
    #expect(first.client.read(into: &buffer) == .wantRead)
    let second = try Wire(other, context, name: "example.test")
    try Raw(first.client).giveSession(to: try Raw(second.client))
    try #require(second.handshake() == (.done, .done))
    #expect(second.server.facts.isResumed == second.client.facts.isResumed)
    #expect(second.server.isDetached)
    return second.server.facts.isResumed
  }

  @Test("are good at every worker that has the salt of their epoch", arguments: [TLSProtocolVersion.v12, .v13])
  func anyWorker(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    let salts: [UInt64: [UInt8]] = [5: [1], 6: [2]]
    let one = try worker(setting, salts: salts)
    #expect(try resumes(setting, version, from: one, at: try worker(setting, salts: salts)))
    // The next epoch opens those of the one before, and no older ones.
    #expect(try resumes(setting, version, from: one, at: try worker(setting, salts: [6: [2], 7: [3]])))
    #expect(try !resumes(setting, version, from: one, at: try worker(setting, salts: [7: [3], 8: [4]])))
  }

  @Test("are good nowhere else: other salts, another secret, none", arguments: [TLSProtocolVersion.v12, .v13])
  func otherCluster(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    let one = try worker(setting, salts: [5: [1]])
    #expect(try !resumes(setting, version, from: one, at: try worker(setting, salts: [5: [9]])))
    #expect(try !resumes(setting, version, from: one, at: try worker(setting, secret: [8], salts: [5: [1]])))
    #expect(try !resumes(setting, version, from: one, at: try worker(setting, salts: [:])))
  }

  @Test("are good at the worker that gave them out before it knows a salt", arguments: [TLSProtocolVersion.v12, .v13])
  func ownKey(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    let alone = try worker(setting, salts: [:])
    #expect(try resumes(setting, version, from: alone, at: alone))
  }

  @Test("are not given out without keys", arguments: [TLSProtocolVersion.v12, .v13])
  func none(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    var settings = TLSSettings()
    settings.chain = setting.pair.certificate
    settings.privateKey = setting.pair.privateKey
    let context = try TLSContext(.server, settings)
    #expect(try !resumes(setting, version, from: context, at: context))
  }

  @Test(
    "are good at every worker for the names that have them, where others have none",
    arguments: [TLSProtocolVersion.v12, .v13])
  func namedOnly(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    func listener() throws -> TLSContext {
      var settings = TLSSettings()
      settings.chain = setting.pair.certificate
      settings.privateKey = setting.pair.privateKey
      let context = try TLSContext(.server, settings)
      context.setContext(try worker(setting, salts: [5: [1]]), forServerName: "example.test")
      return context
    }
    #expect(try resumes(setting, version, from: try listener(), at: try listener()))
  }

  @Test("are refused when other authorities are trusted since", arguments: [TLSProtocolVersion.v12, .v13])
  func otherAuthorities(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    let other = try Setting()
    let before = try setting.server(verification: .optional)
    let after = try TLSContext(
      .server,
      {
        var settings = TLSSettings()
        settings.chain = setting.pair.certificate
        settings.privateKey = setting.pair.privateKey
        settings.authorities = other.authority.pair.certificate
        settings.verification = .optional
        return settings
      }(), tickets: setting.tickets)
    #expect(try resumes(setting, version, from: before, at: before))
    #expect(try !resumes(setting, version, from: before, at: after))
  }

  @Test("are refused when fewer authorities may stand above a client since", arguments: [TLSProtocolVersion.v12, .v13])
  func otherDepth(_ version: TLSProtocolVersion) throws {
    let setting = try Setting()
    func server(_ depth: Int?) throws -> TLSContext {
      try setting.server(verification: .optional) { $0.verifyDepth = depth }
    }
    #expect(try resumes(setting, version, from: try server(2), at: try server(2)))
    #expect(try !resumes(setting, version, from: try server(2), at: try server(1)))
    #expect(try !resumes(setting, version, from: try server(nil), at: try server(1)))
  }

  @Test("an epoch lasts twelve hours")
  func epochs() {
    #expect(TicketKeyRing.epoch(of: 0) == 1)
    #expect(TicketKeyRing.epoch(of: 43_199) == 1)
    #expect(TicketKeyRing.epoch(of: 43_200) == 2)
  }
}

@Suite("Contexts that take each other's place")
struct ContextReplacementTests {
  @Test("contexts that knew each other by server names are freed when they retire")
  func freed() throws {
    let setting = try Setting()
    weak var one: TLSContext?
    weak var two: TLSContext?
    do {
      let (first, second) = (try setting.server(), try setting.server())
      (one, two) = (first, second)
      for context in [first, second] {
        context.setContext(first, forServerName: "one.test")
        context.setContext(second, forServerName: "two.test")
      }
      first.retire()
    }
    #expect(one == nil && two == nil)
  }

  @Test(
    "a handshake that began before goes on by the names of then", arguments: [TLSProtocolVersion.v12, .v13], [0, 1, 2])
  func handshakeUnderWay(_ version: TLSProtocolVersion, _ steps: Int) throws {
    let setting = try Setting()
    weak var closed: TLSContext?
    do {
      var server: TLSContext? = try setting.server { $0.profile = "open" }
      let client = try setting.client {
        $0.maximumVersion = version
        // In TLS 1.3 the server asks for another hello (RFC 8446 §4.1.4), with the group that it has.
        $0.groups = "P-521:X25519:P-256"
      }
      func prepare() throws -> Wire {
        let first = try #require(server)
        let pair = try setting.authority.makeServerCertificate(names: ["closed.test"], days: 1)
        let other = try setting.server(pair) { $0.profile = "closed" }
        closed = other
        for context in [first, other] { context.setContext(other, forServerName: "closed.test") }
        return try Wire(first, client, name: "closed.test")
      }
      let wire = try prepare()
      if steps > 0 { #expect(wire.client.handshake() == .wantRead) }
      if steps > 1 { #expect(wire.server.handshake() == .wantRead) }
      server?.retire()
      server = nil
      #expect(wire.handshake() == (.done, .done))
      #expect(wire.server.takeContext()?.profile == "closed")
    }
    #expect(closed == nil)
  }
}

import CTLSRecords
import Glibc
import Structures
import Testing

@testable import TLSEngine

/// A suite that is spoken, with the kind of key that it needs.
struct Suite: Sendable, CustomStringConvertible {
  let name: String
  let version: TLSProtocolVersion
  var description: String { name }

  static let all: [Suite] = [
    Suite(name: "TLS_AES_128_GCM_SHA256", version: .v13),
    Suite(name: "TLS_AES_256_GCM_SHA384", version: .v13),
    Suite(name: "TLS_CHACHA20_POLY1305_SHA256", version: .v13),
    Suite(name: "ECDHE-ECDSA-AES128-GCM-SHA256", version: .v12),
    Suite(name: "ECDHE-ECDSA-AES256-GCM-SHA384", version: .v12),
    Suite(name: "ECDHE-ECDSA-CHACHA20-POLY1305", version: .v12),
  ]

  static let modern = all.filter { $0.version == .v13 }
}

/// Two ends, of which each is detached or not, as is wanted.
func established(
  _ suite: Suite, server: Bool, client: Bool, maximumFragment: Bool = false
) throws -> Wire {
  let setting = try Setting()
  let change = { (settings: inout TLSSettings) in
    settings.maximumVersion = suite.version
    if suite.version == .v12 { settings.cipherList = suite.name } else { settings.cipherSuites = suite.name }
  }
  let wire = try Wire(
    try setting.server {
      change(&$0)
      $0.detaches = server
    },
    try setting.client {
      change(&$0)
      $0.detaches = client
    }, name: "example.test")
  try #require(wire.handshake() == (.done, .done))
  #expect(wire.server.isDetached == server)
  #expect(wire.client.isDetached == client)
  // The ticket, which carries no octets.
  #expect(wire.client.readAll().octets.isEmpty)
  return wire
}

extension TLSSession {
  /// All octets that come until nothing more is there.
  func readAll() -> (octets: [UInt8], end: TLSResult) {
    var (octets, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 16_384))
    var waits = 0
    for _ in 0..<1_000 {
      switch read(into: &buffer) {
      case .octets(let count): octets += buffer[..<count]
      // A ticket or new keys carry no octets, and more may be behind them.
      case .wantRead where waits < 3: waits += 1
      case let other: return (octets, other)
      }
    }
    return (octets, .wantRead)
  }

  func send(_ octets: [UInt8]) -> TLSResult { write(octets.span) }
}

@Suite("Connections that go on without their SSL object")
struct DetachTests {
  @Test("carry octets of every length both ways and end cleanly, whichever end is detached", arguments: Suite.all)
  func exchange(_ suite: Suite) throws {
    for (server, client) in [(true, false), (false, true), (true, true)] {
      let wire = try established(suite, server: server, client: client)
      #expect(wire.server.facts.cipher == suite.name)
      #expect(wire.client.facts.cipher == suite.name)
      for length in [1, 2, 15, 16, 17, 600, 16_383, 16_384, 16_385, 40_000] {
        let octets = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
        for (from, to) in [(wire.client, wire.server), (wire.server, wire.client)] {
          // Without partial writes a large output takes several calls.
          var sent = 0
          while sent < length {
            guard case .octets(let count) = from.send(Array(octets[sent...])) else { break }
            sent += count
          }
          #expect(sent == length)
          #expect(to.readAll().octets == octets)
        }
      }
      wire.client.shutdown()
      #expect(wire.server.readAll().end == .endOfFile(isClean: true))
      wire.server.shutdown()
    }
  }

  @Test("deliver a record that comes octet by octet, and several that come at once", arguments: Suite.all)
  func pieces(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: true)
    #expect(wire.client.send([1, 2, 3]) == .octets(3))
    #expect(wire.client.send([4, 5]) == .octets(2))
    var sealed = [UInt8](repeating: 0, count: 4_096)
    let count = Glibc.read(wire.numbers[0], &sealed, sealed.count)
    try #require(count > 0)
    var received: [UInt8] = []
    for octet in sealed[..<count] {
      #expect(Glibc.write(wire.numbers[1], [octet], 1) == 1)
      received += wire.server.readAll().octets
    }
    #expect(received == [1, 2, 3, 4, 5])
    for number in 0..<50 { #expect(wire.client.send([UInt8(number)]) == .octets(1)) }
    var buffer = [UInt8](repeating: 0, count: 16_384)
    #expect(wire.server.read(into: &buffer) == .octets(50))
    #expect(!wire.server.hasPending)
  }

  @Test("give what doesn't fit into the reader's buffer with the next reads", arguments: Suite.all)
  func smallBuffers(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: false)
    let octets = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
    #expect(wire.client.send(octets) == .octets(1_000))
    #expect(wire.client.send([7]) == .octets(1))
    var (received, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 300))
    for _ in 0..<10 {
      if case .octets(let count) = wire.server.read(into: &buffer) { received += buffer[..<count] }
    }
    #expect(received == octets + [7])
    #expect(!wire.server.hasPending)
  }

  @Test("follow new keys of the peer, answer for them, and take new ones themselves", arguments: Suite.modern)
  func keyUpdates(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: false)
    let client = try Raw(wire.client)
    for round in 0..<20 {
      try client.updateKey()
      #expect(wire.client.send([UInt8(round), 1]) == .octets(2))
      #expect(wire.server.readAll().octets == [UInt8(round), 1])
      // The client opens this with the keys that the server's answer told of.
      #expect(wire.server.send([9, UInt8(round)]) == .octets(2))
      #expect(wire.client.readAll().octets == [9, UInt8(round)])
      #expect(wire.server.updateKeys(asks: round % 2 == 0))
      #expect(wire.server.send([8]) == .octets(1))
      #expect(wire.client.readAll().octets == [8])
      #expect(wire.client.send([6]) == .octets(1))
      #expect(wire.server.readAll().octets == [6])
    }
  }

  @Test("bear no endless new keys without any data", arguments: Suite.modern)
  func updateFlood(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: false)
    let client = try Raw(wire.client)
    for _ in 0..<40 { try client.updateKey() }
    guard case .failed(let error) = wire.server.readAll().end else {
      Issue.record("40 new keys were taken")
      return
    }
    #expect(error.text.contains("unexpected message"))
  }

  @Test("refuse what was changed on the way, and tell no octet of it", arguments: Suite.all)
  func forgery(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: true)
    #expect(wire.client.send([1, 2, 3]) == .octets(3))
    var sealed = [UInt8](repeating: 0, count: 4_096)
    let count = Glibc.read(wire.numbers[0], &sealed, sealed.count)
    try #require(count > 0)
    sealed[count - 1] ^= 1
    #expect(Glibc.write(wire.numbers[1], sealed, count) == count)
    let (octets, end) = wire.server.readAll()
    #expect(octets.isEmpty)
    guard case .failed(let error) = end else {
      Issue.record("\(end)")
      return
    }
    #expect(error.text.contains("bad record mac"))
    // The peer is told (RFC 8446 §5.2).
    guard case .failed(let told) = wire.client.readAll().end else {
      Issue.record("the client heard nothing")
      return
    }
    #expect(told.kind == .alert && told.text.contains("bad record mac"))
  }

  @Test("refuse a record that is sent again, or in another order", arguments: Suite.all)
  func replay(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: true)
    #expect(wire.client.send([1]) == .octets(1))
    var sealed = [UInt8](repeating: 0, count: 4_096)
    let count = Glibc.read(wire.numbers[0], &sealed, sealed.count)
    try #require(count > 0)
    for _ in 0..<2 { #expect(Glibc.write(wire.numbers[1], sealed, count) == count) }
    #expect(wire.server.readAll().octets == [1])
    #expect(wire.server.readAll().end == .endOfFile(isClean: false))
  }

  @Test("never seal octets twice, however often the socket is full", arguments: Suite.all)
  func fullSocket(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: false)
    let whole = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    var (sent, received, waits) = (0, [UInt8](), 0)
    while received.count < whole.count {
      while sent < whole.count {
        guard case .octets(let count) = wire.server.send(Array(whole[sent..<min(sent + 100_000, whole.count)])) else {
          waits += 1
          break
        }
        sent += count
      }
      let (octets, end) = wire.client.readAll()
      received += octets
      try #require(end == .wantRead)
    }
    #expect(received == whole)
    #expect(waits > 0)
  }

  @Test("are tried out at the start: with this library every suite passes")
  func trial() { #expect(DetachTrial.failure == nil) }

  @Test("take new keys of their own before the old ones have served too long", arguments: Suite.modern)
  func limits(_ suite: Suite) throws {
    tlsrecords_set_limit(20)
    defer { tlsrecords_set_limit(1 << 23) }
    let wire = try established(suite, server: true, client: false)
    for number in 0..<200 {
      #expect(wire.server.send([UInt8(number)]) == .octets(1))
      #expect(wire.client.readAll().octets == [UInt8(number)])
      #expect(wire.client.send([1, UInt8(number)]) == .octets(2))
      #expect(wire.server.readAll().octets == [1, UInt8(number)])
    }
  }

  @Test("end in good order when keys have served too long that can't be changed (TLS 1.2)")
  func limitOfOld() throws {
    tlsrecords_set_limit(20)
    defer { tlsrecords_set_limit(1 << 23) }
    let suite = Suite(name: "ECDHE-ECDSA-AES128-GCM-SHA256", version: .v12)
    let wire = try established(suite, server: true, client: false)
    var count = 0
    while case .octets = wire.server.send([1]), count < 100 { count += 1 }
    // The first record was the handshake's last.
    #expect(count == 19)
    #expect(wire.client.readAll().end == .endOfFile(isClean: true))
  }
}

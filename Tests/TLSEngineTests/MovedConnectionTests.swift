import CTLSRecords
import Glibc
import Simulation
import Structures
import Testing

@testable import TLSEngine

/// A connection as a process holds it that took it over.
private final class Moved {
  private var connection: OpaquePointer
  private let descriptor: Int32

  init(_ state: [UInt8], descriptor: Int32) throws {
    connection = try #require(tlsrecords_import(state, state.count))
    self.descriptor = descriptor
  }

  deinit { tlsrecords_free(connection) }

  static func state(of connection: OpaquePointer?) -> [UInt8] {
    let length = tlsrecords_export(connection, nil, 0)
    var octets = [UInt8](repeating: 0xFF, count: length)
    #expect(tlsrecords_export(connection, &octets, length) == length)
    return octets
  }

  /// Goes through its state and on.
  func move() throws {
    let state = Self.state(of: connection)
    tlsrecords_free(connection)
    connection = try #require(tlsrecords_import(state, state.count))
    #expect(Self.state(of: connection) == state)
  }

  func read(_ room: Int = 16_384) -> (status: tlsrecords_status, octets: [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: room)
    let result = tlsrecords_read(connection, descriptor, &buffer, room)
    return (result.status, result.status == tlsrecords_done ? Array(buffer[..<Int(result.count)]) : [])
  }

  func write(_ octets: [UInt8]) -> Int? {
    let result = tlsrecords_write(connection, descriptor, octets, octets.count)
    return result.status == tlsrecords_done ? Int(result.count) : nil
  }

  func updateKeys(asks: Bool) -> Bool { tlsrecords_update_keys(connection, descriptor, asks) == 1 }
}

@Suite("Connections that move to another process")
struct MovedConnectionTests {
  private func moved(_ suite: Suite) throws -> (wire: Wire, server: Moved) {
    let wire = try established(suite, server: true, client: false)
    return (wire, try Moved(Moved.state(of: wire.server.records), descriptor: wire.numbers[0]))
  }

  @Test("go on after each record, with half of one read, with answers owed and new keys taken", arguments: Suite.all)
  func anyMoment(_ suite: Suite) throws {
    let (wire, server) = try moved(suite)
    let client = try Raw(wire.client)
    var random = SplitMix(seed: 1)
    for round in 0..<60 {
      let octets = (0..<Int.random(in: 1...3_000, using: &random)).map { UInt8(truncatingIfNeeded: $0 &+ round) }
      if suite.version == .v13, round % 7 == 3 { try client.updateKey() }
      #expect(wire.client.send(octets) == .octets(octets.count))
      var received: [UInt8] = []
      for _ in 0..<200 where received.count < octets.count {
        // A small room leaves records half read.
        received += server.read(Int.random(in: 1...900, using: &random)).octets
        if Int.random(in: 0..<4, using: &random) == 0 { try server.move() }
      }
      try #require(received == octets)
      if suite.version == .v13, round % 11 == 5 { #expect(server.updateKeys(asks: true)) }
      #expect(server.write(octets) == octets.count)
      try server.move()
      try #require(wire.client.readAll().octets == octets)
    }
  }

  @Test("take along what is sealed and not sent, and never seal it again", arguments: Suite.all)
  func unsent(_ suite: Suite) throws {
    let (wire, server) = try moved(suite)
    let whole = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var (sent, received, waits) = (0, [UInt8](), 0)
    while received.count < whole.count {
      while sent < whole.count {
        guard let count = server.write(Array(whole[sent..<min(sent + 50_000, whole.count)])) else {
          waits += 1
          try server.move()
          break
        }
        sent += count
      }
      received += wire.client.readAll().octets
    }
    #expect(received == whole)
    #expect(waits > 0)
  }

  @Test("are taken over from exactly such octets and no others", arguments: Suite.all)
  func strict(_ suite: Suite) throws {
    let wire = try established(suite, server: true, client: false)
    let state = Moved.state(of: wire.server.records)
    #expect(state.count == tlsrecords_state_size)
    for length in 0..<state.count { #expect(tlsrecords_import(state, length) == nil) }
    #expect(tlsrecords_import(state + [0], state.count + 1) == nil)
    // The head is what can be checked; keys and numbers are what they are.
    for place in 0..<10 {
      for bit in 0..<8 {
        var other = state
        other[place] ^= 1 << UInt8(bit)
        guard let taken = tlsrecords_import(other, other.count) else { continue }
        // Another role, or another suite of the same version.
        #expect(place == 5 || place == 8 || place == 9)
        tlsrecords_free(taken)
      }
    }
    var random = SplitMix(seed: 1)
    for _ in 0..<20_000 {
      var other = state
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        other[Int.random(in: 0..<other.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if let taken = tlsrecords_import(other, other.count) { tlsrecords_free(taken) }
    }
  }

  @Test("hold their keys in memory that is never swapped out, dumped or inherited")
  func memory() throws {
    let wire = try established(Suite.all[0], server: true, client: true)
    let records: OpaquePointer = try #require(wire.server.records)
    let address = UInt(bitPattern: records)
    var lines: [Substring] = []
    let text = try #require(Self.text(of: "/proc/self/smaps"))
    for line in text.split(separator: "\n") {
      let ends = line.prefix { $0 != " " }.split(separator: "-")
      if ends.count == 2, let start = UInt(ends[0], radix: 16), let end = UInt(ends[1], radix: 16) {
        if !lines.isEmpty { break }
        if !(start..<end).contains(address) { continue }
        lines.append(line)
      } else if !lines.isEmpty {
        lines.append(line)
      }
    }
    let flags = try #require(lines.first { $0.hasPrefix("VmFlags:") }).split(separator: " ")
    #expect(flags.contains("dd") && flags.contains("wf"))
    // The address sanitizer's mlock does nothing, and says that it did.
    let isSanitized = dlsym(nil, "__asan_init") != nil
    #expect(flags.contains("lo") || !tlsrecords_memory().is_locked || isSanitized)
  }

  private static func text(of path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var octets: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { octets += buffer[..<count] }
    return String(decoding: octets, as: UTF8.self)
  }
}

import CTLSRecords
import Glibc
import Structures
import Testing

@testable import TLSEngine

/// What a hostile peer sends over an established connection.
private struct Attack: Sendable, CustomStringConvertible {
  enum Step: Sendable {
    /// A sealed record.
    case record(type: UInt8, [UInt8])
    /// Octets that nobody sealed.
    case plain([UInt8])
  }

  let description: String
  let steps: [Step]
  /// Where we differ from OpenSSL 3.0 on purpose, and how.
  var difference: String?

  init(_ description: String, _ steps: [Step], differs difference: String? = nil) {
    self.description = description
    self.steps = steps
    self.difference = difference
  }

  private static let (cipherSpec, alert, handshake, data) = (UInt8(20), UInt8(21), UInt8(22), UInt8(23))

  private static let shortAlert = "we say decode_error, as RFC 5246 §7.2.2 has it; OpenSSL unexpected_message"

  static let both: [Attack] = [
    Attack("32 empty records of data, then some", Array(repeating: .record(type: data, []), count: 32) + [ok]),
    Attack("33 empty records of data", Array(repeating: .record(type: data, []), count: 33)),
    Attack("a record of a type that nobody knows", [.record(type: 99, [1])]),
    Attack("a sealed change of cipher", [.record(type: cipherSpec, [1])]),
    Attack("close_notify", [.record(type: alert, [1, 0])]),
    Attack("a fatal alert", [.record(type: alert, [2, 40])]),
    Attack("a Finished", [.record(type: handshake, [20, 0, 0, 12] + Array(repeating: 0, count: 12))]),
    Attack("a Certificate", [.record(type: handshake, [11, 0, 0, 3, 0, 0, 0])]),
    Attack("a record whose version is 2", [.plain([data, 2, 3, 0, 20] + Array(repeating: 0, count: 20))]),
    Attack("a record that nobody sealed", [.plain([data, 3, 3, 0, 40] + Array(repeating: 0, count: 40))]),
    Attack("a record of more than there may be", [.plain([data, 3, 3, 0x48, 0x01] + Array(repeating: 0, count: 600))]),
    Attack("an alert that nobody sealed", [.plain([alert, 3, 3, 0, 2, 2, 40])]),
    Attack("a record shorter than its tag", [.plain([data, 3, 3, 0, 8] + Array(repeating: 0, count: 8))]),
    Attack("HTTP", [.plain(Array("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n".utf8))]),
  ]

  static let modern: [Attack] = [
    Attack("an alert of one octet", [.record(type: alert, [1])]),
    Attack("an alert of three octets", [.record(type: alert, [1, 0, 0])]),
    Attack("new keys", [.record(type: handshake, [24, 0, 0, 1, 0])]),
    Attack("new keys in no known way", [.record(type: handshake, [24, 0, 0, 1, 2])]),
    Attack("new keys with more behind them", [.record(type: handshake, [24, 0, 0, 1, 0, 24])]),
    Attack(
      "new keys of two octets", [.record(type: handshake, [24, 0, 0, 2, 0, 0])],
      differs: "we say decode_error, as RFC 8446 §6.2 has it; OpenSSL illegal_parameter"),
    Attack("data between the pieces of a message", [.record(type: handshake, [24, 0]), .record(type: data, [1])]),
    Attack("an empty piece of a message", [.record(type: handshake, [])]),
    Attack("an empty alert", [.record(type: alert, [])]),
    Attack("user_canceled, then data", [.record(type: alert, [1, 90]), ok]),
    Attack("a warning that is none any more", [.record(type: alert, [1, 40])]),
    Attack("a change of cipher in the clear", [.plain([cipherSpec, 3, 3, 0, 1, 1])]),
    Attack("a ticket", [.record(type: handshake, [4, 0, 0, 0])]),
    Attack("a request for a certificate", [.record(type: handshake, [13, 0, 0, 3, 0, 0, 0])]),
  ]

  static let old: [Attack] = [
    Attack("an alert of one octet", [.record(type: alert, [1])], differs: shortAlert),
    Attack("an alert of three octets", [.record(type: alert, [1, 0, 0])], differs: shortAlert),
    Attack("four warnings, then data", Array(repeating: .record(type: alert, [1, 90]), count: 4) + [ok]),
    Attack("five warnings", Array(repeating: .record(type: alert, [1, 90]), count: 5)),
    Attack("a change of cipher with nothing behind it", [.record(type: cipherSpec, [2])]),
  ]

  private static let ok = Step.record(type: 23, [42])
}

@Suite("Records of peers that mean harm, beside what OpenSSL says to them")
struct HostileRecordTests {
  /// What became of a server: the octets that it got, and what its client heard.
  private struct Outcome: Equatable, CustomStringConvertible {
    let octets: [UInt8]
    let told: String
    let isOver: Bool
    var description: String { "\(octets), \(told), \(isOver ? "over" : "open")" }
  }

  private func outcome(_ attack: Attack, _ suite: Suite, detaches: Bool) throws -> Outcome {
    let wire = try established(suite, server: detaches, client: true)
    for step in attack.steps {
      switch step {
      case .record(let type, let content):
        try #require(tlsrecords_send(wire.client.records, wire.numbers[1], type, content, content.count) == 1)
      case .plain(let octets): try #require(Glibc.write(wire.numbers[1], octets, octets.count) == octets.count)
      }
    }
    // OpenSSL looks at one record that carries nothing with each call.
    var (octets, end) = ([UInt8](), TLSResult.wantRead)
    for _ in 0..<20 where end == .wantRead {
      let read = wire.server.readAll()
      octets += read.octets
      end = read.end
    }
    var told = "nothing"
    if case .failed(let error) = wire.client.readAll().end { told = "\(error)" }
    return Outcome(octets: octets, told: told, isOver: end != .wantRead)
  }

  private func compare(_ attack: Attack, _ suite: Suite) throws {
    let (ours, theirs) = (
      try outcome(attack, suite, detaches: true), try outcome(attack, suite, detaches: false)
    )
    if let difference = attack.difference {
      #expect(ours != theirs, "no difference any more: \(difference)")
      #expect(ours.isOver == theirs.isOver && ours.octets == theirs.octets)
    } else {
      #expect(ours == theirs)
    }
  }

  @Test("in either version", arguments: Attack.both, Suite.all)
  fileprivate func inBoth(_ attack: Attack, _ suite: Suite) throws { try compare(attack, suite) }

  @Test("in TLS 1.3", arguments: Attack.modern, Suite.modern)
  fileprivate func inModern(_ attack: Attack, _ suite: Suite) throws { try compare(attack, suite) }

  @Test("in TLS 1.2", arguments: Attack.old, Suite.all.filter { $0.version == .v12 })
  fileprivate func inOld(_ attack: Attack, _ suite: Suite) throws { try compare(attack, suite) }
}

import Structures
import TLSEngine

/// A connection as one process tells another of it that is to go on with it. The descriptor goes beside.
///
/// Encoded: format (1 octet), flags (1: bit 0 accepted, bit 1 a line break came last, bit 2 TLS, bit 3 in doubt), the flow as ``FlowCoding`` has it, then in
/// nanoseconds (8 each) its age, the silence that is allowed, the time left for its first message and for the rest of the message under way; then, behind
/// their lengths, profile and name of one that we opened (2 each), what was read and not delivered, and what waits to be sent (4 each), and the TLS
/// session (4).
struct MovedConnection {
  static let format: UInt8 = 1
  private static let isAccepted: UInt64 = 1
  private static let hadBreak: UInt64 = 2
  private static let isTLS: UInt64 = 4
  private static let isSuspect: UInt64 = 8

  let flow: Flow
  let isAccepted: Bool
  let hadBreak: Bool
  let isTLS: Bool
  let isSuspect: Bool
  let age: Int64
  let silenceLimit: Int64
  /// Nanoseconds; -1: there is no such deadline.
  let firstMessage: Int64
  let message: Int64
  let profile: String
  let name: String?
  let input: Range<Int>
  let output: Range<Int>
  let session: Range<Int>

  /// Reads what ``append(_:to:)`` wrote; nil when it is anything else.
  init?(_ octets: Span<UInt8>) {
    var parts = PartReader(octets, 0..<octets.count)
    guard parts.number(octets, 1) == UInt64(Self.format), let flags = parts.number(octets, 1), flags < 32,
      let flow = parts.flow(octets), flow.transport != .udp, let age = parts.number(octets, 8),
      let silence = parts.number(octets, 8), let first = parts.number(octets, 8), let message = parts.number(octets, 8),
      let profile = parts.counted(octets, 2), let name = parts.counted(octets, 2), let input = parts.counted(octets, 4),
      let output = parts.counted(octets, 4), let session = parts.counted(octets, 4), parts.isAtEnd
    else { return nil }
    self.flow = flow
    isAccepted = flags & Self.isAccepted != 0
    hadBreak = flags & Self.hadBreak != 0
    isTLS = flags & Self.isTLS != 0
    isSuspect = flags & Self.isSuspect != 0
    guard isTLS == (flow.transport == .tls), isTLS != session.isEmpty else { return nil }
    self.age = Int64(bitPattern: age)
    silenceLimit = Int64(bitPattern: silence)
    firstMessage = Int64(bitPattern: first)
    self.message = Int64(bitPattern: message)
    func text(_ range: Range<Int>) -> String {
      octets.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
    self.profile = text(profile)
    self.name = flags & 16 != 0 ? text(name) : nil
    self.input = input
    self.output = output
    self.session = session
  }

  /// Writes a connection that is open. What is written holds keys.
  static func append(_ connection: Connection, at now: Instant, to output: inout [UInt8]) {
    var flags: UInt64 = 0
    if connection.isAccepted { flags |= isAccepted }
    if connection.framer.hadBreak { flags |= hadBreak }
    if connection.session != nil { flags |= isTLS }
    if connection.isSuspect { flags |= isSuspect }
    if connection.key?.name != nil { flags |= 16 }
    output.append(format)
    output.append(UInt8(flags))
    output.append(addingCapacity: 128) { FlowCoding.append(connection.flow, to: &$0) }
    func left(_ deadline: Instant) -> UInt64 {
      deadline == .distantFuture ? .max : UInt64(max(0, (deadline - now).nanoseconds))
    }
    output.append(bigEndian: UInt64(max(0, (now - connection.since).nanoseconds)), 8)
    output.append(bigEndian: UInt64(max(0, connection.silenceLimit)), 8)
    output.append(bigEndian: left(connection.deadlines.firstMessage), 8)
    output.append(bigEndian: left(connection.deadlines.message), 8)
    for text in [connection.key?.profile ?? "", connection.key?.name ?? ""] {
      output.append(counted: 2) { $0 += text.utf8.prefix(65_535) }
    }
    output.append(counted: 4) { $0 += connection.input }
    output.append(counted: 4) { $0 += connection.output.octets[connection.output.sent...] }
    output.append(counted: 4) { connection.session?.appendState(to: &$0) }
  }
}

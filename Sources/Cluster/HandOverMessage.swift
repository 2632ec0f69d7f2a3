import Structures

/// What two processes of one slot tell each other while the one hands over to the other, beside the frames of a link.
///
/// A packet is one message, whose kind has its first bit set, or any number of link frames, whose kinds haven't. Numbers in network order.
public enum HandOverMessage: Equatable, Sendable {
  /// From the old process: go on with this connection when I say so. Its state follows, and its descriptor comes along.
  case connection
  /// From the new process: I have the connection of this id.
  case arrived(UInt64)
  /// From the new process: I can't go on with it.
  case refused(UInt64)
  /// From the old process: I can't use the connection any more; it is yours.
  case goOn(UInt64)
  /// From the old process: what is registered over UDP follows.
  case records
  /// From the old process, of this generation: I accept and read datagrams no more.
  case listeners(UInt16)
  /// From the old process: I have no connection left that can be handed over.
  case complete
  /// From the old process: these slots, each a bit, use the connection of this id.
  case used(UInt64, by: UInt64)

  private enum Kind: UInt8 {
    case connection = 0x81
    case arrived, refused, goOn, records, listeners, complete, used
  }

  /// Whether a packet is a message rather than frames.
  static func isMessage(_ packet: Span<UInt8>) -> Bool { !packet.isEmpty && packet[0] & 0x80 != 0 }

  /// Appends the message without what follows it.
  public func append(to output: inout [UInt8]) {
    switch self {
    case .connection: output.append(Kind.connection.rawValue)
    case .arrived(let id): Self.append(.arrived, id, &output)
    case .refused(let id): Self.append(.refused, id, &output)
    case .goOn(let id): Self.append(.goOn, id, &output)
    case .records: output.append(Kind.records.rawValue)
    case .listeners(let generation): Self.append(.listeners, UInt64(generation), &output)
    case .complete: output.append(Kind.complete.rawValue)
    case .used(let id, let slots):
      Self.append(.used, id, &output)
      output.append(bigEndian: slots, 8)
    }
  }

  private static func append(_ kind: Kind, _ id: UInt64, _ output: inout [UInt8]) {
    output.append(kind.rawValue)
    output.append(bigEndian: id, 8)
  }

  /// Reads a packet: the message, and where what follows it begins; nil when it makes no sense.
  public static func read(_ packet: Span<UInt8>) -> (HandOverMessage, rest: Int)? {
    guard !packet.isEmpty, let kind = Kind(rawValue: packet[0]) else { return nil }
    switch kind {
    case .connection: return (.connection, 1)
    case .records: return (.records, 1)
    case .complete: return (.complete, 1)
    case .used:
      guard packet.count >= 17 else { return nil }
      return (.used(packet.bigEndian(1, 8), by: packet.bigEndian(9, 8)), 17)
    case .arrived, .refused, .goOn, .listeners:
      guard packet.count >= 9 else { return nil }
      let id = packet.bigEndian(1, 8)
      switch kind {
      case .arrived: return (.arrived(id), 9)
      case .refused: return (.refused(id), 9)
      case .goOn: return (.goOn(id), 9)
      default: return (.listeners(UInt16(truncatingIfNeeded: id)), 9)
      }
    }
  }
}

/// Reads the parts of something encoded, one after the other; what isn't there is nil.
public struct PartReader {
  /// What was read so far ends here.
  public private(set) var position: Int
  private let end: Int

  /// A reader of a part of `packet`.
  public init(_ packet: Span<UInt8>, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= packet.count)
    position = range.lowerBound
    end = range.upperBound
  }

  /// A number of so many octets, 1 to 8, in network order.
  public mutating func number(_ packet: Span<UInt8>, _ length: Int) -> UInt64? {
    guard end - position >= length else { return nil }
    defer { position += length }
    return packet.bigEndian(position, length)
  }

  /// So many octets.
  public mutating func octets(_ packet: Span<UInt8>, _ length: Int) -> Range<Int>? {
    guard length >= 0, end - position >= length else { return nil }
    defer { position += length }
    return position..<position + length
  }

  /// Octets behind their length, which has so many octets itself.
  public mutating func counted(_ packet: Span<UInt8>, _ width: Int) -> Range<Int>? {
    guard let length = number(packet, width), length <= UInt64(end - position) else { return nil }
    return octets(packet, Int(length))
  }

  /// Whether everything is read.
  public var isAtEnd: Bool { position == end }

  /// The name of a connection.
  public mutating func streamFlow(_ packet: Span<UInt8>) -> StreamFlow? {
    guard let node = number(packet, 4), let slot = number(packet, 2), let epoch = number(packet, 8),
      let connection = number(packet, 8)
    else { return nil }
    return StreamFlow(node: UInt32(node), slot: UInt16(slot), epoch: epoch, connection: connection)
  }

  /// The name of a datagram peer.
  public mutating func datagramFlow(_ packet: Span<UInt8>) -> DatagramFlow? {
    guard let node = number(packet, 4), let listener = number(packet, 2), let remote = address(packet) else {
      return nil
    }
    return DatagramFlow(node: UInt32(node), listener: UInt16(listener), remote: remote)
  }

  /// A flow with all facts.
  public mutating func flow(_ packet: Span<UInt8>) -> Flow? {
    guard let transport = number(packet, 1).flatMap({ TransportProtocol(rawValue: UInt8($0)) }),
      let listener = number(packet, 2), let proofs = number(packet, 1), let local = address(packet),
      let remote = address(packet)
    else { return nil }
    let id: FlowID
    if transport == .udp {
      guard let node = number(packet, 4) else { return nil }
      id = .datagram(DatagramFlow(node: UInt32(node), listener: UInt16(listener), remote: remote))
    } else {
      guard let name = streamFlow(packet) else { return nil }
      id = .stream(name)
    }
    return Flow(
      id: id, transport: transport, listener: UInt16(listener), local: local, remote: remote,
      isVerified: proofs & 1 != 0, isTrusted: proofs & 2 != 0)
  }

  private mutating func address(_ packet: Span<UInt8>) -> SocketAddress? {
    guard let family = number(packet, 1), let port = number(packet, 2) else { return nil }
    switch family {
    case 4:
      guard let word = number(packet, 4) else { return nil }
      return SocketAddress(IPAddress(v4: UInt32(word)), port: UInt16(port))
    case 6:
      guard let high = number(packet, 8), let low = number(packet, 8) else { return nil }
      return SocketAddress(IPAddress(v6: high, low), port: UInt16(port))
    default: return nil
    }
  }
}

import Structures

/// Takes the frames out of a packet, one after the other.
struct LinkReader {
  /// What stands next in a packet.
  enum Step: Equatable {
    /// A frame, and where the octets behind it lie.
    case frame(LinkFrame, Range<Int>)
    /// A frame of a kind that this version doesn't know.
    case unknown
    /// The packet ends here.
    case end
    /// The packet doesn't make sense: the link is of no more use.
    case broken
  }

  private var position = 0

  /// Reads the next frame of a packet, which must be the same each time.
  mutating func next(_ packet: Span<UInt8>) -> Step {
    if position == packet.count { return .end }
    guard packet.count - position >= LinkFrame.headerLength else { return .broken }
    let start = position + LinkFrame.headerLength
    let length = Int(packet.bigEndian(position + 1, 3))
    guard packet.count - start >= length else { return .broken }
    let end = start + length
    defer { position = end }
    guard let kind = LinkFrame.Kind(rawValue: packet[position]) else { return .unknown }
    var parts = PartReader(packet, start..<end)
    guard let frame = Self.frame(kind, &parts, packet), end - parts.position <= LinkFrame.maximumOctets else {
      return .broken
    }
    return .frame(frame, parts.position..<end)
  }

  private static func frame(_ kind: LinkFrame.Kind, _ parts: inout PartReader, _ packet: Span<UInt8>) -> LinkFrame? {
    switch kind {
    case .hello:
      guard parts.number(packet, 1) == UInt64(LinkFrame.version), let node = parts.number(packet, 4),
        let epoch = parts.number(packet, 8), let slot = parts.number(packet, 2), let own = parts.number(packet, 2)
      else { return nil }
      return .hello(
        LinkIdentity(node: UInt32(node), epoch: epoch, slot: UInt16(slot), generation: UInt16(own)))
    case .sendOnFlow, .notMine:
      guard let flow = parts.streamFlow(packet), let tag = parts.number(packet, 8), let own = parts.number(packet, 2)
      else { return nil }
      return kind == .notMine
        ? .notMine(flow, tag: tag, generation: UInt16(own)) : .sendOnFlow(flow, tag: tag, generation: UInt16(own))
    case .messageFromFlow: return parts.flow(packet).map { .messageFromFlow($0) }
    case .closed: return parts.streamFlow(packet).map { .closed($0) }
    case .suspect: return parts.streamFlow(packet).map { .suspect($0) }
    case .recovered: return parts.streamFlow(packet).map { .recovered($0) }
    case .trusted: return parts.streamFlow(packet).map { .trusted($0) }
    case .refused: return parts.datagramFlow(packet).map { .refused($0) }
    case .failed, .whoHas, .has, .whereIs, .isAt:
      guard let number = parts.number(packet, 8), let own = parts.number(packet, 2) else { return nil }
      return frame(kind, number, UInt16(own), &parts, packet)
    }
  }

  /// Those that begin with a tag or a question, and the generation that it belongs to.
  private static func frame(
    _ kind: LinkFrame.Kind, _ number: UInt64, _ generation: UInt16, _ parts: inout PartReader, _ packet: Span<UInt8>
  ) -> LinkFrame? {
    switch kind {
    case .failed: return .failed(tag: number, generation: generation)
    case .whereIs: return .whereIs(question: number, generation: generation)
    case .isAt: return .isAt(question: number, generation: generation)
    case .whoHas: return parts.flow(packet).map { .whoHas(question: number, generation: generation, $0) }
    case .has:
      return parts.number(packet, 1).map { .has(question: number, generation: generation, $0 != 0) }
    case .hello, .sendOnFlow, .messageFromFlow, .notMine, .closed, .suspect, .recovered, .trusted, .refused: return nil
    }
  }
}

/// Reads the parts of one frame; what isn't there is nil.
struct PartReader {
  /// What was read so far ends here.
  private(set) var position: Int
  private let end: Int

  /// A reader of a part of `packet`.
  init(_ packet: Span<UInt8>, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= packet.count)
    position = range.lowerBound
    end = range.upperBound
  }

  mutating func number(_ packet: Span<UInt8>, _ length: Int) -> UInt64? {
    guard end - position >= length else { return nil }
    defer { position += length }
    return packet.bigEndian(position, length)
  }

  mutating func streamFlow(_ packet: Span<UInt8>) -> StreamFlow? {
    guard let node = number(packet, 4), let slot = number(packet, 2), let epoch = number(packet, 8),
      let connection = number(packet, 8)
    else { return nil }
    return StreamFlow(node: UInt32(node), slot: UInt16(slot), epoch: epoch, connection: connection)
  }

  mutating func datagramFlow(_ packet: Span<UInt8>) -> DatagramFlow? {
    guard let node = number(packet, 4), let listener = number(packet, 2), let remote = address(packet) else {
      return nil
    }
    return DatagramFlow(node: UInt32(node), listener: UInt16(listener), remote: remote)
  }

  mutating func flow(_ packet: Span<UInt8>) -> Flow? {
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

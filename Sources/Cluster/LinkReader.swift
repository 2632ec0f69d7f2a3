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
    case .succeeds: return .succeeds
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
    case .hello, .sendOnFlow, .messageFromFlow, .notMine, .closed, .suspect, .recovered, .trusted, .refused, .succeeds:
      return nil
    }
  }
}

import Structures

/// What the workers of a node tell each other. Frames that carry octets (a message, an address of record) have them behind all else.
///
/// On the wire: kind (1 octet), length of what follows (3), then the parts in the order of the cases below, numbers in network order. A packet
/// is one frame or several. The first frame of each side is ``hello(_:)``, which carries the version; a reader skips kinds that it doesn't
/// know, and ignores octets behind those that it does.
public enum LinkFrame: Equatable, Sendable {
  /// Who speaks: version (1), node (4), epoch (8), slot (2), generation (2).
  case hello(LinkIdentity)
  /// Send the octets over a connection of yours: flow (22), tag (8), generation of the sender (2). A failure is told by ``failed(tag:generation:)``
  /// or ``notMine(_:tag:generation:)`` unless the tag is 0.
  case sendOnFlow(StreamFlow, tag: UInt64, generation: UInt16)
  /// A message for you came over this flow: its facts, then the octets.
  case messageFromFlow(Flow)
  /// No connection of that name is held here; the tag is that of what was to be sent.
  case notMine(StreamFlow, tag: UInt64, generation: UInt16)
  /// What was to be sent under this tag could not be.
  case failed(tag: UInt64, generation: UInt16)
  /// A connection that you used is gone.
  case closed(StreamFlow)
  /// What was sent over a connection that you used isn't acknowledged.
  case suspect(StreamFlow)
  /// A connection that was in doubt lives.
  case recovered(StreamFlow)
  /// The peer at the other end of this connection is one that we trust.
  case trusted(StreamFlow)
  /// Is this request, which came over the flow, part of a transaction of yours? Question (8), generation of the asker (2), the flow, the octets. Who has
  /// the transaction acts on the request at once.
  case whoHas(question: UInt64, generation: UInt16, Flow)
  /// The answer: question (8), generation of the asker (2), 1 or 0.
  case has(question: UInt64, generation: UInt16, Bool)
  /// Which contacts are registered over connections of yours: question (8), generation of the asker (2), the address of record.
  case whereIs(question: UInt64, generation: UInt16)
  /// The answer: question (8), generation of the asker (2), the encoded set.
  case isAt(question: UInt64, generation: UInt16)
  /// Nobody listens at this peer's port: node (4), listener (2), address. The system tells that to any of the sockets that share a port, whichever
  /// sent what was refused.
  case refused(DatagramFlow)
  /// The sender has taken its slot over from an earlier process, which goes on only with what it has begun: what is for the slot is for the sender.
  case succeeds

  /// What ``hello(_:)`` says of the format.
  public static let version: UInt8 = 1
  /// The most octets behind a frame: the longest message that is taken, with what we add to its head.
  public static let maximumOctets = 98_304
  static let headerLength = 4

  /// Whether another process waits for it.
  var isAnswer: Bool {
    switch self {
    case .notMine, .failed, .has, .isAt: true
    default: false
    }
  }

  enum Kind: UInt8 {
    case hello = 1
    case sendOnFlow, messageFromFlow, notMine, failed, closed, suspect, recovered, trusted, whoHas, has, whereIs, isAt,
      refused, succeeds
  }

  var kind: Kind {
    switch self {
    case .hello: .hello
    case .sendOnFlow: .sendOnFlow
    case .messageFromFlow: .messageFromFlow
    case .notMine: .notMine
    case .failed: .failed
    case .closed: .closed
    case .suspect: .suspect
    case .recovered: .recovered
    case .trusted: .trusted
    case .whoHas: .whoHas
    case .has: .has
    case .whereIs: .whereIs
    case .isAt: .isAt
    case .refused: .refused
    case .succeeds: .succeeds
    }
  }

  // MARK: Writing

  /// The most octets of a frame without those behind it: kind, length, question, generation, and a flow with two IPv6 addresses.
  static let longestHead = 128

  /// Appends the frame with the octets behind it, of which there must be no more than ``maximumOctets``.
  public func append(_ octets: Span<UInt8> = Span(), to output: inout [UInt8]) {
    precondition(octets.count <= Self.maximumOctets)
    let start = output.count
    output.append(addingCapacity: Self.longestHead + octets.count) { output in
      output.append(kind.rawValue)
      output.append(bigEndian: 0, 3)
      appendParts(to: &output)
      output.append(octets)
    }
    let length = output.count - start - Self.headerLength
    output[start + 1] = UInt8(truncatingIfNeeded: length >> 16)
    output[start + 2] = UInt8(truncatingIfNeeded: length >> 8)
    output[start + 3] = UInt8(truncatingIfNeeded: length)
  }

  private func appendParts(to output: inout OutputSpan<UInt8>) {
    switch self {
    case .hello(let identity):
      output.append(Self.version)
      output.append(bigEndian: UInt64(identity.node), 4)
      output.append(bigEndian: identity.epoch, 8)
      output.append(bigEndian: UInt64(identity.slot), 2)
      output.append(bigEndian: UInt64(identity.generation), 2)
    case .sendOnFlow(let flow, let tag, let generation), .notMine(let flow, let tag, let generation):
      FlowCoding.append(flow, to: &output)
      output.append(bigEndian: tag, 8)
      output.append(bigEndian: UInt64(generation), 2)
    case .messageFromFlow(let flow): FlowCoding.append(flow, to: &output)
    case .refused(let flow): FlowCoding.append(flow, to: &output)
    case .succeeds: break
    case .closed(let flow), .suspect(let flow), .recovered(let flow), .trusted(let flow):
      FlowCoding.append(flow, to: &output)
    case .failed(let number, let generation), .whereIs(let number, let generation), .isAt(let number, let generation):
      output.append(bigEndian: number, 8)
      output.append(bigEndian: UInt64(generation), 2)
    case .whoHas(let question, let generation, let flow):
      output.append(bigEndian: question, 8)
      output.append(bigEndian: UInt64(generation), 2)
      FlowCoding.append(flow, to: &output)
    case .has(let question, let generation, let answer):
      output.append(bigEndian: question, 8)
      output.append(bigEndian: UInt64(generation), 2)
      output.append(answer ? 1 : 0)
    }
  }
}

/// Where the links of a worker are, and how much waits on each.
public struct LinkSettings: Sendable {
  /// The directory in which each slot's listener is found by its number.
  public var directory: String
  /// How many slots the node has.
  public var slots: UInt16
  /// How many octets may wait on one link.
  public var limit = 1 << 20
  /// How many more of what must not be refused: responses, ACKs, what was asked, news of connections.
  public var reserve = 1 << 20

  /// Links to all slots of a node.
  public init(directory: String, slots: UInt16) {
    self.directory = directory
    self.slots = slots
  }
}

/// What became of a frame, at once.
public enum LinkResult: Sendable {
  /// It goes out at the end of the turn.
  case queued
  /// Too much waits on that link.
  case full
  /// The slot has no process that could be reached, as far as is known.
  case down
}

/// What is known of another slot.
public enum LinkState: Equatable, Sendable {
  /// Nothing yet.
  case unknown
  /// A process of this generation answered.
  case up(generation: UInt16)
  /// All processes up to this generation have ended, and no later one answered yet.
  case lost(generation: UInt16)
}

/// Hears of links. It may call the ``LinkSet`` back from within any of these.
public protocol LinkDelegate: AnyObject {
  /// A frame came, with the octets behind it, which are valid during the call.
  func links(received frame: LinkFrame, _ octets: Span<UInt8>, from sender: LinkIdentity)
  /// Another slot's process can be reached.
  func links(up peer: LinkIdentity)
  /// The link to another slot ended. Its process may live, or an earlier one may have its connections.
  func links(down slot: UInt16)
  /// All processes of another slot up to this generation have ended, and all that they sent has been received.
  func links(lost slot: UInt16, generation: UInt16)
}

/// What links did so far.
public struct LinkCounters: Sendable {
  /// Frames sent, hellos not counted.
  public internal(set) var framesSent: UInt64 = 0
  /// Packets sent, each with one frame or several.
  public internal(set) var packetsSent: UInt64 = 0
  /// Frames received.
  public internal(set) var framesReceived: UInt64 = 0
  /// Frames refused because too much waited.
  public internal(set) var refused: UInt64 = 0
  /// Links closed because what came over them made no sense.
  public internal(set) var broken: UInt64 = 0
  /// The most octets that ever waited on one link.
  public internal(set) var longestQueue = 0

  /// Nothing yet.
  public init() {}
}

/// Who is at one end of a link: a worker process.
public struct LinkIdentity: Hashable, Sendable {
  /// The node; see `StreamFlow.node`.
  public let node: UInt32
  /// 64 random bits drawn when the node's supervisor started.
  public let epoch: UInt64
  /// The worker's slot.
  public let slot: UInt16
  /// Which process of the slot it is, from 1.
  public let generation: UInt16

  /// A process by its names.
  public init(node: UInt32, epoch: UInt64, slot: UInt16, generation: UInt16) {
    self.node = node
    self.epoch = epoch
    self.slot = slot
    self.generation = generation
  }
}

import Reactor
import Structures

/// What the other workers of the node have, for limits that hold for all of them together; and where they are told what this one has.
public final class NodeCounts {
  private let pages: SharedPages
  private let slot: Int
  private let hashing: any Hashing
  /// Whether the slot's next process tells what the slot has.
  var isMuted = false

  /// The counts in shared pages. All workers of the node must have the same `hashing`.
  public init(pages: SharedPages, slot: Int, hashing: any Hashing) {
    self.pages = pages
    self.slot = slot
    self.hashing = hashing
  }

  /// Stream connections of the others.
  var othersStreams: Int { pages.streams(exceptOf: slot) }

  /// What the others have of an address.
  func others(_ key: IPAddress) -> SharedPages.AddressUse {
    pages.address(hash: hash(key), exceptOf: slot)
  }

  func tell(streams: Int) { if !isMuted { pages.setStreams(slot: slot, streams) } }

  func tell(_ key: IPAddress, connections: Int, handshakes: Int) {
    if isMuted { return }
    pages.setAddress(
      slot: slot, hash: hash(key), SharedPages.AddressUse(connections: connections, handshakes: handshakes))
  }

  private func hash(_ key: IPAddress) -> UInt64 {
    var octets: [UInt8] = [key.family.rawValue]
    octets.append(bigEndian: key.high, 8)
    octets.append(bigEndian: key.low, 8)
    return hashing.shortMAC(octets.span)
  }
}

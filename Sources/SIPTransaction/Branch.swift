import SIPMessage
import Structures

/// The branch of our own Via values: it names the transaction and the worker that has it (RFC 3261 §8.1.1.7).
///
/// After the cookie come 27 base64url letters: version 1, node (4 octets), slot (2), generation (2), transaction (8), and the first 3 octets
/// of a keyed check of them, so that a stranger can't make up one that reaches a transaction. 20 octets in all.
public struct Branch: Sendable, Equatable {
  /// The node; see ``StreamFlow/node``.
  public let node: UInt32
  /// The worker slot.
  public let slot: UInt16
  /// The generation of the worker.
  public let generation: UInt16
  /// The client transaction; generation 0 when the request was sent without one (ACK to a 2xx).
  public let transaction: SlotHandle

  private static let version: UInt8 = 1
  /// Length in octets as written: cookie and 27 letters.
  public static let length = 34

  /// A branch from its parts.
  public init(node: UInt32, slot: UInt16, generation: UInt16, transaction: SlotHandle) {
    self.node = node
    self.slot = slot
    self.generation = generation
    self.transaction = transaction
  }

  /// Reads a branch that one of our workers wrote; nil when it isn't one.
  public init?(_ text: Span<UInt8>, hashing: any Hashing, scratch: inout [UInt8]) {
    guard text.count == Self.length else { return nil }
    scratch.clear()
    guard scratch.append(decodingBase64URL: text.extracting(7..<Self.length)), scratch.count == 20,
      scratch[0] == Self.version
    else { return nil }
    let check = Self.check(scratch.span.extracting(0..<17), hashing)
    guard scratch[17] == check.0, scratch[18] == check.1, scratch[19] == check.2 else { return nil }
    let octets = scratch.span
    node = UInt32(truncatingIfNeeded: octets.bigEndian(1, 4))
    slot = UInt16(truncatingIfNeeded: octets.bigEndian(5, 2))
    generation = UInt16(truncatingIfNeeded: octets.bigEndian(7, 2))
    transaction = SlotHandle(word: octets.bigEndian(9, 8))
  }

  /// Appends the branch as it stands in a Via.
  public func append(to output: inout [UInt8], hashing: any Hashing) {
    output.append(addingCapacity: Self.length) { append(to: &$0, hashing: hashing) }
  }

  /// Writes the branch as it stands in a Via: ``length`` octets.
  public func append(to output: inout OutputSpan<UInt8>, hashing: any Hashing) {
    let octets = InlineArray<20, UInt8> { octets in
      let word = transaction.word
      let (node, slot, generation) = (UInt64(node), UInt64(slot), UInt64(generation))
      octets.append(bigEndian: UInt64(Self.version) << 56 | node << 24 | slot << 8 | generation >> 8, 8)
      octets.append(bigEndian: generation << 56 | word >> 8, 8)
      octets.append(UInt8(truncatingIfNeeded: word))
      let check = Self.check(octets.span, hashing)
      octets.append(check.0)
      octets.append(check.1)
      octets.append(check.2)
    }
    output.append("z9hG4bK")
    output.append(base64URL: octets.span)
  }

  private static func check(_ octets: Span<UInt8>, _ hashing: any Hashing) -> (UInt8, UInt8, UInt8) {
    let word = hashing.shortMAC(octets)
    return (
      UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8), UInt8(truncatingIfNeeded: word >> 16)
    )
  }
}

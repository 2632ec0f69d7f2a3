import Structures

/// Where a message goes.
public enum Destination: Sendable, Equatable {
  /// Over a flow that exists, or nowhere.
  case flow(FlowID)
  /// To an address, over a connection that is there or is opened; `name` (a host, possibly empty) is what TLS proves the peer to be.
  case address(SocketAddress, TransportProtocol, name: [UInt8])
}

/// One message to send: its octets lie in the ``Outbox`` that holds it.
public struct Transmission: Sendable {
  /// Position of the first octet in ``Outbox/octets``.
  public let start: Int
  /// Position behind the last octet.
  public let end: Int
  /// Where it goes.
  public let destination: Destination
  /// The transaction to tell when it can't be sent (``TransactionTag``); 0 for none.
  public let tag: UInt64
}

/// Messages that the core orders to be sent, in order. The caller owns one, empties it before each input and uses it again, so that
/// nothing is allocated in a steady state.
public struct Outbox: Sendable {
  /// The octets of all messages.
  public var octets: [UInt8] = []
  /// The messages.
  public var transmissions: [Transmission] = []

  /// An empty outbox.
  public init() {
    octets.reserveCapacity(65_536)
    transmissions.reserveCapacity(64)
  }

  /// Forgets everything, keeping the memory unless one input needed unusually much.
  public mutating func removeAll() {
    octets.removeAll(keepingCapacity: octets.capacity <= 1_048_576)
    transmissions.clear()
  }

  /// Orders the octets from `start` to the end to be sent.
  public mutating func transmit(from start: Int, to destination: Destination, tag: UInt64) {
    transmissions.append(Transmission(start: start, end: octets.count, destination: destination, tag: tag))
  }

  /// Orders stored octets to be sent again.
  public mutating func transmit(_ stored: [UInt8], to destination: Destination, tag: UInt64) {
    let start = octets.count
    octets.append(stored.span)
    transmit(from: start, to: destination, tag: tag)
  }
}

/// Names what a message belongs to, to the transport, which gives the tag back when the message can't be sent.
public enum TransactionTag: Sendable, Equatable {
  case client(SlotHandle)
  case server(SlotHandle)
  /// A request without a transaction, an ACK to a 2xx: the transaction user's own name for it.
  case stateless(SlotHandle)

  /// As one word, never 0. The lowest two bits say which; 3 stands for none of these: such words are the owner's of the core.
  public var word: UInt64 {
    switch self {
    case .client(let handle): Self.word(handle, 0)
    case .server(let handle): Self.word(handle, 1)
    case .stateless(let handle): Self.word(handle, 2)
    }
  }

  private static func word(_ handle: SlotHandle, _ kind: UInt64) -> UInt64 {
    UInt64(handle.generation) << 32 | UInt64(handle.index) << 2 | kind
  }

  /// The tag that a word came from.
  public init(word: UInt64) {
    let handle = SlotHandle(
      index: UInt32(truncatingIfNeeded: word) >> 2, generation: UInt32(truncatingIfNeeded: word >> 32))
    self =
      switch word & 3 {
      case 0: .client(handle)
      case 1: .server(handle)
      default: .stateless(handle)
      }
  }
}

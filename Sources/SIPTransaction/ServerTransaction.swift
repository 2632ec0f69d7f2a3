import SIPMessage
import Structures

/// A server transaction with what belongs to it: the machine, the request, the last response, and where responses go.
///
/// Owned by the ``TransactionLayer``; the transaction user keeps the handle. Objects are used again.
public final class ServerTransaction {
  enum Machine {
    case invite(InviteServerTransaction)
    case nonInvite(NonInviteServerTransaction)
  }

  var machine: Machine?
  /// The name of this transaction in the layer.
  public internal(set) var handle = SlotHandle(index: 0, generation: 0)
  /// The request that made the transaction.
  public internal(set) var request: Message
  /// Its topmost Via.
  public internal(set) var via: Via
  /// Where it came from.
  public internal(set) var source: Flow
  /// Where responses go (RFC 3261 §18.2.2, RFC 3581 §4).
  public var destination: Destination
  /// The last response sent, while it may be needed again.
  public internal(set) var stored: [UInt8] = []
  /// The transaction user's response context; generation 0 when there is none.
  public var context = SlotHandle(index: 0, generation: 0)
  /// Whether a final response was sent.
  public internal(set) var isAnswered = false
  /// Its place in ``TransactionLayer/serverIndex``.
  var hash: UInt64 = 0
  /// Its place in ``TransactionLayer/branchIndex``; 0 when it has none there.
  var branchHash: UInt64 = 0

  init(request: Message, via: Via, source: Flow, destination: Destination) {
    self.request = request
    self.via = via
    self.source = source
    self.destination = destination
  }

  /// Whether it is an INVITE transaction.
  public var isInvite: Bool { request.method == .invite }

  func recycle() {
    machine = nil
    stored.removeAll(keepingCapacity: stored.capacity <= 8_192)
    isAnswered = false
    branchHash = 0
    context = SlotHandle(index: 0, generation: 0)
  }

  var nextDeadline: Instant? {
    switch machine {
    case .invite(let machine): machine.nextDeadline
    case .nonInvite(let machine): machine.nextDeadline
    case nil: nil
    }
  }
}

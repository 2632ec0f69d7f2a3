import SIPMessage
import Structures

/// A client transaction with what belongs to it: the machine, the octets it may have to send again, and where to.
///
/// Owned by the ``TransactionLayer``; the transaction user keeps the handle and reads it while handling an input. Objects are used again.
public final class ClientTransaction {
  enum Machine {
    case invite(InviteClientTransaction)
    case nonInvite(NonInviteClientTransaction)
  }

  var machine: Machine?
  /// The name of this transaction in the layer.
  public internal(set) var handle = SlotHandle(index: 0, generation: 0)
  /// The request as sent (for an INVITE, and over UDP), later the ACK; empty when nothing will be sent again.
  public internal(set) var stored: [UInt8] = []
  /// Where the request went.
  public internal(set) var destination = Destination.flow(
    .datagram(DatagramFlow(node: 0, listener: 0, remote: .init(.init(v4: 0), port: 0))))
  /// The method of the request.
  public internal(set) var method = Method.other
  /// Whether it is an INVITE transaction.
  public var isInvite: Bool { method == .invite }
  /// Whether the request is a CANCEL.
  public var isCancel: Bool { method == .cancel }
  /// The transaction of the CANCEL for this INVITE; it shares the branch, and ends with this one.
  var cancel: SlotHandle?
  /// Whether a CANCEL was sent for this INVITE.
  public var isCancelSent: Bool { cancel != nil }
  var isReliable = true
  /// Whether any response came: a transaction in which none did fails with its flow.
  public internal(set) var hasResponse = false
  /// The transaction user's response context.
  public internal(set) var context = SlotHandle(index: 0, generation: 0)
  /// The transaction user's number of this branch within the context.
  public internal(set) var branch = 0
  /// Whether the transport reported that it could not send what it was last given.
  public internal(set) var isUnsent = false
  /// Whether that was for want of room.
  public internal(set) var isRefused = false

  /// What the request keeps alive, if that is its purpose: then it belongs to no response context.
  public internal(set) var keepsAlive: SlotHandle?
  /// Whether its user was told that the flow seems dead.
  var isGivenUp = false

  // The list of transactions that wait for the same peer; see ``PeerTable``.
  var list = PeerTable.none
  var next = PeerTable.none
  var previous = PeerTable.none

  init() {}

  func recycle() {
    machine = nil
    stored.removeAll(keepingCapacity: stored.capacity <= 8_192)
    hasResponse = false
    isGivenUp = false
    isUnsent = false
    isRefused = false
    keepsAlive = nil
    method = .other
    cancel = nil
  }

  var nextDeadline: Instant? {
    switch machine {
    case .invite(let machine): machine.nextDeadline
    case .nonInvite(let machine): machine.nextDeadline
    case nil: nil
    }
  }

  /// Whether the server answered provisionally and a CANCEL may be sent (RFC 3261 §9.1).
  public var isProceeding: Bool {
    if case .invite(let machine) = machine, case .proceeding = machine.state { return true }
    return false
  }

  /// Whether no final response came yet.
  public var isPending: Bool {
    switch machine {
    case .invite(let machine):
      switch machine.state {
      case .calling, .proceeding: true
      case .completed, .accepted, .terminated: false
      }
    case .nonInvite(let machine):
      switch machine.state {
      case .trying, .proceeding: true
      case .completed, .terminated: false
      }
    case nil: false
    }
  }
}

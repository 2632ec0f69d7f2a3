/// What a transaction machine orders in answer to one input.
///
/// The caller owns one value, hands it to an input, carries out what was added, and empties it before the next
/// input. A set of bits: ordering allocates nothing. Orders are carried out in the order of their declaration below;
/// in particular ``terminate`` comes last. No order asks the caller to know the state of the machine.
///
/// A transaction owns one message: a client transaction its request (later its ACK), a server transaction its last
/// response. The machines never see the octets; they only say when to store, send and release them.
public struct TransactionActions: OptionSet, Hashable, Sendable {
  /// The orders as bits, lowest first carried out.
  public let rawValue: UInt16

  /// The orders that `rawValue` stands for.
  public init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  // MARK: Messages

  /// Server: keep the response that came with this input as the last one, in place of an earlier one.
  public static let storeResponse = TransactionActions(rawValue: 1 << 0)
  /// Client: pass the stored request to the transport, for the first time or again.
  public static let transmitRequest = TransactionActions(rawValue: 1 << 1)
  /// Client: pass the ACK to the transport. Built once, from the stored request and the response that came with this
  /// input, when it is ordered for the first time (RFC 3261 §17.1.1.3); stored in place of the request and sent
  /// again from then on.
  public static let transmitAck = TransactionActions(rawValue: 1 << 2)
  /// Server: pass the response that came with this input to the transport.
  public static let transmitResponse = TransactionActions(rawValue: 1 << 3)
  /// Server: pass the stored response to the transport again.
  public static let retransmitResponse = TransactionActions(rawValue: 1 << 4)
  /// Server: make a 100 (Trying) response, store it as the last one and pass it to the transport.
  public static let send100 = TransactionActions(rawValue: 1 << 5)

  // MARK: Towards the transaction user

  /// Server: hand the request that created the transaction to the transaction user.
  public static let deliverRequest = TransactionActions(rawValue: 1 << 6)
  /// Server: hand the ACK that came with this input to the transaction user.
  public static let deliverAck = TransactionActions(rawValue: 1 << 7)
  /// Client: hand the response that came with this input to the transaction user.
  public static let deliverResponse = TransactionActions(rawValue: 1 << 8)
  /// Tell the transaction user that the peer did not answer in time: no final response (client), no ACK (server).
  public static let informTimeout = TransactionActions(rawValue: 1 << 9)
  /// Tell the transaction user that a message could not be sent. It may already hold the final response of the
  /// transaction; then there is nothing left for it to do.
  public static let informTransportFailure = TransactionActions(rawValue: 1 << 10)
  /// Server: the response that the transaction user gave is not allowed here. It was neither sent nor stored, and
  /// the transaction stays as it was.
  public static let refuse = TransactionActions(rawValue: 1 << 11)

  // MARK: End

  /// No message of this transaction will be sent again from storage: its octets can be freed, while the machine
  /// stays to absorb what still arrives. Not ordered together with ``terminate``, which implies it.
  public static let releaseMessage = TransactionActions(rawValue: 1 << 12)
  /// The transaction is over and must be destroyed at once.
  public static let terminate = TransactionActions(rawValue: 1 << 13)
}

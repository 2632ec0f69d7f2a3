/// What the core counted since it started. Requests and responses are those of the network, not of retransmission timers.
public struct Statistics: Sendable {
  /// Requests received, retransmissions and malformed ones included.
  public var requestsReceived: UInt64 = 0
  /// Responses received.
  public var responsesReceived: UInt64 = 0
  /// Requests forwarded, one for each branch.
  public var requestsForwarded: UInt64 = 0
  /// Responses forwarded.
  public var responsesForwarded: UInt64 = 0
  /// Responses that we made, by class: index 1 for 1xx to 6 for 6xx.
  public var responsesMade = InlineArray<7, UInt64>(repeating: 0)
  /// REGISTER requests accepted.
  public var registrationsAccepted: UInt64 = 0
  /// REGISTER requests refused, challenges not counted.
  public var registrationsRefused: UInt64 = 0
  /// Keep-alives sent to UDP clients.
  public var keepAlivesSent: UInt64 = 0
  /// Contacts removed because they answered no keep-alive.
  public var contactsGivenUp: UInt64 = 0
  /// Challenges sent.
  public var challenges: UInt64 = 0
  /// Messages that could not be understood.
  public var malformed: UInt64 = 0
  /// Requests refused for lack of room.
  public var overloaded: UInt64 = 0
  /// Messages dropped without an answer.
  public var dropped: UInt64 = 0
  /// Responses handed to the process of the node that they belong to.
  public var responsesPassed: UInt64 = 0
  /// Requests that the other processes of the node were asked for.
  public var offersMade: UInt64 = 0
  /// Of these, those that another took.
  public var offersTaken: UInt64 = 0
  /// Of the received requests, those of each ``SIPMessage/Method``, by raw value.
  public var methods = InlineArray<16, UInt64>(repeating: 0)
}

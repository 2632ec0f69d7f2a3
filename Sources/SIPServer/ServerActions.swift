import SIPTransaction
import Structures

/// What the core orders in answer to one input. The caller owns one, empties it before each input and carries everything out afterwards.
public struct ServerActions {
  /// A question to the location service. Each but ``remove(aor:flow:)`` and ``noteClaim(key:)`` is answered later, by an input that names the query.
  public enum Question {
    /// Which contacts has the address of record that lies in ``ServerActions/keys``?
    case lookup(query: UInt64, key: Range<Int>)
    /// Change the contacts of an address of record, or read them all.
    case update(query: UInt64, RegistrationUpdate)
    /// Remove the contacts that were registered over a flow, if they still are that flow's.
    case remove(aor: [UInt8], flow: FlowID)
    /// Does the nonce whose name lies in ``ServerActions/keys`` belong to nobody yet? From now on it belongs to who asked, and every other claim is
    /// refused for ``ServerActions/claimLifetime``. The name is of letters, digits, hyphens and underscores.
    case claim(query: UInt64, key: Range<Int>)
    /// The same without an answer: it was used where it was given out.
    case noteClaim(key: Range<Int>)
    /// What is kept of the user whose name, `user@domain`, lies in ``ServerActions/keys``?
    case user(query: UInt64, key: Range<Int>)
  }

  /// How long a claim has to be known: longer than a nonce may wait for its first use, even by clocks that differ.
  public static let claimLifetime = Duration.seconds(120)

  /// A message for another process of the node, to which it belongs.
  public struct Passing {
    /// The slot of that process.
    public let slot: UInt16
    /// Its generation: if that has ended, the message is dropped and counted (RFC 6026 §7.3).
    public let generation: UInt16
    /// What the message came over.
    public let flow: Flow
    /// Its octets, in ``ServerActions/passed``.
    public let octets: Range<Int>
  }

  /// A request that may belong to a transaction of another process of the node. Everybody is asked; the answers come as later inputs that name
  /// the query (``ServerCore/offerAnswered(_:isTaken:at:actions:)``), after ``ServerCore/offered(_:toOthers:)`` told how many there will be.
  public struct Offer {
    /// Names the question.
    public let query: UInt64
    /// What the request came over.
    public let flow: Flow
    /// Its octets, in ``ServerActions/passed``.
    public let octets: Range<Int>
  }

  /// Messages to send.
  public var outbox = Outbox()
  /// Questions to ask.
  public var questions: [Question] = []
  /// Octets of the keys of questions.
  public var keys: [UInt8] = []
  /// Connections that must bring something at least so often from now on, else they are closed; zero: no more (RFC 5626 §4.4).
  public var supervisions: [(flow: StreamFlow, limit: Duration)] = []
  /// Flows to close once their output is sent.
  public var closes: [FlowID] = []

  /// Messages to hand to other processes of the node.
  public var passings: [Passing] = []
  /// Requests to offer to the other processes of the node.
  public var offers: [Offer] = []
  /// Octets of those messages.
  public var passed: [UInt8] = []
  /// Connections of which the other processes of the node must know that a peer is at their end that we trust.
  public var trusted: [StreamFlow] = []

  /// Nothing.
  public init() {}

  /// Forgets everything, keeping the memory.
  public mutating func removeAll() {
    outbox.removeAll()
    questions.clear()
    keys.clear()
    supervisions.clear()
    closes.clear()
    passings.clear()
    offers.clear()
    passed.removeAll(keepingCapacity: passed.capacity <= 1_048_576)
    trusted.clear()
  }
}

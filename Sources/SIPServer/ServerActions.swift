import SIPTransaction
import Structures

/// What the core orders in answer to one input. The caller owns one, empties it before each input and carries everything out afterwards.
public struct ServerActions {
  /// A question to the location service. Each but ``remove`` is answered later, by an input that names the query.
  public enum Question {
    /// Which contacts has the address of record that lies in ``ServerActions/keys``?
    case lookup(query: UInt64, key: Range<Int>)
    /// Change the contacts of an address of record, or read them all.
    case update(query: UInt64, RegistrationUpdate)
    /// Remove the contacts that were registered over a flow, if they still are that flow's.
    case remove(aor: [UInt8], flow: FlowID)
  }

  /// Messages to send.
  public var outbox = Outbox()
  /// Questions to ask.
  public var questions: [Question] = []
  /// Octets of the keys of lookups.
  public var keys: [UInt8] = []
  /// Connections that must bring something at least so often from now on, else they are closed; zero: no more (RFC 5626 §4.4).
  public var supervisions: [(flow: StreamFlow, limit: Duration)] = []
  /// Flows to close once their output is sent.
  public var closes: [FlowID] = []

  /// Nothing.
  public init() {}

  /// Forgets everything, keeping the memory.
  public mutating func removeAll() {
    outbox.removeAll()
    questions.clear()
    keys.clear()
    supervisions.clear()
    closes.clear()
  }
}

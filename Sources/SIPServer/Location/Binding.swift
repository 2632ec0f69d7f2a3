import SIPMessage
import Structures

/// One contact of an address of record, as the registrar stores it (RFC 3261 §10.3).
public struct Binding: Sendable, Equatable {
  /// The contact URI as registered, without brackets.
  public var uri: [UInt8]
  /// The contact parameters as registered, each beginning with a semicolon; without `expires` and `q`, which are written anew.
  public var parameters: [UInt8]
  /// The preference in thousandths, 0 to 1,000; 1,000 when none was given.
  public var q: UInt16
  /// Whether the client gave a preference: only then it is told back.
  public var isQGiven: Bool
  /// When the binding ends, in Unix seconds: it is live while this is later than the present.
  public var expires: Int64
  /// Call-ID of the request that wrote the binding last.
  public var callID: [UInt8]
  /// CSeq number of the request that wrote the binding last.
  public var cseq: UInt32
  /// The instance, `+sip.instance` without quotes and angle brackets, in a form in which equal names have equal octets (RFC 5626 §4.1);
  /// nil when none was given.
  public var instance: [UInt8]?
  /// `reg-id` (RFC 5626 §4.2): then the binding is known by instance and reg-id, whatever its URI is (RFC 5626 §6). Nil when none was given
  /// or it doesn't count.
  public var regID: UInt32?
  /// What the temporary GRUUs of the instance have in common that are valid now; the same in all bindings of the instance, and never that of
  /// another (RFC 5627 §5.1). Means nothing without an instance.
  public var gruuEra: UInt64
  /// The Path values joined by commas, to be a Route (RFC 3327 §5.3); empty when there were none.
  public var path: [UInt8]
  /// The flow over which it was registered.
  public var flow: Flow
  /// Whether the client itself is at the other end of ``flow``, not a proxy: then the binding ends with the flow.
  public var isDirect: Bool
  /// Whether requests go over ``flow``, whatever address the URI claims; else to the address in the URI.
  ///
  /// Always false for a URI that is neither SIP nor SIPS: such a contact is enumerated, but no SIP request can be sent to it.
  public var isReachedByFlow: Bool
  /// User-Agent of the request that wrote the binding last; empty when it had none.
  public var userAgent: [UInt8]
  /// When the binding was last written, refreshes included, in Unix seconds.
  public var registeredAt: Int64

  /// About how many octets of memory the binding takes: itself, and its texts with what the allocator adds.
  var size: Int {
    let texts = uri.count + parameters.count + callID.count + (instance?.count ?? 0) + path.count + userAgent.count
    return MemoryLayout<Binding>.stride + texts + 6 * 40
  }

  /// Whether both lead a request to the same place in the same order: all but what a mere refresh changes.
  func isSameTarget(as other: Binding) -> Bool {
    uri == other.uri && parameters == other.parameters && q == other.q && isQGiven == other.isQGiven
      && instance == other.instance && regID == other.regID && gruuEra == other.gruuEra
      && path == other.path && flow == other.flow && isDirect == other.isDirect
      && isReachedByFlow == other.isReachedByFlow
  }
}

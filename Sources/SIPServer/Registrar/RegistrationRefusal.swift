import SIPMessage

/// Why a REGISTER request is not carried out. The client broke a rule in every case but `tooManyContacts`.
public enum RegistrationRefusal: Error, Equatable, Sendable {
  /// A header field that the registrar works with is missing or malformed.
  case malformed(ParseError)
  /// `Contact: *` beside other contacts, or with an expiration time other than zero (RFC 3261 §10.3 step 6).
  case wildcard
  /// A `q` that is no number from 0 to 1 (RFC 3261 §20.10).
  case preference
  /// A Path value that is no address in angle brackets (RFC 3327 §4).
  case path
  /// A Path in a request of a client that doesn't list `path` in Supported (RFC 3327 §5.3).
  case pathNotSupported
  /// A `reg-id` beside other contacts (RFC 5626 §6).
  case severalFlows
  /// A client that wants outbound, behind a proxy that doesn't keep its flow (RFC 5626 §6).
  case firstHopLacksOutbound
  /// A SIPS contact in a request of which not everything is SIPS (RFC 5630 §5.2).
  case insecure
  /// The contact of an instance would lead back to its address of record, or is no SIP URI (RFC 5627 §5.1).
  case unusableContact
  /// The address of record is none that could have bindings (RFC 3261 §10.3 step 5).
  case notFound
  /// The time asked for is shorter than the registrar grants; `minimum`, in seconds, goes into Min-Expires (RFC 3261 §10.3 step 7).
  case intervalTooBrief(minimum: Int64)
  /// The request names more contacts than could all be added and removed.
  case tooManyContacts

  /// The status code to answer with.
  public var status: Int {
    switch self {
    case .malformed(let error): error.status
    case .wildcard, .preference, .path, .severalFlows, .insecure: 400
    case .unusableContact: 403
    case .notFound: 404
    case .pathNotSupported: 420
    case .firstHopLacksOutbound: 439
    case .intervalTooBrief: 423
    case .tooManyContacts: UpdateOutcome.tooManyContacts.status
    }
  }

  /// The reason phrase to answer with.
  public var reason: StaticString {
    switch self {
    case .malformed(let error): error.reason
    case .wildcard: "Contact * Needs To Be Alone With Expires 0"
    case .preference: "Malformed q in Contact"
    case .path: "Malformed Path"
    case .severalFlows: "More Than One Contact Beside reg-id"
    case .insecure: "SIPS Contact With SIP URIs"
    case .unusableContact: "Contact Cannot Have A GRUU"
    case .notFound, .pathNotSupported, .firstHopLacksOutbound, .intervalTooBrief: StatusCode.reason(status)
    case .tooManyContacts: UpdateOutcome.tooManyContacts.reason
    }
  }

  /// Appends the header line that the answer must have beside the usual ones: Min-Expires with 423, Unsupported with 420.
  public func appendHeaders(to output: inout [UInt8]) {
    if self == .pathNotSupported { output.append("Unsupported: path\r\n") }
    guard case .intervalTooBrief(let minimum) = self else { return }
    output.append("Min-Expires: ")
    output.append(decimal: UInt64(max(minimum, 0)))
    output.append("\r\n")
  }
}

import SIPMessage
import Structures

/// What one REGISTER request wants of the bindings of one address of record: checked, with times granted, ready to be stored
/// (RFC 3261 §10.3 steps 6 and 7).
public struct RegistrationUpdate: Sendable, Equatable {
  /// What to do.
  public enum Operation: Sendable, Equatable {
    /// Nothing: the bindings are only told.
    case fetch
    /// Remove all bindings (`Contact: *`).
    case removeAll
    /// Add, refresh and remove contacts, in this order.
    case change([ContactChange])
  }

  /// One Contact value.
  public struct ContactChange: Sendable, Equatable {
    /// See ``Binding/uri``.
    public var uri: [UInt8]
    /// See ``Binding/parameters``.
    public var parameters: [UInt8]
    /// The preference in thousandths, 0 to 1,000; nil when none was given.
    public var q: UInt16?
    /// The granted time in seconds; 0 removes the contact.
    public var duration: Int64
    /// See ``Binding/instance``.
    public var instance: [UInt8]?
    /// See ``Binding/regID``.
    public var regID: UInt32?
    /// See ``Binding/isReachedByFlow``.
    public var isReachedByFlow: Bool

    /// A change from its parts.
    public init(
      uri: [UInt8], parameters: [UInt8] = [], q: UInt16? = nil, duration: Int64, instance: [UInt8]? = nil,
      regID: UInt32? = nil, isReachedByFlow: Bool
    ) {
      self.uri = uri
      self.parameters = parameters
      self.q = q
      self.duration = duration
      self.instance = instance
      self.regID = regID
      self.isReachedByFlow = isReachedByFlow
    }
  }

  /// The canonical address of record: the user part with escapes undone, `@`, the domain (RFC 3261 §10.3 step 5).
  public var aor: [UInt8]
  /// What to do.
  public var operation: Operation
  /// Call-ID of the request.
  public var callID: [UInt8]
  /// CSeq number of the request.
  public var cseq: UInt32
  /// The flow over which the request came.
  public var flow: Flow
  /// See ``Binding/isDirect``.
  public var isDirect: Bool
  /// See ``Binding/path``.
  public var path: [UInt8]
  /// See ``Binding/userAgent``.
  public var userAgent: [UInt8]
  /// How many bindings the address of record may have.
  public var maxContacts: Int
  /// A number that no other update has: where an era of temporary GRUUs begins, it is named by it (``Binding/gruuEra``).
  public var gruuSeed: UInt64
  /// When the request came, in Unix seconds.
  public var now: Int64

  /// An update from its parts.
  public init(
    aor: [UInt8], operation: Operation, callID: [UInt8], cseq: UInt32, flow: Flow, isDirect: Bool = true,
    path: [UInt8] = [], userAgent: [UInt8] = [], maxContacts: Int, gruuSeed: UInt64 = 0, now: Int64
  ) {
    self.aor = aor
    self.operation = operation
    self.callID = callID
    self.cseq = cseq
    self.flow = flow
    self.isDirect = isDirect
    self.path = path
    self.userAgent = userAgent
    self.maxContacts = maxContacts
    self.gruuSeed = gruuSeed
    self.now = now
  }

  /// Whether a contact has a reg-id that counts: then the answer may require outbound (RFC 5626 §6).
  var registersFlow: Bool {
    guard case .change(let contacts) = operation else { return false }
    return contacts.contains { $0.regID != nil }
  }
}

/// What became of a ``RegistrationUpdate``. In every case but `done` nothing was changed.
public enum UpdateOutcome: Sendable {
  /// The bindings as they are now. `changed` is false when requests go where they went before: after a fetch or a mere refresh.
  case done(BindingSet, changed: Bool)
  /// A request of the same client with the same or a higher CSeq came before.
  case outOfOrder
  /// The address of record would have more bindings than it may.
  case tooManyContacts
  /// There are as many bindings in all as may be.
  case full
  /// The bindings could not be read or written.
  case unavailable

  /// The status code to answer with.
  public var status: Int {
    switch self {
    case .done: 200
    // RFC 3261 §10.3 step 7: an update of which any part fails is answered with 500, and so is one that can't be committed.
    case .outOfOrder, .unavailable: 500
    // RFC 3261 §21.4.4: understood and refused by policy; trying another server would not help, which 503 would suggest.
    case .tooManyContacts: 403
    case .full: 503
    }
  }

  /// The reason phrase to answer with.
  public var reason: StaticString {
    switch self {
    case .done: "OK"
    case .outOfOrder: "Out of Order"
    case .tooManyContacts: "Too Many Contacts"
    case .full: "Registrar Full"
    case .unavailable: "Location Unavailable"
    }
  }
}

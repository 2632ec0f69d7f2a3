import SIPMessage
import SIPTransaction
import Structures

/// What a proxy keeps of one request while it is being answered (RFC 3261 §16.7, §16.8).
///
/// Owned by ``ServerCore``, found by its handle, used again when it is over.
final class ResponseContext {
  /// One place to forward to.
  struct Target {
    /// Whence the target is known, which decides what is tried when its flow is gone.
    enum Origin {
      /// The Request-URI or a Route value that isn't ours names it.
      case address
      /// It is a binding of the address of record in the Request-URI.
      case binding
      /// A token of ours in Route names it.
      case token
      /// It took the place of one that was gone: it has no successor.
      case successor
    }

    /// The Request-URI for this branch.
    let uri: [UInt8]
    /// Where it goes.
    var hop: NextHop
    /// q in thousandths: equal ones are tried at once, lower ones later (RFC 3261 §16.6).
    let q: UInt16
    /// The instance of the binding that it is; nil when it has none.
    var instance: [UInt8]?
    /// What a token says of the binding that it is; see ``ServerCore/identity(of:)``.
    var identity = BindingIdentity.none
    /// Whence it is known.
    var origin = Origin.address
    private var detour: Detour?

    /// A target.
    init(
      uri: [UInt8], hop: NextHop, q: UInt16, instance: [UInt8]? = nil, identity: BindingIdentity = .none,
      origin: Origin = .address, lastRoute: [UInt8] = [], route: [UInt8] = [], fallback: NextHop? = nil
    ) {
      self.uri = uri
      self.hop = hop
      self.q = q
      self.instance = instance
      self.identity = identity
      self.origin = origin
      if !lastRoute.isEmpty || !route.isEmpty || fallback != nil {
        detour = Detour(lastRoute: lastRoute, route: route, fallback: fallback)
      }
    }

    /// Whether it has any of the following.
    var isDetoured: Bool { detour != nil }
    /// The Request-URI that goes to the end of Route, as a strict router comes next (RFC 3261 §16.6 step 6); else empty.
    var lastRoute: [UInt8] { detour?.lastRoute ?? [] }
    /// Route values that go before those of the request: the Path of a binding (RFC 3327 §5.1); else empty.
    var route: [UInt8] { detour?.route ?? [] }
    /// Where it goes when ``hop`` can't be reached.
    var fallback: NextHop? { detour?.fallback }

    /// Whether a registered user of ours is there.
    var isUser: Bool {
      switch origin {
      case .binding, .successor: true
      case .token: identity != .none
      case .address: false
      }
    }

    /// The same target with another preference; it is nobody's binding any more, as it isn't one of whom was called.
    func with(q: UInt16) -> Target {
      Target(
        uri: uri, hop: hop, q: q, instance: instance, identity: identity, origin: .address, lastRoute: lastRoute,
        route: route, fallback: fallback)
    }

    /// The same target by way of its fallback.
    func over(_ fallback: NextHop) -> Target {
      Target(
        uri: uri, hop: fallback, q: q, instance: instance, identity: identity, origin: origin, lastRoute: lastRoute,
        route: route)
    }
  }

  /// What few targets have: apart, so that the others are cheap to copy.
  private final class Detour {
    let lastRoute: [UInt8]
    let route: [UInt8]
    let fallback: NextHop?

    init(lastRoute: [UInt8], route: [UInt8], fallback: NextHop?) {
      self.lastRoute = lastRoute
      self.route = route
      self.fallback = fallback
    }
  }

  /// One forwarded request.
  struct Branch {
    /// Its client transaction.
    let client: SlotHandle
    /// Position of its target in ``ResponseContext/targets``.
    let target: Int
    /// Whether the final response is still to come.
    var isPending: Bool
    /// Whether the branch was or shall be cancelled.
    var isCancelled: Bool
    /// When it is given up (Timer C, or the wait for the response to a cancelled INVITE).
    var deadline: Instant
    /// Its Max-Breadth, which others can have once it isn't pending (RFC 5393 §5.3.3.1).
    let breadth: Int
    /// Whether it went by TCP for its size alone (RFC 3261 §18.1.1).
    let isTooLarge: Bool
  }

  /// The best final response so far (RFC 3261 §16.7 step 6).
  enum Best {
    case none
    /// One that came.
    case received(Message, Via)
    /// One to be made here.
    case local(status: Int)

    var status: Int {
      switch self {
      case .none: 0
      case .received(let message, _): message.status
      case .local(let status): status
      }
    }
  }

  var handle = SlotHandle(index: 0, generation: 0)
  /// The server transaction whose request it is.
  var server = SlotHandle(index: 0, generation: 0)
  var isInvite = false
  /// Targets not tried yet are those from ``nextTarget`` on; in order of q.
  var targets: [Target] = []
  var nextTarget = 0
  /// Further bindings of instances that are among the targets, best first: one instance is tried over one flow at a time (RFC 5626 §7).
  var spares: [Target] = []
  /// Questions to the location service for targets that may come in place of one that is gone.
  var openQueries = 0
  var branches: [Branch] = []
  var pendingCount = 0
  /// Client transactions that aren't over, final response or not.
  var liveClients = 0
  /// Whether the server transaction is over.
  var isServerEnded = false
  /// Where responses go when it is.
  var lateDestination = Destination.address(SocketAddress(IPAddress(v4: 0), port: 0), .udp, name: [])
  var best = Best.none
  /// Challenges of the responses that weren't chosen, as header lines (RFC 3261 §16.7 step 7).
  var challenges: [UInt8] = []
  /// Whether a final response was forwarded.
  var isAnswered = false
  /// Whether a branch failed since too much waits here already: a 503 of our own says so.
  var isOverloaded = false
  /// Whether the caller sent CANCEL, or a 6xx came: nothing new is tried.
  var isStopped = false
  /// Header lines for the CANCEL of the branches that wait for their first response (RFC 3261 §9.1, RFC 3326 §2).
  var cancelReason: [UInt8] = []
  /// How many Route values of ours were taken off.
  var poppedRoutes = 0
  /// How many branches may be pending at once, theirs counted in (RFC 5393 §5.3.2).
  var breadth = 0
  /// What the branches carry so that the request is known when it comes back; see ``ServerCore/loopCheck(_:)``.
  var loopCheck: UInt32 = 0
  /// The caller's own address of record, for the token that leads back to him.
  var callerRecord: [UInt8] = []
  /// Which of the caller's bindings the request came over, as it was then.
  var callerIdentity = BindingIdentity.none
  /// The caller's identity to be asserted, as a value of P-Asserted-Identity; empty when nobody proved it (RFC 3325 §5).
  var asserted: [UInt8] = []
  /// The address of record that is called, as it was looked up; empty when none was.
  var record: [UInt8] = []
  /// Further ones that a 3xx named.
  var redirectedTo: [[UInt8]] = []
  /// What the Request-URI is, if it is a GRUU of ours.
  var gruu: GRUU?
  /// Where Route leads, while a GRUU is looked up.
  var routed: Target?
  /// Why a target was left out, if one was for its scheme (RFC 5630 §5.3).
  var warning: SIPSWarning?

  func reset() {
    targets.clear()
    branches.clear()
    nextTarget = 0
    spares.clear()
    openQueries = 0
    pendingCount = 0
    liveClients = 0
    isServerEnded = false
    best = .none
    challenges.clear()
    isAnswered = false
    isStopped = false
    isOverloaded = false
    cancelReason.clear()
    poppedRoutes = 0
    callerRecord.clear()
    callerIdentity = .none
    record.clear()
    asserted.clear()
    redirectedTo.clear()
    gruu = nil
    routed = nil
    warning = nil
  }
}

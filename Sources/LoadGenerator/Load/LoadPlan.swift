import Structures

/// Something that keeps a run from starting: a setting or the machine, in one sentence with a remedy.
public struct LoadError: Error, CustomStringConvertible {
  /// The sentence.
  public let problem: String

  /// An error with its sentence.
  public init(problem: String) { self.problem = problem }

  /// The sentence.
  public var description: String { problem }
}

/// How users reach the server.
public enum LoadTransport: String, Sendable, CaseIterable {
  case tls, tcp, udp

  /// The token in Via (RFC 3261 §20.42).
  var viaToken: StaticString {
    switch self {
    case .tls: "TLS"
    case .tcp: "TCP"
    case .udp: "UDP"
    }
  }
}

/// How TLS is spoken.
public struct TLSClientSettings: Sendable {
  /// The versions that are offered.
  public enum Versions: String, Sendable, CaseIterable {
    case any, tls12 = "1.2", tls13 = "1.3"

    var bounds: (Int, Int) {
      switch self {
      case .any: (TLSClientContext.version12, TLSClientContext.version13)
      case .tls12: (TLSClientContext.version12, TLSClientContext.version12)
      case .tls13: (TLSClientContext.version13, TLSClientContext.version13)
      }
    }
  }

  /// The versions that are offered.
  public var versions = Versions.any
  /// Whether reconnecting users offer their session.
  public var resumes = false
  /// The name that the server's certificate must have, also sent as SNI.
  public var serverName: String?
  /// Authorities (PEM) against which the server is verified; nil: not verified.
  public var authorities: String?
  /// The users' certificate chain (PEM); nil: none.
  public var certificate: String?
  /// Its key; nil: in the same file.
  public var privateKey: String?
  /// OpenSSL's list of cipher suites; nil: its default.
  public var ciphers: String?

  /// TLS 1.2 or 1.3 without verification, certificate or resumption.
  public init() {}
}

/// What an operation is.
public enum OperationKind: UInt8, Sendable, CaseIterable {
  /// Connect and shake hands, then close.
  case handshake
  /// Connect, shake hands, register.
  case register
  /// Register again over the same connection.
  case refresh
  /// Register for the first time over a connection that is open.
  case bind
  /// OPTIONS to the server or, relayed, to another user.
  case options
  /// MESSAGE to another user.
  case message
  /// INVITE to another user, up to the answer to BYE.
  case call

  /// The word for it in scenario files and results.
  public var name: String { "\(self)" }

  /// Whether it consists of a REGISTER.
  var registers: Bool { self == .register || self == .refresh || self == .bind }
}

/// When operations start.
public enum Pacing: Sendable {
  /// So many at a time; the next starts when one ends.
  case closed(concurrency: Int)
  /// At a rate per second that changes over time, whether earlier ones have ended or not.
  case open(RateProfile, Arrival)
}

/// Operations of one kind and when they start.
public struct LoadStream: Sendable {
  /// What starts.
  public var kind: OperationKind
  /// When it starts.
  public var pacing: Pacing

  /// Operations of `kind` as `pacing` says.
  public init(_ kind: OperationKind, _ pacing: Pacing) {
    self.kind = kind
    self.pacing = pacing
  }
}

/// How calls go.
public struct CallSettings: Sendable {
  /// Who ends a call.
  public enum Ending: String, Sendable, CaseIterable { case caller, callee, either }

  /// From the answer to BYE.
  public var hold = Duration.zero
  /// From 180 to 200 at the callee.
  public var ring = Duration.zero
  /// Who sends BYE.
  public var ending = Ending.caller
  /// Calls of a hundred that the caller cancels while they ring.
  public var cancelPercent = 0
  /// Calls of a hundred that the callee rejects with 486.
  public var rejectPercent = 0
  /// Calls of a hundred that nobody answers; the caller cancels after `patience`.
  public var noAnswerPercent = 0
  /// How long a caller lets a call ring that nobody answers.
  public var patience = Duration.seconds(5)

  /// Answered at once and ended by the caller at once.
  public init() {}
}

/// Everything that one run does: who connects to what, and which load follows.
public struct LoadPlan: Sendable {
  /// What happens besides the streams.
  public enum Event: Sendable {
    /// Nothing.
    case none
    /// All connections are dropped when the measurement begins; it ends when all are registered again.
    case storm
    /// The server restarts: losses are expected and the longest time without service is measured.
    case restart(command: String?, after: Duration)
  }

  /// The word for the scenario in results.
  public var scenario = ""
  /// The server, one or several nodes of it; users are spread over them.
  public var targets: [SocketAddress] = []
  /// How users reach it.
  public var transport = LoadTransport.tls
  /// The host part of the users' address of record, and the realm's domain.
  public var domain = "example.test"
  /// Who the users are.
  public var users = UserDirectory.numbered(count: 100, prefix: "u", digits: 7, first: 1, password: "")
  /// Connections of a user: 1, or 2 with Outbound (RFC 5626 §4.2).
  public var flows = 1
  /// Users that share one connection, as behind one host: consecutive ones. More than 1 only with one flow, and not where
  /// operations open connections.
  public var usersPerConnection = 1
  /// Adds `reg-id` and `+sip.instance` even with one flow.
  public var outbound = false
  /// Addresses that users connect from, in turn; empty: the kernel chooses.
  public var sources: [IPAddress] = []
  /// How TLS is spoken.
  public var tls = TLSClientSettings()
  /// How many processes carry the users.
  public var processes = 1
  /// The load.
  public var streams: [LoadStream] = []
  /// What happens besides.
  public var event = Event.none
  /// Whether users register before the load begins.
  public var registers = true
  /// Requested expiry of a binding in seconds; it is renewed at three quarters of it.
  public var expires = 3_600
  /// Between CRLF keep-alives; zero: none.
  public var keepAlive = Duration.zero
  /// Connections that are being set up at a time before the load.
  public var setupConcurrency = 64
  /// Length of the measurement.
  public var duration = Duration.seconds(10)
  /// Operations after which the measurement ends early; 0: only time ends it. For each process its share.
  public var count = 0
  /// Load before the measurement, left out of the result.
  public var warmUp = Duration.zero
  /// After which an operation counts as lost.
  public var timeout = Duration.seconds(32)
  /// Wait before the first reconnection; doubles up to thirty times as long (RFC 5626 §4.5).
  public var backOff = Duration.seconds(1)
  /// Bytes of a MESSAGE's body, at least 32.
  public var bodySize = 128
  /// OPTIONS goes to another user in place of the server.
  public var relaysOptions = false
  /// How calls go.
  public var calls = CallSettings()
  /// Of everything that goes by lot.
  public var seed: UInt64 = 1
  /// Root processes of the server whose processor time and memory are taken.
  public var serverProcesses: [Int32] = []

  /// A plan with the defaults; target and streams are missing yet.
  public init() {}
}

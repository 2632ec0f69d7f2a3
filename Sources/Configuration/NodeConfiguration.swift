public import Structures

/// What one node was told to do: the typed result of reading the configuration.
///
/// The supervisor makes it to check the file and to open the listeners; each worker makes it again from the
/// same tree (``ConfigurationBundle``), so that both see the same values. Names, ranges, defaults and meanings stand
/// in ``SettingsTable``; the key of the setting is named beside each property.
public struct NodeConfiguration: Sendable, Equatable {
  /// `node`: the name of this node within the cluster.
  public var node: String
  /// `advertise`: host name or address (IPv6 in brackets) of this node, written into Via; without port.
  public var advertise: String
  /// `cluster.name`: host name or address (IPv6 in brackets) written into Record-Route and Path; without port.
  public var clusterName: String
  /// `cluster.secret_file`: at least 16 bytes from which nonce, branch and token keys are derived.
  public var clusterSecret: [UInt8]
  /// `domains`: the domains that this node is responsible for, in the order of the file.
  public var domains: [Domain]
  /// `workers`: how many worker processes the node runs, 1 or more (`auto` is resolved).
  public var workers: Int
  /// `listen`: the listeners, in the order of the file; their position is the number of the listener in a ``Flow``.
  public var listen: [Listener]
  /// `state_directory`: absolute or relative to the working directory of the supervisor.
  public var stateDirectory: String
  /// `admin.control_socket`: absolute or relative to the working directory of the supervisor.
  public var controlSocket: String
  /// `user`: whom workers and the private Redis run as; nil: as the supervisor.
  public var user: String?
  /// `group`: their group; nil: that of the user.
  public var group: String?
  /// `redis`: where registrations are kept.
  public var redis: Redis
  /// `tls.server`: profiles for accepted connections by name.
  public var tlsServer: [String: TLSServerProfile]
  /// `tls.client`: profiles for connections that we open, by name; `default` always exists.
  public var tlsClient: [String: TLSClientProfile]
  /// `tls.detach`: whether established TLS connections leave their SSL object.
  public var detach: DetachMode
  /// `tls.key_log`: the file that gets the secrets of TLS connections; nil: none.
  public var keyLog: String?
  /// `registrar`: what the registrar grants.
  public var registrar: Registrar
  /// `keepalive`: how clients are kept within reach.
  public var keepAlive: KeepAlive
  /// `authentication`: who must prove who they are, and how.
  public var authentication: Authentication
  /// `identity`: whom the node believes, and whom it tells who its users are.
  public var identity: Identity
  /// `proxy`: timers and limits of forwarding.
  public var proxy: Proxy
  /// `limits`: what one worker holds at most.
  public var limits: Limits
  /// `timeouts`: how long one worker waits.
  public var timeouts: Timeouts
  /// `log`: what is written.
  public var log: Log
}

extension NodeConfiguration {
  /// A domain that the node is responsible for (RFC 3261 §16.5).
  public struct Domain: Sendable, Equatable {
    /// The host part of its addresses of record, in small letters.
    public var name: String
    /// Other names of the same domain, in small letters; `alice@alias` is the user `alice@name`.
    public var aliases: [String]
    /// The protection domain named in challenges; the domain's name unless set (RFC 3261 §22.1).
    public var realm: String
    /// The algorithms offered to this domain's users, best first; nil: those of ``Authentication/algorithms``.
    public var algorithms: [DigestAlgorithm]?

    /// A domain; the realm is its name unless given.
    public init(name: String, aliases: [String] = [], realm: String? = nil, algorithms: [DigestAlgorithm]? = nil) {
      self.name = name
      self.aliases = aliases
      self.realm = realm ?? name
      self.algorithms = algorithms
    }
  }

  /// An address to listen on.
  public struct Listener: Sendable, Equatable {
    /// What is spoken there.
    public var transport: TransportProtocol
    /// Where; the port is never 0 unless the file says so (a test that wants any free port).
    public var address: SocketAddress
    /// `host` or `host:port` for Via and Record-Route in place of ``NodeConfiguration/advertise``; IPv6 in brackets.
    public var advertise: String?
    /// The TLS server profile of its connections; a key of ``NodeConfiguration/tlsServer`` when the transport is TLS.
    public var profile: String

    /// A listener.
    public init(
      transport: TransportProtocol, address: SocketAddress, advertise: String? = nil, profile: String = "default"
    ) {
      self.transport = transport
      self.address = address
      self.advertise = advertise
      self.profile = profile
    }
  }

  /// Whether established TLS connections leave their SSL object.
  public enum DetachMode: String, Sendable, Equatable, CaseIterable {
    /// Where the cipher suite and OpenSSL permit it.
    case auto
    /// Never.
    case off
  }

  /// What the registrar grants (RFC 3261 §10.3). Times are in seconds.
  public struct Registrar: Sendable, Equatable {
    /// Granted to a contact that asks for no time.
    public var defaultExpires: Int
    /// A shorter wish is answered with 423 (RFC 3261 §10.2.8).
    public var minExpires: Int
    /// A longer wish is cut to this; 0: never.
    public var maxExpires: Int
    /// Contacts that one address of record may have.
    public var maxContacts: Int
    /// Percent, 0 to 50, by which granted times are shortened at random.
    public var expiresSpread: Int
    /// How often clients are told to show life on their connection (RFC 5626 §6); 0: they are told nothing.
    public var flowTimer: Int
    /// Whether clients are told to send their requests by way of the cluster (RFC 3608 §6.3).
    public var tellsServiceRoute: Bool
    /// Contacts that don't register, in the order of the file.
    public var contacts: [StaticContact]
  }

  /// A contact of a user that stands in the file.
  public struct StaticContact: Sendable, Equatable {
    /// The user, with escapes undone.
    public var user: [UInt8]
    /// The name of the domain.
    public var domain: String
    /// The contact, a SIP or SIPS URI.
    public var uri: [UInt8]
    /// The preference in thousandths, 0 to 1,000.
    public var q: UInt16

    /// A contact.
    public init(user: [UInt8], domain: String, uri: [UInt8], q: UInt16 = 1_000) {
      self.user = user
      self.domain = domain
      self.uri = uri
      self.q = q
    }
  }

  /// Who must prove who they are, and how.
  public struct Authentication: Sendable, Equatable {
    /// Whether requests from addresses in our domains are challenged.
    public var isRequired: Bool
    /// Offered algorithms, best first (RFC 8760 §2.4); never empty.
    public var algorithms: [DigestAlgorithm]
    /// How long a nonce is accepted before it is stale.
    public var nonceLifetime: Duration
    /// The users of all domains whose users stand in files.
    public var users: UserTable
    /// The names of the domains whose users are kept in Redis.
    public var domainsInRedis: [String] = []
  }

  /// Whom the node believes, and whom it tells who its users are (RFC 3325).
  public struct Identity: Sendable, Equatable {
    /// Where the peers are that belong to the trust domain.
    public var trusted: [IPNetwork]
    /// Whether requests of users who proved who they are get a P-Asserted-Identity.
    public var isAsserted: Bool
    /// Whether our registered users are told it.
    public var isShownToUsers: Bool
    /// Names of further header fields, in small letters, that those who aren't trusted can't send through us.
    public var stripped: [String]
    /// What certificates prove; all that match count.
    public var certificates: [CertificateRule] = []
  }

  /// Timers and limits of forwarding.
  public struct Proxy: Sendable, Equatable {
    /// Round-trip estimate T1 (RFC 3261 §17.1.1.1).
    public var timerT1: Duration
    /// Longest interval T2 between retransmissions (RFC 3261 §17.1.2.2).
    public var timerT2: Duration
    /// T4, how long a message may stay in the network (RFC 3261 §17.1.2.2).
    public var timerT4: Duration
    /// How long a branch may stay without a final answer after a provisional one (RFC 3261 §16.6).
    public var timerC: Duration
    /// Branches that one request is forked to at most.
    public var maxBranches: Int
    /// Branches that one request may have at once, here and further on (RFC 5393 §5.3.3).
    public var maxBreadth: Int
    /// Bytes of a request that goes to a UDP address at most (RFC 3261 §18.1.1); 0: no limit.
    public var udpSize: Int
    /// What becomes of a 3xx (RFC 3261 §16.7 step 4).
    public var redirects: Redirects
    /// Whether the node stays in the path of dialogs.
    public var recordRoute: Bool
    /// Max-Forwards of requests that came without (RFC 3261 §16.6).
    public var maxForwards: Int
  }

  /// What becomes of a 3xx.
  public enum Redirects: String, Sendable, Equatable, CaseIterable {
    /// The caller gets it.
    case pass
    /// Its contacts become targets.
    case follow
  }

  /// What one worker holds at most.
  public struct Limits: Sendable, Equatable {
    /// Stream connections in total.
    public var connections: Int
    /// Stream connections of one peer address.
    public var connectionsPerAddress: Int
    /// TLS handshakes under way.
    public var handshakes: Int
    /// TLS handshakes under way with one peer address.
    public var handshakesPerAddress: Int
    /// Bytes of one message, at most 65,535.
    public var messageSize: Int
    /// Bytes of the start line and header of one message.
    public var headerSize: Int
    /// Header fields of one message.
    public var headerFields: Int
    /// Bytes waiting to be sent on one connection.
    public var outputQueue: Int
    /// Server transactions at once.
    public var transactions: Int
    /// Registered contacts at once.
    public var bindings: Int
    /// Bytes of looked-up contacts that are kept.
    public var locationCache: Int
  }

  /// How long one worker waits.
  public struct Timeouts: Sendable, Equatable {
    /// For an accepted or opened connection's TLS handshake.
    public var handshake: Duration
    /// For the first whole message of an accepted connection.
    public var firstMessage: Duration
    /// For the rest of a message of which a part has come.
    public var message: Duration
    /// For queued bytes to make progress.
    public var send: Duration
    /// For a TCP connection to be opened.
    public var connect: Duration
    /// After which a silent connection is closed; nil: never.
    public var idle: Duration?
    /// TCP_USER_TIMEOUT: sent bytes unacknowledged for so long end the connection; nil: left to the system.
    public var tcpUserTimeout: Duration?
    /// Sent bytes unacknowledged for so long put a connection under suspicion; nil: never.
    public var unacknowledged: Duration?
    /// Silence after which the system probes the peer; nil: never.
    public var tcpKeepalive: Duration?
  }

  /// What is written to the log.
  public struct Log: Sendable, Equatable {
    /// The least level written.
    public var level: Level

    /// Levels from the most talkative to the least.
    public enum Level: String, Sendable, Equatable, CaseIterable {
      /// Every step of every message.
      case trace
      /// Decisions, for the search of a fault.
      case debug
      /// Connections, registrations, starts and stops.
      case info
      /// What is normal but rare.
      case notice
      /// What may need attention.
      case warning
      /// What did not work.
      case error
      /// What ends a process.
      case critical
    }
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// What the core was told to do; made by the worker from the configuration. Names and hosts are in small letters.
public struct ServerSettings: Sendable {
  /// A domain that the node is responsible for.
  public struct Domain: Sendable {
    /// The host part of its addresses of record.
    public let name: [UInt8]
    /// Other names of the same domain.
    public let aliases: [[UInt8]]
    /// The realm of its challenges.
    public let realm: [UInt8]
    /// Whether its users are asked for by ``ServerActions/Question/user(query:key:)`` instead of the directory.
    public let asksForUsers: Bool

    /// A domain.
    public init(name: [UInt8], aliases: [[UInt8]], realm: [UInt8], asksForUsers: Bool = false) {
      self.name = name
      self.aliases = aliases
      self.realm = realm
      self.asksForUsers = asksForUsers
    }
  }

  /// A listener as others are told of it.
  public struct Listener: Sendable {
    /// What is spoken there.
    public let transport: TransportProtocol
    /// Where it is bound.
    public let address: SocketAddress
    /// `host:port` for Via.
    public let sentBy: [UInt8]
    /// `host:port` for Record-Route.
    public let recordRoute: [UInt8]
    /// What stands between the Request-URI and the branch of our Via, of a request that is sent as from here.
    let viaStart: [UInt8]

    /// A listener.
    public init(transport: TransportProtocol, address: SocketAddress, sentBy: [UInt8], recordRoute: [UInt8]) {
      self.transport = transport
      self.address = address
      self.sentBy = sentBy
      self.recordRoute = recordRoute
      let words = " SIP/2.0\r\nVia: SIP/2.0/\("\(transport)".uppercased()) "
      viaStart = Array(words.utf8) + sentBy + Array(";branch=".utf8)
    }
  }

  /// The domains; the first also answers for our own host names.
  public var domains: [Domain]
  /// The listeners, in the order of the configuration.
  public var listeners: [Listener]
  /// Host names and addresses that mean this node or its cluster.
  public var hosts: [[UInt8]]
  /// Addresses of this host at which a listener answers that is bound to all of them.
  public var interfaces: [IPAddress] = []
  /// Limits of messages.
  public var parserLimits = ParserLimits()
  /// T1, T2 and T4.
  public var timers = TimerSettings()
  /// How long a branch may ring (RFC 3261 §16.6 step 11).
  public var timerC = Duration.seconds(180)
  /// How long an answer of the location service is waited for.
  public var locationTimeout = Duration.seconds(5)
  /// Targets that one request is forked to at most.
  public var maxBranches = 16
  /// Branches that one request may have at once, here and further on (RFC 5393 §5.3.3).
  public var maxBreadth = 60
  /// Max-Forwards of requests that have none (RFC 3261 §16.6 step 3).
  public var maxForwards = 70
  /// Octets of a request that goes to a UDP address at most: what is longer goes there by TCP (RFC 3261 §18.1.1); 0: nothing does.
  public var udpSize = 1_300
  /// Whether the contacts of a 3xx become targets (RFC 3261 §16.7 step 4); else the caller gets it.
  public var followsRedirects = false
  /// Whether the proxy stays in the path of dialogs.
  public var recordRoute = true
  /// Whether requests from our domains are challenged.
  public var authenticationRequired = true
  /// The digest algorithms offered where a domain or user has none of its own, best first.
  public var algorithms: AlgorithmList = [.md5, .sha256]
  /// How long a nonce is good.
  public var nonceLifetime = Duration.seconds(300)
  /// Users that were asked for and are remembered at most.
  public var maxCachedUsers = 100_000
  /// Requests that wait at most for what is asked of their senders.
  public var maxParked = 4_096
  /// Octets of these requests at most.
  public var maxParkedOctets = 8_388_608
  /// Server transactions at once; beyond it new requests are answered with 503.
  public var maxTransactions = 100_000
  /// Bindings over flows of this worker that are known to it at most.
  public var maxBindings = 1_000_000
  /// What the registrar grants.
  public var registrar = RegistrarSettings()
  /// Whom the server believes, and whom it tells who its users are.
  public var identity = IdentitySettings()
  /// How clients are kept within reach; nothing is sent unless somebody wants it.
  public var keepAlive = KeepAliveSettings(interval: .zero)
  /// Contacts that stand in the configuration.
  public var staticContacts = StaticContacts()

  /// How many header lines a request gets on its way through at most: Via, Max-Breadth, two Record-Routes, Path, two Routes, Max-Forwards and
  /// Content-Length.
  public static let linesAdded = 9

  /// Settings with the defaults of ``ServerSettings`` for everything but who we are.
  public init(domains: [Domain], listeners: [Listener], hosts: [[UInt8]]) {
    self.domains = domains
    self.listeners = listeners
    self.hosts = hosts
  }
}

extension ServerSettings {
  /// The domain that a host names, by its name or an alias; nil when it is none of ours.
  func domain(_ host: Span<UInt8>) -> Domain? {
    let host = host.extracting(0..<Self.nameLength(host))
    for domain in domains {
      if host.equalsIgnoringCase(domain.name.span) { return domain }
      for alias in domain.aliases where host.equalsIgnoringCase(alias.span) { return domain }
    }
    return nil
  }

  /// RFC 3261 §25.1: a dot may end a host name; it is the same without it.
  private static func nameLength(_ host: Span<UInt8>) -> Int {
    host.count > 1 && host[host.count - 1] == UInt8(ascii: ".") ? host.count - 1 : host.count
  }

  /// Whether host and port mean this node: a name of ours, with a port that we listen on or none.
  func isOurs(_ uri: SIPURI, _ text: Span<UInt8>, _ flow: Flow) -> Bool {
    let positions = uri.host.positions
    let host = text.extracting(
      positions.lowerBound..<positions.lowerBound + Self.nameLength(text.extracting(positions)))
    var known = false
    for name in hosts where host.equalsIgnoringCase(name.span) { known = true }
    if !known, let address = uri.address(in: text) {
      known = address == flow.local.address.unmapped || isListener(address) || interfaces.contains(address)
    }
    guard known else { return false }
    guard let port = uri.port else { return true }
    for listener in listeners where listener.address.port == port { return true }
    return flow.local.port == port && flow.transport != .udp
  }

  private func isListener(_ address: IPAddress) -> Bool {
    for listener in listeners where listener.address.address == address { return true }
    return false
  }

  /// Whether sent-by of a Via is what one of the listeners writes there (RFC 3261 §18.1.2).
  func isSentBy(_ via: Via, _ text: Span<UInt8>) -> Bool {
    let host = text.extracting(via.host.positions)
    for listener in listeners {
      let own = listener.sentBy.span
      guard own.count >= host.count, own.extracting(0..<host.count).equalsIgnoringCase(host) else { continue }
      var port: UInt16 = 0
      for index in host.count..<own.count where index > host.count { port = port &* 10 &+ UInt16(own[index] & 0xF) }
      let standard = listener.transport.defaultPort
      let hasPort = own.count > host.count && own[host.count] == UInt8(ascii: ":")
      if hasPort || own.count == host.count, (hasPort ? port : standard) == via.port ?? standard { return true }
    }
    return false
  }

  /// The listener whose identity a message to an address carries; nil when none has its transport.
  func listener(for transport: TransportProtocol, family: IPAddress.Family) -> UInt16? {
    var other: UInt16?
    for index in listeners.indices where listeners[index].transport == transport {
      if listeners[index].address.address.family == family { return UInt16(index) }
      if other == nil { other = UInt16(index) }
    }
    // A datagram can leave by a socket of its family only.
    return transport == .udp ? nil : other
  }
}

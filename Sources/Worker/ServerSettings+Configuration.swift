import Configuration
import SIPMessage
import SIPServer
import SIPTransaction
import Structures

extension ServerSettings {
  /// The core's settings from the node's configuration and the addresses of this host.
  init(_ configuration: NodeConfiguration, interfaces: [IPAddress]) {
    let listeners = configuration.listen.map { listener in
      Self.listener(listener, configuration, interfaces)
    }
    self.init(
      domains: configuration.domains.map { Self.domain($0, configuration.authentication) }, listeners: listeners,
      hosts: Self.hosts(configuration))
    self.interfaces = interfaces.filter { address in
      configuration.listen.contains { $0.address.address.isUnspecified && $0.address.address.family == address.family }
    }
    maxBindings = configuration.limits.bindings
    // What goes on gets lines of ours besides, and is read again for its ACK and CANCEL.
    parserLimits = ParserLimits(
      message: configuration.limits.messageSize, head: configuration.limits.headerSize,
      fields: min(configuration.limits.headerFields, ParserLimits.largest.fields - ServerSettings.linesAdded))
    timers = TimerSettings(
      t1: configuration.proxy.timerT1, t2: configuration.proxy.timerT2, t4: configuration.proxy.timerT4)
    timerC = configuration.proxy.timerC
    maxBranches = configuration.proxy.maxBranches
    maxBreadth = configuration.proxy.maxBreadth
    udpSize = configuration.proxy.udpSize
    followsRedirects = configuration.proxy.redirects == .follow
    maxForwards = configuration.proxy.maxForwards
    recordRoute = configuration.proxy.recordRoute
    authenticationRequired = configuration.authentication.isRequired
    algorithms = AlgorithmList(configuration.authentication.algorithms.map(\.hash))
    nonceLifetime = configuration.authentication.nonceLifetime
    identity.trusted = configuration.identity.trusted
    identity.trustsCertificates = configuration.identity.certificates.contains { $0.proof == .trusted }
    identity.isAsserted = configuration.identity.isAsserted
    identity.isShownToUsers = configuration.identity.isShownToUsers
    identity.strip(configuration.identity.stripped.map { Array($0.utf8) })
    maxTransactions = configuration.limits.transactions
    let wanted = configuration.keepAlive
    keepAlive = KeepAliveSettings(
      interval: .seconds(wanted.udpInterval), includesAll: wanted.udpClients == .all,
      method: wanted.method == .crlf ? .lineBreaks : .options, removeAfter: wanted.removeAfter,
      flowGrace: .seconds(wanted.flowGrace))
    registrar = RegistrarSettings(
      defaultExpires: Int64(configuration.registrar.defaultExpires),
      minExpires: Int64(configuration.registrar.minExpires), maxExpires: Int64(configuration.registrar.maxExpires),
      maxContacts: configuration.registrar.maxContacts, expiresSpread: Int64(configuration.registrar.expiresSpread),
      flowTimer: Int64(configuration.registrar.flowTimer), serviceRoute: configuration.registrar.tellsServiceRoute)
    for contact in configuration.registrar.contacts {
      staticContacts.add(
        StaticContact(uri: contact.uri, q: contact.q), to: contact.user + Array("@\(contact.domain)".utf8))
    }
  }

  private static func listener(
    _ listener: NodeConfiguration.Listener, _ configuration: NodeConfiguration, _ interfaces: [IPAddress]
  ) -> Listener {
    let port = listener.address.port
    let node = listener.advertise ?? name([configuration.advertise], for: listener, interfaces)
    let cluster = name(
      [configuration.clusterName, listener.advertise, configuration.advertise], for: listener, interfaces)
    return Listener(
      transport: listener.transport, address: listener.address, sentBy: withPort(node, port),
      recordRoute: withPort(cluster, port))
  }

  /// RFC 5658 §3.1: how a listener is called that those must reach who speak its family: by the first of `names` that is no address of the
  /// other family, else by its own address, or one of this host's.
  private static func name(
    _ names: [String?], for listener: NodeConfiguration.Listener, _ interfaces: [IPAddress]
  ) -> String {
    let family = listener.address.address.family
    for case let name? in names where Self.family(name).map({ $0 == family }) ?? true { return name }
    var own = listener.address.address
    if own.isUnspecified {
      let same = interfaces.filter { $0.family == family }
      own = same.first { !$0.isLoopback && !$0.isLinkLocal } ?? same.first ?? own
    }
    var host: [UInt8] = []
    own.appendAsHost(to: &host)
    return String(decoding: host, as: UTF8.self)
  }

  /// The family of an address; nil for a name. A port may follow.
  private static func family(_ host: String) -> IPAddress.Family? {
    if host.hasPrefix("[") { return .v6 }
    let parts = host.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count > 2 { return .v6 }
    let octets = Array((parts.first ?? "").utf8)
    return IPAddress(octets.span)?.family
  }

  /// `host:port`; a port that stands there already is kept. IPv6 addresses stand in brackets.
  private static func withPort(_ host: String, _ port: UInt16) -> [UInt8] {
    let name = host.lowercased()
    let tail = name.split(separator: "]", omittingEmptySubsequences: false).last ?? ""
    return Array((tail.contains(":") ? name : "\(name):\(port)").utf8)
  }

  private static func domain(
    _ domain: NodeConfiguration.Domain, _ authentication: NodeConfiguration.Authentication
  ) -> Domain {
    Domain(
      name: Array(domain.name.utf8), aliases: domain.aliases.map { Array($0.utf8) }, realm: Array(domain.realm.utf8),
      asksForUsers: authentication.domainsInRedis.contains(domain.name))
  }

  /// Every name and address that means this node: what it advertises, what it is called, where it listens.
  private static func hosts(_ configuration: NodeConfiguration) -> [[UInt8]] {
    var names = [configuration.advertise, configuration.clusterName, configuration.node]
    for listener in configuration.listen {
      if let advertise = listener.advertise {
        let host = advertise.hasPrefix("[") ? advertise : advertise.split(separator: ":").first.map(String.init)
        names.append(host ?? advertise)
      }
      if !listener.address.address.isUnspecified {
        var host: [UInt8] = []
        listener.address.address.appendAsHost(to: &host)
        names.append(String(decoding: host, as: UTF8.self))
      }
    }
    var seen: Set<String> = []
    return names.map { $0.lowercased() }.filter { !$0.isEmpty && seen.insert($0).inserted }.map { Array($0.utf8) }
  }
}

extension DigestAlgorithm {
  /// The same algorithm in the core's words.
  var hash: HashAlgorithm {
    switch self {
    case .md5: .md5
    case .sha256: .sha256
    case .sha512_256: .sha512_256
    }
  }
}

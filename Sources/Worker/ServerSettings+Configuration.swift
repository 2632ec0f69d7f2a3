import Configuration
import SIPMessage
import SIPServer
import SIPTransaction
import Structures

extension ServerSettings {
  /// The core's settings from the node's configuration and the addresses of this host.
  init(_ configuration: NodeConfiguration, interfaces: [IPAddress]) {
    let listeners = configuration.listen.map { listener in
      Self.listener(listener, configuration)
    }
    self.init(
      domains: configuration.domains.map(Self.domain), listeners: listeners,
      hosts: Self.hosts(configuration))
    self.interfaces = interfaces.filter { address in
      configuration.listen.contains { $0.address.address.isUnspecified && $0.address.address.family == address.family }
    }
    parserLimits = ParserLimits(
      message: configuration.limits.messageSize, head: configuration.limits.headerSize,
      fields: configuration.limits.headerFields)
    timers = TimerSettings(
      t1: configuration.proxy.timerT1, t2: configuration.proxy.timerT2, t4: configuration.proxy.timerT4)
    timerC = configuration.proxy.timerC
    maxBranches = configuration.proxy.maxBranches
    maxForwards = configuration.proxy.maxForwards
    recordRoute = configuration.proxy.recordRoute
    authenticationRequired = configuration.authentication.isRequired
    algorithms = AlgorithmList(configuration.authentication.algorithms.map(\.hash))
    nonceLifetime = configuration.authentication.nonceLifetime
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
    _ listener: NodeConfiguration.Listener, _ configuration: NodeConfiguration
  ) -> Listener {
    let port = listener.address.port
    return Listener(
      transport: listener.transport, address: listener.address,
      sentBy: withPort(listener.advertise ?? configuration.advertise, port),
      recordRoute: withPort(configuration.clusterName, port))
  }

  /// `host:port`; a port that stands there already is kept. IPv6 addresses stand in brackets.
  private static func withPort(_ host: String, _ port: UInt16) -> [UInt8] {
    let name = host.lowercased()
    let tail = name.split(separator: "]", omittingEmptySubsequences: false).last ?? ""
    return Array((tail.contains(":") ? name : "\(name):\(port)").utf8)
  }

  private static func domain(_ domain: NodeConfiguration.Domain) -> Domain {
    Domain(
      name: Array(domain.name.utf8), aliases: domain.aliases.map { Array($0.utf8) }, realm: Array(domain.realm.utf8))
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

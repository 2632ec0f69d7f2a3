/// What came of reading a configuration.
public struct ResolvedSettings: Sendable {
  /// The configuration; nil exactly when there are errors.
  public var configuration: NodeConfiguration?
  /// Everything that is wrong.
  public var errors: [SettingsError]
  /// What the owner of the file should know: old names, settings that do nothing yet.
  public var notes: [SettingsError]
  /// The settings of the table that were asked for; for the test that compares it with the table.
  var consulted: Set<String>
}

extension NodeConfiguration {
  /// Reads a settings file: `file` names it in errors and is where relative paths start.
  /// - Throws: All that is wrong with it.
  public init(from node: SettingNode, file: String, sources: SettingsSources) throws(SettingsErrors) {
    let resolved = Self.resolve(node, file: file, sources: sources)
    guard let configuration = resolved.configuration else { throw SettingsErrors(resolved.errors) }
    self = configuration
  }

  /// A configuration written in code, for tests and tools: files are looked up in `files`, users files in `documents`.
  /// - Throws: All that is wrong with it.
  public init(
    settings: SettingNode, files: [String: [UInt8]] = [:], documents: [String: SettingNode] = [:]
  ) throws(SettingsErrors) {
    let facts = SettingsSources.Facts(hostName: "localhost", cores: 1, clusterSecret: Array(0..<32))
    let bundle = ConfigurationBundle(
      file: "settings", settings: settings, facts: facts, files: files, documents: documents)
    let resolved = bundle.resolve()
    guard let configuration = resolved.configuration else { throw SettingsErrors(resolved.errors) }
    self = configuration
  }

  /// Reads a settings file and says everything that there is to say about it.
  public static func resolve(_ node: SettingNode, file: String, sources: SettingsSources) -> ResolvedSettings {
    var resolver = Resolver(reader: SettingsReader(node, file: file), sources: sources)
    let configuration = resolver.resolve()
    let errors = resolver.reader.errors
    return ResolvedSettings(
      configuration: errors.isEmpty ? configuration : nil, errors: errors, notes: resolver.reader.notes,
      consulted: resolver.reader.consulted)
  }
}

/// Fills a ``NodeConfiguration`` from what a ``SettingsReader`` understood, and checks what settings mean together.
/// A setting that could not be understood has its default here; the error of it is kept already.
struct Resolver {
  var reader: SettingsReader
  let sources: SettingsSources

  mutating func resolve() -> NodeConfiguration {
    let node = reader.text(["node"]) ?? sources.facts.hostName
    let listen = resolveListeners()
    let advertise = reader.text(["advertise"]) ?? Self.specificHost(of: listen.first) ?? node
    let domains = resolveDomains()
    let server = resolveServerProfiles()
    checkProfiles(of: listen, server)
    return NodeConfiguration(
      node: node,
      advertise: advertise,
      clusterName: reader.text(["cluster", "name"]) ?? advertise,
      clusterSecret: resolveSecret(),
      domains: domains,
      workers: resolveWorkers(),
      listen: listen,
      stateDirectory: SettingsSources.resolve(reader.text(["state_directory"]) ?? "", from: reader.file),
      controlSocket: reader.controlSocket(),
      user: reader.text(["user"]),
      group: resolveGroup(),
      redis: resolveRedis(),
      tlsServer: server,
      tlsClient: resolveClientProfiles(),
      detach: DetachMode(rawValue: reader.text(["tls", "detach"]) ?? "") ?? .auto,
      keyLog: resolveKeyLog(),
      registrar: resolveRegistrar(domains, listen),
      keepAlive: resolveKeepAlive(),
      authentication: resolveAuthentication(domains),
      identity: resolveIdentity(domains, server),
      proxy: resolveProxy(),
      limits: resolveLimits(),
      timeouts: resolveTimeouts(),
      log: Log(level: Log.Level(rawValue: reader.text(["log", "level"]) ?? "") ?? .info))
  }

  typealias DetachMode = NodeConfiguration.DetachMode
  typealias Log = NodeConfiguration.Log

  private mutating func resolveWorkers() -> Int {
    let wanted = reader.number(["workers"])
    return wanted == 0 ? max(1, sources.facts.cores) : wanted
  }

  private mutating func resolveGroup() -> String? {
    let group = reader.text(["group"])
    if group != nil, reader.text(["user"]) == nil {
      reader.fail(["group"], reader.position(["group"]), "a group without a user", "give user as well")
    }
    return group
  }

  private mutating func resolveSecret() -> [UInt8] {
    let path = ["cluster", "secret_file"]
    guard let (secret, position) = readFile(path) else { return sources.facts.clusterSecret }
    let trimmed = Array(secret[..<(secret.lastIndex { $0 != 0x0A && $0 != 0x0D } ?? -1).advanced(by: 1)])
    if trimmed.count < 16 {
      reader.fail(
        path, position, "the secret has \(trimmed.count) bytes",
        "16 is the least; openssl rand -hex 32 makes a good one")
    }
    return trimmed
  }

  /// The octets of the file that a setting names, with the place of the setting; nil when the setting isn't given or
  /// the file could not be read, which is kept as an error.
  mutating func readFile(_ path: [String]) -> (octets: [UInt8], position: Position)? {
    guard let name = reader.text(path), let position = reader.position(path) else { return nil }
    let resolved = SettingsSources.resolve(name, from: reader.file)
    switch sources.read(resolved) {
    case .success(let octets): return (octets, position)
    case .failure(let failure):
      reader.fail(path, position, "\(resolved): \(failure.problem)", failure.remedy)
      return nil
    }
  }

  private mutating func resolveRegistrar(
    _ domains: [NodeConfiguration.Domain], _ listen: [NodeConfiguration.Listener]
  ) -> NodeConfiguration.Registrar {
    let registrar = NodeConfiguration.Registrar(
      defaultExpires: reader.number(["registrar", "default_expires"]),
      minExpires: reader.number(["registrar", "min_expires"]),
      maxExpires: reader.number(["registrar", "max_expires"]),
      maxContacts: reader.number(["registrar", "max_contacts"]),
      expiresSpread: reader.number(["registrar", "expires_spread"]),
      flowTimer: reader.number(["registrar", "flow_timer"]),
      tellsServiceRoute: reader.boolean(["registrar", "service_route"]), contacts: resolveContacts(domains, listen))
    if registrar.defaultExpires < registrar.minExpires {
      failFirstGiven(
        [["registrar", "default_expires"], ["registrar", "min_expires"]],
        "default_expires (\(registrar.defaultExpires)s) is less than min_expires (\(registrar.minExpires)s)",
        "raise the one or lower the other")
    }
    if registrar.maxExpires != 0, registrar.maxExpires < max(registrar.defaultExpires, registrar.minExpires) {
      failFirstGiven(
        [["registrar", "max_expires"], ["registrar", "default_expires"], ["registrar", "min_expires"]],
        "max_expires (\(registrar.maxExpires)s) is less than default_expires or min_expires",
        "raise it, or write 0 for no limit")
    }
    return registrar
  }

  private mutating func resolveProxy() -> NodeConfiguration.Proxy {
    let proxy = NodeConfiguration.Proxy(
      timerT1: reader.duration(["proxy", "timer_t1"]),
      timerT2: reader.duration(["proxy", "timer_t2"]),
      timerT4: reader.duration(["proxy", "timer_t4"]),
      timerC: reader.duration(["proxy", "timer_c"]),
      maxBranches: reader.number(["proxy", "max_branches"]),
      maxBreadth: reader.number(["proxy", "max_breadth"]),
      udpSize: reader.number(["proxy", "udp_size"]),
      redirects: NodeConfiguration.Redirects(rawValue: reader.text(["proxy", "redirects"]) ?? "") ?? .pass,
      recordRoute: reader.boolean(["proxy", "record_route"]),
      maxForwards: reader.number(["proxy", "max_forwards"]))
    if proxy.timerT2 < proxy.timerT1 {
      failFirstGiven(
        [["proxy", "timer_t2"], ["proxy", "timer_t1"]], "timer_t2 is less than timer_t1",
        "raise the one or lower the other")
    }
    // RFC 3261 §16.6: Timer C is longer than three minutes.
    if proxy.timerC <= .seconds(180) {
      reader.note(
        ["proxy", "timer_c"], reader.position(["proxy", "timer_c"]), "RFC 3261 §16.6 wants more than 3m",
        "shorter values end calls that still ring")
    }
    return proxy
  }

  private mutating func resolveLimits() -> NodeConfiguration.Limits {
    let limits = NodeConfiguration.Limits(
      connections: reader.number(["limits", "connections"]),
      connectionsPerAddress: reader.number(["limits", "connections_per_address"]),
      handshakes: reader.number(["limits", "handshakes"]),
      handshakesPerAddress: reader.number(["limits", "handshakes_per_address"]),
      messageSize: reader.number(["limits", "message_size"]),
      headerSize: reader.number(["limits", "header_size"]),
      headerFields: reader.number(["limits", "header_fields"]),
      outputQueue: reader.number(["limits", "output_queue"]),
      transactions: reader.number(["limits", "transactions"]),
      bindings: reader.number(["limits", "bindings"]),
      locationCache: reader.number(["limits", "location_cache"]))
    if limits.headerSize > limits.messageSize {
      failFirstGiven(
        [["limits", "header_size"], ["limits", "message_size"]], "header_size is more than message_size",
        "lower the one or raise the other")
    }
    return limits
  }

  private mutating func resolveTimeouts() -> NodeConfiguration.Timeouts {
    NodeConfiguration.Timeouts(
      handshake: reader.duration(["timeouts", "handshake"]),
      firstMessage: reader.duration(["timeouts", "first_message"]),
      message: reader.duration(["timeouts", "message"]),
      send: reader.duration(["timeouts", "send"]),
      connect: reader.duration(["timeouts", "connect"]),
      idle: durationUnlessZero(["timeouts", "idle"]),
      tcpUserTimeout: durationUnlessZero(["timeouts", "tcp_user_timeout"]),
      unacknowledged: durationUnlessZero(["timeouts", "unacknowledged"]),
      tcpKeepalive: durationUnlessZero(["timeouts", "tcp_keepalive"]))
  }

  private mutating func durationUnlessZero(_ path: [String]) -> Duration? {
    let duration = reader.duration(path)
    return duration == .zero ? nil : duration
  }

  /// Reports settings that contradict each other at the first of them that the file gives.
  mutating func failFirstGiven(_ paths: [[String]], _ problem: String, _ remedy: String) {
    let path = paths.first { reader.position($0) != nil } ?? paths[0]
    reader.fail(path, reader.position(path), problem, remedy)
  }
}

public import Reactor
public import Structures
public import TLSEngine

/// What became of a command that was handed to a ``RedisClient``.
public enum RedisSending: Equatable, Sendable {
  /// It will be answered: by a reply, or by a failure.
  case accepted
  /// The server can't be reached now; nothing was sent.
  case unavailable
  /// Too much waits already; nothing was sent.
  case overloaded
}

/// What a client did so far.
public struct RedisCounters: Equatable, Sendable {
  /// Commands that were accepted.
  public var commands: UInt64 = 0
  /// Replies that were delivered.
  public var replies: UInt64 = 0
  /// Accepted commands that got no reply.
  public var failures: UInt64 = 0
  /// Commands that were refused since too much waited.
  public var refused: UInt64 = 0
  /// Connections that were begun.
  public var connections: UInt64 = 0
}

/// How a client is.
public struct RedisHealth: Equatable, Sendable {
  /// Whether commands are taken.
  public var isAvailable: Bool
  /// Since when they are, or aren't.
  public var since: Instant
  /// Why the last connection for commands was given up.
  public var trouble: RedisTrouble
  /// Whether messages of channels come in; true also where there are no channels.
  public var isSubscribed: Bool
  /// Since when they do, or don't.
  public var subscribedSince: Instant
  /// Why the last connection for channels was given up.
  public var subscriptionTrouble: RedisTrouble
  /// The server of the present connection, or of the last one.
  public var server: String
  /// Commands without a reply.
  public var pending: Int
  /// What the client did so far.
  public var counters: RedisCounters
}

/// Hears of a ``RedisClient``: in a turn of its loop, and in ``RedisClient/stop()``, never within ``RedisClient/send(_:token:)``.
public protocol RedisClientDelegate: AnyObject {
  /// The reply to a command, in the order of the commands. An error among them concerns this command only.
  func redis(_ client: RedisClient, reply: RedisReply, token: UInt64)
  /// The connection was given up before the reply came: whether the command was carried out is not known.
  func redis(_ client: RedisClient, failed token: UInt64)
  /// Commands are taken from now on (`isAvailable`), or no more; then each command without a reply is reported as failed next.
  func redis(_ client: RedisClient, changed isAvailable: Bool)
  /// All channels are subscribed to (`isSubscribed`), or messages may be lost from now on.
  func redis(_ client: RedisClient, subscriptionChanged isSubscribed: Bool)
  /// A message of a channel.
  func redis(_ client: RedisClient, published payload: [UInt8], channel: [UInt8])
}

/// The client of one Redis server, or of the master that sentinels name, on an event loop. Nothing here ever waits.
///
/// Commands of a turn of the loop go out in one write; replies come in the order of the commands. Two connections: one for commands, one that subscribes to
/// channels. Each is opened again after a loss, as ``RedisLinkMachine`` says. A client is used on the thread of its loop only.
public final class RedisClient: RedisLinkOwner {
  /// How the server is reached.
  public let settings: RedisSettings
  /// Who hears of the client; kept alive until ``stop()``.
  private var delegate: (any RedisClientDelegate)?
  private let loop: EventLoop
  private let context: TLSContext?
  private let channels: [[UInt8]]
  private var commands: RedisLink?
  private var subscription: RedisLink?
  private var directory: SentinelDirectory?

  /// A client that does nothing before ``start(delegate:)``. It subscribes to `channels`, given with their prefix.
  /// - Throws: what is wrong with the settings of TLS.
  public init(_ settings: RedisSettings, channels: [[UInt8]] = [], loop: EventLoop) throws(TLSError) {
    self.settings = settings
    self.channels = channels
    self.loop = loop
    if let tls = settings.tls {
      context = try TLSContext(.client, tls)
    } else {
      context = nil
    }
    loop.addHook(.flush) { [weak self] in self?.flush() }
  }

  /// Connects, and goes on doing so until ``stop()``.
  public func start(delegate: any RedisClientDelegate) throws(SystemError) {
    guard commands == nil else { return }
    self.delegate = delegate
    let scratch = RedisScratch()
    var greeting = RedisGreeting(
      user: settings.user, password: settings.password, database: settings.database, clientName: settings.clientName)
    if case .sentinels(let sentinels, let master) = settings.target {
      greeting.mustBeMaster = true
      directory = try SentinelDirectory(
        sentinels, master: master, settings: settings, loop: loop, scratch: scratch, client: self)
    }
    commands = try RedisLink(
      loop: loop, settings: settings, greeting: greeting, context: context, scratch: scratch, owner: self)
    if !channels.isEmpty {
      greeting.channels = channels
      subscription = try RedisLink(
        loop: loop, settings: settings, greeting: greeting, context: context, scratch: scratch, owner: self)
    }
    directory?.start()
    subscription?.start()
    commands?.start()
  }

  /// Closes all connections; commands without a reply fail. The delegate hears nothing more afterwards.
  public func stop() {
    commands?.stop()
    subscription?.stop()
    directory?.stop()
    delegate = nil
  }

  /// Adds a command, written by ``RedisCommandWriter``, to what the end of the turn sends. `token` is not 0; if the command is accepted, the
  /// delegate hears of it exactly once, later.
  public func send(_ command: Span<UInt8>, token: UInt64) -> RedisSending {
    commands?.send(command, token: token) ?? .unavailable
  }

  /// Whether commands are taken.
  public var isAvailable: Bool { commands?.machine.isServing ?? false }

  /// How the client is.
  public var health: RedisHealth {
    let (first, second) = (commands?.machine, subscription?.machine)
    return RedisHealth(
      isAvailable: isAvailable, since: first?.since ?? loop.now, trouble: first?.trouble ?? .none,
      isSubscribed: channels.isEmpty || second?.isServing ?? false, subscribedSince: second?.since ?? loop.now,
      subscriptionTrouble: second?.trouble ?? .none,
      server: commands?.server.map { "\($0)" } ?? "\(settings)", pending: first?.pendingCount ?? 0,
      counters: commands?.counters ?? RedisCounters())
  }

  private func flush() {
    commands?.flush()
    subscription?.flush()
    directory?.flush()
  }

  // MARK: From the links

  func locate(for link: RedisLink) {
    switch settings.target {
    case .server(let server): link.located(server)
    case .sentinels: directory?.ask(distrusting: link.machine.trouble)
    }
  }

  func link(_ link: RedisLink, reply: RedisReply, token: UInt64) {
    delegate?.redis(self, reply: reply, token: token)
  }

  func link(_ link: RedisLink, failed token: UInt64) {
    delegate?.redis(self, failed: token)
  }

  func link(_ link: RedisLink, published payload: [UInt8], channel: [UInt8]) {
    delegate?.redis(self, published: payload, channel: channel)
  }

  func linkChanged(_ link: RedisLink) {
    if link === commands {
      delegate?.redis(self, changed: link.machine.isServing)
    } else {
      delegate?.redis(self, subscriptionChanged: link.machine.isServing)
    }
  }

  // MARK: From the directory

  /// A sentinel says where the master is; nil: it knows none.
  func master(is server: RedisServer?) {
    for link in [commands, subscription] {
      guard let link else { continue }
      if link.machine.isServing, let server, link.server != server { link.masterMoved() }
      link.located(server)
    }
  }

  /// A sentinel says that the master has moved.
  func masterMoved() {
    commands?.masterMoved()
    subscription?.masterMoved()
  }
}

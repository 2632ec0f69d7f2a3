public import Structures
public import TLSEngine

/// One server, as a socket is opened to it.
public enum RedisServer: Hashable, Sendable {
  /// The path of a Unix socket.
  case unix(String)
  /// An address. `name` is whom the certificate must be for, where TLS is used; nil: the address.
  case address(SocketAddress, name: String? = nil)
}

extension RedisServer: CustomStringConvertible {
  /// `unix:/path`, `192.0.2.1:6379` or `redis.example.test (192.0.2.1:6379)`.
  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .address(let address, nil): "\(address)"
    case .address(let address, let name?): "\(name) (\(address))"
    }
  }
}

/// Where the server is that holds the data.
public enum RedisTarget: Hashable, Sendable {
  /// Always there.
  case server(RedisServer)
  /// Where one of these sentinels, at least one, says that the master of that name is.
  case sentinels([RedisServer], master: String)
}

/// How a ``RedisClient`` reaches its server, and how long and how much it waits for.
public struct RedisSettings: Sendable {
  /// Where.
  public var target: RedisTarget
  /// TLS to the server; nil: none. To sentinels there is none.
  public var tls: TLSSettings?
  /// The user of the access list; nil: the default user.
  public var user: [UInt8]?
  /// The password; nil: none is given.
  public var password: [UInt8]?
  /// The user for sentinels; nil: the default user.
  public var sentinelUser: [UInt8]?
  /// The password for sentinels; nil: none is given.
  public var sentinelPassword: [UInt8]?
  /// The number of the database.
  public var database = 0
  /// What all keys and channels begin with.
  public var prefix: [UInt8] = Array("apus:".utf8)
  /// The name of our connections in the server's lists, without blanks and line breaks; empty: none.
  public var clientName: [UInt8] = []
  /// How long a command, and the greeting of a connection, may wait for its reply. When it passes, the connection is given up.
  public var commandTime = Duration.seconds(2)
  /// How long it may take to connect, and as long again for TLS.
  public var connectTime = Duration.seconds(2)
  /// Silence after which a sign of life is asked for.
  public var quietTime = Duration.seconds(1)
  /// The wait before connecting again, at first and at most; doubled each time.
  public var waitTimes: ClosedRange<Duration> = .milliseconds(50)...(.seconds(2))
  /// Bytes of commands that wait to be sent at most.
  public var maximumQueuedBytes = 8 << 20
  /// Commands without a reply at most.
  public var maximumPending = 65_536
  /// How large a reply may be.
  public var replyLimits = RedisReplyLimits()

  /// Settings for a target with every default.
  public init(target: RedisTarget) { self.target = target }
}

extension RedisSettings: CustomStringConvertible, CustomReflectable {
  /// Where the server is; no password.
  public var description: String {
    switch target {
    case .server(let server): "\(server)"
    case .sentinels(let sentinels, let master): "\(master) of \(sentinels.map(\.description).joined(separator: ", "))"
    }
  }

  /// No children: `dump` shows no password.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension RedisLinkMachine {
  struct Times: Equatable {
    /// For a command's reply, for the greeting, and for finding out where the server is.
    var command = Duration.seconds(2)
    /// For a connection to be opened, and as long again for TLS.
    var connect = Duration.seconds(2)
    /// Silence after which a sign of life is asked for.
    var quiet = Duration.seconds(1)
    var shortestWait = Duration.milliseconds(50)
    var longestWait = Duration.seconds(2)
  }
}

extension RedisSettings {
  var times: RedisLinkMachine.Times {
    RedisLinkMachine.Times(
      command: commandTime, connect: connectTime, quiet: quietTime, shortestWait: waitTimes.lowerBound,
      longestWait: waitTimes.upperBound)
  }
}

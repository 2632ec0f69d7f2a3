public import Structures

extension NodeConfiguration {
  /// Where registrations are kept, and how that server is reached.
  public struct Redis: Sendable, Equatable {
    /// One server or sentinel.
    public struct Server: Sendable, Equatable {
      /// As the file names it; IPv6 in brackets.
      public var host: String
      /// Where it is.
      public var address: SocketAddress

      /// A server.
      public init(host: String, address: SocketAddress) {
        self.host = host
        self.address = address
      }
    }

    /// Where the server is.
    public enum Target: Sendable, Equatable {
      /// The supervisor starts one for this node.
      case ownServer
      /// The path of a Unix socket.
      case unix(String)
      /// A server over TCP.
      case server(Server)
      /// The master of this name, wherever one of the sentinels says that it is.
      case sentinels([Server], master: String)
    }

    /// Where the server is.
    public var target: Target
    /// Whether it is reached over TLS.
    public var usesTLS: Bool
    /// The authorities, in PEM, that may have issued its certificate; nil: those of the system.
    public var caListPEM: [UInt8]?
    /// Whether its certificate must be for its name or address.
    public var verifyCertificate: Bool
    /// The user of its access list; nil: the default user.
    public var user: String?
    /// The password; nil: none.
    public var password: String?
    /// The user for the sentinels; nil: the default user.
    public var sentinelUser: String?
    /// The password for the sentinels; nil: none.
    public var sentinelPassword: String?
    /// The number of the database.
    public var database: Int
    /// What all keys and channels begin with.
    public var prefix: String
    /// How long a command may wait for its reply.
    public var timeout: Duration

    /// Whether the supervisor starts the server.
    public var isOwnServer: Bool { target == .ownServer }
  }
}

extension NodeConfiguration.Redis: CustomStringConvertible, CustomReflectable {
  /// Where the server is; no password.
  public var description: String {
    switch target {
    case .ownServer: "the node's own redis-server"
    case .unix(let path): "unix:\(path)"
    case .server(let server): "\(usesTLS ? "rediss" : "redis")://\(server.host):\(server.address.port)"
    case .sentinels(let sentinels, let master):
      "sentinel://" + sentinels.map { "\($0.host):\($0.address.port)" }.joined(separator: ",") + "/\(master)"
    }
  }

  /// No children: `dump` shows no password.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension NodeConfiguration {
  /// How clients are kept within reach.
  public struct KeepAlive: Sendable, Equatable {
    /// Seconds between two keep-alives to a UDP client; 0: none are sent.
    public var udpInterval: Int
    /// Which UDP clients get them.
    public var udpClients: Clients
    /// What they get.
    public var method: Method
    /// After how many without an answer a contact is removed; 0: never.
    public var removeAfter: Int
    /// `registrar.flow_grace`: seconds beyond the Flow-Timer after which a silent connection is closed (RFC 5626 §5.4).
    public var flowGrace: Int

    /// Which UDP clients are kept alive.
    public enum Clients: String, Sendable, Equatable, CaseIterable {
      /// Those behind a NAT, as far as can be told.
      case nat
      /// All of them.
      case all
    }

    /// What is sent to them.
    public enum Method: String, Sendable, Equatable, CaseIterable {
      /// An OPTIONS request, which they answer.
      case options
      /// Two line breaks, which nobody answers.
      case crlf
    }
  }
}

extension Resolver {
  mutating func resolveKeepAlive() -> NodeConfiguration.KeepAlive {
    typealias KeepAlive = NodeConfiguration.KeepAlive
    return KeepAlive(
      udpInterval: reader.number(["keepalive", "udp_interval"]),
      udpClients: KeepAlive.Clients(rawValue: reader.text(["keepalive", "udp_clients"]) ?? "") ?? .nat,
      method: KeepAlive.Method(rawValue: reader.text(["keepalive", "method"]) ?? "") ?? .options,
      removeAfter: reader.number(["keepalive", "remove_after"]),
      flowGrace: reader.number(["registrar", "flow_grace"]))
  }
}

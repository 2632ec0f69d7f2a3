import Structures

/// How UDP clients are kept within reach through their NATs.
public struct KeepAliveSettings: Sendable, Equatable {
  /// What is sent to them.
  public enum Method: Sendable {
    /// An OPTIONS request: any answer shows that the client lives.
    case options
    /// Two line breaks: smaller, but nobody answers.
    case lineBreaks
  }

  /// How often; zero: never.
  public var interval: Duration
  /// Whether also clients that are not behind a NAT, as far as can be told.
  public var includesAll: Bool
  /// What is sent.
  public var method: Method
  /// After how many in a row without an answer a contact is removed; 0: never.
  public var removeAfter: Int
  /// How much longer than its Flow-Timer a connection may be silent (RFC 5626 §5.4).
  public var flowGrace: Duration

  /// The settings; the defaults are those of the configuration.
  public init(
    interval: Duration = .seconds(30), includesAll: Bool = false, method: Method = .options, removeAfter: Int = 0,
    flowGrace: Duration = .seconds(30)
  ) {
    self.interval = interval
    self.includesAll = includesAll
    self.method = method
    self.removeAfter = removeAfter
    self.flowGrace = flowGrace
  }

  /// Whether a binding is to be kept alive: that of a UDP client which registered without a proxy before us, and by default only if it is reached
  /// where its datagrams come from and not at the address that it gave.
  func applies(to binding: Binding) -> Bool {
    guard interval > .zero, case .datagram = binding.flow.id, binding.path.isEmpty else { return false }
    return includesAll || binding.isReachedByFlow
  }
}

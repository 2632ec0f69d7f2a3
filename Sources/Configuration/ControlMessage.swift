/// One datagram of the control channel between the supervisor and a worker: the version of the format, then the kind.
///
/// The channel is a SOCK_SEQPACKET socket pair. Its end of file tells a worker that the supervisor is gone, and the
/// supervisor that the worker closed it.
public enum ControlMessage: UInt8, Sendable, CaseIterable {
  /// From the worker: it serves now.
  case ready = 1
  /// From the worker, every ``heartbeatInterval``: it still turns.
  case heartbeat = 2
  /// To the worker: finish what is under way, then exit with 0.
  case drain = 3
  /// To the worker: exit with 0 at once.
  case stop = 4

  /// The version of the format.
  public static let version: UInt8 = 1
  /// How often a worker says that it lives: one second.
  public static let heartbeatInterval = Duration.seconds(1)
  /// The silence that counts as a hang: three seconds.
  public static let heartbeatTimeout = Duration.seconds(3)

  /// The datagram.
  public var octets: [UInt8] { [Self.version, rawValue] }

  /// Reads a datagram; nil for another version, an unknown kind or a datagram of another length.
  public init?(_ octets: Span<UInt8>) {
    guard octets.count == 2, octets[0] == Self.version else { return nil }
    self.init(rawValue: octets[1])
  }
}

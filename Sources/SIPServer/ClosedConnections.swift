import Structures

/// The connections that closed last, so that nothing more is sent over them. A fixed number is remembered; who is forgotten loses a response.
struct ClosedConnections {
  private static let capacity = 8_192

  private var connections: [StreamFlow] = []
  private var index = HashIndex()
  private var oldest = 0

  /// Whether none has closed yet.
  var isEmpty: Bool { connections.isEmpty }

  /// A connection has closed. Its name is never used again.
  mutating func insert(_ connection: StreamFlow) {
    guard !contains(connection) else { return }
    if connections.count < Self.capacity {
      index.insert(Self.hash(connection), UInt32(connections.count))
      connections.append(connection)
      return
    }
    index.remove(Self.hash(connections[oldest]), UInt32(oldest))
    index.insert(Self.hash(connection), UInt32(oldest))
    connections[oldest] = connection
    oldest = (oldest + 1) % Self.capacity
  }

  /// Whether a connection is known to have closed.
  func contains(_ connection: StreamFlow) -> Bool {
    index.find(Self.hash(connection)) { connections[Int($0)] == connection } != nil
  }

  /// Connections of one worker lie side by side; those of others have the same counters.
  private static func hash(_ flow: StreamFlow) -> UInt64 {
    flow.connection &+ (flow.epoch ^ UInt64(flow.node) << 16 ^ UInt64(flow.slot)) &* 0x9E37_79B9_7F4A_7C15
  }
}

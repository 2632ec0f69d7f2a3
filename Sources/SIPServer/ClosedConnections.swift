import Structures

/// The connections that closed last, so that nothing more is sent over them. A fixed number is remembered; who is forgotten loses a response.
struct ClosedConnections {
  private static let capacity = 8_192

  private var connections: [UInt64] = []
  private var index = HashIndex()
  private var oldest = 0

  /// Whether none has closed yet.
  var isEmpty: Bool { connections.isEmpty }

  /// A connection has closed. Its name is never used again.
  mutating func insert(_ connection: UInt64) {
    guard !contains(connection) else { return }
    if connections.count < Self.capacity {
      index.insert(connection, UInt32(connections.count))
      connections.append(connection)
      return
    }
    index.remove(connections[oldest], UInt32(oldest))
    index.insert(connection, UInt32(oldest))
    connections[oldest] = connection
    oldest = (oldest + 1) % Self.capacity
  }

  /// Whether a connection is known to have closed.
  func contains(_ connection: UInt64) -> Bool {
    index.find(connection) { connections[Int($0)] == connection } != nil
  }
}

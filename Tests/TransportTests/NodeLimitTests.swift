import Reactor
import Structures
import TLSEngine
import Testing

@testable import Transport

/// Two workers of a node in one process: two transports that share pages.
private final class Pair {
  let workers: [Bench]
  let listeners: [SocketAddress]
  let pages: SharedPages

  init(_ transport: TransportProtocol = .tcp, _ change: @escaping (inout TransportSettings) -> Void) throws {
    let memory = try SharedPages.makeMemory(slots: 2)
    let pages = try SharedPages(mapping: memory.number, slots: 2)
    let secret = [UInt8](repeating: 7, count: 32)
    let hashing = try ClusterCryptography(secret: secret.span)
    workers = try (0..<2).map { slot in
      try Bench(node: NodeCounts(pages: pages, slot: slot, hashing: hashing), change)
    }
    listeners = try workers.map { try $0.listen(transport) }
    self.pages = pages
  }

  /// Connects to one of the workers and waits for what becomes of it.
  func connect(_ worker: Int) throws -> Client {
    let before = outcome(worker)
    let client = try workers[worker].connect(to: listeners[worker])
    #expect(workers[worker].turn { self.outcome(worker) == before + 1 })
    return client
  }

  private func outcome(_ worker: Int) -> UInt64 {
    let counters = workers[worker].layer.counters
    return counters.accepted + counters.refusedByAddress + counters.refusedConnections
  }

  func refused(_ worker: Int) -> UInt64 { workers[worker].layer.counters.refusedByAddress }
}

@Suite("Limits that hold for a node")
struct NodeLimitTests {
  @Test("the fifth connection of an address is refused, whichever worker it reaches", arguments: 0..<32)
  func perAddress(_ choice: Int) throws {
    let pair = try Pair { $0.maximumConnectionsPerAddress = 4 }
    let reached = (0..<5).map { choice >> $0 & 1 }
    let clients = try reached.map { try pair.connect($0) }
    #expect(pair.refused(0) + pair.refused(1) == 1)
    #expect(pair.refused(reached[4]) == 1)
    // Where one ends, there is room for one more, with the other worker too.
    clients[0].close()
    #expect(
      pair.workers[reached[0]].turn {
        pair.workers[0].layer.counters.connections
          + pair.workers[1].layer.counters.connections == 3
      })
    let sixth = try pair.connect(1 - reached[0])
    #expect(pair.refused(0) + pair.refused(1) == 1)
    for client in clients + [sixth] { client.close() }
  }

  @Test("the total of connections is one of the node")
  func total() throws {
    let pair = try Pair { $0.maximumConnections = 3 }
    let clients = try [0, 0, 1, 0, 1].map { try pair.connect($0) }
    #expect(pair.workers.map(\.layer.counters.refusedConnections) == [1, 1])
    for client in clients { client.close() }
  }

  @Test("handshakes under way with an address count for the node")
  func handshakes() throws {
    let pair = try Pair(.tls) { $0.maximumHandshakesPerAddress = 2 }
    let clients = try [0, 1, 1, 0].map { try pair.connect($0) }
    #expect(pair.workers.map(\.layer.counters.handshakes) == [1, 1])
    #expect((pair.refused(0), pair.refused(1)) == (1, 1))
    for client in clients { client.close() }
  }

  @Test("what a dead worker had counts no more once its page is cleared")
  func deadWorker() throws {
    let pair = try Pair { $0.maximumConnectionsPerAddress = 2 }
    let clients = try [0, 0, 1].map { try pair.connect($0) }
    #expect(pair.refused(1) == 1)
    pair.pages.clear(slot: 0)
    let fourth = try pair.connect(1)
    #expect(pair.refused(1) == 1)
    for client in clients + [fourth] { client.close() }
  }
}

import Structures

/// What becomes of client transactions when the flow that they wait on is gone, refused or in doubt.
extension TransactionLayer {
  /// A connection is gone: transactions without any response that went over it fail at once; the others wait on, for the
  /// response may come another way.
  public func connectionClosed(_ flow: StreamFlow, at now: Instant, outbox: inout Outbox) {
    collect(.stream(flow)) { _ in true }
    for handle in waiting {
      if let client = clients[handle] { fail(client, now, &outbox) }
    }
  }

  /// A datagram peer is known to be away.
  public func datagramRefused(_ flow: DatagramFlow, at now: Instant, outbox: inout Outbox) {
    collect(.datagram(flow.remote)) { client in
      // By another socket it may still be reached.
      if case .flow(let id) = client.destination { id == .datagram(flow) } else { true }
    }
    for handle in waiting {
      if let client = clients[handle] { fail(client, now, &outbox) }
    }
  }

  /// What was sent over a connection stays unacknowledged: its user hears of transactions that have no response at all. They go on, for the
  /// request may arrive after all and its answer then has to be dealt with.
  public func flowSuspected(_ flow: StreamFlow) {
    collect(.stream(flow)) { !$0.isGivenUp }
    for handle in waiting {
      guard let client = clients[handle] else { continue }
      client.isGivenUp = true
      events.append(.flowSuspected(client))
    }
  }

  /// The connections from which a first response is awaited. Looks at all peers: for rare events.
  public func awaitedConnections(where isWanted: (StreamFlow) -> Bool) -> [StreamFlow] {
    peers.streams(where: isWanted)
  }

  /// Collects first: the end of one transaction may bring that of another.
  private func collect(_ peer: PeerTable.Peer, where isWanted: (ClientTransaction) -> Bool) {
    waiting.clear()
    peers.forEach(of: peer, in: clients) { client in
      if isWanted(client) { waiting.append(client.handle) }
    }
  }
}

/// The client transactions that wait for a first response, in a list for each peer: a connection, or an address that datagrams went to.
///
/// The links stand in the transactions, so that nothing is allocated in a steady state.
struct PeerTable {
  /// What a list is found by.
  enum Peer: Hashable {
    case stream(StreamFlow)
    case datagram(SocketAddress)

    /// The peer that a destination names; nil when the transport chooses a connection.
    init?(_ destination: Destination) {
      switch destination {
      case .flow(.stream(let flow)): self = .stream(flow)
      case .flow(.datagram(let flow)): self = .datagram(flow.remote)
      case .address(let address, .udp, _): self = .datagram(address)
      case .address(_, .tcp, _), .address(_, .tls, _): return nil
      }
    }

    /// Keyed where a stranger chooses; connection ids are our own.
    var hash: UInt64 {
      switch self {
      case .stream(let flow):
        return flow.connection &+ (flow.epoch ^ UInt64(flow.node) << 16 ^ UInt64(flow.slot)) &* 0x9E37_79B9_7F4A_7C15
      case .datagram(let address):
        var hasher = Hasher()
        hasher.combine(address)
        return UInt64(bitPattern: Int64(hasher.finalize()))
      }
    }
  }

  private struct List {
    var peer: Peer
    var hash: UInt64
    var head: UInt32
  }

  static let none = UInt32.max

  private var index = HashIndex()
  private var lists: [List] = []
  private var free: [UInt32] = []

  /// How many peers are waited for.
  var count: Int { lists.count - free.count }

  mutating func link(_ client: ClientTransaction, to peer: Peer, in clients: SlotTable<ClientTransaction>) {
    let hash = peer.hash
    let position = find(peer, hash) ?? open(peer, hash)
    let head = lists[Int(position)].head
    client.list = position
    client.next = head
    client.previous = Self.none
    if let other = Self.client(at: head, in: clients) { other.previous = client.handle.index }
    lists[Int(position)].head = client.handle.index
  }

  mutating func unlink(_ client: ClientTransaction, in clients: SlotTable<ClientTransaction>) {
    let position = client.list
    guard position != Self.none else { return }
    Self.client(at: client.next, in: clients)?.previous = client.previous
    if let previous = Self.client(at: client.previous, in: clients) {
      previous.next = client.next
    } else {
      lists[Int(position)].head = client.next
      if client.next == Self.none {
        index.remove(lists[Int(position)].hash, position)
        free.append(position)
      }
    }
    client.list = Self.none
    client.next = Self.none
    client.previous = Self.none
  }

  /// Calls `body` with each transaction of a list, which must not change meanwhile.
  func forEach(of peer: Peer, in clients: SlotTable<ClientTransaction>, _ body: (ClientTransaction) -> Void) {
    guard let position = find(peer, peer.hash) else { return }
    var next = lists[Int(position)].head
    while let client = Self.client(at: next, in: clients) {
      body(client)
      next = client.next
    }
  }

  /// The connections that have a list.
  func streams(where isWanted: (StreamFlow) -> Bool) -> [StreamFlow] {
    lists.compactMap { list in
      guard list.head != Self.none, case .stream(let flow) = list.peer, isWanted(flow) else { return nil }
      return flow
    }
  }

  private func find(_ peer: Peer, _ hash: UInt64) -> UInt32? {
    index.find(hash) { lists[Int($0)].peer == peer }
  }

  private mutating func open(_ peer: Peer, _ hash: UInt64) -> UInt32 {
    let list = List(peer: peer, hash: hash, head: Self.none)
    let position = free.popLast() ?? UInt32(lists.count)
    if Int(position) == lists.count { lists.append(list) } else { lists[Int(position)] = list }
    index.insert(hash, position)
    return position
  }

  private static func client(at position: UInt32, in clients: SlotTable<ClientTransaction>) -> ClientTransaction? {
    position == none ? nil : clients.handle(at: position).flatMap { clients[$0] }
  }
}

import SIPMessage
import Structures

/// The transaction layer of one worker (RFC 3261 §17): matches messages to transactions, runs their machines and timers, and keeps what
/// may have to be sent again.
///
/// Read this first. It is driven from outside: every input takes `now` and the caller's ``Outbox``, and what the transaction user must hear is
/// returned or appended to ``events``, which it empties after each input. ``nextDeadline`` says when ``deadlineReached(at:outbox:)`` is due.
/// Nothing here waits, logs or looks at a clock. The files in reading order: `Timers`, the four machines, `ClientTransaction`,
/// `ServerTransaction`, `TransactionLayer+Client`, `TransactionLayer+Server`, `TransactionLayer+Peers`.
public final class TransactionLayer {
  /// Something that happened to a transaction outside of the input that the user gave.
  public enum Event {
    /// No final response came in time.
    case timeout(ClientTransaction)
    /// The request could not be sent, or the flow that it went over is gone.
    case transportFailed(ClientTransaction)
    /// The flow that the request went over seems to be dead. The transaction goes on: a late answer has to be dealt with.
    case flowSuspected(ClientTransaction)
    /// The client transaction is over; it must not be used after this input.
    case clientEnded(ClientTransaction)
    /// The server transaction is over; it must not be used after this input.
    case serverEnded(ServerTransaction)
  }

  /// What names this worker in branches.
  public let identity: Branch
  let settings: TimerSettings
  let hashing: any Hashing
  var clients = SlotTable<ClientTransaction>()
  var servers = SlotTable<ServerTransaction>()
  /// Server transactions by all that tells them apart.
  var serverIndex = HashIndex()
  /// INVITE transactions by branch and sent-by, one for each.
  var branchIndex = HashIndex()
  var peers = PeerTable()
  var waiting: [SlotHandle] = []
  /// Deadlines: client transactions at even positions, server transactions at odd ones.
  var wheel: TimerWheel
  /// What happened, for the user to take.
  public var events: [Event] = []
  /// Messages that were received and are spent now or later.
  public var pool = MessagePool()
  var spareClients: [ClientTransaction] = []
  var spareServers: [ServerTransaction] = []
  var retiredClients: [ClientTransaction] = []
  var retiredServers: [ServerTransaction] = []
  var scratch: [UInt8] = []
  /// Of the request that was looked for last in this input, what it was looked for as, and its hash.
  var lastHash: (request: ObjectIdentifier, method: Method, hash: UInt64)?
  /// Responses that matched no transaction (RFC 6026 §7.3): dropped.
  public internal(set) var strayResponses: UInt64 = 0

  /// A layer without transactions. `identity` gives node, slot and generation for branches.
  public init(identity: Branch, settings: TimerSettings, hashing: any Hashing, start: Instant) {
    self.identity = identity
    self.settings = settings
    self.hashing = hashing
    wheel = TimerWheel(start: start)
  }

  /// How many client transactions there are.
  public var clientCount: Int { clients.count }
  /// How many server transactions there are.
  public var serverCount: Int { servers.count }
  /// How far a look for a server transaction goes at worst; see ``HashIndex/longestProbe``.
  public var longestProbe: Int { max(serverIndex.longestProbe, branchIndex.longestProbe) }
  /// How many deadlines are pending.
  public var timerCount: Int { wheel.count }
  /// When ``deadlineReached(at:outbox:)`` is due; nil when nothing waits.
  public var nextDeadline: Instant? { wheel.nextDeadline }

  /// The transaction that a handle names; nil when it is over.
  public func client(_ handle: SlotHandle) -> ClientTransaction? { clients[handle] }
  /// Shows every server transaction.
  public func forEachServer(_ body: (ServerTransaction) -> Void) { servers.forEach { _, server in body(server) } }

  /// The transaction that a handle names; nil when it is over.
  public func server(_ handle: SlotHandle) -> ServerTransaction? { servers[handle] }

  /// Runs the timers that are due.
  public func deadlineReached(at now: Instant, outbox: inout Outbox) {
    while let position = wheel.popExpired(now) {
      if position & 1 == 0 {
        if let handle = clients.handle(at: position >> 1), let client = clients[handle] { expire(client, now, &outbox) }
      } else if let handle = servers.handle(at: position >> 1), let server = servers[handle] {
        expire(server, now, &outbox)
      }
    }
  }

  /// A message that carried a tag could not be sent; `isRefused`: because too much waits to be sent already.
  public func transportFailed(
    _ tag: TransactionTag, isRefused: Bool = false, at now: Instant, outbox: inout Outbox
  ) {
    switch tag {
    case .client(let handle):
      guard let client = clients[handle] else { return }
      client.isUnsent = true
      client.isRefused = isRefused
      fail(client, now, &outbox)
    case .server(let handle):
      if let server = servers[handle] { fail(server, now, &outbox) }
    case .stateless: break
    }
  }

  /// Ends the input: transactions that ended can be used again. To be called when the user has taken all ``events``.
  public func endInput() {
    lastHash = nil
    for client in retiredClients {
      client.recycle()
      if spareClients.count < 4_096 { spareClients.append(client) }
    }
    retiredClients.clear()
    for server in retiredServers {
      pool.put(server.request)
      server.recycle()
      if spareServers.count < 4_096 { spareServers.append(server) }
    }
    retiredServers.clear()
  }
}

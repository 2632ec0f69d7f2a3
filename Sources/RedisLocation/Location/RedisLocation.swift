import Reactor
import SIPServer
import Structures

/// What a ``RedisLocation`` is told at its start, beside how Redis is reached.
public struct RedisLocationSettings: Sendable {
  /// The node, as flows name it.
  public var node: UInt32
  /// The worker's slot.
  public var slot: UInt16
  /// Which process of the slot it is.
  public var generation: UInt16
  /// The epoch of its flows.
  public var epoch: UInt64
  /// Octets of looked-up bindings that are kept.
  public var cacheSize = 32 << 20

  /// Version (1), slot (2), generation (2), epoch (8): this worker lives, and so may the flows that it accepted.
  fileprivate var lease: [UInt8] {
    var octets: [UInt8] = [1]
    octets.append(bigEndian: UInt64(slot), 2)
    octets.append(bigEndian: UInt64(generation), 2)
    octets.append(bigEndian: epoch, 8)
    return octets
  }

  /// Settings of a worker with every default.
  public init(node: UInt32, slot: UInt16, generation: UInt16, epoch: UInt64) {
    self.node = node
    self.slot = slot
    self.generation = generation
    self.epoch = epoch
  }
}

/// What an administrator should hear of a location.
public enum LocationReport: Equatable, Sendable {
  /// Redis can't be used: why, and how many addresses of record wait to be written.
  case degraded(reason: String)
  /// It can be used again, after so many seconds.
  case recovered(after: Int64, queued: Int)
}

/// The location of one worker over Redis: ``LocationMachine`` with a client and a clock.
///
/// Questions of a turn of the loop go to Redis in one write; their answers are told to the core in a later turn.
public final class RedisLocation: LocationService {
  private let machine: LocationMachine
  private let client: RedisClient
  private let names: RedisNames
  private let loop: EventLoop
  private let report: (LocationReport) -> Void
  private var writer = RedisCommandWriter()
  private let lease: [UInt8]
  private var orders = LocationOrders()
  private var carried = LocationOrders()
  private var refused: [UInt64] = []
  private var waiting: [LocationAnswer] = []
  private var taken: [LocationAnswer] = []
  private var timer: DeadlineID?
  private var isCarryingOut = false
  /// The name by which Redis knows the script; nil before it said so.
  private var script: [UInt8]?
  private var toldDegraded: Int64?
  /// The token of what loads the script; no token of the machine's has all bits.
  private static let scriptToken = UInt64.max
  /// The other workers.
  public weak var peers: (any LocationPeers)?
  /// Told the salt of an epoch of ticket keys (``TicketKeyRing``) when it becomes known.
  public var foundSalt: ((UInt64, [UInt8]) -> Void)?

  /// A location that keeps the record of `owned`. It does nothing before ``start()``.
  public init(
    _ settings: RedisLocationSettings, redis: RedisSettings, owned: OwnedBindings, hashing: any Hashing,
    loop: EventLoop,
    report: @escaping (LocationReport) -> Void
  ) throws {
    lease = settings.lease
    self.loop = loop
    self.report = report
    names = RedisNames(prefix: redis.prefix, node: settings.node, slot: settings.slot)
    client = try RedisClient(redis, channels: [names.changes], loop: loop)
    var machineSettings = LocationMachine.Settings()
    machineSettings.cacheSize = settings.cacheSize
    machine = LocationMachine(
      settings: machineSettings, owned: owned, start: loop.now, random: { hashing.randomWord() })
  }

  /// Connects.
  public func start() throws {
    timer = loop.addDeadline(self)
    try client.start(delegate: self)
    schedule()
  }

  /// Ends the connections; what isn't written is lost.
  public func stop() {
    client.stop()
    if let timer { loop.removeDeadline(timer) }
    timer = nil
  }

  /// Writes at once what waits for others to be written with; ``hasUnwritten`` says when that is done.
  public func flush() {
    machine.flush(at: now, orders: &orders)
    carryOut()
  }

  /// Whether something that was answered for isn't written yet.
  public var hasUnwritten: Bool { machine.hasUnwritten }
  /// How the location is and what it holds.
  public var health: LocationHealth { machine.health }
  /// How the connections to Redis are.
  public var redisHealth: RedisHealth { client.health }

  // MARK: LocationService

  /// Whether answers wait.
  public var hasAnswers: Bool { !waiting.isEmpty }
  /// How many bindings came over this worker and are live or not swept yet.
  public var bindingCount: Int { machine.owned.count }

  /// See ``LocationService``.
  public func ask(_ actions: borrowing ServerActions, at unixSeconds: Int64) {
    let now = Moment(instant: loop.now, unixSeconds: unixSeconds)
    for question in actions.questions {
      switch question {
      case .lookup(let query, let range):
        machine.lookup(query, actions.keys.span.extracting(range), at: now, orders: &orders)
      case .update(let query, let update): machine.update(query, update, at: now, orders: &orders)
      case .remove(let aor, let flow): machine.remove(aor, flow, at: now, orders: &orders)
      case .claim(let query, let range): machine.claim(query, actions.keys.span.extracting(range), orders: &orders)
      case .noteClaim(let range): machine.claim(nil, actions.keys.span.extracting(range), orders: &orders)
      case .user(let query, let range): machine.user(query, actions.keys.span.extracting(range), orders: &orders)
      }
    }
    carryOut()
  }

  /// See ``LocationService``; valid until the next call.
  public func takeAnswers() -> [LocationAnswer] {
    swap(&waiting, &taken)
    waiting.removeAll(keepingCapacity: true)
    return taken
  }

  /// Nothing: what expires is not in the way, and the machine's own deadlines see to the rest.
  public func sweep(at _: Int64) {}

  /// See ``LocationService``.
  public func flowGone(_ flow: StreamFlow) {
    machine.flowGone(flow, at: now, orders: &orders)
    carryOut()
  }

  /// See ``LocationService``.
  public func bindings(heldFor aor: Span<UInt8>, at unixSeconds: Int64) -> [UInt8] {
    machine.held(aor, at: unixSeconds)
  }

  /// See ``LocationService``.
  public func peerAnswered(_ question: UInt64, _ octets: Span<UInt8>) {
    machine.peerAnswered(
      question, octets.withUnsafeBufferPointer { Array($0) }, at: now, orders: &orders)
    carryOut()
  }

  // MARK: Carrying out

  private var now: Moment { Moment(instant: loop.now, unixSeconds: System.wallSeconds) }

  /// Sends what the machine orders; what Redis doesn't take is a failure that may bring further orders.
  private func carryOut() {
    if isCarryingOut { return }
    isCarryingOut = true
    defer { isCarryingOut = false }
    repeat {
      swap(&orders, &carried)
      orders.removeAll()
      for (token, command) in carried.commands {
        writer.clear()
        writer.append(command, names, script: script, lease: lease)
        let octets = writer.octets
        if client.send(octets.span, token: token) != .accepted { refused.append(token) }
      }
      waiting += carried.answers
      for (epoch, salt) in carried.salts { foundSalt?(epoch, salt) }
      for (question, aor) in carried.inquiries {
        let count = peers?.whereIs(aor.span, question: question) ?? 0
        machine.asked(question, count, at: now, orders: &orders)
      }
      while let token = refused.popLast() { machine.replied(token, .failed, at: now, orders: &orders) }
    } while !orders.isEmpty
    tell()
    schedule()
  }

  private func schedule() {
    if let timer { loop.schedule(timer, at: machine.nextDeadline) }
  }

  /// One line when Redis can't be used, one when it can again.
  private func tell() {
    if let since = machine.degradedSince, toldDegraded == nil {
      toldDegraded = since
      report(.degraded(reason: "\(client.health.trouble)"))
    } else if machine.degradedSince == nil, let since = toldDegraded {
      toldDegraded = nil
      report(.recovered(after: System.wallSeconds - since, queued: machine.health.queued))
    }
  }

  private func loadScript() {
    script = nil
    writer.clear()
    writer.begin(3)
    writer.argument("SCRIPT")
    writer.argument("LOAD")
    writer.argument(CompareAndSetScript.source)
    let octets = writer.octets
    _ = client.send(octets.span, token: Self.scriptToken)
  }
}

extension RedisLocation: DeadlineOwner {
  /// See `DeadlineOwner`.
  public func deadlinePassed(_: DeadlineID) {
    machine.deadlineReached(at: now, orders: &orders)
    carryOut()
  }
}

extension RedisLocation: RedisClientDelegate {
  /// See ``RedisClientDelegate``.
  public func redis(_: RedisClient, reply: RedisReply, token: UInt64) {
    if token == Self.scriptToken {
      if case .bulk(let name?) = reply { script = name }
      return
    }
    if reply.errorCode == .noScript { loadScript() }
    machine.replied(token, LocationReply(reply), at: now, orders: &orders)
    carryOut()
  }

  /// See ``RedisClientDelegate``.
  public func redis(_: RedisClient, failed token: UInt64) {
    if token == Self.scriptToken { return }
    machine.replied(token, .failed, at: now, orders: &orders)
    carryOut()
  }

  /// See ``RedisClientDelegate``.
  public func redis(_: RedisClient, changed isAvailable: Bool) {
    if isAvailable {
      loadScript()
      machine.connected(at: now, orders: &orders)
    } else {
      machine.disconnected(at: now, orders: &orders)
    }
    carryOut()
  }

  /// See ``RedisClientDelegate``.
  public func redis(_: RedisClient, subscriptionChanged isSubscribed: Bool) {
    if isSubscribed { machine.subscribed() } else { machine.subscriptionLost() }
  }

  /// See ``RedisClientDelegate``.
  public func redis(_: RedisClient, published payload: [UInt8], channel _: [UInt8]) {
    guard payload.count > 8 else { return }
    let octets = payload.span
    machine.changed(
      octets.extracting(8..<octets.count), version: octets.bigEndian(0, 8), at: now, orders: &orders)
    carryOut()
  }
}

extension LocationReply {
  /// What a reply of the server means.
  fileprivate init(_ reply: RedisReply) {
    switch reply {
    case .text, .integer: self = .done
    case .bulk(let value): self = .value(value)
    case .array: self = .failed
    case .error: self = reply.errorCode == .noScript ? .scriptMissing : .failed
    }
  }
}

import Reactor
import Structures

@testable import RedisLocation
@testable import SIPServer

/// A worker of a test: the machine, and what is on its way between it and Redis.
final class Station {
  struct Message {
    let aor: [UInt8]
    let version: UInt64
    /// Its position in the history.
    let place: Int
  }

  static let start: Int64 = System.wallSeconds
  let redis: ScriptedRedis
  let owned: OwnedBindings
  let machine: LocationMachine
  let slot: UInt16
  var now = Moment(instant: Instant(nanoseconds: 10_000_000_000), unixSeconds: start)
  private var orders = LocationOrders()
  private var isSettling = false
  private(set) var sent: [(token: UInt64, command: LocationOrders.Command)] = []
  private(set) var replies: [(token: UInt64, reply: LocationReply)] = []
  var messages: [Message] = []
  private(set) var isListening = false
  private(set) var isConnected = false
  private(set) var found: [UInt64: [BindingSet?]] = [:]
  private(set) var outcomes: [UInt64: [UpdateOutcome]] = [:]
  private(set) var answers: [LocationAnswer] = []
  private(set) var inquiries: [(question: UInt64, aor: [UInt8])] = []
  /// The position in the history up to which the worker was told of each address of record.
  private(set) var told: [[UInt8]: Int] = [:]
  /// What is looked at when a lookup is answered.
  var judge: ((Station, UInt64, BindingSet?) -> Void)?
  /// Whether commands, replies and messages arrive at once.
  var isPrompt = false
  /// Whether the era and the like take their turn with all other commands.
  var isInOrder = false
  /// How many other workers there are to ask.
  var peers = 0

  init(_ redis: ScriptedRedis, slot: UInt16, settings: LocationMachine.Settings = LocationMachine.Settings()) {
    self.redis = redis
    self.slot = slot
    let hashing = PlainHashing(seed: UInt64(slot) + 1)
    owned = OwnedBindings(now: Self.start, hashing: hashing)
    machine = LocationMachine(settings: settings, owned: owned, start: now.instant, random: { hashing.randomWord() })
    redis.stations.append(self)
  }

  /// A worker that is subscribed and connected, with nothing on its way.
  static func ready(_ redis: ScriptedRedis, slot: UInt16, settings: LocationMachine.Settings = .init()) -> Station {
    let station = Station(redis, slot: slot, settings: settings)
    station.subscribe()
    station.connect()
    station.settle()
    return station
  }

  // MARK: What happens

  func subscribe() {
    isListening = true
    machine.subscribed()
  }

  func loseSubscription() {
    isListening = false
    messages = []
    told = [:]
    machine.subscriptionLost()
  }

  func connect() {
    isConnected = true
    machine.connected(at: now, orders: &orders)
    carryOut()
  }

  /// The connection is lost, with all that is on its way; what the server had already got is carried out first if `isLate`.
  func disconnect(isLate: Bool = false) {
    isConnected = false
    if isLate { for (_, command) in sent { _ = redis.execute(command) } }
    sent = []
    replies = []
    machine.disconnected(at: now, orders: &orders)
    carryOut()
  }

  func lookup(_ query: UInt64, _ aor: [UInt8]) {
    machine.lookup(query, aor.span, at: now, orders: &orders)
    carryOut()
  }

  func update(_ query: UInt64, _ update: RegistrationUpdate) {
    machine.update(query, update, at: now, orders: &orders)
    carryOut()
  }

  /// Asks everything that a core ordered.
  func ask(_ actions: borrowing ServerActions) {
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

  func takeAnswers() -> [LocationAnswer] {
    defer { answers = [] }
    return answers
  }

  func remove(_ aor: [UInt8], _ flow: FlowID) {
    machine.remove(aor, flow, at: now, orders: &orders)
    carryOut()
  }

  /// The core hears that a connection is gone.
  func close(_ flow: FlowID) {
    for aor in owned.removeAll(over: flow) { remove(aor, flow) }
  }

  func flowGone(_ flow: StreamFlow) {
    machine.flowGone(flow, at: now, orders: &orders)
    carryOut()
  }

  func answer(_ question: UInt64, _ octets: [UInt8]) {
    machine.peerAnswered(question, octets, at: now, orders: &orders)
    carryOut()
  }

  func pass(_ duration: Duration) {
    now.instant = now.instant + duration
    now.unixSeconds += duration.components.seconds
    machine.deadlineReached(at: now, orders: &orders)
    carryOut()
  }

  func flush() {
    machine.flush(at: now, orders: &orders)
    carryOut()
  }

  /// The first command on its way reaches the server.
  func executeNext() {
    let (token, command) = sent.removeFirst()
    replies.append((token, redis.execute(command)))
  }

  func deliverReply() {
    let (token, reply) = replies.removeFirst()
    machine.replied(token, reply, at: now, orders: &orders)
    carryOut()
  }

  func deliverMessage() {
    let message = messages.removeFirst()
    told[message.aor] = message.place
    machine.changed(message.aor.span, version: message.version, at: now, orders: &orders)
    carryOut()
  }

  /// Everything that is on its way arrives.
  func settle() {
    if isSettling { return }
    isSettling = true
    defer { isSettling = false }
    for _ in 0..<10_000 {
      if !sent.isEmpty {
        executeNext()
      } else if !replies.isEmpty {
        deliverReply()
      } else if !messages.isEmpty {
        deliverMessage()
      } else {
        return
      }
    }
  }

  private func carryOut() {
    let carried = orders
    orders = LocationOrders()
    for (token, command) in carried.commands {
      guard isConnected else {
        machine.replied(token, .failed, at: now, orders: &orders)
        continue
      }
      // What a connection begins with and repeats is answered at once: its order doesn't matter, and all orders would be many more.
      switch command {
      case .lease where !isInOrder, .readEra where !isInOrder, .beginEra where !isInOrder, .beginSalt where !isInOrder,
        .readSalt where !isInOrder:
        machine.replied(token, redis.execute(command), at: now, orders: &orders)
      default: sent.append((token, command))
      }
    }
    answers += carried.answers
    for answer in carried.answers {
      switch answer {
      case .bindings(let query, let set):
        found[query, default: []].append(set)
        judge?(self, query, set)
      case .outcome(let query, let outcome): outcomes[query, default: []].append(outcome)
      case .claim, .user: break
      }
    }
    for (question, aor) in carried.inquiries {
      inquiries.append((question, aor))
      machine.asked(question, peers, at: now, orders: &orders)
    }
    if !orders.isEmpty { carryOut() }
    if isPrompt { settle() }
  }

  /// Where a set leads: each contact with its flow.
  static func targets(_ set: BindingSet?) -> [String] {
    (set?.bindings ?? []).map { binding in
      var text = String(decoding: binding.uri, as: UTF8.self)
      if case .stream(let flow) = binding.flow.id { text += " \(flow.slot)/\(flow.connection)" }
      return text
    }.sorted()
  }
}

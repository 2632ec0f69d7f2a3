import SIPServer
import Structures

/// The location of one worker over Redis, without a socket: questions, replies and messages come in, commands and answers go out.
///
/// Read this first. What is stored of an address of record is one value: a version and the encoded bindings. It is read, changed by
/// ``RegistrationUpdate/applied(to:)`` and written if nobody else wrote meanwhile, else once more (``CompareAndSet``); so the rules are in one place and
/// hold for all workers. The files: `+Lookups`, `+Updates` (the questions), `+Writing` (what one address of record goes through,
/// ``LocationWork``), `+Records` (what this worker answers for: refreshes in batches, what was lost), `+Outage` (Redis away).
///
/// What a worker may believe without asking hangs on the subscription to changes: it is there before what it covers is read; a change made known during a read
/// makes that count for nothing; when it is lost, all that was believed is forgotten.
final class LocationMachine {
  /// What the machine is told at its start.
  struct Settings {
    /// Octets of looked-up bindings that are kept.
    var cacheSize = 32 << 20
    /// How long a refresh that was answered waits at most to be written with others.
    var batchDelay = Duration.milliseconds(500)
    /// How many commands for writing are under way at a time.
    var window = 256
    /// How long nonces that were claimed are kept, in seconds.
    var claimSeconds = Int(ServerActions.claimLifetime.components.seconds)
    /// How often the worker's lease is written and the era looked at.
    var heartbeat = Duration.seconds(2)
    /// How long other workers are waited for.
    var inquiryTime = Duration.milliseconds(100)
  }

  enum Purpose {
    case work(SlotHandle)
    case claim(query: UInt64?)
    case user(query: UInt64)
    case era
    case newEra
    case salt(epoch: UInt64)
    case nothing
  }

  static let maxRetries = 8
  /// For how long a new data set is not believed when it says that there is nobody: all workers are to have written what they hold by then.
  static let refilling = Duration.seconds(10)
  /// For how long what was written is written again after the connection was lost: another server may have taken over that never got it.
  static let rewrittenSeconds: UInt32 = 60
  /// Addresses of record of which something is to be removed while Redis is away; more are left to those who look them up.
  static let maxStalled = 100_000

  let settings: Settings
  let owned: OwnedBindings
  var cache: LookupCache
  var works = SlotTable<LocationWork>()
  var index = HashIndex()
  var spare: [LocationWork] = []
  var pending = SlotTable<Purpose>()
  /// Works whose inquiry ends, in order.
  var inquiries: [SlotHandle] = []
  /// Works that wait for Redis to come back.
  var stalled: [SlotHandle] = []

  /// Names the subscription that is live; 0 while there is none.
  private(set) var subscription: UInt32 = 0
  private var subscriptions: UInt32 = 0
  private(set) var isConnected = false
  /// Since when Redis could not be used, in Unix seconds; nil while it can.
  var degradedSince: Int64?
  /// The data set that this worker's bindings were written to; nil when it is not known yet.
  var era: UInt64?
  /// Until when the data set may lack what other workers hold.
  var mistrustedUntil: Instant
  /// What ticket keys are made of.
  var salts = Salts()
  private let random: () -> UInt64
  private var lastVersion: UInt64

  /// Records to be written, first in first out.
  var queue: [SlotHandle] = []
  var queueStart = 0
  /// When the queue is written; nil when nobody waits for that.
  var flushAt: Instant?
  /// Whether each reply brings the next of the queue.
  var isFlushing = false
  var writesUnderWay = 0
  private(set) var heartbeatAt: Instant

  /// A machine that knows nothing. `owned` is the record that it keeps from now on; `random` gives 64 random bits.
  init(settings: Settings, owned: OwnedBindings, start: Instant, random: @escaping () -> UInt64) {
    self.settings = settings
    self.owned = owned
    self.random = random
    owned.isKept = true
    cache = LookupCache(maximum: settings.cacheSize)
    lastVersion = random()
    heartbeatAt = start + settings.heartbeat
    mistrustedUntil = start
  }

  // MARK: What happened to the connections

  /// Changes are told from now on.
  func subscribed() {
    subscriptions = subscriptions == .max ? 1 : subscriptions + 1
    subscription = subscriptions
  }

  /// Changes may have been missed: nothing that was believed counts any more.
  func subscriptionLost() {
    subscription = 0
    cache.removeAll()
  }

  /// Commands are taken. The server may be another than before, so the era is asked for and what was written lately is written again.
  func connected(at now: Moment, orders: inout LocationOrders) {
    guard !isConnected else { return }
    isConnected = true
    heartbeatAt = now.instant + settings.heartbeat
    beat(at: now, &orders)
    rewriteRecent(at: now)
    resumeStalled(at: now, orders: &orders)
    flush(at: now, orders: &orders)
  }

  /// No command is taken, and replies that are missing won't come.
  func disconnected(at now: Moment, orders: inout LocationOrders) {
    isConnected = false
    if degradedSince == nil { degradedSince = now.unixSeconds }
    var tokens: [UInt64] = []
    pending.forEach { handle, _ in tokens.append(handle.word) }
    for token in tokens { replied(token, .failed, at: now, orders: &orders) }
  }

  /// Redis replied to a command.
  func replied(_ token: UInt64, _ reply: LocationReply, at now: Moment, orders: inout LocationOrders) {
    guard let purpose = pending.remove(SlotHandle(word: token)) else { return }
    if reply == .failed {
      if degradedSince == nil { degradedSince = now.unixSeconds }
    } else if isConnected, reply == .done {
      // A server may answer reads and refuse to write.
      degradedSince = nil
    }
    switch purpose {
    case .work(let handle):
      if let work = works[handle] { replied(work, reply, at: now, orders: &orders) }
    // Where it can't be written it is asked for at the next beat.
    case .newEra: if reply != .failed { send(.readEra, for: .era, &orders) }
    case .era: readEra(reply, at: now, orders: &orders)
    case .salt(let epoch): readSalt(epoch, reply, &orders)
    case .claim(let query): claimed(query, reply, &orders)
    case .user(let query): foundUser(query, reply, &orders)
    case .nothing: break
    }
  }

  /// A worker changed what is stored of an address of record, which is of this version now.
  func changed(_ aor: Span<UInt8>, version: UInt64, at now: Moment, orders: inout LocationOrders) {
    let hash = OwnedBindings.hash(aor)
    cache.remove(aor, hash, unless: version)
    let work = work(of: aor, hash)
    var isOurs = false
    switch work?.state {
    case .reading(var watch):
      watch.disturbance = version
      work?.state = .reading(watch)
    case .writing(var attempt):
      attempt.watch.disturbance = version
      isOurs = attempt.version == version
      work?.state = .writing(attempt)
    case .idle, .asking, nil: break
    }
    if !isOurs { recordChanged(aor, hash, version, at: now, orders: &orders) }
  }

  // MARK: Time

  /// Time went on.
  func deadlineReached(at now: Moment, orders: inout LocationOrders) {
    endInquiries(at: now, orders: &orders)
    if heartbeatAt <= now.instant {
      heartbeatAt = now.instant + settings.heartbeat
      if isConnected {
        beat(at: now, &orders)
        resumeStalled(at: now, orders: &orders)
      } else if degradedSince == nil {
        degradedSince = now.unixSeconds
      }
    }
    if let due = flushAt, due <= now.instant { flush(at: now, orders: &orders) }
    cache.prune(at: now.instant)
  }

  /// When ``deadlineReached(at:orders:)`` is due.
  var nextDeadline: Instant {
    let next = min(heartbeatAt, flushAt ?? .distantFuture)
    // They all take the same time, so the first that is still open ends first.
    for handle in inquiries {
      if case .asking(let inquiry) = works[handle]?.state { return min(next, inquiry.deadline) }
    }
    return next
  }

  private func beat(at now: Moment, _ orders: inout LocationOrders) {
    send(.lease, for: .nothing, &orders)
    send(.readEra, for: .era, &orders)
    askForSalts(at: now, &orders)
  }

  // MARK: Commands and works

  func send(_ command: LocationOrders.Command, for purpose: Purpose, _ orders: inout LocationOrders) {
    orders.commands.append((pending.insert(purpose).word, command))
  }

  /// A version that no state of any address of record has had: the numbers of each worker begin somewhere else.
  func makeVersion() -> UInt64 {
    lastVersion &+= 1
    if lastVersion == 0 { lastVersion = 1 }
    return lastVersion
  }

  func randomWord() -> UInt64 { random() }

  func work(of aor: Span<UInt8>, _ hash: UInt64) -> LocationWork? {
    if works.count == 0 { return nil }
    return index.find(hash) { position in
      guard let work = works.handle(at: position).flatMap({ works[$0] }) else { return false }
      let name = work.aor
      return name.span.equals(aor)
    }.flatMap { works.handle(at: $0) }.flatMap { works[$0] }
  }

  /// The work of an address of record, a new one if nothing is under way.
  func openWork(_ aor: [UInt8], _ hash: UInt64) -> LocationWork {
    if let work = work(of: aor.span, hash) { return work }
    let work = spare.popLast() ?? LocationWork()
    work.begin(aor, hash)
    work.handle = works.insert(work)
    index.insert(hash, work.handle.index)
    return work
  }

  func close(_ work: LocationWork) {
    guard works.remove(work.handle) != nil else { return }
    index.remove(work.hash, work.handle.index)
    if spare.count < 256 { spare.append(work) }
  }

  /// The position of this worker's record of the address of record; nil when none of its bindings came over this worker.
  func ownRecord(_ work: LocationWork) -> UInt32? {
    let aor = work.aor
    return owned.record(of: aor.span, work.hash)
  }

  /// What the cache has of it.
  func looked(_ work: LocationWork, at now: Moment) -> (set: BindingSet, version: UInt64)? {
    let aor = work.aor
    return cache.find(aor.span, work.hash, at: now.instant)
  }

  /// Takes it out of the cache, unless what that has is of a certain version.
  func forget(_ work: LocationWork, unless version: UInt64) {
    let aor = work.aor
    cache.remove(aor.span, work.hash, unless: version)
  }

  func watch() -> LocationWork.Watch { LocationWork.Watch(subscription: subscription) }

  /// Whether what a reply says is what the location has now, so that it may be believed until a change is told.
  func isCurrent(_ watch: LocationWork.Watch, _ version: UInt64) -> Bool {
    watch.subscription != 0 && watch.subscription == subscription
      && (watch.disturbance == nil || watch.disturbance == version)
  }

  /// Whether what a reply says was changed before it came, as far as anybody told.
  func isOutdated(_ watch: LocationWork.Watch, _ version: UInt64) -> Bool {
    watch.disturbance != nil && watch.disturbance != version
  }

  // MARK: Health

  /// How the location is and what it holds.
  var health: LocationHealth {
    var health = LocationHealth()
    health.degradedSince = degradedSince
    health.isConnected = isConnected
    health.isSubscribed = subscription != 0
    health.queued = queue.count - queueStart
    health.stalled = stalled.count
    health.underWay = pending.count
    health.records = owned.recordCount
    health.bindings = owned.count
    health.cached = cache.count
    health.cachedOctets = cache.octets
    return health
  }

  /// Whether something that was answered for isn't written yet.
  var hasUnwritten: Bool { queueStart < queue.count || writesUnderWay > 0 }
}

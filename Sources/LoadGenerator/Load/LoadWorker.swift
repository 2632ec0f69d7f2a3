import CLoadGenerator
import Reactor
import Structures

/// Hears how a worker's run goes on; answers decide when it goes on.
protocol LoadObserver: AnyObject {
  /// All connections are up (and registered); the worker goes on when ``isReleased`` says so.
  func prepared(_ worker: LoadWorker)
  /// Whether a prepared worker may begin its load.
  var isReleased: Bool { get }
  /// The warm-up is over: what follows is measured.
  func measurementBegan(_ worker: LoadWorker)
  /// The last measured operation has ended.
  func measurementEnded(_ worker: LoadWorker)
  /// Once a second.
  func progressed(_ worker: LoadWorker)
}

/// The load of one process: its users, their connections, the operations under way and what was measured.
///
/// One thread, one event loop. A run goes through the stages below, each turn of the loop ending with ``afterTurn()``.
///
/// ```
///   preparing --all up--> prepared --released--> warmingUp --time--> measuring --time, count--> draining
///   draining --none under way--> leaving --all unregistered--> done
/// ```
final class LoadWorker {
  enum Stage { case preparing, prepared, warmingUp, measuring, draining, leaving, done }

  let plan: LoadPlan
  let processIndex: Int
  let loop: EventLoop
  let observer: any LoadObserver
  private(set) var users: [ClientUser] = []
  private(set) var connections: [ClientConnection] = []

  var stage = Stage.preparing
  var streams: [StreamState] = []
  var operations = OperationTable()
  var operationWheel: TimerWheel
  var connectionWheel: TimerWheel
  var calleeWheel: TimerWheel
  var dialogs = DialogTable()
  var calleeCalls = CalleeCallTable()
  var results = Measurements()
  var random: SplitMix
  var digest = DigestAnswerer()
  /// Whatever is read comes in here; grows never.
  var scratch = [UInt8](repeating: 0, count: 1 << 18)
  /// Whatever is sent is put together here.
  var output: [UInt8] = []
  var uri: [UInt8] = []
  let reader = WireReader()
  let prepared: PreparedText
  let timer: PreciseTimer

  // Preparation.
  var nextToPrepare = 0
  var underPreparation = 0
  var lastPrepared: Int64 = 0
  var hasPrepared = false
  var failureReasons: [String: Int] = [:]
  /// How many connections are registered.
  var registeredCount = 0

  /// The next connection to unregister at the end of the run.
  var nextToLeave = 0
  /// Longest time for that, in nanoseconds.
  private static let leavingTime: Int64 = 30_000_000_000

  // Measurement.
  var measuredSince: Int64 = -1
  var stageEnds: Int64 = .max
  var lastMeasuredEnd: Int64 = 0
  var ownCPUAtStart: Int64 = 0
  var measuredStarts = 0
  var eventAt: Int64 = .max
  private var nextProgress: Int64 = 0

  init(_ plan: LoadPlan, process index: Int, observer: any LoadObserver) throws {
    self.plan = plan
    processIndex = index
    self.observer = observer
    loop = try EventLoop()
    let start = System.monotonicNow
    operationWheel = TimerWheel(start: start)
    connectionWheel = TimerWheel(start: start)
    calleeWheel = TimerWheel(start: start)
    random = SplitMix(plan.seed &+ UInt64(index) &* 0x1000_0001)
    timer = try PreciseTimer(loop)
    prepared = PreparedText(plan, runWord: UInt32(truncatingIfNeeded: try System.random64()))
    output.reserveCapacity(65_536)
    let context = plan.transport == .tls ? try TLSClientContext(plan.tls) : nil
    let share = LoadWorker.share(plan.users.count, of: plan.processes, process: index)
    let domain = Array(plan.domain.utf8)
    for number in share {
      let local = number - share.lowerBound
      let user = ClientUser(
        index: local, name: plan.users.name(number), password: plan.users.password(number), domain: domain,
        firstConnection: local * plan.flows)
      users.append(user)
      let place = local % plan.usersPerConnection
      for flow in 0..<plan.flows {
        connections.append(
          ClientConnection(
            index: connections.count, user: user, registrationID: flow + 1, worker: self, context: context,
            carrier: place == 0 ? nil : connections[local - place]))
      }
      if place > 0 { connections[local - place].followers = local - place + 1..<local + 1 }
    }
    streams = plan.streams.enumerated().map { StreamState($1, number: $0, plan: plan, process: index) }
    lastPrepared = start.nanoseconds
    nextProgress = start.nanoseconds + 1_000_000_000
  }

  /// The users of process `index` of several: consecutive ones, as evenly as possible.
  static func share(_ count: Int, of processes: Int, process index: Int) -> Range<Int> {
    count * index / processes..<count * (index + 1) / processes
  }

  /// Runs the whole plan.
  func run() throws {
    afterTurn()
    while stage != .done {
      try loop.runOnce(until: nextWake())
      afterTurn()
      try checkPreparation()
    }
    for connection in connections where connection.state != .closed { connection.close() }
  }

  /// A preparation that no longer gets on has failed.
  private func checkPreparation() throws(LoadError) {
    guard stage == .preparing else { return }
    // Where nobody at all gets in, waiting won't help.
    let isHopeless = !failureReasons.isEmpty && !hasPrepared
    let patience = isHopeless ? 5_000_000_000 : max(60_000_000_000, 2 * plan.timeout.nanoseconds)
    guard loop.now.nanoseconds - lastPrepared > patience else { return }
    let causes = failureReasons.sorted { $0.value > $1.value }.prefix(3).map { "\($0.key) × \($0.value)" }
    throw LoadError(
      problem: "only \(connectionsUp) of \(connections.count) connections came up, and none more for some time: "
        + causes.joined(separator: ", "))
  }

  private func nextWake() -> Instant {
    var next = min(nextProgress, min(stageEnds, eventAt))
    if stage == .prepared { next = min(next, loop.now.nanoseconds + 5_000_000) }
    for wheel in [operationWheel.nextDeadline, connectionWheel.nextDeadline, calleeWheel.nextDeadline] {
      if let wheel { next = min(next, wheel.nanoseconds) }
    }
    return Instant(nanoseconds: next)
  }

  private func afterTurn() {
    let now = System.monotonicNow
    while let position = operationWheel.popExpired(now) { operationTimerFired(position, now.nanoseconds) }
    while let position = connectionWheel.popExpired(now) { connectionTimerFired(Int(position), now.nanoseconds) }
    while let position = calleeWheel.popExpired(now) { calleeTimerFired(Int(position), now.nanoseconds) }
    var before = stage
    repeat {
      before = stage
      advanceStage(now.nanoseconds)
    } while stage != before
    if stage == .warmingUp || stage == .measuring { startDueOperations() }
    if now.nanoseconds >= nextProgress {
      nextProgress = now.nanoseconds + 1_000_000_000
      observer.progressed(self)
    }
  }

  /// Registered connections, or open ones where nobody registers.
  var connectionsUp: Int { plan.registers ? registeredCount : connections.count { $0.state == .open } }

  // MARK: Stages

  private func advanceStage(_ now: Int64) {
    switch stage {
    case .preparing:
      prepareMore(now)
      if nextToPrepare == connections.count, underPreparation == 0 {
        stage = .prepared
        observer.prepared(self)
      }
    case .prepared:
      guard observer.isReleased else { return }
      beginLoad(now)
    case .warmingUp:
      if now >= stageEnds { beginMeasurement(now) }
    case .measuring:
      if now >= eventAt { fireEvent() }
      if now >= stageEnds || measuredEnough { beginDraining(now) }
    case .draining:
      if operations.count == 0 || now >= stageEnds { endMeasurement(now) }
    case .leaving:
      leaveMore(now)
      if (nextToLeave == connections.count && operations.count == 0) || now >= stageEnds { stage = .done }
    case .done: break
    }
  }

  private func beginLoad(_ now: Int64) {
    for index in streams.indices { streams[index].begin(at: now) }
    if plan.warmUp == .zero { return beginMeasurement(now) }
    stage = .warmingUp
    stageEnds = now + plan.warmUp.nanoseconds
  }

  private func beginMeasurement(_ now: Int64) {
    stage = .measuring
    let connects = plan.streams.contains { $0.kind.registers || $0.kind == .handshake }
    results.beginMeasurement(resettingConnections: connects)
    measuredSince = now
    lastMeasuredEnd = now
    stageEnds = now + plan.duration.nanoseconds
    ownCPUAtStart = cload_own_cpu()
    observer.measurementBegan(self)
    switch plan.event {
    case .none: break
    case .storm: dropAll()
    case .restart(_, let after): eventAt = now + after.nanoseconds
    }
  }

  private var measuredEnough: Bool {
    if case .storm = plan.event, connectionsUp == connections.count { return true }
    return plan.count > 0 && measuredStarts >= measuredShare
  }

  /// How many operations of the plan's count fall to this process.
  var measuredShare: Int { LoadWorker.share(plan.count, of: plan.processes, process: processIndex).count }

  private func fireEvent() {
    eventAt = .max
    guard processIndex == 0, case .restart(let command?, _) = plan.event else { return }
    _ = command.withCString { cload_shell($0) }
  }

  private func beginDraining(_ now: Int64) {
    stage = .draining
    if streams.isEmpty { lastMeasuredEnd = now }
    stageEnds = now + plan.timeout.nanoseconds + 1_000_000_000
  }

  private func endMeasurement(_ now: Int64) {
    stage = .leaving
    stageEnds = now + Self.leavingTime
    results.ownCPU = UInt64(max(0, cload_own_cpu() - ownCPUAtStart))
    results.busiestCPU = results.ownCPU
    results.elapsed = UInt64(max(1, lastMeasuredEnd - measuredSince))
    results.connections = UInt64(connections.count { $0.state == .open })
    results.registered = UInt64(connections.count { $0.isRegistered })
    observer.measurementEnded(self)
  }
}

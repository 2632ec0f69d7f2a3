import Structures

/// One stream of operations at work: how many are under way, or when the next is due.
struct StreamState {
  let kind: OperationKind
  let number: UInt8
  let concurrency: Int
  /// Nil in a closed loop.
  private(set) var schedule: ArrivalSchedule?
  private let profile: RateProfile?
  private var origin: Int64 = 0
  var underWay = 0
  /// The connection whose turn it is.
  var nextActor = 0

  init(_ stream: LoadStream, number: Int, plan: LoadPlan, process index: Int) {
    kind = stream.kind
    self.number = UInt8(truncatingIfNeeded: number)
    switch stream.pacing {
    case .closed(let concurrency):
      self.concurrency = LoadWorker.share(concurrency, of: plan.processes, process: index).count
      (schedule, profile) = (nil, nil)
    case .open(let profile, let arrival):
      concurrency = 0
      let share = profile.scaled(1 / Double(plan.processes)).delayed(by: plan.warmUp)
      self.profile = share
      let seed = plan.seed &* 31 &+ UInt64(number) &* 1_000_003 &+ UInt64(index) &* 7_919
      schedule = ArrivalSchedule(share, arrival, seed: seed)
    }
  }

  /// The load begins, with the warm-up if there is one.
  mutating func begin(at now: Int64) { origin = now }

  /// When the next operation is due, in nanoseconds of the clock; nil in a closed loop or when no more come.
  var nextStart: Int64? { schedule?.next.map { $0 + origin } }

  mutating func advance() { schedule?.advance() }
}

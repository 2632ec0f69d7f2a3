import CLoadGenerator
import Reactor
import Structures

/// The outcome of a run.
public struct LoadResult: Sendable {
  /// What the generator measured, all processes together.
  public var measurements: Measurements
  /// What the server used between the begin and the end of the measurement; nil when it isn't watched.
  public var server: ServerUsage?
  /// The server's memory before the first connection, in bytes.
  public var memoryBefore: Int64?
  /// The server's memory when all connections were up, in bytes.
  public var memoryAfter: Int64?
  /// Connections that were up when ``memoryAfter`` was taken.
  public var connectionsUp = 0
  /// Seconds that the preparation took.
  public var preparation = 0.0
  /// The scenario's word.
  public var scenario = ""
  /// How many processes the generator had.
  public var processes = 1
  /// Why connections and registrations failed, with counts.
  public var reasons: [String: Int] = [:]

  /// A result of what was measured.
  public init(_ measurements: Measurements) { self.measurements = measurements }

  /// Processor time of the server for each operation that succeeded, in microseconds.
  public var serverMicrosecondsPerOperation: Double? {
    guard let server, measurements.successes > 0 else { return nil }
    return Double(server.processor) / 1_000 / Double(measurements.successes)
  }

  /// Processor time of the generator for each operation that succeeded, in microseconds.
  public var ownMicrosecondsPerOperation: Double? {
    measurements.successes > 0 ? Double(measurements.ownCPU) / 1_000 / Double(measurements.successes) : nil
  }

  /// Memory of the server for each connection, in bytes.
  public var bytesPerConnection: Double? {
    guard let memoryBefore, let memoryAfter, connectionsUp > 0 else { return nil }
    return Double(memoryAfter - memoryBefore) / Double(connectionsUp)
  }

  /// Operations that succeeded, per second.
  public var rate: Double {
    measurements.elapsed == 0 ? 0 : Double(measurements.successes) / (Double(measurements.elapsed) / 1e9)
  }

  /// The busiest process's share of a core, 0 to 1.
  public var generatorLoad: Double {
    measurements.elapsed == 0 ? 0 : Double(measurements.busiestCPU) / Double(measurements.elapsed)
  }

  /// Why the generator and not the server limited the run; nil when it didn't.
  public var generatorLimit: String? {
    if generatorLoad >= 0.95 {
      return "a generator process used \(Int(generatorLoad * 100)) % of a core: use more --processes"
    }
    let late = measurements.value(.lateStarts)
    let started = OperationKind.allCases.reduce(0) { $0 + measurements.started($1) }
    if late * 100 > started {
      return "\(late) of \(started) operations started more than 5 ms late: use more --processes or a lower rate"
    }
    return nil
  }
}

/// What a worker and its supervisor watch for: takes the server's usage at the right moments.
final class RunWatch {
  private let watch: ServerWatch?
  private var began = ServerUsage()
  private var startedAt = System.monotonicNow
  private(set) var used: ServerUsage?
  private(set) var memoryBefore: Int64?
  private(set) var memoryAfter: Int64?
  private(set) var connectionsUp = 0
  private(set) var preparation = 0.0

  init(_ plan: LoadPlan) {
    watch = plan.serverProcesses.isEmpty ? nil : ServerWatch(plan.serverProcesses)
    memoryBefore = watch?.usage(withMemory: true)?.memory
  }

  func prepared(connectionsUp: Int) {
    preparation = Double((System.monotonicNow - startedAt).nanoseconds) / 1e9
    self.connectionsUp = connectionsUp
    memoryAfter = watch?.usage(withMemory: true)?.memory
  }

  func measurementBegan() { began = watch?.usage(withMemory: false) ?? ServerUsage() }

  func measurementEnded() {
    guard var usage = watch?.usage(withMemory: false) else { return }
    usage.processor -= began.processor
    used = usage
  }

  func complete(_ result: inout LoadResult, _ plan: LoadPlan) {
    (result.server, result.memoryBefore, result.memoryAfter) = (used, memoryBefore, memoryAfter)
    (result.connectionsUp, result.preparation) = (connectionsUp, preparation)
    (result.scenario, result.processes) = (plan.scenario, plan.processes)
  }
}

/// Runs a plan in this process.
final class SingleRun: LoadObserver {
  private let watch: RunWatch
  private let progress: ProgressLine
  let isReleased = true

  init(_ plan: LoadPlan) {
    watch = RunWatch(plan)
    progress = ProgressLine()
  }

  static func run(_ plan: LoadPlan) throws -> LoadResult {
    let run = SingleRun(plan)
    let worker = try LoadWorker(plan, process: 0, observer: run)
    defer { run.progress.clear() }
    try worker.run()
    var result = LoadResult(worker.results)
    result.reasons = worker.failureReasons
    run.watch.complete(&result, plan)
    return result
  }

  func prepared(_ worker: LoadWorker) { watch.prepared(connectionsUp: worker.connectionsUp) }
  func measurementBegan(_ worker: LoadWorker) { watch.measurementBegan() }
  func measurementEnded(_ worker: LoadWorker) { watch.measurementEnded() }
  func progressed(_ worker: LoadWorker) { progress.show(WorkerProgress(worker)) }
}

import CLinux
import CLoadGenerator
import Reactor
import Structures

/// Runs plans.
public enum LoadRun {
  /// Runs a plan, in this process or in as many as it asks for; `arguments` is the command line, with which the
  /// processes are started again.
  public static func run(_ plan: LoadPlan, arguments: [String]) throws -> LoadResult {
    System.ignoreBrokenPipes()
    return plan.processes == 1 ? try SingleRun.run(plan) : try ProcessRun(plan, arguments: arguments).run()
  }
}

/// A run of several processes: starts them, lets all begin at once, adds up what they measured.
final class ProcessRun {
  private let plan: LoadPlan
  private let watch: RunWatch
  private let line = ProgressLine()
  private let loop: EventLoop
  private var children: [Child] = []
  private var merged = Measurements()
  private var reasons: [String: Int] = [:]
  private var (preparedCount, beganCount, endedCount, resultCount) = (0, 0, 0, 0)
  private var connectionsUp = 0
  private var failed = false

  init(_ plan: LoadPlan, arguments: [String]) throws {
    self.plan = plan
    watch = RunWatch(plan)
    loop = try EventLoop()
    for index in 0..<plan.processes { children.append(try Child(index, arguments, self)) }
    for child in children { try loop.register(child.reports.number, .readable, handler: child) }
  }

  func run() throws -> LoadResult {
    while resultCount < plan.processes, !failed { try loop.runOnce(until: nil) }
    line.clear()
    for child in children { child.end(kill: failed) }
    if failed { throw LoadError(problem: "a process of the generator ended early: its complaint stands above") }
    var result = LoadResult(merged)
    result.reasons = reasons
    watch.complete(&result, plan)
    return result
  }

  func received(_ message: RunMessage, _ words: ArraySlice<UInt64>, _ child: Child) {
    let words = Array(words)
    switch message {
    case .prepared:
      connectionsUp += Int(words.first ?? 0)
      preparedCount += 1
      if preparedCount == plan.processes { release() }
    case .began:
      beganCount += 1
      if beganCount == 1 { watch.measurementBegan() }
    case .ended:
      endedCount += 1
      if endedCount == plan.processes { watch.measurementEnded() }
    case .progress:
      child.progress = WorkerProgress(words: words) ?? child.progress
      if child === children.last { line.show(children.reduce(WorkerProgress()) { $0 + $1.progress }) }
    case .reason:
      let text = String(decoding: words.dropFirst().map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
      reasons[text, default: 0] += Int(words.first ?? 0)
    case .result:
      resultCount += 1
      if let measured = Measurements(words: words) { merged.merge(measured) } else { failed = true }
      child.isDone = true
    case .go: break
    }
  }

  func lost(_ child: Child) {
    loop.unregister(child.reports.number)
    if !child.isDone { failed = true }
  }

  private func release() {
    watch.prepared(connectionsUp: connectionsUp)
    for child in children { child.release() }
  }

  /// One process.
  final class Child: EventHandler {
    let reports: Descriptor
    private let orders: Descriptor
    private let process: Int32
    private unowned let run: ProcessRun
    private var input: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var progress = WorkerProgress()
    var isDone = false

    init(_ index: Int, _ arguments: [String], _ run: ProcessRun) throws {
      self.run = run
      let (reports, childReports) = try Child.pipe()
      let (childOrders, orders) = try Child.pipe()
      self.reports = Descriptor(owning: reports)
      self.orders = Descriptor(owning: orders)
      process = try Child.spawn(arguments + ["--worker-index", "\(index)"], childReports, childOrders)
      clinux_close(childReports)
      clinux_close(childOrders)
      try Socket.adopt(reports)
    }

    private static func pipe() throws -> (Int32, Int32) {
      var ends: [Int32] = [0, 0]
      let result = ends.withUnsafeMutableBufferPointer { clinux_pipe($0.baseAddress) }
      if result < 0 { throw SystemError("pipe", code: -result) }
      return (ends[0], ends[1])
    }

    private static func spawn(_ arguments: [String], _ reports: Int32, _ orders: Int32) throws -> Int32 {
      let texts = arguments.map { Array($0.utf8CString) }
      var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { text in
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.count)
        copy.initialize(from: text, count: text.count)
        return copy
      }
      defer { for pointer in pointers { pointer?.deallocate() } }
      pointers.append(nil)
      let map = [
        clinux_descriptor_map(from: reports, to: WorkerProcess.reports),
        clinux_descriptor_map(from: orders, to: WorkerProcess.orders),
      ]
      let process = clinux_spawn("/proc/self/exe", pointers, nil, map, 2, clinux_spawn_dies_with_parent)
      if process < 0 { throw SystemError("execve", code: -process) }
      return process
    }

    func release() {
      var octet: UInt8 = 1
      _ = clinux_write(orders.number, &octet, 1)
    }

    func end(kill: Bool) {
      if kill { _ = clinux_kill(process, clinux_signal_term) }
      var exit = clinux_exit()
      _ = clinux_wait(process, true, &exit)
    }

    func ready(_ events: Events) {
      switch Socket.read(reports.number, into: &buffer) {
      case .octets(let count): input += buffer[0..<count]
      case .wouldBlock: return
      case .endOfFile, .failed: return run.lost(self)
      }
      takeFrames()
    }

    private func takeFrames() {
      var position = 0
      while input.count - position >= 16 {
        let (kind, count) = (word(position), Int(word(position + 8)))
        guard input.count - position - 16 >= count * 8 else { break }
        let words = (0..<count).map { word(position + 16 + $0 * 8) }
        position += 16 + count * 8
        if let message = RunMessage(rawValue: kind) { run.received(message, words[...], self) }
      }
      input.removeFirst(position)
    }

    private func word(_ position: Int) -> UInt64 {
      input.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: UInt64.self) }
    }
  }
}

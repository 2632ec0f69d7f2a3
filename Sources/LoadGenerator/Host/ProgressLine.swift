import CLoadGenerator
import Reactor
import Structures

/// How far a worker has come.
struct WorkerProgress: Equatable {
  var stage = 0
  var up = 0
  var total = 0
  var underWay = 0
  var succeeded = 0
  var failed = 0

  init() {}

  init(_ worker: LoadWorker) {
    switch worker.stage {
    case .preparing, .prepared: stage = 0
    case .warmingUp: stage = 1
    case .measuring: stage = 2
    case .draining, .leaving, .done: stage = 3
    }
    (up, total, underWay) = (worker.connectionsUp, worker.connections.count, worker.operations.count)
    (succeeded, failed) = (Int(worker.results.successes), Int(worker.results.failures))
  }

  /// The words on a pipe.
  var words: [UInt64] { [stage, up, total, underWay, succeeded, failed].map { UInt64($0) } }

  init?(words: [UInt64]) {
    guard words.count == 6 else { return nil }
    (stage, up, total) = (Int(words[0]), Int(words[1]), Int(words[2]))
    (underWay, succeeded, failed) = (Int(words[3]), Int(words[4]), Int(words[5]))
  }

  static func + (left: WorkerProgress, right: WorkerProgress) -> WorkerProgress {
    var sum = WorkerProgress()
    sum.stage = min(left.stage, right.stage)
    (sum.up, sum.total, sum.underWay) = (left.up + right.up, left.total + right.total, left.underWay + right.underWay)
    (sum.succeeded, sum.failed) = (left.succeeded + right.succeeded, left.failed + right.failed)
    return sum
  }
}

/// One line on standard error that is written over every second; nothing when that isn't a terminal.
final class ProgressLine {
  private static let stages = ["connecting", "warming up", "measuring", "draining"]
  private let isVisible = cload_is_terminal(2)
  private var last = 0

  func show(_ progress: WorkerProgress) {
    guard isVisible else { return }
    let rate = max(0, progress.succeeded - last)
    last = progress.succeeded
    let text =
      "\r\u{1B}[K\(Self.stages[min(3, progress.stage)]): \(progress.up) of \(progress.total) connections up, "
      + "\(progress.underWay) under way, \(progress.succeeded) done (\(rate)/s), \(progress.failed) failed"
    System.writeStandardError(Array(text.utf8).span)
  }

  func clear() {
    if isVisible { System.writeStandardError(Array("\r\u{1B}[K".utf8).span) }
  }
}

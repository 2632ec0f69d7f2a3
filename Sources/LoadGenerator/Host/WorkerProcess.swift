import CLinux
import CLoadGenerator
import Reactor
import Structures

/// What parent and children of a run with several processes tell each other, as frames of words over pipes: the number
/// of a message, the count of its words, the words.
enum RunMessage: UInt64 {
  /// From a child: connections are up (their number).
  case prepared = 1
  case began, ended, progress
  /// From a child: what it measured; the last.
  case result
  /// From a child: a connection's or registration's failure: its count, then the text's octets one to a word.
  case reason
  /// From the parent, as one octet: begin the load.
  case go
}

/// A child's end of a run: one process's worker, which reports over a pipe.
public final class WorkerProcess: LoadObserver {
  /// The descriptors that the parent gave.
  static let reports: Int32 = 3
  static let orders: Int32 = 4

  private(set) var isReleased = false

  /// Runs process `index` of a plan.
  public static func run(_ plan: LoadPlan, index: Int) throws {
    _ = try? System.raiseDescriptorLimit()
    System.ignoreBrokenPipes()
    try Socket.adopt(orders)
    let process = WorkerProcess()
    let worker = try LoadWorker(plan, process: index, observer: process)
    let listener = OrderListener { process.isReleased = true }
    try worker.loop.register(orders, .readable, handler: listener)
    try worker.run()
    for (reason, count) in worker.failureReasons.prefix(20) {
      process.send(.reason, [UInt64(count)] + reason.utf8.map { UInt64($0) })
    }
    process.send(.result, worker.results.words)
  }

  func prepared(_ worker: LoadWorker) { send(.prepared, [UInt64(worker.connectionsUp)]) }
  func measurementBegan(_ worker: LoadWorker) { send(.began, []) }
  func measurementEnded(_ worker: LoadWorker) { send(.ended, []) }
  func progressed(_ worker: LoadWorker) { send(.progress, WorkerProgress(worker).words) }

  private func send(_ message: RunMessage, _ words: [UInt64]) {
    let frame = [message.rawValue, UInt64(words.count)] + words
    frame.withUnsafeBytes { bytes in
      var sent = 0
      while sent < bytes.count {
        let count = clinux_write(Self.reports, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
        if count <= 0 { return }
        sent += count
      }
    }
  }

  private final class OrderListener: EventHandler {
    private let release: () -> Void
    private var octets = [UInt8](repeating: 0, count: 16)

    init(_ release: @escaping () -> Void) { self.release = release }

    func ready(_ events: Events) {
      if case .octets = Socket.read(WorkerProcess.orders, into: &octets) { release() }
    }
  }
}

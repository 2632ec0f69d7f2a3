import Configuration
import Reactor
import SIPServer
import Structures
import Transport

/// Clients are moved off this worker: their connections are closed a few each second, those with requests under way last, so that they come back
/// elsewhere and not all at once. Datagrams need no connection: who sends them is served on.
final class MovingOff: DeadlineOwner {
  private static let period = Duration.seconds(1)

  private unowned let node: WorkerNode
  private let end: Instant
  private var deadline: DeadlineID?

  /// Begins; in `seconds` at most all is closed. `refuses`: who connects meanwhile is turned away.
  init(_ node: WorkerNode, seconds: UInt32, refuses: Bool) {
    self.node = node
    end = node.loop.now + .seconds(Int64(seconds))
    node.transport.refusesConnections = refuses
    node.core.isReady = false
    deadline = node.loop.addDeadline(self)
    closeSome()
  }

  /// Serves as before.
  func cancel() {
    node.transport.refusesConnections = false
    node.core.isReady = true
    if let deadline = deadline.take() { node.loop.removeDeadline(deadline) }
  }

  func deadlinePassed(_: DeadlineID) { closeSome() }

  /// As many as it takes to be done a fifth of the time before the end; at the end, all.
  private func closeSome() {
    guard let deadline else { return }
    let count = node.transport.counters.connections
    let left = end - node.loop.now
    if left <= .zero { return node.transport.closeSome(count) { _ in true } }
    let turns = max(1, Int(left * 0.8 / Self.period))
    let busy = node.core.busyConnections
    node.transport.closeSome((count + turns - 1) / turns) { !busy.contains($0) }
    node.loop.schedule(deadline, at: node.loop.now + min(Self.period, left))
  }
}

extension WorkerNode {
  /// Moves clients off, until ``stay()``; asked again, with other limits.
  func moveOff(seconds: UInt32, refuses: Bool) {
    movingOff?.cancel()
    movingOff = MovingOff(self, seconds: seconds, refuses: refuses)
  }

  /// Serves as before again.
  func stay() { movingOff.take()?.cancel() }
}

import Cluster
import Configuration
import Reactor
import Structures
import Transport

/// What the supervisor and administrators see of a worker.
extension WorkerNode {
  /// The pages that all workers of the node share; nil in tests that have none.
  static func pages(_ arguments: WorkerArguments) throws -> SharedPages? {
    guard arguments.page >= 0, arguments.slot < arguments.slots else { return nil }
    let memory = Descriptor(owning: arguments.page)
    return try SharedPages(mapping: memory.number, slots: Int(arguments.slots))
  }

  /// What stands in the worker's page.
  var readings: WorkerCounters.Readings {
    WorkerCounters.Readings(
      counted: core.statistics, held: core.holdings(countingFlows: false), io: transport.counters, loop: loop.counters,
      bindings: location.bindingCount, location: location.health, links: links?.counters ?? LinkCounters(),
      peers: links?.peerCount ?? 0,
      orphaned: foreign.dropped, revocation: revocation.figures,
      daysLeft: profileCertificates.daysLeft(at: System.wallSeconds),
      isKeyLogOn: isKeyLogOn)
  }

  /// Sends a page of an answer to the supervisor. One that the channel doesn't take is missed there after some seconds.
  func tell(_ answer: ControlAnswer, to id: UInt32) {
    var isLast = true
    if case .rows(_, let next) = answer { isLast = next == nil }
    control?.send(.answer(id: id, isLast: isLast, octets: answer.octets))
  }
}

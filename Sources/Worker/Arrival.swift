import Cluster
import Reactor
import Structures

/// The new process's side of a hand-over: takes the listeners when the old process has let them go, then one connection after the other.
final class Arrival: HandOverDelegate {
  private unowned let node: WorkerNode
  private(set) var link: HandOverLink?
  /// The generation of the old process; 0 before it has said so.
  private(set) var generation: UInt16 = 0
  private let takeListeners: () throws -> Void
  private var hasListeners = false
  private var isTold = false
  private var waiting: Set<UInt64> = []

  /// `takeListeners` is called once.
  init(
    _ node: WorkerNode, _ descriptor: consuming Descriptor, takeListeners: @escaping () throws -> Void
  ) throws(SystemError) {
    self.node = node
    self.takeListeners = takeListeners
    link = try HandOverLink(descriptor, loop: node.loop, delegate: self)
  }

  func handOver(received message: HandOverMessage, _ octets: Span<UInt8>, _ passed: consuming Descriptor?) {
    switch message {
    case .connection: take(octets, passed)
    case .goOn(let id):
      waiting.remove(id)
      node.transport.goOn(id)
    case .used(let id, let users): node.foreign.use(id, bySlots: users)
    case .records: node.core.owned.takeRecords(octets)
    case .listeners(let generation):
      self.generation = generation
      listen()
    case .complete: tell()
    case .arrived, .refused: break
    }
  }

  private func take(_ octets: Span<UInt8>, _ passed: consuming Descriptor?) {
    var parts = PartReader(octets, 0..<octets.count)
    guard let id = parts.number(octets, 8) else { return }
    guard let state = parts.counted(octets, 4), let descriptor = passed.take(),
      node.transport.arrive(octets.extracting(state), descriptor) != nil
    else {
      link?.send(.refused(id))
      return
    }
    node.core.owned.takeRecords(octets.extracting(parts.position...))
    waiting.insert(id)
    link?.send(.arrived(id))
  }

  func handOver(received frame: LinkFrame, _ octets: Span<UInt8>) {
    node.heardFromKin(frame, octets, isSuccessor: false)
  }

  func handOverHasRoom() {}

  /// The old process has ended: nobody else has what it had told us of.
  func handOverEnded() {
    link = nil
    listen()
    for id in waiting { node.transport.goOn(id) }
    waiting = []
    node.predecessorEnded()
    tell()
  }

  private func listen() {
    if hasListeners { return }
    hasListeners = true
    do {
      try takeListeners()
    } catch {
      node.failed(toTakeOver: "\(error)")
    }
  }

  private func tell() {
    if isTold { return }
    isTold = true
    node.control?.send(.tookOver)
  }
}

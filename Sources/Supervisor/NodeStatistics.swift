internal import Configuration
internal import Reactor

/// The counts of a node: the sum over the pages of its workers and over those that have ended, so that no counter falls when a worker is replaced.
final class NodeStatistics {
  /// The memory of the pages, which every worker inherits.
  let memory: Descriptor
  private let pages: SharedPages
  /// Of the workers that have ended, by position; of counters alone.
  private var ended = [UInt64](repeating: 0, count: CounterTable.all.count)

  /// Pages for so many slots.
  init(slots: Int) throws(SystemError) {
    memory = try SharedPages.makeMemory(slots: slots)
    pages = try SharedPages(mapping: memory.number, slots: slots)
  }

  /// The pages that the program before held, and what it had added up.
  init(inheriting memory: Int32, slots: Int, ended counts: [(name: String, value: UInt64)]) throws(SystemError) {
    self.memory = Descriptor(owning: memory)
    pages = try SharedPages(mapping: memory, slots: slots)
    for (name, value) in counts {
      if let position = CounterTable.position(of: name) { ended[position] = value }
    }
  }

  /// What processes counted that have ended, by the name of the counter.
  var endedCounts: [(name: String, value: UInt64)] {
    CounterTable.all.indices.filter { ended[$0] > 0 }.map { (CounterTable.all[$0].name, ended[$0]) }
  }

  /// The worker of a slot has ended: what it counted is kept, what it held is gone.
  func ended(slot: Int) {
    for position in CounterTable.all.indices where CounterTable.all[position].kind == .counter {
      ended[position] &+= pages.value(slot: slot, position: position)
    }
    pages.clear(slot: slot)
  }

  /// Who writes the page of a slot; nil: nobody.
  func header(slot: Int) -> SharedPages.Header? { pages.header(slot: slot) }

  /// A number of one worker; 0 for a name that is in no table.
  func value(_ name: String, slot: Int) -> UInt64 {
    CounterTable.position(of: name).map { pages.value(slot: slot, position: $0) } ?? 0
  }

  /// A number of one worker.
  func value(at position: Int, slot: Int) -> UInt64 { pages.value(slot: slot, position: position) }

  /// A number of the node.
  func total(at position: Int) -> UInt64 {
    let values = (0..<pages.slots).map { pages.value(slot: $0, position: position) }
    switch CounterTable.all[position].kind {
    case .counter: return values.reduce(ended[position], &+)
    case .gauge: return values.reduce(0, &+)
    case .maximum: return values.max() ?? 0
    }
  }
}

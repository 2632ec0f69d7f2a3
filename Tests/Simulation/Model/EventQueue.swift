import Structures

/// What will happen, by time; what was planned for one moment happens in the order in which it was planned.
struct EventQueue {
  private struct Entry {
    let at: Int64
    let order: UInt64
    let run: () -> Void
  }

  private var heap: [Entry] = []
  private var order: UInt64 = 0

  /// When the next thing happens; nil when nothing will.
  var next: Instant? { heap.first.map { Instant(nanoseconds: $0.at) } }

  /// Plans something.
  mutating func add(at instant: Instant, _ run: @escaping () -> Void) {
    order += 1
    heap.append(Entry(at: instant.nanoseconds, order: order, run: run))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard Self.precedes(heap[child], heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes what happens next.
  mutating func take() -> (() -> Void)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first.run }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && Self.precedes(heap[child], heap[least])
      {
        least = child
      }
      guard least != parent else { return first.run }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
    left.at != right.at ? left.at < right.at : left.order < right.order
  }
}

/// Buffers that connections take when they have octets to keep and give back when they don't, so that a steady state
/// allocates nothing and an idle connection holds nothing.
struct BufferPool {
  /// Larger ones are freed: one slow peer must not leave its megabyte behind.
  private static let largestKept = 64 << 10
  private static let mostKept = 256
  private static let smallest = 4 << 10

  private var buffers: [[UInt8]] = []
  private var marks: [[OutputMark]] = []

  init() {
    buffers.reserveCapacity(Self.mostKept)
    marks.reserveCapacity(Self.mostKept)
  }

  /// An empty buffer with some room.
  mutating func take() -> [UInt8] {
    if let buffer = buffers.popLast() { return buffer }
    var buffer: [UInt8] = []
    buffer.reserveCapacity(Self.smallest)
    return buffer
  }

  /// An empty list of marks, perhaps with some room.
  mutating func takeMarks() -> [OutputMark] { marks.popLast() ?? [] }

  /// Takes the list back and leaves an empty one without room behind.
  mutating func give(_ list: inout [OutputMark]) {
    var taken: [OutputMark] = []
    swap(&taken, &list)
    guard taken.capacity > 0, taken.capacity <= Self.largestKept, marks.count < Self.mostKept else { return }
    taken.removeAll(keepingCapacity: true)
    marks.append(taken)
  }

  /// Takes the buffer back and leaves an empty one without room behind.
  mutating func give(_ buffer: inout [UInt8]) {
    var taken: [UInt8] = []
    swap(&taken, &buffer)
    guard taken.capacity > 0, taken.capacity <= Self.largestKept, buffers.count < Self.mostKept else { return }
    taken.removeAll(keepingCapacity: true)
    buffers.append(taken)
  }
}

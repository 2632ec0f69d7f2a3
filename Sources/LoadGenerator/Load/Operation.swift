import Structures

/// Names one operation of a worker; a name is never given twice in a run.
struct OperationID: Equatable {
  let slot: UInt32
  let generation: UInt32
}

/// One operation under way: what it is, whom it is between and how far it has come.
struct Operation {
  /// What the operation's timer is for.
  enum Wake: UInt8 { case timeout, retransmit, hangUp, giveUp }
  /// How a call is meant to go.
  enum CallCourse: UInt8 { case answered, cancelled, rejected, unanswered }
  /// How far a call has come.
  enum CallState: UInt8 { case inviting, ringing, cancelling, established, ending }

  /// The stream of operations that nothing paces: set-up and upkeep.
  static let upkeep = UInt8.max

  let kind: OperationKind
  let stream: UInt8
  /// Whether it started within the measurement.
  let isMeasured: Bool
  let connection: Int32
  let callee: Int32
  /// Nanoseconds; the latency of an open loop counts from here.
  let intended: Int64
  let deadline: Int64
  var sequence: UInt32 = 1
  var attempt: UInt8 = 0
  var delivered = false
  var acknowledged = false
  var failure: LossCause?
  var course = CallCourse.answered
  var state = CallState.inviting
  var calleeEnds = false
  /// The caller's half of the dialog at ``LoadWorker/dialogs``.
  var dialog: Int32 = -1
  var wake = Wake.timeout
  var interval: Int64 = 0

  init(
    _ kind: OperationKind, stream: UInt8, isMeasured: Bool, connection: Int, callee: Int, intended: Int64,
    deadline: Int64
  ) {
    self.kind = kind
    self.stream = stream
    self.isMeasured = isMeasured
    self.connection = Int32(connection)
    self.callee = Int32(callee)
    self.intended = intended
    self.deadline = deadline
  }
}

/// All operations under way. In a steady state it allocates nothing.
struct OperationTable {
  private var entries: [Operation?] = []
  private var generations: [UInt32] = []
  private var free: [UInt32] = []

  /// How many are under way.
  var count: Int { entries.count - free.count }

  mutating func insert(_ operation: Operation) -> OperationID {
    if let slot = free.popLast() {
      entries[Int(slot)] = operation
      return OperationID(slot: slot, generation: generations[Int(slot)])
    }
    entries.append(operation)
    generations.append(1)
    return OperationID(slot: UInt32(entries.count - 1), generation: 1)
  }

  mutating func remove(_ id: OperationID) {
    guard contains(id) else { return }
    entries[Int(id.slot)] = nil
    generations[Int(id.slot)] &+= 1
    free.append(id.slot)
  }

  @inline(__always)
  func contains(_ id: OperationID) -> Bool {
    Int(id.slot) < entries.count && generations[Int(id.slot)] == id.generation && entries[Int(id.slot)] != nil
  }

  /// The operation; nil when the name is no longer or never was in use.
  @inline(__always)
  subscript(id: OperationID) -> Operation? { contains(id) ? entries[Int(id.slot)] : nil }

  /// Changes an operation that is there.
  @inline(__always)
  mutating func update(_ id: OperationID, _ change: (inout Operation) -> Void) {
    guard contains(id) else { return }
    _ = entries[Int(id.slot)].modify(change)
  }

  /// The name of what is under way at a position.
  func id(at slot: UInt32) -> OperationID? {
    guard Int(slot) < entries.count, entries[Int(slot)] != nil else { return nil }
    return OperationID(slot: slot, generation: generations[Int(slot)])
  }

  /// The names of all operations that `matches` holds for.
  func filter(_ matches: (Operation) -> Bool) -> [OperationID] {
    entries.indices.compactMap { index in
      guard let entry = entries[index], matches(entry) else { return nil }
      return OperationID(slot: UInt32(index), generation: generations[index])
    }
  }
}

extension Optional {
  /// Changes the value in place; false when there is none.
  @inline(__always)
  mutating func modify(_ change: (inout Wrapped) -> Void) -> Bool {
    switch consume self {
    case .some(var value):
      change(&value)
      self = .some(value)
      return true
    case .none:
      self = .none
      return false
    }
  }
}

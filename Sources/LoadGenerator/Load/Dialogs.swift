import Structures

/// The caller's half of a dialog (RFC 3261 §12.1.2): where its requests go. Buffers are used again and again.
struct CallerDialog {
  /// The value of To with the callee's tag.
  var to: [UInt8] = []
  var target: [UInt8] = []
  /// Whole Route lines.
  var routes: [UInt8] = []
}

/// The dialogs of all calls under way.
struct DialogTable {
  private var dialogs: [CallerDialog] = []
  private var free: [Int32] = []

  mutating func take() -> Int32 {
    if let index = free.popLast() { return index }
    dialogs.append(CallerDialog())
    return Int32(dialogs.count - 1)
  }

  mutating func release(_ index: Int32) { free.append(index) }

  subscript(index: Int32) -> CallerDialog {
    get { dialogs[Int(index)] }
    _modify { yield &dialogs[Int(index)] }
  }
}

/// The callee's half of a call: what its responses and its BYE are made of (RFC 3261 §12.1.1).
struct CalleeCall {
  enum State { case ringing, answered, confirmed, ended }
  /// What the call's timer is for.
  enum Wake { case answer, repeatAnswer, hangUp, forget }

  let key: UInt64
  let connection: Int
  let operation: OperationID?
  var state = State.ringing
  var wake = Wake.forget
  /// From Via to CSeq, as every response to the INVITE repeats them; a tag is in To.
  var echoed: [UInt8] = []
  var recordRoutes: [UInt8] = []
  var routes: [UInt8] = []
  var target: [UInt8] = []
  /// The values of From and To of the INVITE, exchanged in a BYE of ours.
  var from: [UInt8] = []
  var to: [UInt8] = []
  var callID: [UInt8] = []
  var repetition: Int64 = 0
  var answeredAt: Int64 = 0

  init(key: UInt64, connection: Int, operation: OperationID?) {
    self.key = key
    self.connection = connection
    self.operation = operation
  }
}

/// The calls that users of this process take part in as callees, found by their Call-ID's hash.
struct CalleeCallTable {
  private var calls: [CalleeCall?] = []
  private var free: [Int] = []
  private var positions: [UInt64: Int] = [:]

  /// FNV-1a over a Call-ID and a user's number: a call from a user to itself has two ends here.
  static func key(_ callID: Span<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in callID.indices { hash = (hash ^ UInt64(callID[index])) &* 0x100_0000_01B3 }
    return hash
  }

  var count: Int { positions.count }

  func position(_ key: UInt64) -> Int? { positions[key] }

  mutating func insert(_ call: CalleeCall) -> Int {
    let position = free.popLast() ?? calls.count
    if position == calls.count { calls.append(call) } else { calls[position] = call }
    positions[call.key] = position
    return position
  }

  mutating func remove(_ position: Int) {
    guard let call = calls[position] else { return }
    positions[call.key] = nil
    calls[position] = nil
    free.append(position)
  }

  subscript(position: Int) -> CalleeCall? {
    get { calls[position] }
    _modify { yield &calls[position] }
  }
}

import SIPServer
import Structures

/// What is under way for one address of record: one command at a time, so that nothing overtakes anything.
///
///     idle ─► reading ─► writing ─► idle        (a write that finds another version goes on from what it found)
///       └───► asking ─► idle                    (nobody else answers: the other workers are asked)
///
/// Owned by ``LocationMachine``; exists only while somebody waits or something is to be written.
final class LocationWork {
  /// What is to be done to the bindings.
  enum Job: Equatable {
    /// What a REGISTER request wants; without a query nobody waits for the outcome any more.
    case update(query: UInt64?, RegistrationUpdate)
    /// The bindings that end with a flow.
    case remove(FlowID)
  }

  enum State {
    case idle
    case reading(Watch)
    case writing(Attempt)
    case asking(Inquiry)
  }

  /// What must hold from a command to its reply for the reply to be the present state.
  struct Watch {
    /// The subscription under which it was sent; 0: none.
    let subscription: UInt32
    /// The version that was made known meanwhile.
    var disturbance: UInt64?
  }

  /// A write that was sent.
  struct Attempt {
    let expected: UInt64
    let version: UInt64
    let next: BindingSet
    /// What each job came to; nil for those that nobody asks of.
    let outcomes: [UpdateOutcome?]
    /// Whether requests go elsewhere afterwards.
    let isChange: Bool
    /// See ``OwnedBindings/RecordStanding/changes``, when it was sent.
    let changes: UInt16
    var watch: Watch
  }

  /// A question to the other workers.
  struct Inquiry {
    var missing: Int
    var found: BindingSet
    let deadline: Instant
  }

  private(set) var aor: [UInt8] = []
  private(set) var hash: UInt64 = 0
  var handle = SlotHandle(index: 0, generation: 0)
  var state = State.idle
  var jobs: [Job] = []
  /// Queries of lookups that wait.
  var lookups: [UInt64] = []
  /// Reads and writes that had to be done again.
  var retries = 0
  /// Whether the record must be compared with what is stored, as that was changed by another.
  var mustCheck = false
  /// Whether the era of the data set was asked for since nothing was found in it.
  var isEraAsked = false
  /// Whether it waits for the location to come back.
  var isStalled = false

  /// Makes it that of an address of record.
  func begin(_ aor: [UInt8], _ hash: UInt64) {
    self.aor = aor
    self.hash = hash
    state = .idle
    retries = 0
    mustCheck = false
    isEraAsked = false
    isStalled = false
    jobs.removeAll(keepingCapacity: true)
    lookups.removeAll(keepingCapacity: true)
  }

  var isIdle: Bool { if case .idle = state { true } else { false } }
}

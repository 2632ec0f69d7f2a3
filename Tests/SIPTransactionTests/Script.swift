import SIPTransaction
import Structures
import Testing

/// Time as a test moves it. It begins long after the origin, so that mixing up durations and instants shows.
struct ManualClock {
  static let start = Instant(nanoseconds: 86_400_000_000_000)
  private(set) var now = ManualClock.start

  mutating func advance(by duration: Duration) {
    now = now + duration
  }

  mutating func advance(to instant: Instant) {
    now = max(now, instant)
  }
}

/// The instant so many milliseconds after the start of the clock.
func at(_ milliseconds: Int64) -> Instant {
  ManualClock.start + .milliseconds(milliseconds)
}

/// What the scripts need of all four machines.
protocol Machine {
  associatedtype State: Hashable
  var state: State { get }
  var nextDeadline: Instant? { get }
  mutating func deadlineReached(at now: Instant, into actions: inout TransactionActions)
  mutating func transportFailed(into actions: inout TransactionActions)
}

extension InviteClientTransaction: Machine {}
extension NonInviteClientTransaction: Machine {}
extension InviteServerTransaction: Machine {}
extension NonInviteServerTransaction: Machine {}

/// A machine, its clock, and what it ordered: each step returns the orders of that step alone.
final class Script<Subject: Machine> {
  var clock = ManualClock()
  private(set) var machine: Subject
  /// What was ordered when the machine was made.
  let created: TransactionActions

  init(_ make: (Instant, inout TransactionActions) -> Subject) {
    var actions: TransactionActions = []
    machine = make(clock.now, &actions)
    created = actions
  }

  var state: Subject.State { machine.state }
  /// Milliseconds from the start of the clock to the next deadline; nil when no timer runs.
  var deadline: Duration? { machine.nextDeadline.map { $0 - ManualClock.start } }

  func perform(_ input: (inout Subject, Instant, inout TransactionActions) -> Void) -> TransactionActions {
    var actions: TransactionActions = []
    input(&machine, clock.now, &actions)
    return actions
  }

  /// Lets time pass and tells the machine once, at the end of it.
  @discardableResult
  func after(_ duration: Duration) -> TransactionActions {
    clock.advance(by: duration)
    return perform { $0.deadlineReached(at: $1, into: &$2) }
  }

  func transportFailed() -> TransactionActions {
    perform { machine, _, actions in machine.transportFailed(into: &actions) }
  }

  /// Jumps from deadline to deadline until none is left; what was ordered, by milliseconds since the start.
  func run() -> [Int64: TransactionActions] {
    var orders: [Int64: TransactionActions] = [:]
    for _ in 0..<100 {
      guard let next = machine.nextDeadline else { return orders }
      clock.advance(to: next)
      let milliseconds = (clock.now - ManualClock.start).nanoseconds / 1_000_000
      orders[milliseconds, default: []].formUnion(perform { $0.deadlineReached(at: $1, into: &$2) })
    }
    Issue.record("the machine never comes to rest")
    return orders
  }
}

extension Script<InviteClientTransaction> {
  static func inviteClient(isReliable: Bool, settings: TimerSettings = .standard) -> Script {
    Script { InviteClientTransaction(isReliable: isReliable, settings: settings, at: $0, into: &$1) }
  }

  func receives(_ status: Int) -> TransactionActions {
    perform { $0.received(status: status, at: $1, into: &$2) }
  }

  func abandon() -> TransactionActions {
    perform { machine, _, actions in machine.abandon(into: &actions) }
  }
}

extension Script<NonInviteClientTransaction> {
  static func nonInviteClient(isReliable: Bool, settings: TimerSettings = .standard) -> Script {
    Script { NonInviteClientTransaction(isReliable: isReliable, settings: settings, at: $0, into: &$1) }
  }

  func receives(_ status: Int) -> TransactionActions {
    perform { $0.received(status: status, at: $1, into: &$2) }
  }
}

extension Script<InviteServerTransaction> {
  static func inviteServer(isReliable: Bool, settings: TimerSettings = .standard) -> Script {
    Script { InviteServerTransaction(isReliable: isReliable, settings: settings, into: &$1) }
  }

  func receivesInvite() -> TransactionActions {
    perform { machine, _, actions in machine.receivedRetransmission(into: &actions) }
  }

  func receivesAck() -> TransactionActions {
    perform { $0.receivedAck(at: $1, into: &$2) }
  }

  func responds(_ status: Int) -> TransactionActions {
    perform { $0.respond(status: status, at: $1, into: &$2) }
  }
}

extension Script<NonInviteServerTransaction> {
  static func nonInviteServer(isReliable: Bool, settings: TimerSettings = .standard) -> Script {
    Script { NonInviteServerTransaction(isReliable: isReliable, settings: settings, at: $0, into: &$1) }
  }

  func receivesRequest() -> TransactionActions {
    perform { machine, _, actions in machine.receivedRetransmission(into: &actions) }
  }

  func responds(_ status: Int) -> TransactionActions {
    perform { $0.respond(status: status, at: $1, into: &$2) }
  }
}

extension TransactionActions: CustomTestStringConvertible {
  /// The orders by name, in the order in which they are carried out.
  public var testDescription: String {
    let names = [
      "storeResponse", "transmitRequest", "transmitAck", "transmitResponse", "retransmitResponse", "send100",
      "deliverRequest", "deliverAck", "deliverResponse", "informTimeout", "informTransportFailure", "refuse",
      "releaseMessage", "terminate",
    ]
    let ordered = names.enumerated().filter { rawValue & (1 << $0.offset) != 0 }.map(\.element)
    return ordered.isEmpty ? "nothing" : ordered.joined(separator: ", ")
  }
}

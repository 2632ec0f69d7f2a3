import SIPTransaction
import Structures
import Testing

/// A machine whose states and inputs can be enumerated. `Place` is the state without the timers that it holds.
protocol Enumerable: Machine {
  associatedtype Place: CaseIterable & Hashable & Sendable
  associatedtype Input: CaseIterable & Hashable & Sendable
  static func place(of state: State) -> Place
  /// A machine that was led into a state; it ends elsewhere when the state isn't entered over that transport.
  static func script(to place: Place, isReliable: Bool) -> Script<Self>
  static func apply(_ input: Input, to script: Script<Self>) -> TransactionActions
}

/// What is decided for one (state, input) pair over one kind of transport, or both.
struct Decision<Subject: Enumerable> {
  let isReliable: Bool?
  let place: Subject.Place
  let input: Subject.Input
  let orders: TransactionActions
  let next: Subject.Place

  static func both(
    _ place: Subject.Place, _ input: Subject.Input, _ orders: TransactionActions, _ next: Subject.Place
  ) -> Decision {
    Decision(isReliable: nil, place: place, input: input, orders: orders, next: next)
  }

  static func udp(
    _ place: Subject.Place, _ input: Subject.Input, _ orders: TransactionActions, _ next: Subject.Place
  ) -> Decision {
    Decision(isReliable: false, place: place, input: input, orders: orders, next: next)
  }

  static func tls(
    _ place: Subject.Place, _ input: Subject.Input, _ orders: TransactionActions, _ next: Subject.Place
  ) -> Decision {
    Decision(isReliable: true, place: place, input: input, orders: orders, next: next)
  }
}

/// Compares every (state, input) pair over both kinds of transport with the one row that decides it. A pair without a
/// row fails; so does a row of a state that isn't entered over its transport.
func check<Subject: Enumerable>(_ table: [Decision<Subject>]) {
  for isReliable in [false, true] {
    for place in Subject.Place.allCases {
      for input in Subject.Input.allCases {
        let script = Subject.script(to: place, isReliable: isReliable)
        let isEntered = Subject.place(of: script.state) == place
        let rows = table.filter {
          $0.place == place && $0.input == input && $0.isReliable != !isReliable
        }
        let pair = "\(input) in \(place) over \(isReliable ? "TLS" : "UDP")"
        #expect(rows.count == (isEntered ? 1 : 0), "\(pair): rows that decide it")
        guard isEntered, let row = rows.first else { continue }
        let before = script.state
        #expect(Subject.apply(input, to: script) == row.orders, "\(pair)")
        #expect(Subject.place(of: script.state) == row.next, "\(pair)")
        if row.orders == [] || row.orders == .refuse {
          #expect(script.state == before, "\(pair): a change without an order")
        }
        #expect(
          row.orders.contains(.terminate) == ("\(row.next)" == "terminated" && place != row.next),
          "\(pair): terminate is ordered exactly once, when the machine ends")
      }
    }
  }
}

extension Script {
  /// Tells the machine of the present moment, in which nothing is due.
  func early() -> TransactionActions { after(.zero) }

  /// Jumps to the next deadline; an hour ahead when there is none.
  func first() -> TransactionActions {
    guard let next = machine.nextDeadline else { return after(.seconds(3_600)) }
    return after(next - clock.now)
  }

  /// Jumps to where everything that is set is due.
  func all() -> TransactionActions { after(.seconds(3_600)) }
}

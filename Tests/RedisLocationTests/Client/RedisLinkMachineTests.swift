import Structures
import Testing

@testable import RedisLocation

private typealias Machine = RedisLinkMachine
private typealias Action = RedisLinkMachine.Action

/// The states of a machine, each reached by the shortest way.
private enum Place: String, CaseIterable {
  case idle, locating, connecting, securing, greeting, serving, subscribed, waiting, stopped
}

/// All that can happen.
private enum Input: String, CaseIterable {
  case started, located, notLocated, connected, secured, lost, reply, masterMoved, deadline, stopped
}

/// What a (state, input) must lead to.
private struct Outcome: Equatable {
  var place: Place
  var actions: [Action] = []
}

private let start = Instant(nanoseconds: 1_000_000_000)
private let soon = start + .milliseconds(10)
private let longAfter = start + .seconds(60)

/// A machine at a place, with what it said on the way forgotten. A serving one owes replies to the commands 7 and 8.
private func machine(at place: Place) -> Machine {
  let greeting: [Machine.GreetingStep] =
    place == .subscribed ? [.ping, .subscribe] : [.authenticate, .ping]
  var machine = Machine(
    greeting: greeting, usesTLS: place == .securing, times: Machine.Times(), seed: 1, at: start)
  var actions: [Action] = []
  if place == .idle { return machine }
  machine.started(at: start, into: &actions)
  if place == .locating { return machine }
  machine.located(at: start, into: &actions)
  if place == .connecting { return machine }
  machine.connected(at: start, into: &actions)
  if place == .securing || place == .greeting { return machine }
  if place == .waiting { machine.lost(.closed, at: start, into: &actions) }
  if place == .stopped { machine.stopped(at: start, into: &actions) }
  if place == .subscribed {
    machine.received(.text(octets("PONG")), at: start, into: &actions)
    machine.received(subscribed("news", 1), at: start, into: &actions)
  } else if place == .serving {
    machine.received(.text(octets("OK")), at: start, into: &actions)
    machine.received(.text(octets("PONG")), at: start, into: &actions)
    machine.sent(7, at: start)
    machine.sent(8, at: start)
  }
  return machine
}

private func subscribed(_ channel: String, _ count: Int64) -> RedisReply {
  .array([.bulk(octets("subscribe")), .bulk(octets(channel)), .integer(count)])
}

private func message(_ channel: String, _ payload: String) -> RedisReply {
  .array([.bulk(octets("message")), .bulk(octets(channel)), .bulk(octets(payload))])
}

private func place(of machine: Machine) -> Place {
  switch machine.state {
  case .idle: .idle
  case .locating: .locating
  case .connecting: .connecting
  case .securing: .securing
  case .greeting: .greeting
  case .serving: machine.greeting.contains(.subscribe) ? .subscribed : .serving
  case .waiting: .waiting
  case .stopped: .stopped
  }
}

private func feed(_ input: Input, to machine: inout Machine) -> [Action] {
  var actions: [Action] = []
  switch input {
  case .started: machine.started(at: soon, into: &actions)
  case .located: machine.located(at: soon, into: &actions)
  case .notLocated: machine.notLocated(at: soon, into: &actions)
  case .connected: machine.connected(at: soon, into: &actions)
  case .secured: machine.secured(at: soon, into: &actions)
  case .lost: machine.lost(.closed, at: soon, into: &actions)
  case .reply:
    let isSubscribed = machine.greeting.contains(.subscribe)
    machine.received(isSubscribed ? message("news", "x") : .text(octets("OK")), at: soon, into: &actions)
  case .masterMoved: machine.masterMoved(at: soon, into: &actions)
  case .deadline: machine.deadlineReached(at: longAfter, into: &actions)
  case .stopped: machine.stopped(at: soon, into: &actions)
  }
  return actions
}

/// The whole table. What isn't named changes nothing.
private func expected(_ place: Place, _ input: Input) -> Outcome {
  let unchanged = Outcome(place: place)
  let gone: [Action] = [.close, .changed, .fail(token: 7), .fail(token: 8)]
  switch (place, input) {
  case (.stopped, _): return unchanged
  case (.idle, .started): return Outcome(place: .locating, actions: [.locate])
  case (.idle, .stopped), (.locating, .stopped), (.waiting, .stopped): return Outcome(place: .stopped)
  case (.idle, _): return unchanged
  case (.locating, .located): return Outcome(place: .connecting, actions: [.connect])
  case (.locating, .notLocated), (.locating, .deadline): return Outcome(place: .waiting, actions: [.close])
  case (.locating, _): return unchanged
  case (.connecting, .connected), (.securing, .secured): return Outcome(place: .greeting, actions: [.greet])
  case (.greeting, .reply): return unchanged
  case (.connecting, .lost), (.securing, .lost), (.greeting, .lost), (.connecting, .deadline), (.securing, .deadline),
    (.greeting, .deadline):
    return Outcome(place: .waiting, actions: [.close])
  case (.connecting, .stopped), (.securing, .stopped), (.greeting, .stopped):
    return Outcome(place: .stopped, actions: [.close])
  case (.connecting, .masterMoved), (.securing, .masterMoved), (.greeting, .masterMoved):
    return Outcome(place: .locating, actions: [.close, .locate])
  case (.connecting, _), (.securing, _), (.greeting, _): return unchanged
  case (.serving, .reply):
    return Outcome(place: .serving, actions: [.deliver(.text(octets("OK")), token: 7)])
  case (.serving, .lost), (.serving, .deadline): return Outcome(place: .waiting, actions: gone)
  case (.serving, .stopped): return Outcome(place: .stopped, actions: gone)
  case (.serving, .masterMoved): return Outcome(place: .locating, actions: gone + [.locate])
  case (.serving, _): return unchanged
  case (.subscribed, .reply):
    return Outcome(place: .subscribed, actions: [.message(channel: octets("news"), payload: octets("x"))])
  case (.subscribed, .lost): return Outcome(place: .waiting, actions: [.close, .changed])
  case (.subscribed, .deadline): return Outcome(place: .subscribed, actions: [.ping])
  case (.subscribed, .stopped): return Outcome(place: .stopped, actions: [.close, .changed])
  case (.subscribed, .masterMoved): return Outcome(place: .locating, actions: [.close, .changed, .locate])
  case (.subscribed, _): return unchanged
  case (.waiting, .deadline), (.waiting, .masterMoved): return Outcome(place: .locating, actions: [.locate])
  case (.waiting, _): return unchanged
  }
}

@Suite("A connection to a Redis server, without the socket")
struct RedisLinkMachineTests {
  @Test("every input in every state leads where it must", arguments: Place.allCases.map(\.rawValue))
  func table(name: String) throws {
    let from = try #require(Place(rawValue: name))
    #expect(place(of: machine(at: from)) == from)
    for input in Input.allCases {
      var machine = machine(at: from)
      let actions = feed(input, to: &machine)
      #expect(Outcome(place: place(of: machine), actions: actions) == expected(from, input), "\(name), \(input)")
    }
  }

  @Test("with TLS a connected socket is secured before it is greeted")
  func secures() {
    var machine = machine(at: .securing)
    #expect(feed(.connected, to: &machine).isEmpty)
    #expect(feed(.secured, to: &machine) == [.greet])
  }

  @Test("it serves after the last reply to the greeting, and not before")
  func greeting() {
    var machine = machine(at: .greeting)
    var actions: [Action] = []
    machine.received(.text(octets("OK")), at: soon, into: &actions)
    #expect(actions.isEmpty && !machine.isServing)
    machine.received(.text(octets("PONG")), at: soon, into: &actions)
    #expect(actions == [.changed] && machine.isServing)
    #expect(machine.since == soon)
  }

  @Test("replies go to commands in their order, and an error that concerns one command is its reply")
  func order() {
    var machine = machine(at: .serving)
    var actions: [Action] = []
    let error = RedisReply.error(octets("NOSCRIPT No matching script."))
    machine.received(error, at: soon, into: &actions)
    machine.received(.integer(1), at: soon, into: &actions)
    #expect(actions == [.deliver(error, token: 7), .deliver(.integer(1), token: 8)])
    #expect(machine.pendingCount == 0)
  }

  @Test("a reply that nobody asked for ends the connection")
  func unasked() {
    var machine = machine(at: .serving)
    var actions: [Action] = []
    for _ in 0..<3 { machine.received(.integer(1), at: soon, into: &actions) }
    #expect(actions.suffix(2) == [.close, .changed])
    #expect(machine.trouble == .malformed)
  }

  @Test(
    "an error by which the server says that it can't serve ends the connection, and its command fails with the others",
    arguments: [
      ("LOADING Redis is loading", RedisTrouble.loading), ("READONLY You can't write", .readOnly),
      ("MASTERDOWN Link with MASTER is down", .masterDown), ("MOVED 1 127.0.0.1:1", .cluster),
      ("NOAUTH Authentication required.", .refused("NOAUTH Authentication required.")),
    ])
  func cannotServe(line: String, trouble: RedisTrouble) {
    var machine = machine(at: .serving)
    var actions: [Action] = []
    machine.received(.error(octets(line)), at: soon, into: &actions)
    #expect(actions == [.close, .changed, .fail(token: 7), .fail(token: 8)])
    #expect(machine.trouble == trouble)
    #expect(place(of: machine) == .waiting)
    #expect(machine.since == soon)
  }

  @Test(
    "a greeting that the server refuses ends the connection with its words",
    arguments: [
      ("WRONGPASS invalid username-password pair", RedisTrouble.refused("WRONGPASS invalid username-password pair")),
      ("ERR AUTH called without any password", .refused("ERR AUTH called without any password")),
      ("LOADING Redis is loading", .loading), ("NOPERM no", .refused("NOPERM no")),
    ])
  func refused(line: String, trouble: RedisTrouble) {
    var machine = machine(at: .greeting)
    var actions: [Action] = []
    machine.received(.error(octets(line)), at: soon, into: &actions)
    #expect(actions == [.close])
    #expect(machine.trouble == trouble)
  }

  @Test("each step of the greeting has the one reply that it takes")
  func steps() {
    let good: [(Machine.GreetingStep, RedisReply)] = [
      (.authenticate, .text(octets("OK"))), (.select, .text(octets("OK"))), (.name, .text(octets("OK"))),
      (.name, .error(octets("NOPERM no"))), (.role, .array([.bulk(octets("master")), .integer(0), .array([])])),
      (.ping, .text(octets("PONG"))), (.subscribe, subscribed("a", 1)),
    ]
    for (step, reply) in good { #expect(GreetingCheck.trouble(of: reply, to: step) == nil, "\(step)") }
    let bad: [(Machine.GreetingStep, RedisReply, RedisTrouble)] = [
      (.authenticate, .integer(1), .malformed), (.select, .error(octets("ERR DB")), .refused("ERR DB")),
      (.role, .array([.bulk(octets("slave"))]), .notMaster), (.role, .array([]), .malformed),
      (.role, .array(nil), .malformed), (.ping, .text(octets("OK")), .malformed),
      (.subscribe, message("a", "b"), .malformed), (.subscribe, .error(octets("NOPERM x")), .refused("NOPERM x")),
    ]
    for (step, reply, trouble) in bad { #expect(GreetingCheck.trouble(of: reply, to: step) == trouble, "\(step)") }
  }

  @Test("a quiet connection is asked for a sign of life, and ends when none comes")
  func keepAlive() {
    var machine = machine(at: .subscribed)
    var actions: [Action] = []
    #expect(machine.nextDeadline == start + .seconds(1))
    machine.deadlineReached(at: start + .seconds(1), into: &actions)
    #expect(actions == [.ping])
    machine.received(.array([.bulk(octets("pong")), .bulk([])]), at: start + .seconds(2), into: &actions)
    #expect(machine.pendingCount == 0)
    actions = []
    machine.deadlineReached(at: start + .seconds(3), into: &actions)
    #expect(actions == [.ping])
    machine.deadlineReached(at: start + .seconds(4), into: &actions)
    #expect(actions == [.ping])
    machine.deadlineReached(at: start + .seconds(5), into: &actions)
    #expect(actions == [.ping, .close, .changed])
    #expect(machine.trouble == .timeLimit)
  }

  @Test("a command without a reply ends the connection at its time limit, not before")
  func timeLimit() {
    var machine = machine(at: .serving)
    var actions: [Action] = []
    machine.deadlineReached(at: start + .milliseconds(1_999), into: &actions)
    #expect(actions.isEmpty)
    machine.deadlineReached(at: start + .seconds(2), into: &actions)
    #expect(actions == [.close, .changed, .fail(token: 7), .fail(token: 8)])
  }

  @Test("waits double from 50 ms to 2 s, each between its half and its whole")
  func waits() {
    var machine = machine(at: .connecting)
    var actions: [Action] = []
    var now = start
    for wanted: Int64 in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000] {
      machine.lost(.closed, at: now, into: &actions)
      let wait = machine.nextDeadline - now
      #expect(wait >= .milliseconds(wanted / 2) && wait <= .milliseconds(wanted))
      now = machine.nextDeadline
      machine.deadlineReached(at: now, into: &actions)
      machine.located(at: now, into: &actions)
    }
  }

  @Test("waits begin anew after a connection that served for a second, not after a shorter one")
  func waitsBeginAnew() {
    for (served, longest): (Duration, Duration) in [
      (.seconds(1), .milliseconds(50)), (.milliseconds(900), .milliseconds(1_600)),
    ] {
      var machine = machine(at: .connecting)
      var actions: [Action] = []
      for _ in 0..<5 {
        machine.lost(.closed, at: start, into: &actions)
        machine.deadlineReached(at: machine.nextDeadline, into: &actions)
        machine.located(at: start, into: &actions)
      }
      machine.connected(at: start, into: &actions)
      machine.received(.text(octets("OK")), at: start, into: &actions)
      machine.received(.text(octets("PONG")), at: start, into: &actions)
      #expect(machine.isServing)
      let end = start + served
      machine.lost(.closed, at: end, into: &actions)
      #expect(machine.nextDeadline - end <= longest)
      #expect(machine.nextDeadline - end >= .nanoseconds(longest.nanoseconds / 2))
    }
  }

  @Test("two machines with different seeds wait differently")
  func jitter() {
    let waits = (1...8 as ClosedRange<UInt64>).map { seed in
      var backOff = BackOff(shortest: .seconds(1), longest: .seconds(2), seed: seed)
      return backOff.next()
    }
    #expect(Set(waits).count > 4)
  }

  @Test("commands without a reply keep their order while their ring grows")
  func pending() {
    var pending = PendingCommands()
    var next: UInt64 = 1
    var taken: [UInt64] = []
    for round in 0..<50 {
      for _ in 0..<round {
        pending.append(next, deadline: start.adding(nanoseconds: Int64(next)))
        next += 1
      }
      for _ in 0..<round / 2 {
        if let token = pending.popFirst() { taken.append(token) }
      }
      #expect(
        pending.nextDeadline == (pending.isEmpty ? .distantFuture : start.adding(nanoseconds: Int64(taken.count + 1))))
    }
    while let token = pending.popFirst() { taken.append(token) }
    #expect(taken == Array(1..<next))
  }
}

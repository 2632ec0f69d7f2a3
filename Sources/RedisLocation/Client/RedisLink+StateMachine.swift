import Structures

/// What one connection to a Redis server does, without the socket: when it is opened, greeted, used, given up and opened again.
///
///                     started
///       idle ──────────────────► locating ──located──► connecting ──connected──► securing ──secured──┐
///                                 ▲ ▲                   │      └──────────(no TLS)──────────────┐    │
///                     wait over   │ │ masterMoved       │ lost, time limit                      ▼    ▼
///                        waiting ─┘ └──(any but idle)   ├────────────────────────────────────  greeting
///                           ▲                           │                                          │ all replies good
///                           └───────────────────────────┴──────────────────────────────────── serving
///
/// Greeting sends what a connection begins with in one piece: AUTH, SELECT, CLIENT SETNAME, ROLE, PING, SUBSCRIBE, as far as they are wanted. A connection
/// serves once all were answered well. When it is given up, all commands without a reply fail; whether they were carried out isn't known. `stopped`
/// leads from anywhere to the end.
///
/// Errors by which the server says that it can't serve (LOADING, READONLY, MASTERDOWN, MOVED, NOAUTH) end the connection in greeting and
/// in serving alike: after the wait the server is located anew, with Sentinel that may be another. All other errors are the answer to their command.
struct RedisLinkMachine {
  enum State: Equatable {
    case idle
    /// It is being found out where the server is.
    case locating(until: Instant)
    case connecting(until: Instant)
    case securing(until: Instant)
    /// Replies to the steps before `step` have come.
    case greeting(step: Int, until: Instant)
    /// A sign of life is asked for at `quietUntil` when nothing came before.
    case serving(since: Instant, quietUntil: Instant)
    case waiting(until: Instant)
    case stopped
  }

  /// What a connection begins with.
  enum GreetingStep: Equatable {
    case authenticate
    case select
    case name
    case role
    case ping
    case subscribe
  }

  enum Action: Equatable {
    /// Finds out where the server is; ``located(at:into:)`` or ``notLocated(at:into:)`` tells.
    case locate
    /// Opens a socket to the server that was found.
    case connect
    case secure
    /// Sends all that ``greeting`` says.
    case greet
    case ping
    /// Closes the socket and forgets what waits to be sent.
    case close
    case deliver(RedisReply, token: UInt64)
    /// The command has no reply and gets none.
    case fail(token: UInt64)
    case message(channel: [UInt8], payload: [UInt8])
    /// It serves from now on, or no more.
    case changed
  }

  /// Names a command of our own: nobody waits for its reply.
  static let ownToken: UInt64 = 0

  private(set) var state = State.idle
  /// Why the last connection was given up.
  private(set) var trouble = RedisTrouble.none
  /// Since when it serves or doesn't.
  private(set) var since: Instant
  let greeting: [GreetingStep]
  private let isSubscriber: Bool
  private let times: Times
  /// Of each command and reply, so without the arithmetic of `Duration`.
  private let (commandNanoseconds, quietNanoseconds): (Int64, Int64)
  private let usesTLS: Bool
  private var pending = PendingCommands()
  private var backOff: BackOff

  init(greeting: [GreetingStep], usesTLS: Bool, times: Times, seed: UInt64, at now: Instant) {
    self.greeting = greeting
    isSubscriber = greeting.contains(.subscribe)
    self.usesTLS = usesTLS
    self.times = times
    (commandNanoseconds, quietNanoseconds) = (times.command.nanoseconds, times.quiet.nanoseconds)
    since = now
    backOff = BackOff(shortest: times.shortestWait, longest: times.longestWait, seed: seed)
  }

  // MARK: Inputs

  /// It is wanted from now on.
  mutating func started(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .idle: locate(at: now, into: &actions)
    case .locating, .connecting, .securing, .greeting, .serving, .waiting, .stopped: break
    }
  }

  /// It is known where the server is.
  mutating func located(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .locating:
      state = .connecting(until: now + times.connect)
      actions.append(.connect)
    case .idle, .connecting, .securing, .greeting, .serving, .waiting, .stopped: break
    }
  }

  /// Nobody knows where the server is.
  mutating func notLocated(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .locating: giveUp(.noMaster, at: now, into: &actions)
    case .idle, .connecting, .securing, .greeting, .serving, .waiting, .stopped: break
    }
  }

  /// The socket is connected.
  mutating func connected(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .connecting where usesTLS:
      state = .securing(until: now + times.connect)
      actions.append(.secure)
    case .connecting: greet(at: now, into: &actions)
    case .idle, .locating, .securing, .greeting, .serving, .waiting, .stopped: break
    }
  }

  /// The TLS handshake is done.
  mutating func secured(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .securing: greet(at: now, into: &actions)
    case .idle, .locating, .connecting, .greeting, .serving, .waiting, .stopped: break
    }
  }

  /// The socket is of no more use.
  mutating func lost(_ trouble: RedisTrouble, at now: Instant, into actions: inout [Action]) {
    switch state {
    case .connecting, .securing, .greeting, .serving: giveUp(trouble, at: now, into: &actions)
    case .idle, .locating, .waiting, .stopped: break
    }
  }

  /// A command was added to what is sent. Only while ``isServing``; `token` is not 0.
  mutating func sent(_ token: UInt64, at now: Instant) {
    precondition(isServing && token != Self.ownToken)
    pending.append(token, deadline: now.adding(nanoseconds: commandNanoseconds))
  }

  /// A reply came.
  mutating func received(_ reply: RedisReply, at now: Instant, into actions: inout [Action]) {
    switch state {
    case .greeting(let step, let until): answered(step, until, reply, at: now, into: &actions)
    case .serving(let since, _):
      state = .serving(since: since, quietUntil: now.adding(nanoseconds: quietNanoseconds))
      if isSubscriber {
        heard(reply, at: now, into: &actions)
      } else {
        replied(reply, at: now, into: &actions)
      }
    case .idle, .locating, .connecting, .securing, .waiting, .stopped: break
    }
  }

  /// Another server is the master now.
  mutating func masterMoved(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .connecting, .securing, .greeting, .serving:
      giveUp(.masterMoved, at: now, into: &actions)
      locateAtOnce(at: now, into: &actions)
    case .waiting: locateAtOnce(at: now, into: &actions)
    case .idle, .locating, .stopped: break
    }
  }

  /// Time went on to `now`. Does nothing when nothing is due.
  mutating func deadlineReached(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .locating(let until) where until <= now: giveUp(.noMaster, at: now, into: &actions)
    case .connecting(let until) where until <= now, .securing(let until) where until <= now,
      .greeting(_, let until) where until <= now:
      giveUp(.timeLimit, at: now, into: &actions)
    case .serving where pending.nextDeadline <= now: giveUp(.timeLimit, at: now, into: &actions)
    case .serving(let since, let quietUntil) where quietUntil <= now:
      state = .serving(since: since, quietUntil: now + times.quiet)
      // Who owes us a reply already need not be asked.
      if pending.isEmpty {
        pending.append(Self.ownToken, deadline: now + times.command)
        actions.append(.ping)
      }
    case .waiting(let until) where until <= now: locate(at: now, into: &actions)
    case .idle, .locating, .connecting, .securing, .greeting, .serving, .waiting, .stopped: break
    }
  }

  /// It isn't wanted any more.
  mutating func stopped(at now: Instant, into actions: inout [Action]) {
    switch state {
    case .idle, .locating, .waiting: state = .stopped
    case .connecting, .securing, .greeting, .serving:
      giveUp(.stopped, at: now, into: &actions)
      state = .stopped
    case .stopped: break
    }
  }

  // MARK: Queries

  var isServing: Bool { if case .serving = state { true } else { false } }

  /// Commands without a reply.
  var pendingCount: Int { pending.count }

  /// When ``deadlineReached(at:into:)`` has something to do.
  var nextDeadline: Instant {
    switch state {
    case .idle, .stopped: .distantFuture
    case .locating(let until), .connecting(let until), .securing(let until), .waiting(let until): until
    case .greeting(_, let until): until
    case .serving(_, let quietUntil): min(pending.nextDeadline, quietUntil)
    }
  }

  // MARK: Steps

  private mutating func locate(at now: Instant, into actions: inout [Action]) {
    state = .locating(until: now + times.command)
    actions.append(.locate)
  }

  private mutating func locateAtOnce(at now: Instant, into actions: inout [Action]) {
    backOff.reset()
    locate(at: now, into: &actions)
  }

  private mutating func greet(at now: Instant, into actions: inout [Action]) {
    state = .greeting(step: 0, until: now + times.command)
    actions.append(.greet)
  }

  private mutating func answered(
    _ step: Int, _ until: Instant, _ reply: RedisReply, at now: Instant, into actions: inout [Action]
  ) {
    if let trouble = GreetingCheck.trouble(of: reply, to: greeting[step]) {
      return giveUp(trouble, at: now, into: &actions)
    }
    guard step + 1 == greeting.count else {
      state = .greeting(step: step + 1, until: until)
      return
    }
    state = .serving(since: now, quietUntil: now + times.quiet)
    since = now
    actions.append(.changed)
  }

  private mutating func replied(_ reply: RedisReply, at now: Instant, into actions: inout [Action]) {
    guard let token = pending.popFirst() else { return giveUp(.malformed, at: now, into: &actions) }
    if case .error = reply, let trouble = RedisTrouble(reply.errorCode, reply) {
      return giveUp(trouble, owing: token, at: now, into: &actions)
    }
    if token != Self.ownToken { actions.append(.deliver(reply, token: token)) }
  }

  /// What comes over a connection that subscribed.
  private mutating func heard(_ reply: RedisReply, at now: Instant, into actions: inout [Action]) {
    switch SubscriptionEvent(reply) {
    case .message(let channel, let payload): actions.append(.message(channel: channel, payload: payload))
    case .alive where pending.popFirst() != nil: break
    case .alive, .other: giveUp(RedisTrouble(reply.errorCode, reply) ?? .malformed, at: now, into: &actions)
    }
  }

  private mutating func giveUp(
    _ trouble: RedisTrouble, owing token: UInt64 = ownToken, at now: Instant, into actions: inout [Action]
  ) {
    let wasServing = isServing
    // One that served for a moment only may do so again and again.
    if case .serving(let since, _) = state, now - since >= .seconds(1) { backOff.reset() }
    self.trouble = trouble
    state = .waiting(until: now.adding(nanoseconds: backOff.next()))
    actions.append(.close)
    if wasServing {
      since = now
      actions.append(.changed)
    }
    var next: UInt64? = token
    while let token = next {
      if token != Self.ownToken { actions.append(.fail(token: token)) }
      next = pending.popFirst()
    }
  }
}

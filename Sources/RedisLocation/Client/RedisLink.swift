import Reactor
import Structures
import TLSEngine

/// Hears of one ``RedisLink``.
protocol RedisLinkOwner: AnyObject {
  /// The link must know where its server is: ``RedisLink/located(_:)``, at once or later.
  func locate(for link: RedisLink)
  func link(_ link: RedisLink, reply: RedisReply, token: UInt64)
  func link(_ link: RedisLink, failed token: UInt64)
  func link(_ link: RedisLink, published payload: [UInt8], channel: [UInt8])
  /// It serves from now on, or no more.
  func linkChanged(_ link: RedisLink)
}

/// Memory for reading that all links of a client share.
final class RedisScratch {
  /// A turn reads so much of a connection at most, so that no reply stalls the loop.
  static let size = 32 << 10
  var octets = [UInt8](repeating: 0, count: size)
}

/// One connection to a Redis server: the socket for ``RedisLinkMachine``, which says what is done with it and when.
///
/// Commands gather in one buffer and are written once for each turn of the loop, by ``flush()``. The loop keeps a started link alive until ``stop()``.
final class RedisLink: EventHandler, DeadlineOwner {
  let loop: EventLoop
  var machine: RedisLinkMachine
  private var owner: (any RedisLinkOwner)?
  private let greeting: RedisGreeting
  private let context: TLSContext?
  private let settings: RedisSettings
  let scratch: RedisScratch

  /// Where the present connection leads, or the next.
  private(set) var server: RedisServer?
  var socket: RedisSocket?
  /// Counts connections, so that what one brought isn't taken for another's.
  var connection: UInt64 = 0
  var reader = RedisReplyReader()
  var output: [UInt8] = []
  var sent = 0
  var isBlocked = false
  var readsAgain = false
  private var deadline: DeadlineID?
  private var scheduled = Instant.distantFuture
  var actions: [RedisLinkMachine.Action] = []
  private var performed = 0
  private var isPerforming = false
  private(set) var counters = RedisCounters()

  init(
    loop: EventLoop, settings: RedisSettings, greeting: RedisGreeting, context: TLSContext?, scratch: RedisScratch,
    owner: any RedisLinkOwner
  ) throws(SystemError) {
    self.loop = loop
    self.settings = settings
    self.greeting = greeting
    self.context = context
    self.scratch = scratch
    self.owner = owner
    machine = RedisLinkMachine(
      greeting: greeting.steps, usesTLS: context != nil, times: settings.times, seed: try System.random64(),
      at: System.monotonicNow)
  }

  // MARK: From the owner

  func start() {
    if deadline == nil { deadline = loop.addDeadline(self) }
    machine.started(at: loop.now, into: &actions)
    perform()
  }

  /// Closes the connection; commands without a reply fail. Afterwards nothing more is heard of the link.
  func stop() {
    machine.stopped(at: loop.now, into: &actions)
    // The owner may stop the link while it is told something: it hears of the rest here.
    if isPerforming { performRest() } else { perform() }
    owner = nil
    guard let deadline else { return }
    loop.removeDeadline(deadline)
    self.deadline = nil
  }

  /// The answer to ``RedisLinkOwner/locate(for:)``; nil: nobody knows.
  func located(_ server: RedisServer?) {
    guard case .locating = machine.state else { return }
    if let server {
      self.server = server
      machine.located(at: loop.now, into: &actions)
    } else {
      machine.notLocated(at: loop.now, into: &actions)
    }
    perform()
  }

  /// Another server is the master now.
  func masterMoved() {
    machine.masterMoved(at: loop.now, into: &actions)
    perform()
  }

  /// Adds whole commands, one reply to come for it. The owner hears of `token`, which is not 0, exactly once if this is accepted.
  func send(_ command: Span<UInt8>, token: UInt64) -> RedisSending {
    guard machine.isServing else { return .unavailable }
    guard output.count - sent + command.count <= settings.maximumQueuedBytes,
      machine.pendingCount < settings.maximumPending
    else {
      counters.refused += 1
      return .overloaded
    }
    output.append(command)
    machine.sent(token, at: loop.now)
    counters.commands += 1
    return .accepted
  }

  /// Writes what the turn brought, and reads on what TLS has inside.
  func flush() {
    if readsAgain {
      readsAgain = false
      read()
    }
    if !isBlocked, sent < output.count { write() }
    arm()
  }

  // MARK: Events

  func ready(_ events: Events) {
    switch machine.state {
    case .connecting: finishConnecting()
    case .securing: stepHandshake()
    case .greeting, .serving:
      let wantedWrite = socket?.wantsWrite ?? false
      if events.contains(.writable) {
        isBlocked = false
        write()
      }
      if wantedWrite || !events.isDisjoint(with: [.readable, .hangup, .error]) { read() }
    case .idle, .locating, .waiting, .stopped: break
    }
    arm()
  }

  func deadlinePassed(_: DeadlineID) {
    scheduled = .distantFuture
    machine.deadlineReached(at: loop.now, into: &actions)
    perform()
    arm()
  }

  /// The loop's deadline is only moved forward here; when it fires early, nothing is due and it is set anew.
  private func arm() {
    guard let deadline else { return }
    let next = machine.nextDeadline
    guard next < scheduled else { return }
    scheduled = next
    loop.schedule(deadline, at: next)
  }

  func lost(_ trouble: RedisTrouble) {
    machine.lost(trouble, at: loop.now, into: &actions)
    perform()
  }

  // MARK: Orders of the machine

  /// Carries out what the machine ordered, also what is ordered meanwhile.
  func perform() {
    if isPerforming { return }
    isPerforming = true
    performRest()
    actions.clear()
    performed = 0
    isPerforming = false
    arm()
  }

  private func performRest() {
    while performed < actions.count {
      let action = actions[performed]
      performed += 1
      carryOut(action)
    }
  }

  private func carryOut(_ action: RedisLinkMachine.Action) {
    switch action {
    case .locate: owner?.locate(for: self)
    case .connect: connect()
    case .secure: secure()
    case .greet: greeting.write(to: &output)
    case .ping: output.append("*1\r\n$4\r\nPING\r\n")
    case .close: close()
    case .deliver(let reply, let token):
      counters.replies += 1
      owner?.link(self, reply: reply, token: token)
    case .fail(let token):
      counters.failures += 1
      owner?.link(self, failed: token)
    case .message(let channel, let payload): owner?.link(self, published: payload, channel: channel)
    case .changed: owner?.linkChanged(self)
    }
  }

  private func connect() {
    guard let server else { return lost(.noMaster) }
    counters.connections += 1
    connection += 1
    reader = RedisReplyReader(limits: settings.replyLimits)
    do {
      let opened = try RedisSocket(to: server)
      try loop.register(opened.number, .writable, handler: self)
      socket = consume opened
    } catch {
      lost(.system("\(error)"))
    }
  }

  private func finishConnecting() {
    guard let number = socket?.number else { return }
    if let error = Socket.pendingError(number) { return lost(.system("\(error)")) }
    loop.modify(number, .readable)
    machine.connected(at: loop.now, into: &actions)
    perform()
  }

  private func secure() {
    guard let context, let number = socket?.number else { return lost(.tls("no context")) }
    do {
      try socket?.secure(context, name: server?.certificateName ?? "")
      // A client speaks first.
      loop.modify(number, .writable)
    } catch {
      lost(.tls(error.text))
    }
  }

  private func stepHandshake() {
    guard let outcome = socket?.handshake() else { return }
    switch outcome {
    case .octets:
      updateInterest()
      machine.secured(at: loop.now, into: &actions)
      perform()
    case .wait: updateInterest()
    case .failed(let trouble): lost(trouble)
    }
  }

  private func close() {
    if let number = socket?.number {
      socket?.shutdown()
      loop.unregister(number)
    }
    socket = nil
    connection += 1
    output.clear()
    sent = 0
    isBlocked = false
    readsAgain = false
  }

  func updateInterest() {
    guard let number = socket?.number else { return }
    var interest: Events = .readable
    if isBlocked || socket?.wantsWrite ?? false { interest.insert(.writable) }
    loop.modify(number, interest)
  }
}

extension RedisServer {
  /// Whom a certificate of the server must be for.
  fileprivate var certificateName: String {
    switch self {
    case .unix: "localhost"
    case .address(let address, let name): name ?? "\(address.address)"
    }
  }
}

import Reactor
import Structures

/// One connection of a user to the server: connects, shakes hands, sends, and hands the worker what it reads.
///
/// Where users share connections, one of each group has the socket, and the others send over it and are told what becomes
/// of it: to the worker each looks like a connection.
///
/// ```
///   closed --open()--> connecting --writable--> handshaking --complete--> open
///     ^                    |                        |                      |
///     +--------------------+---------- failure, close() or end of file ----+
/// ```
final class ClientConnection: EventHandler {
  enum State { case closed, connecting, handshaking, open }

  /// RFC 3261 §8.1.1.7.
  static let branchStart: StaticString = ";branch=z9hG4bK"

  let index: Int
  let user: ClientUser
  /// The `reg-id` (RFC 5626 §4.2), from 1.
  let registrationID: Int
  /// The connection that has the socket; nil when it is this one.
  private let carrier: ClientConnection?
  /// The positions of those that use this one's socket.
  var followers = 0..<0
  private let worker: LoadWorker
  private let link: TLSClientLink?
  private(set) var descriptor: Int32 = -1
  private(set) var state = State.closed
  private var input: [UInt8] = []
  private var output: [UInt8] = []

  /// `SIP/2.0/TLS host:port;branch=z9hG4bK`: how every Via of this connection begins.
  private(set) var viaStart: [UInt8] = []
  /// `host:port` of our end.
  private(set) var sentBy: [UInt8] = []

  // What the worker notes about it.
  var isRegistered = false {
    didSet { worker.registeredCount += (isRegistered ? 1 : 0) - (oldValue ? 1 : 0) }
  }
  /// Whether its registrations are for no time: it unregisters.
  var isLeaving = false
  var registerSequence: UInt32 = 0
  /// The operation that brings the connection up.
  var operation: OperationID?
  /// Whether it waits for a session to keep, and then closes.
  var lingers = false
  var failures = 0
  var lostAt: Int64 = -1
  var reconnectAt: Int64 = .max
  var refreshAt: Int64 = .max
  var keepAliveAt: Int64 = .max
  var stepDeadline: Int64 = .max
  private var stepStarted: Int64 = 0

  init(
    index: Int, user: ClientUser, registrationID: Int, worker: LoadWorker, context: TLSClientContext?,
    carrier: ClientConnection? = nil
  ) {
    self.index = index
    self.user = user
    self.carrier = carrier
    self.registrationID = registrationID
    self.worker = worker
    link = carrier == nil ? context.map(TLSClientLink.init) : nil
  }

  /// Whether a session was kept for the next handshake.
  var hasSession: Bool { link?.hasSession ?? false }

  // MARK: Up and down

  /// Starts to connect; the worker hears `connectionOpened` or `connectionFailed`.
  func open(to target: SocketAddress, from source: IPAddress?) {
    precondition(state == .closed)
    if let carrier {
      state = .connecting
      if carrier.state == .open { join(carrier) }
      return
    }
    stepStarted = System.monotonicNow.nanoseconds
    do throws(SystemError) {
      let isDatagram = worker.plan.transport == .udp
      descriptor = try ClientSocket.connect(to: target, from: source, isDatagram: isDatagram)
      state = .connecting
      try worker.loop.register(descriptor, isDatagram ? .readable : .writable, handler: self)
      if isDatagram { connected() }
    } catch {
      fail(error.text)
    }
  }

  /// Ends the connection in order; the worker isn't told.
  func close() {
    if state == .open { link?.finish() }
    release()
  }

  private func release() {
    if descriptor >= 0 {
      worker.loop.unregister(descriptor)
      ClientSocket.close(descriptor)
      descriptor = -1
    }
    link?.reset()
    state = .closed
    isRegistered = false
    lingers = false
    input = []
    output = []
    (refreshAt, keepAliveAt, stepDeadline) = (.max, .max, .max)
  }

  /// Ends the connection because a step took too long or a message had no end.
  func abandon(_ reason: String) { fail(reason) }

  private func fail(_ reason: String) {
    let wasOpen = state == .open
    release()
    worker.connectionLost(self, wasOpen: wasOpen, reason: reason)
    for index in followers where worker.connections[index].state == .open { worker.connections[index].fail(reason) }
  }

  /// The connection that has the socket is open: so is this one.
  private func join(_ carrier: ClientConnection) {
    (sentBy, viaStart, state, stepDeadline) = (carrier.sentBy, carrier.viaStart, .open, .max)
    worker.connectionOpened(self)
  }

  private func connected() {
    let now = System.monotonicNow.nanoseconds
    worker.results.record(.connect, nanoseconds: now - stepStarted)
    stepStarted = now
    guard let local = try? Socket.localAddress(descriptor) else { return fail("no local address") }
    sentBy.removeAll(keepingCapacity: true)
    local.append(to: &sentBy)
    viaStart.removeAll(keepingCapacity: true)
    viaStart.append("SIP/2.0/")
    viaStart.append(worker.plan.transport.viaToken)
    viaStart.append(" ")
    viaStart.append(contentsOf: sentBy)
    viaStart.append(Self.branchStart)
    guard let link else { return opened() }
    guard link.start(descriptor, resume: worker.plan.tls.resumes) else { return fail("no TLS state") }
    state = .handshaking
    shakeHands()
  }

  private func shakeHands() {
    guard let link else { return }
    switch link.handshake() {
    case .done:
      worker.results.record(.handshake, nanoseconds: System.monotonicNow.nanoseconds - stepStarted)
      if link.isResumed { worker.results.count(.connectionsResumed) }
      opened()
    case .wantsRead: worker.loop.modify(descriptor, .readable)
    case .wantsWrite: worker.loop.modify(descriptor, .writable)
    case .closed: fail("closed during the handshake")
    case .failed(let reason): fail(reason)
    }
  }

  private func opened() {
    state = .open
    stepDeadline = .max
    worker.loop.modify(descriptor, .readable)
    worker.connectionOpened(self)
    for index in followers where worker.connections[index].state == .connecting { worker.connections[index].join(self) }
    // What came with the end of the handshake is inside the TLS state, where epoll doesn't see it.
    if state == .open, link?.hasPending ?? false { receive() }
  }

  // MARK: Events

  func ready(_ events: Events) {
    switch state {
    case .closed: break
    case .connecting:
      if let error = Socket.pendingError(descriptor) { fail(error.text) } else { connected() }
    case .handshaking: shakeHands()
    case .open:
      if events.contains(.writable) { flush() }
      if state == .open, !events.isDisjoint(with: [.readable, .error, .hangup]) { receive() }
    }
  }

  private func receive() {
    repeat {
      let kept = input.count
      if kept > 0 { worker.fillScratch(input) }
      switch read(from: kept) {
      case .done(let length): take(kept + length)
      case .wantsRead, .wantsWrite:
        if lingers { close() }
        return
      case .closed: return fail("closed by the server")
      case .failed(let reason): return fail(reason)
      }
    } while state == .open && link?.hasPending ?? false
  }

  private func read(from offset: Int) -> TLSOutcome {
    if let link { return link.read(into: &worker.scratch, from: offset) }
    switch Socket.read(descriptor, into: &worker.scratch, from: offset) {
    case .octets(let count): return .done(count)
    case .wouldBlock: return .wantsRead
    case .endOfFile: return .closed
    case .failed(let code): return .failed(SystemError("read", code: code).text)
    }
  }

  private func take(_ length: Int) {
    let used = worker.consume(length, from: self)
    guard state == .open else { return }
    if used < 0 {
      worker.framingLost(self)
      return fail("framing")
    }
    if used == length {
      if !input.isEmpty { input.removeAll(keepingCapacity: false) }
    } else {
      input = Array(worker.scratch[used..<length])
    }
  }

  // MARK: Sending

  /// Sends octets, now or when the socket takes them; nothing when the connection isn't open.
  func send(_ octets: [UInt8]) {
    guard state == .open else { return }
    if let carrier { return carrier.send(octets) }
    if !output.isEmpty {
      output += octets
      return
    }
    var sent = 0
    while sent < octets.count {
      switch write(octets.span.extracting(sent..<octets.count)) {
      case .done(let count): sent += count
      case .wantsRead, .wantsWrite:
        output = Array(octets[sent...])
        worker.loop.modify(descriptor, [.readable, .writable])
        return
      // The failure is found again when the socket is read, at a place from which the connection can be given up.
      case .closed, .failed: return
      }
    }
  }

  private func write(_ octets: Span<UInt8>) -> TLSOutcome {
    if let link { return link.write(octets) }
    switch Socket.send(descriptor, octets) {
    case .octets(let count): return .done(count)
    case .wouldBlock: return .wantsWrite
    case .endOfFile: return .closed
    case .failed(let code): return .failed(SystemError("send", code: code).text)
    }
  }

  private func flush() {
    let waiting = output
    output = []
    worker.loop.modify(descriptor, .readable)
    send(waiting)
  }
}

import CLinux
import Reactor
import Structures

/// One POST: looks the host up, connects, sends, reads the response. Ends with one outcome, at its deadline at the latest.
///
///     looking up ─► connecting ─► exchanging ─► ended
///          └─────────────┴────────────┴───────────┘
final class HTTPFetch: EventHandler, DeadlineOwner {
  typealias Outcome = HTTPResponseReader.Outcome

  /// How often it is asked whether a name is found.
  private static let lookupInterval = Duration.milliseconds(5)

  private enum State {
    case lookingUp
    case connecting
    case exchanging
    case ended
  }

  private let loop: EventLoop
  private let address: HTTPAddress
  private let limit: Instant
  private let request: [UInt8]
  private var sent = 0
  private var reader: HTTPResponseReader
  private var buffer = [UInt8](repeating: 0, count: 16_384)
  private var state = State.lookingUp
  private let lookups: LookupPool
  private var lookup: OpaquePointer?
  private var descriptor: Descriptor?
  private var deadline: DeadlineID?
  private var finished: ((Outcome) -> Void)?

  /// A fetch that has yet to be started.
  init(
    loop: EventLoop, lookups: LookupPool, address: HTTPAddress, mediaType: String, body: [UInt8], maximumBody: Int,
    within limit: Duration, finished: @escaping (Outcome) -> Void
  ) {
    self.loop = loop
    self.lookups = lookups
    self.address = address
    self.limit = loop.now + limit
    self.finished = finished
    reader = HTTPResponseReader(maximumBody: maximumBody)
    let head =
      "POST \(address.target) HTTP/1.0\r\nHost: \(address.authority)\r\nContent-Type: \(mediaType)\r\n"
      + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
    request = Array(head.utf8) + body
  }

  /// Begins.
  func start() {
    deadline = loop.addDeadline(self)
    if let literal = IPAddress(address.host) { return connect(SocketAddress(literal, port: address.port)) }
    lookup = lookups.start(address.host)
    if lookup == nil { return end(.failure("the host name \(address.host) can't be looked up now")) }
    schedule()
  }

  // MARK: Events

  func deadlinePassed(_: DeadlineID) {
    if loop.now >= limit { return end(.failure("no answer in time")) }
    if state == .lookingUp { lookUp() }
    schedule()
  }

  func ready(_ events: Events) {
    guard let number = descriptor?.number else { return }
    switch state {
    case .connecting:
      if let error = Socket.pendingError(number) { return end(.failure("\(error)")) }
      state = .exchanging
      send(number)
    case .exchanging:
      if sent < request.count, events.contains(.writable) { send(number) }
      if state == .exchanging { receive(number) }
    case .lookingUp, .ended: break
    }
  }

  // MARK: Steps

  private func lookUp() {
    guard let lookup else { return }
    var found = clinux_address()
    let state = clinux_lookup_poll(lookup, &found)
    if state == 0 { return }
    self.lookup = nil
    lookups.end(lookup)
    guard state == 1, let remote = SocketAddress(lookup: found, port: address.port) else {
      return end(.failure("there is no host \(address.host)"))
    }
    connect(remote)
  }

  private func connect(_ remote: SocketAddress) {
    do {
      let made = try Socket.connect(to: remote)
      try loop.register(made.number, .writable, handler: self)
      descriptor = consume made
      state = .connecting
      schedule()
    } catch { end(.failure("\(error)")) }
  }

  private func send(_ number: Int32) {
    let request = request
    while sent < request.count {
      switch Socket.send(number, request.span.extracting(sent...)) {
      case .octets(let count): sent += count
      case .wouldBlock: return
      // It may have answered before it closed.
      case .endOfFile, .failed: sent = request.count
      }
    }
    loop.modify(number, .readable)
  }

  private func receive(_ number: Int32) {
    switch Socket.read(number, into: &buffer) {
    case .octets(let count): if let outcome = reader.receive(buffer[..<count]) { end(outcome) }
    case .wouldBlock: break
    case .endOfFile: end(reader.end())
    case .failed(let code): end(.failure("\(SystemError("read", code: code))"))
    }
  }

  private func schedule() {
    guard let deadline else { return }
    loop.schedule(deadline, at: state == .lookingUp ? min(limit, loop.now + Self.lookupInterval) : limit)
  }

  /// Gives everything back, then tells the outcome.
  func end(_ outcome: Outcome) {
    guard state != .ended else { return }
    state = .ended
    if let number = descriptor?.number { loop.unregister(number) }
    descriptor = nil
    if let deadline = deadline.take() { loop.removeDeadline(deadline) }
    if let lookup = lookup.take() { lookups.end(lookup) }
    let finished = finished.take()
    finished?(outcome)
  }
}

extension SocketAddress {
  /// What a lookup found, with a port.
  fileprivate init?(lookup found: clinux_address, port: UInt16) {
    switch found.family {
    case 4: self.init(IPAddress(v4: UInt32(truncatingIfNeeded: found.low)), port: port)
    case 6: self.init(IPAddress(v6: found.high, found.low), port: port)
    default: return nil
    }
  }
}

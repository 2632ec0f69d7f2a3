import Reactor
import Structures
import TLSEngine

/// One listening socket.
final class StreamListener: EventHandler, DeadlineOwner {
  /// Connections accepted in one turn: others wait in the kernel, established ones don't.
  private static let acceptsPerTurn = 16
  /// How long to leave connections in the kernel when there is no descriptor even to refuse them.
  private static let backOff = Duration.milliseconds(100)

  let index: UInt16
  let transport: TransportProtocol
  var context: TLSContext?
  /// The address that its connections have here; nil when it listens on all.
  let local: SocketAddress?
  private let layer: TransportLayer
  private let descriptor: Descriptor
  private var deadline: DeadlineID?
  private(set) var isPaused = false
  private var isStopped = false

  init(
    layer: TransportLayer, descriptor: consuming Descriptor, index: UInt16, transport: TransportProtocol,
    context: TLSContext?
  ) throws(SystemError) {
    self.layer = layer
    self.index = index
    self.transport = transport
    self.context = context
    self.descriptor = consume descriptor
    try Socket.adopt(self.descriptor.number)
    let bound = try Socket.localAddress(self.descriptor.number)
    local = bound.address.isUnspecified ? nil : bound
    setOptions()
    try layer.loop.register(self.descriptor.number, .readable, handler: self)
    deadline = layer.loop.addDeadline(self)
  }

  /// Connections inherit the socket's options.
  func setOptions() { layer.setOptions(descriptor.number) }

  func ready(_ events: Events) {
    for _ in 0..<Self.acceptsPerTurn where !isStopped {
      if transport == .tls, !layer.makeRoomForHandshake() { return pauseForAWhile() }
      switch Socket.accept(descriptor.number) {
      case .connection(let connection, let remote): layer.admit(consume connection, from: remote, at: self)
      case .none: return
      case .exhausted:
        guard layer.shedConnection(of: descriptor.number) else { return pauseForAWhile() }
      // Whatever it is, a socket that stays ready must not keep the loop busy.
      case .failed: return pauseForAWhile()
      }
    }
  }

  /// Leaves connections in the kernel until ``resume()``.
  private func pause() {
    isPaused = true
    layer.loop.modify(descriptor.number, [])
  }

  private func pauseForAWhile() {
    pause()
    if let deadline { layer.loop.schedule(deadline, at: layer.loop.now + Self.backOff) }
  }

  func resume() {
    isPaused = false
    layer.loop.modify(descriptor.number, .readable)
  }

  func deadlinePassed(_: DeadlineID) { if !isStopped { resume() } }

  /// Accepts no more for the time being.
  func rest() {
    isStopped = true
    layer.loop.unregister(descriptor.number)
  }

  /// Accepts again.
  func restart() throws(SystemError) {
    isStopped = false
    isPaused = false
    try layer.loop.register(descriptor.number, .readable, handler: self)
  }

  /// Accepts no more; whoever else holds the socket may go on.
  func stop() {
    isStopped = true
    layer.loop.unregister(descriptor.number)
    if let deadline = deadline.take() { layer.loop.removeDeadline(deadline) }
  }
}

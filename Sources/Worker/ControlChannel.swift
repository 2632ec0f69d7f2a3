import Configuration
import Reactor
import Structures

/// The worker's end of the channel to its supervisor: says that the worker is ready and lives, hears orders.
final class ControlChannel: EventHandler, DeadlineOwner {
  /// What the supervisor wants, or that it is gone.
  enum Order {
    case drain, stop, abandoned
  }

  private let descriptor: Int32
  private let loop: EventLoop
  private var heartbeat: DeadlineID?
  private let obey: (Order) -> Void

  /// Takes over the descriptor; orders are handed to `obey`.
  init(descriptor: Int32, loop: EventLoop, obey: @escaping (Order) -> Void) throws(SystemError) {
    self.descriptor = descriptor
    self.loop = loop
    self.obey = obey
    try Socket.adopt(descriptor)
    try loop.register(descriptor, .readable, handler: self)
    let deadline = loop.addDeadline(self)
    heartbeat = deadline
    loop.schedule(deadline, at: loop.now + ControlMessage.heartbeatInterval)
  }

  /// Says that the worker serves.
  func sayReady() { send(.ready) }

  func ready(_ events: Events) {
    var buffer = [UInt8](repeating: 0, count: 16)
    while true {
      switch Socket.read(descriptor, into: &buffer) {
      case .octets(let count):
        switch ControlMessage(buffer.span.extracting(..<count)) {
        case .drain: obey(.drain)
        case .stop: obey(.stop)
        case .ready, .heartbeat, nil: break
        }
      case .wouldBlock: return
      case .endOfFile, .failed:
        loop.unregister(descriptor)
        obey(.abandoned)
        return
      }
    }
  }

  func deadlinePassed(_ deadline: DeadlineID) {
    send(.heartbeat)
    loop.schedule(deadline, at: loop.now + ControlMessage.heartbeatInterval)
  }

  private func send(_ message: ControlMessage) {
    let octets = message.octets
    _ = Socket.send(descriptor, octets.span)
  }
}

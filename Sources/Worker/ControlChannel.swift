import Configuration
import Reactor
import Structures

/// The worker's end of the channel to its supervisor: says that the worker is ready and lives, hears orders.
final class ControlChannel: EventHandler, DeadlineOwner {
  /// What the supervisor wants, or that it is gone.
  enum Order: ~Copyable {
    case drain, stop, abandoned
    /// An administrator asks; to be answered with the same number.
    case question(id: UInt32, octets: [UInt8])
    /// Could the worker serve by the configuration in this memory?
    case prepare(version: UInt64, Descriptor)
    case commit(version: UInt64)
    case abort(version: UInt64)
    /// The next process of the slot is at the other end.
    case handOver(Descriptor)
    /// It has ended.
    case goOn
    /// All processes of another slot up to a generation have ended.
    case slotEnded(UInt16, generation: UInt16)
    case moveOff(seconds: UInt32, refuses: Bool)
    case stay
  }

  private let descriptor: Int32
  private let loop: EventLoop
  private var heartbeat: DeadlineID?
  private var buffer = [UInt8](repeating: 0, count: ControlMessage.maximumSize)
  private let obey: (consuming Order) -> Void

  /// Takes over the descriptor; orders are handed to `obey`.
  init(descriptor: Int32, loop: EventLoop, obey: @escaping (consuming Order) -> Void) throws(SystemError) {
    self.descriptor = descriptor
    self.loop = loop
    self.obey = obey
    try Socket.adopt(descriptor)
    try loop.register(descriptor, .readable, handler: self)
    let deadline = loop.addDeadline(self)
    heartbeat = deadline
    loop.schedule(deadline, at: loop.now + ControlMessage.heartbeatInterval)
  }

  /// Tells the supervisor something; whether it was taken.
  @discardableResult
  func send(_ message: ControlMessage) -> Bool {
    let octets = message.octets
    return Socket.send(descriptor, octets.span) == .octets(octets.count)
  }

  func ready(_ events: Events) {
    while true {
      var passed: Descriptor?
      switch Socket.receive(descriptor, into: &buffer, passed: &passed) {
      case .octets(let count):
        let buffer = buffer
        if let message = ControlMessage(buffer.span.extracting(..<count)) { take(message, passed.take()) }
      case .wouldBlock: return
      case .failed(Errno.messageSize): continue
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

  private func take(_ message: ControlMessage, _ passed: consuming Descriptor?) {
    switch message {
    case .drain: obey(.drain)
    case .stop: obey(.stop)
    case .question(let id, let octets): obey(.question(id: id, octets: octets))
    case .prepare(let version):
      guard let memory = passed.take() else { return }
      obey(.prepare(version: version, memory))
    case .commit(let version): obey(.commit(version: version))
    case .abort(let version): obey(.abort(version: version))
    case .handOver:
      guard let socket = passed.take() else { return }
      obey(.handOver(socket))
    case .goOn: obey(.goOn)
    case .slotEnded(let slot, let generation): obey(.slotEnded(slot, generation: generation))
    case .moveOff(let seconds, let refuses): obey(.moveOff(seconds: seconds, refuses: refuses))
    case .stay: obey(.stay)
    case .ready, .heartbeat, .answer, .prepared, .refused, .tookOver: break
    }
  }
}

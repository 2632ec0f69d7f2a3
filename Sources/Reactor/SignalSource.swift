import CLinux

/// Signals as events of a loop: blocked for this thread, delivered between other events.
public final class SignalSource: EventHandler {
  /// The signals that processes of ours listen to.
  public enum Signal: Int32, Sendable {
    case hup = 1
    case int = 2
    case usr1 = 10
    case usr2 = 12
    case term = 15
    case child = 17
  }

  private let descriptor: Descriptor
  private let loop: EventLoop
  private let deliver: (Signal) -> Void

  /// Starts to deliver the signals until ``stop()``. Make it before any thread is started: others inherit the blocking.
  public init(_ signals: [Signal], loop: EventLoop, deliver: @escaping (Signal) -> Void) throws(SystemError) {
    let numbers = signals.map(\.rawValue)
    let number = numbers.withUnsafeBufferPointer { clinux_signal_descriptor($0.baseAddress, Int32($0.count)) }
    descriptor = Descriptor(owning: try SystemError.check("signalfd", number))
    self.loop = loop
    self.deliver = deliver
    try loop.register(descriptor.number, .readable, handler: self)
  }

  /// Delivers no more. The signals stay blocked.
  public func stop() {
    loop.unregister(descriptor.number)
  }

  /// Takes the signals that came.
  public func ready(_ events: Events) {
    var received = clinux_signal()
    while clinux_signal_read(descriptor.number, &received) == 1 {
      if let signal = Signal(rawValue: received.number) { deliver(signal) }
    }
  }
}

import CLinux
import CLoadGenerator
import Reactor
import Structures

/// The sockets of users.
enum ClientSocket {
  /// A socket that starts to connect, or a datagram socket that is connected. Binds to `source` first.
  static func connect(
    to target: SocketAddress, from source: IPAddress?, isDatagram: Bool
  ) throws(SystemError) -> Int32 {
    var address = system(target)
    let result: Int32
    if let source {
      var bound = system(SocketAddress(source, port: 0))
      result = cload_connect(&address, &bound, isDatagram)
    } else {
      result = cload_connect(&address, nil, isDatagram)
    }
    if result < 0 { throw SystemError("connect", code: -result) }
    return result
  }

  static func close(_ descriptor: Int32) { clinux_close(descriptor) }

  private static func system(_ address: SocketAddress) -> clinux_address {
    clinux_address(
      high: address.address.high, low: address.address.low, port: address.port, family: address.address.family.rawValue)
  }
}

/// Fires at an instant, to the microsecond: the event loop's deadlines are too coarse for an open loop.
final class PreciseTimer: EventHandler {
  private let descriptor: Int32
  private var armed: Int64 = 0

  init(_ loop: EventLoop) throws(SystemError) {
    descriptor = cload_timer_create()
    if descriptor < 0 { throw SystemError("timerfd_create", code: -descriptor) }
    try loop.register(descriptor, .readable, handler: self)
  }

  deinit { clinux_close(descriptor) }

  /// Wakes the loop at the instant, in nanoseconds of the monotonic clock.
  func set(_ instant: Int64) {
    if instant == armed { return }
    armed = instant
    _ = cload_timer_set(descriptor, max(1, instant))
  }

  func ready(_ events: Events) {
    armed = 0
    cload_timer_drain(descriptor)
  }
}

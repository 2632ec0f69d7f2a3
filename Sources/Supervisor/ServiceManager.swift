internal import CLinux
internal import Glibc
internal import Reactor
internal import Structures

/// What the service manager that started the node is told (sd_notify(3)), where one did: when the node serves, reloads
/// and ends, how it is, and that it turns.
final class ServiceManager {
  /// The socket, its first octet 0 for an abstract one; nil: nobody wants to be told.
  private let socket: [UInt8]?
  /// The variables that were taken out of the environment, for the program that follows in this process.
  private(set) var environment: [(name: String, value: String)] = []
  /// How often it wants a sign of life at least.
  private let watchdog: Duration?
  private var deadline: DeadlineID?
  private var loop: EventLoop?

  /// Takes what stands in the environment out of it, so that no child speaks in our name.
  static func fromEnvironment() -> ServiceManager {
    func take(_ name: String) -> String? {
      let value = getenv(name).map { String(cString: $0) }
      unsetenv(name)
      return value
    }
    let variables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"].map { (name: $0, value: take($0)) }
    let manager = ServiceManager(
      socket: variables[0].value, watchdogMicroseconds: variables[1].value, watchdogProcess: variables[2].value,
      process: getpid())
    manager.environment = variables.compactMap { variable in variable.value.map { (variable.name, $0) } }
    return manager
  }

  /// The manager by the values of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, for our process id.
  init(socket name: String?, watchdogMicroseconds: String?, watchdogProcess: String?, process: Int32) {
    if let name, name.hasPrefix("/") || name.hasPrefix("@"), name.utf8.count <= 107 {
      socket = name.hasPrefix("@") ? [0] + name.utf8.dropFirst() : Array(name.utf8)
    } else {
      socket = nil
    }
    let isOurs = watchdogProcess.map { Int32($0) == process } ?? true
    if socket != nil, isOurs, let time = watchdogMicroseconds.flatMap({ Int64($0) }), time > 0 {
      watchdog = .nanoseconds(min(time, 86_400_000_000) * 1_000)
    } else {
      watchdog = nil
    }
  }

  /// Starts the signs of life, twice as often as asked for.
  func watch(_ loop: EventLoop) {
    guard watchdog != nil else { return }
    self.loop = loop
    deadline = loop.addDeadline(self)
    showLife()
  }

  /// The node serves; also the end of a reload.
  func ready(_ status: String) { tell(["READY=1", "STATUS=\(status)"]) }

  /// A reload begins.
  func reloading() {
    tell(["RELOADING=1", "MONOTONIC_USEC=\(System.monotonicNow.nanoseconds / 1_000)", "STATUS=reading the settings"])
  }

  /// The node ends.
  func stopping() { tell(["STOPPING=1", "STATUS=ending"]) }

  /// How the node is, in a line.
  func status(_ status: String) { tell(["STATUS=\(status)"]) }

  private func showLife() {
    guard let watchdog, let deadline, let loop else { return }
    tell(["WATCHDOG=1"])
    loop.schedule(deadline, at: System.monotonicNow + watchdog / 2)
  }

  /// A manager that doesn't listen is no reason to fail.
  private func tell(_ lines: [String]) {
    guard let socket else { return }
    let text = lines.map { $0.replacing("\n", with: " ") }.joined(separator: "\n")
    _ = clinux_unix_send(socket, socket.count, text, text.utf8.count)
  }
}

extension ServiceManager: DeadlineOwner {
  /// It is time for a sign of life.
  func deadlinePassed(_ deadline: DeadlineID) { showLife() }
}

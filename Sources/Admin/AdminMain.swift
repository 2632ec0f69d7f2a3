import CLinux
import Glibc
import Log
import Logging
import Reactor

/// Runs the admin process of a node until it is told to end, then exits with 0: the one process that speaks HTTP to others, so
/// that a fault there harms no call. `words` are the arguments behind the program's name: `--listener-fd N`, the socket that
/// workers connect to.
public func runAdmin(_ words: [String]) -> Never {
  let log = Logger(label: "apus-admin") { _ in StandardErrorLog(program: "apus-admin") }
  guard words.count == 2, words[0] == "--listener-fd", let number = Int32(words[1]), number >= 0 else {
    log.error("apus-admin is started by apus: run `apus serve --config FILE`")
    exit(2)
  }
  do {
    System.ignoreBrokenPipes()
    let loop = try EventLoop()
    let service = try FetchService(listener: Descriptor(owning: number), loop: loop)
    let signals = try SignalSource([.int, .term, .hup], loop: loop) { signal in
      // Whoever interrupts the whole group means the supervisor.
      if signal == .term { loop.stop() }
    }
    try withExtendedLifetime((service, signals)) { try loop.run() }
    exit(0)
  } catch {
    log.error("admin process can't run: \(error)")
    exit(1)
  }
}

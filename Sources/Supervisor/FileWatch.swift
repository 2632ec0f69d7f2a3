internal import Configuration
internal import Glibc
internal import Reactor
internal import Structures

/// Looks twice a second whether files changed, also those of directories: by their size, time and number, without opening
/// them. That works on network file systems and with links that are turned to another file, where inotify tells nothing.
final class FileWatch: DeadlineOwner {
  /// Between two looks.
  static let interval = Duration.milliseconds(500)

  /// What tells one state of a file from another.
  private struct Stamp: Equatable {
    var path: String
    var seconds = 0
    var nanoseconds = 0
    var size = 0
    var number: UInt64 = 0
  }

  private let loop: EventLoop
  private let changed: () -> Bool
  private var deadline: DeadlineID?
  private var paths: [String] = []
  /// What was there when it was last told of, or at the start.
  private var known: [Stamp] = []
  /// What was there at the last look.
  private var last: [Stamp] = []

  /// `changed` is called when files are otherwise than before, and have been for one interval, so that nothing is read that
  /// is half written; it returns whether it has taken note, else it is called again.
  init(loop: EventLoop, changed: @escaping () -> Bool) {
    self.loop = loop
    self.changed = changed
    deadline = loop.addDeadline(self)
  }

  /// Watches these files and directories from now on, as they are now; none is free of cost.
  func watch(_ paths: [String]) {
    if paths == self.paths { return }
    self.paths = paths
    known = Self.stamps(of: paths)
    last = known
    schedule()
  }

  /// Ends it.
  func stop() {
    paths = []
    if let deadline = deadline.take() { loop.removeDeadline(deadline) }
  }

  func deadlinePassed(_: DeadlineID) {
    let now = Self.stamps(of: paths)
    if now != known, now == last, changed() { known = now }
    last = now
    schedule()
  }

  private func schedule() {
    guard let deadline else { return }
    if paths.isEmpty { return loop.cancel(deadline) }
    loop.schedule(deadline, at: loop.now + Self.interval)
  }

  private static func stamps(of paths: [String]) -> [Stamp] {
    paths.flatMap { path -> [Stamp] in
      guard Files.isDirectory(path) else { return [stamp(of: path)] }
      return Files.names(in: path).filter { !$0.hasPrefix(".") }.sorted().map { stamp(of: path + "/" + $0) }
    }
  }

  private static func stamp(of path: String) -> Stamp {
    var status = stat()
    guard stat(path, &status) == 0 else { return Stamp(path: path) }
    return Stamp(
      path: path, seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec, size: Int(status.st_size),
      number: UInt64(status.st_ino))
  }
}

import CLinux
import Configuration
import Reactor
import Structures

/// The worker's end of the way to the admin process, which fetches by HTTP for it. Connects when there is something to fetch.
final class AdminChannel: EventHandler, DeadlineOwner {
  /// The name of the admin process's socket in the state directory.
  static let socketName = "admin.sock"
  /// Fetches under way at most.
  static let most = 256
  /// How much longer than the admin process it is waited for: it may hang.
  private static let grace = Duration.seconds(1)

  /// What came of a fetch.
  enum Outcome {
    case body([UInt8])
    case failure(String)
  }

  private let path: String
  private let loop: EventLoop
  private var descriptor: Descriptor?
  private var buffer: [UInt8] = []
  private var deadline: DeadlineID?
  private var lastID: UInt32 = 0
  private var waiting: [UInt32: (limit: Instant, finished: (Outcome) -> Void)] = [:]

  /// A channel to the socket at `path`.
  init(path: String, loop: EventLoop) {
    self.path = path
    self.loop = loop
  }

  /// POSTs octets to a URL. `finished` hears of the outcome later; returns why it can't be begun, and then never hears.
  func post(
    _ body: [UInt8], mediaType: String, to url: String, within limit: Duration, finished: @escaping (Outcome) -> Void
  ) -> String? {
    guard waiting.count < Self.most else { return "too much is being fetched" }
    lastID &+= 1
    let milliseconds = UInt32(clamping: limit.nanoseconds / 1_000_000)
    let message = FetchMessage.post(
      id: lastID, milliseconds: milliseconds, url: url, mediaType: mediaType, body: body)
    guard let octets = message.octets else { return "the question is too long" }
    do throws(SystemError) { try connect() } catch { return "the admin process can't be reached: \(error)" }
    guard let number = descriptor?.number, Socket.send(number, octets.span) == .octets(octets.count) else {
      return "the admin process takes nothing"
    }
    waiting[lastID] = (loop.now + limit + Self.grace, finished)
    schedule()
    return nil
  }

  func ready(_: Events) {
    while let number = descriptor?.number {
      var passed: Descriptor?
      switch Socket.receive(number, into: &buffer, passed: &passed) {
      case .octets(let count):
        let buffer = buffer
        if let message = FetchMessage(buffer.span.extracting(..<count)) { take(message) }
      case .wouldBlock: return
      case .failed(Errno.messageSize): continue
      case .endOfFile, .failed: drop()
      }
    }
  }

  func deadlinePassed(_: DeadlineID) {
    for (id, fetch) in waiting where fetch.limit <= loop.now {
      waiting[id] = nil
      fetch.finished(.failure("the admin process doesn't answer"))
    }
    schedule()
  }

  private func take(_ message: FetchMessage) {
    switch message {
    case .body(let id, let octets): waiting.removeValue(forKey: id)?.finished(.body(octets))
    case .failure(let id, let reason): waiting.removeValue(forKey: id)?.finished(.failure(reason))
    case .post: break
    }
  }

  private func connect() throws(SystemError) {
    if descriptor != nil { return }
    let result = clinux_unix_connect(path, clinux_seqpacket)
    if result < 0 { throw SystemError("connect", code: -result) }
    let made = Descriptor(owning: result)
    try loop.register(result, .readable, handler: self)
    descriptor = consume made
    if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: FetchMessage.maximumSize) }
  }

  /// The admin process is gone.
  private func drop() {
    if let number = descriptor?.number { loop.unregister(number) }
    descriptor = nil
    let lost = waiting
    waiting = [:]
    for fetch in lost.values { fetch.finished(.failure("the admin process ended")) }
  }

  private func schedule() {
    let deadline = deadline ?? loop.addDeadline(self)
    self.deadline = deadline
    if let next = waiting.values.map(\.limit).min() {
      loop.schedule(deadline, at: next)
    } else {
      loop.cancel(deadline)
    }
  }
}

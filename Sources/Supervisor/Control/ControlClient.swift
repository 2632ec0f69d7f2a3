internal import Reactor
internal import Structures

/// One connection of the control socket: lines in, lines out, one request at a time. What it may hold is bounded, and it is closed when nothing
/// moves for ``silence``.
final class ControlClient: EventHandler, DeadlineOwner {
  /// A longer request is none: 64 KiB.
  static let maximumRequest = 64 << 10
  /// Above this nothing more is asked of workers for the client, bytes.
  static let fullOutput = 256 << 10
  /// Without any progress.
  static let silence = Duration.seconds(60)

  /// The line of a request, without its end.
  var received: (ControlClient, [UInt8]) -> Void = { _, _ in }
  /// There is room for more.
  var drained: (ControlClient) -> Void = { _ in }
  /// The connection is gone.
  var closed: (ControlClient) -> Void = { _ in }

  private let loop: EventLoop
  private var descriptor: Descriptor?
  private let number: Int32
  private var input: [UInt8] = []
  private var output: [UInt8] = []
  private var sent = 0
  private var isBusy = false
  private var closesAfterOutput = false
  private var deadline: DeadlineID?

  init(_ descriptor: consuming Descriptor, loop: EventLoop) throws(SystemError) {
    self.loop = loop
    number = descriptor.number
    self.descriptor = consume descriptor
    try loop.register(number, .readable, handler: self)
    let deadline = loop.addDeadline(self)
    self.deadline = deadline
    touch()
  }

  /// Whether the client should read before it is given more.
  var isFull: Bool { output.count - sent >= Self.fullOutput }

  /// Whether the connection is there.
  var isOpen: Bool { deadline != nil }

  // MARK: - What is done

  /// Sends a line of an answer.
  func send(_ line: [UInt8]) {
    guard isOpen else { return }
    output += line
    output.append(0x0A)
    flush()
  }

  /// The answer is complete: the next request may be read.
  func finish() {
    isBusy = false
    takeRequest()
    updateInterest()
  }

  /// Closes the connection when what waits is sent.
  func closeAfterOutput() {
    closesAfterOutput = true
    isBusy = true
    flush()
  }

  /// Closes the connection at once.
  func close() {
    guard let deadline = deadline.take() else { return }
    loop.removeDeadline(deadline)
    loop.unregister(number)
    descriptor = nil
    closed(self)
    (received, drained, closed) = ({ _, _ in }, { _ in }, { _ in })
  }

  // MARK: - What happens

  func ready(_ events: Events) {
    if events.contains(.writable) { flush() }
    guard isOpen, !events.isDisjoint(with: [.readable, .hangup, .error]) else { return }
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    switch Socket.read(number, into: &buffer) {
    case .octets(let count):
      touch()
      input += buffer[..<count]
      takeRequest()
      updateInterest()
    case .wouldBlock: break
    // Whoever sends no more may still read; but all of ours wait for their answer.
    case .endOfFile, .failed: close()
    }
  }

  func deadlinePassed(_: DeadlineID) { close() }

  private func takeRequest() {
    guard !isBusy, isOpen else { return }
    guard let end = input.firstIndex(of: 0x0A) else {
      if input.count > Self.maximumRequest { close() }
      return
    }
    let line = Array(input[..<end])
    input.removeSubrange(...end)
    guard line.count <= Self.maximumRequest else { return close() }
    isBusy = true
    received(self, line)
  }

  private func flush() {
    while isOpen, sent < output.count {
      let rest = output[sent...]
      switch Socket.send(number, rest.span) {
      case .octets(let count):
        sent += count
        touch()
      case .wouldBlock:
        compact()
        return updateInterest()
      case .endOfFile, .failed: return close()
      }
    }
    guard isOpen else { return }
    compact()
    if closesAfterOutput { return close() }
    updateInterest()
    drained(self)
  }

  private func compact() {
    output.removeSubrange(..<sent)
    sent = 0
  }

  /// While a request is under way no other is read.
  private func updateInterest() {
    guard isOpen else { return }
    var interest: Events = []
    if !isBusy || input.count <= Self.maximumRequest { interest.insert(.readable) }
    if sent < output.count { interest.insert(.writable) }
    loop.modify(number, interest)
  }

  private func touch() {
    if let deadline { loop.schedule(deadline, at: loop.now + Self.silence) }
  }
}

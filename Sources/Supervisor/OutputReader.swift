internal import Reactor

/// Reads the lines that a child writes to a pipe.
final class OutputReader: EventHandler {
  /// A longer line is cut in pieces.
  private static let longestLine = 4_096

  private let descriptor: Descriptor
  var number: Int32 { descriptor.number }
  private let loop: EventLoop
  private let received: (String) -> Void
  private var rest: [UInt8] = []
  private var isOpen = true

  /// Takes over the reading end; each line, without its end, is handed to `received`.
  init(
    _ descriptor: consuming Descriptor, loop: EventLoop, received: @escaping (String) -> Void
  ) throws(SystemError) {
    self.descriptor = descriptor
    self.loop = loop
    self.received = received
    try Socket.adopt(self.descriptor.number)
    try loop.register(self.descriptor.number, .readable, handler: self)
  }

  func ready(_ events: Events) {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while isOpen {
      switch Socket.read(descriptor.number, into: &buffer) {
      case .octets(let count): take(buffer[..<count])
      case .wouldBlock: return
      case .endOfFile, .failed: stop()
      }
    }
  }

  /// Reads what is left and ends.
  func close() {
    ready(.readable)
    stop()
  }

  private func stop() {
    guard isOpen else { return }
    isOpen = false
    if !rest.isEmpty { tell() }
    loop.unregister(descriptor.number)
  }

  private func take(_ octets: ArraySlice<UInt8>) {
    for octet in octets {
      if octet == UInt8(ascii: "\n") { tell() } else { rest.append(octet) }
      if rest.count >= Self.longestLine { tell() }
    }
  }

  private func tell() {
    if !rest.isEmpty { received(String(decoding: rest, as: UTF8.self)) }
    rest.removeAll(keepingCapacity: true)
  }
}

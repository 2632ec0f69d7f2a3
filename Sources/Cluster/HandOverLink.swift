import Reactor
import Structures

/// Who hears what comes over a ``HandOverLink``.
public protocol HandOverDelegate: AnyObject {
  /// The other process says something; `octets` follow the message, and a descriptor may have come along.
  func handOver(received message: HandOverMessage, _ octets: Span<UInt8>, _ passed: consuming Descriptor?)
  /// The other process sent a frame as over a link.
  func handOver(received frame: LinkFrame, _ octets: Span<UInt8>)
  /// The socket takes packets again.
  func handOverHasRoom()
  /// The other process is gone.
  func handOverEnded()
}

/// The connection between two processes of one slot: a pair of packet sockets that their supervisor made, to which nobody else has a path.
///
/// Everything arrives in the order in which it was sent. Nothing here waits: what the socket doesn't take stays in a queue; what comes with a
/// descriptor is sent at once or not at all.
public final class HandOverLink: EventHandler {
  /// A connection with all that waits to be sent over it.
  public static let packetSize = 256 << 10
  private static let packetsPerTurn = 64
  /// Octets of frames that may wait while the other process doesn't read.
  private static let maximumWaiting = 16 << 20

  private let loop: EventLoop
  private var descriptor: Descriptor?
  private let number: Int32
  private weak var delegate: (any HandOverDelegate)?
  private var waiting: [[UInt8]] = []
  private var waitingBytes = 0
  private var frames: [UInt8] = []
  /// Something with a descriptor found no room.
  private var wantsRoom = false
  private var buffer = [UInt8](repeating: 0, count: packetSize)

  /// Takes the socket over. Create it after the transport.
  public init(_ descriptor: consuming Descriptor, loop: EventLoop, delegate: any HandOverDelegate) throws(SystemError) {
    self.loop = loop
    self.delegate = delegate
    number = descriptor.number
    try Socket.adopt(number)
    Socket.setSendBuffer(number, bytes: LinkSocket.bufferBytes)
    self.descriptor = consume descriptor
    try loop.register(number, .readable, handler: self)
    loop.addHook(.flush) { [weak self] in self?.flush() }
  }

  /// Octets that wait for room.
  public var queuedBytes: Int { waitingBytes + frames.count }

  /// Ends the connection.
  public func close() {
    guard descriptor != nil else { return }
    flush()
    loop.unregister(number)
    descriptor = nil
  }

  /// Says something, in its turn; nothing once the other process is gone.
  public func send(_ message: HandOverMessage, _ octets: Span<UInt8> = Span()) {
    if descriptor == nil { return }
    closeFrames()
    var packet: [UInt8] = []
    message.append(to: &packet)
    packet.append(octets)
    queue(packet)
    loop.turnAgain()
  }

  /// Sends a frame as over a link. False when too much waits already, or the other process is gone.
  @discardableResult
  public func send(_ frame: LinkFrame, _ octets: Span<UInt8> = Span()) -> Bool {
    guard descriptor != nil, octets.count <= LinkFrame.maximumOctets, queuedBytes + octets.count <= Self.maximumWaiting
    else { return false }
    if frames.count + octets.count > LinkQueue.packetSize { closeFrames() }
    frame.append(octets, to: &frames)
    loop.turnAgain()
    return true
  }

  /// Sends a packet with a descriptor, at once; false when there is no room. The packet is as ``HandOverMessage/append(to:)`` begins it.
  public func send(packet: Span<UInt8>, passing passed: Int32) -> Bool {
    flush()
    guard descriptor != nil, packet.count <= Self.packetSize else { return false }
    if waiting.isEmpty, Socket.send(number, packet, passing: passed) == .octets(packet.count) { return true }
    wantsRoom = true
    updateInterest()
    return false
  }

  private func updateInterest() {
    loop.modify(number, waiting.isEmpty && !wantsRoom ? .readable : [.readable, .writable])
  }

  /// The socket has packets, or room.
  public func ready(_ events: Events) {
    if events.contains(.writable) {
      flush()
      if waiting.isEmpty, wantsRoom {
        wantsRoom = false
        updateInterest()
        delegate?.handOverHasRoom()
      }
    }
    for _ in 0..<Self.packetsPerTurn {
      guard descriptor != nil else { return }
      var passed: Descriptor?
      var taken: [UInt8] = []
      swap(&taken, &buffer)
      let result = Socket.receive(number, into: &taken, passed: &passed)
      if case .octets(let count) = result, count > 0 {
        take(taken.span.extracting(..<count), passed.take())
        // It may have held keys.
        taken.withUnsafeMutableBufferPointer { $0[..<count].update(repeating: 0) }
      }
      swap(&taken, &buffer)
      switch result {
      case .octets(let count) where count > 0: continue
      // Longer than any that this version knows: its descriptor is closed, and whoever sent it hears nothing of it.
      case .failed(Errno.messageSize): continue
      case .wouldBlock: return
      case .octets, .endOfFile, .failed:
        close()
        delegate?.handOverEnded()
      }
    }
  }

  private func take(_ packet: Span<UInt8>, _ passed: consuming Descriptor?) {
    if HandOverMessage.isMessage(packet) {
      guard let (message, rest) = HandOverMessage.read(packet), let delegate else { return }
      let octets = packet.extracting(rest..<packet.count)
      return delegate.handOver(received: message, octets, passed)
    }
    var reader = LinkReader()
    while case .frame(let frame, let octets) = reader.next(packet) {
      delegate?.handOver(received: frame, packet.extracting(octets))
    }
  }

  private func closeFrames() {
    if frames.isEmpty { return }
    queue(frames)
    frames = []
  }

  private func queue(_ packet: [UInt8]) {
    waiting.append(packet)
    waitingBytes += packet.count
  }

  private func flush() {
    guard descriptor != nil else { return }
    closeFrames()
    var sent = 0
    while sent < waiting.count {
      let packet = waiting[sent]
      guard Socket.send(number, packet.span) == .octets(packet.count) else { break }
      sent += 1
      waitingBytes -= packet.count
    }
    waiting.removeFirst(sent)
    updateInterest()
  }
}

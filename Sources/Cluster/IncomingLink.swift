import Reactor
import Structures

/// A link over which another worker sends to this one. It only ever reads, but for the answer to the hello.
final class IncomingLink: EventHandler {
  /// Packets that are read in one turn; more wait for the next. One may hold a hundred messages, so that time is limited as well.
  private static let packetsPerTurn = 16
  private static let timePerTurn = Duration.milliseconds(5)
  /// More than a socket holds.
  private static let packetsAtEnd = 4_096
  /// After a packet of fewer octets the loop says whether there is another.
  private static let smallPacket = 4_096

  private unowned let links: LinkSet
  private let number: Int32
  private var descriptor: Descriptor?
  /// Who is at the other end; nil before its hello.
  private(set) var peer: LinkIdentity?

  init(_ descriptor: consuming Descriptor, links: LinkSet) {
    self.links = links
    number = descriptor.number
    self.descriptor = consume descriptor
  }

  func start() throws(SystemError) { try links.loop.register(number, .readable, handler: self) }

  func close() {
    guard descriptor != nil else { return }
    links.loop.unregister(number)
    descriptor = nil
    links.forget(self)
  }

  /// Reads what a process left that has ended.
  func readAll() {
    for _ in 0..<Self.packetsAtEnd where descriptor != nil {
      guard case .octets = links.receive(number, { self.received($0) }) else { break }
    }
  }

  func ready(_ events: Events) {
    for _ in 0..<Self.packetsPerTurn {
      guard descriptor != nil else { return }
      switch links.receive(number, { self.received($0) }) {
      case .octets(let count):
        // Whoever had more to say would have filled it: asking again would mostly cost a call for nothing.
        if count < Self.smallPacket || System.monotonicNow - links.loop.now >= Self.timePerTurn { return }
      case .wouldBlock: return
      case .endOfFile, .failed:
        close()
        return
      }
    }
  }

  private func received(_ packet: Span<UInt8>) {
    var reader = LinkReader()
    while descriptor != nil {
      switch reader.next(packet) {
      case .frame(let frame, let octets): received(frame, packet.extracting(octets))
      case .unknown: continue
      case .end: return
      case .broken:
        links.counters.broken += 1
        close()
      }
    }
  }

  private func received(_ frame: LinkFrame, _ octets: Span<UInt8>) {
    if case .hello(let identity) = frame { return greet(identity) }
    guard let peer else { return close() }
    links.counters.framesReceived += 1
    links.delegate?.links(received: frame, octets, from: peer)
  }

  private func greet(_ identity: LinkIdentity) {
    var hello: [UInt8] = []
    LinkFrame.hello(links.identity).append(to: &hello)
    guard peer == nil, links.isPeer(identity), Socket.send(number, hello.span) == .octets(hello.count) else {
      return close()
    }
    peer = identity
    links.greeted(identity)
  }
}

import Reactor
import Structures

/// One bound UDP socket: receives in batches, sends at once.
final class DatagramListener: EventHandler, PacedReader {
  /// ICMP errors taken in one turn: the socket is reported again while there are more.
  private static let errorsPerTurn = 128

  let index: UInt16
  let local: SocketAddress
  private let layer: TransportLayer
  private let descriptor: Descriptor
  private let batch: DatagramBatch
  private var recent = RecentDatagrams()
  var isWaitingToRead = false
  private var isStopped = false
  private var stunAnswer: [UInt8] = []

  init(layer: TransportLayer, descriptor: consuming Descriptor, index: UInt16) throws(SystemError) {
    self.layer = layer
    self.index = index
    batch = try DatagramBatch()
    self.descriptor = consume descriptor
    try Socket.adopt(self.descriptor.number)
    local = try Socket.localAddress(self.descriptor.number)
    try Socket.setErrorQueue(self.descriptor.number, family: local.address.family)
    try layer.loop.register(self.descriptor.number, .readable, handler: self)
  }

  /// Reads no more; can be sent from until it is gone.
  func stop() {
    isStopped = true
    layer.loop.unregister(descriptor.number)
  }

  /// Reads again.
  func restart() throws(SystemError) {
    isStopped = false
    try layer.loop.register(descriptor.number, .readable, handler: self)
  }

  func ready(_ events: Events) {
    if events.contains(.error) { takeErrors() }
    if events.contains(.readable) { layer.serve(self) }
  }

  /// Takes one batch; the socket is reported again while more is there.
  func readMore() {
    if isStopped { return }
    switch batch.receive(descriptor.number) {
    case .octets(let count): for position in 0..<count { receive(position) }
    case .wouldBlock, .endOfFile: break
    // The error of an earlier send; the next turn reads on.
    case .failed: takeErrors()
    }
  }

  private func receive(_ position: Int) {
    guard let remote = batch.sender(position) else { return }
    batch.withDatagram(position) { octets in
      layer.counters.octetsReceived += UInt64(octets.count)
      if Self.isKeepAlive(octets) {
        layer.counters.keepAlives += 1
        return
      }
      if StunBinding.mayBe(octets) { return answerStun(octets, remote) }
      layer.counters.messagesReceived += 1
      let flow = Flow(
        id: .datagram(name(remote)), transport: .udp, listener: index, local: local, remote: remote,
        isVerified: false)
      layer.delegate?.transport(received: octets, over: flow)
    }
  }

  private func answerStun(_ octets: Span<UInt8>, _ remote: SocketAddress) {
    switch StunBinding.answer(octets, from: remote, to: &stunAnswer) {
    case .answered:
      layer.counters.stunAnswered += 1
      let answer = stunAnswer
      send(answer.span, to: remote, tag: 0)
    case .indication: layer.counters.keepAlives += 1
    case .ignored: layer.counters.stunIgnored += 1
    }
  }

  /// Line breaks and zeros are what clients send to keep a NAT binding alive.
  private static func isKeepAlive(_ octets: Span<UInt8>) -> Bool {
    for index in octets.indices where octets[index] != 0x0D && octets[index] != 0x0A && octets[index] != 0 {
      return false
    }
    return true
  }

  private func name(_ remote: SocketAddress) -> DatagramFlow {
    DatagramFlow(node: layer.identity.node, listener: index, remote: remote)
  }

  func send(_ octets: Span<UInt8>, to remote: SocketAddress, tag: UInt64) {
    var result = Socket.send(descriptor.number, octets, to: remote)
    if case .failed(let code) = result, code != Errno.messageSize {
      // It may be the error of an earlier datagram to somebody else, which is told once. What it was about stays in the
      // queue until the loop reports it: whoever sends must not be interrupted by news of others.
      result = Socket.send(descriptor.number, octets, to: remote)
    }
    switch result {
    case .octets:
      layer.counters.octetsSent += UInt64(octets.count)
      if tag != 0 { recent.note(tag, to: remote, at: layer.loop.now) }
    case .wouldBlock, .endOfFile: layer.counters.datagramsDropped += 1
    case .failed(let code):
      layer.counters.datagramsDropped += 1
      if tag != 0 { layer.queueFailure(tag, .unreachable(code)) }
    }
  }

  /// RFC 3261 §18.4: what ICMP says of a host, network, port or protocol is passed on.
  private func takeErrors() {
    for _ in 0..<Self.errorsPerTurn {
      guard let (peer, code) = Socket.takeDatagramError(descriptor.number) else { return }
      guard let peer, code != 0, code != Errno.messageSize else { continue }
      layer.counters.datagramsRefused += 1
      recent.take(for: peer, at: layer.loop.now) { layer.queueFailure($0, .unreachable(code)) }
      layer.delegate?.transport(datagramRefused: name(peer))
    }
  }
}

/// The last tagged datagrams, so that an ICMP error can be told to whoever sent what it is about.
struct RecentDatagrams {
  private struct Entry {
    var tag: UInt64 = 0
    var remote = SocketAddress(IPAddress(v4: 0), port: 0)
    var time = Instant(nanoseconds: 0)
  }

  private static let capacity = 256
  /// An error that comes later than this is about something else.
  private static let lifetime = Duration.seconds(4)

  private var entries = [Entry](repeating: Entry(), count: capacity)
  private var next = 0

  mutating func note(_ tag: UInt64, to remote: SocketAddress, at now: Instant) {
    entries[next] = Entry(tag: tag, remote: remote, time: now)
    next = (next + 1) % Self.capacity
  }

  /// Calls `body` with the tags that were sent to `remote` lately, each once.
  mutating func take(for remote: SocketAddress, at now: Instant, _ body: (UInt64) -> Void) {
    for index in entries.indices where entries[index].tag != 0 && entries[index].remote == remote {
      let entry = entries[index]
      entries[index].tag = 0
      if now - entry.time <= Self.lifetime { body(entry.tag) }
    }
  }
}

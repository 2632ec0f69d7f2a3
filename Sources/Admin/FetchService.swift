import CLinux
import Configuration
import Reactor
import Structures

/// Takes what workers want fetched, over the socket that they connect to, and tells them what came of it.
final class FetchService: EventHandler {
  /// Workers that may be connected: more than a node has, for those that come and go.
  static let maximumClients = 1_024
  /// Fetches at a time for all of them; others are refused at once.
  static let maximumFetches = 256

  private let loop: EventLoop
  private let listener: Descriptor
  private let lookups = LookupPool()
  private var clients: [ObjectIdentifier: FetchClient] = [:]
  private(set) var fetches = 0

  /// Serves from a listening SOCK_SEQPACKET socket.
  init(listener: consuming Descriptor, loop: EventLoop) throws(SystemError) {
    self.loop = loop
    self.listener = consume listener
    try Socket.adopt(self.listener.number)
    try loop.register(self.listener.number, .readable, handler: self)
  }

  func ready(_: Events) {
    while true {
      let result = clinux_packet_accept(listener.number)
      guard result >= 0 else { return }
      let descriptor = Descriptor(owning: result)
      // Processes of other users have nothing to ask.
      guard clinux_peer_user(descriptor.number) == clinux_user(), clients.count < Self.maximumClients else { continue }
      let client = FetchClient(descriptor, service: self)
      do { try loop.register(client.number, .readable, handler: client) } catch { continue }
      clients[ObjectIdentifier(client)] = client
    }
  }

  /// The worker is gone.
  func remove(_ client: FetchClient) {
    loop.unregister(client.number)
    clients[ObjectIdentifier(client)] = nil
  }

  /// Fetches what a worker asks for.
  func fetch(_ message: FetchMessage, for client: FetchClient) {
    guard case .post(let id, let milliseconds, let url, let mediaType, let body) = message else { return }
    guard let address = HTTPAddress(url), mediaType.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      return client.tell(.failure(id: id, "not an http URL that can be fetched"))
    }
    guard fetches < Self.maximumFetches else { return client.tell(.failure(id: id, "too much is being fetched")) }
    fetches += 1
    let fetch = HTTPFetch(
      loop: loop, lookups: lookups, address: address, mediaType: mediaType, body: body,
      maximumBody: FetchMessage.maximumBody, within: .milliseconds(Int(min(milliseconds, 60_000)))
    ) { [weak self, weak client] outcome in
      self?.fetches -= 1
      switch outcome {
      case .body(let octets): client?.tell(.body(id: id, octets))
      case .failure(let reason): client?.tell(.failure(id: id, reason))
      }
    }
    fetch.start()
  }
}

/// One worker's connection.
final class FetchClient: EventHandler {
  private let descriptor: Descriptor
  private unowned let service: FetchService
  private var buffer = [UInt8](repeating: 0, count: FetchMessage.maximumSize)
  private var isOpen = true

  var number: Int32 { descriptor.number }

  init(_ descriptor: consuming Descriptor, service: FetchService) {
    self.descriptor = descriptor
    self.service = service
  }

  func ready(_: Events) {
    while isOpen {
      var passed: Descriptor?
      switch Socket.receive(number, into: &buffer, passed: &passed) {
      case .octets(let count):
        let buffer = buffer
        if let message = FetchMessage(buffer.span.extracting(..<count)) { service.fetch(message, for: self) }
      case .wouldBlock: return
      case .failed(Errno.messageSize): continue
      case .endOfFile, .failed:
        isOpen = false
        service.remove(self)
      }
    }
  }

  /// What a worker doesn't take is missed there after its time limit.
  func tell(_ message: FetchMessage) {
    guard isOpen, let octets = message.octets else { return }
    _ = Socket.send(number, octets.span)
  }
}

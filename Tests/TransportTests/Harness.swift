import Glibc
import Reactor
import SIPMessage
import Structures
import TLSEngine
import Testing

@testable import Transport

/// Writes down what it hears and does what the test says.
final class Recorder: TransportDelegate {
  var messages: [[UInt8]] = []
  var flows: [Flow] = []
  var broken: [(head: [UInt8], error: FramingError)] = []
  var opened: [(flow: Flow, facts: ConnectionFacts)] = []
  var closed: [(flow: Flow, reason: CloseReason)] = []
  var failedHandshakes: [HandshakeFailure] = []
  var failedSends: [UInt64: SendFailure] = [:]
  var refused: [DatagramFlow] = []
  var suspects: [FlowID] = []
  var recovered: [FlowID] = []
  var whenReceived: ([UInt8], Flow) -> Void = { _, _ in }
  var whenBroken: (Flow) -> Void = { _ in }
  var whenOpened: (Flow) -> Void = { _ in }

  var reasons: [CloseReason] { closed.map(\.reason) }
  var texts: [String] { messages.map { String(decoding: $0, as: UTF8.self) } }

  func transport(received message: Span<UInt8>, over flow: Flow) {
    let octets = message.withUnsafeBufferPointer(Array.init)
    messages.append(octets)
    flows.append(flow)
    whenReceived(octets, flow)
  }

  func transport(cannotFrame head: Span<UInt8>, because error: FramingError, over flow: Flow) {
    broken.append((head.withUnsafeBufferPointer(Array.init), error))
    whenBroken(flow)
  }

  func transport(opened flow: Flow, facts: ConnectionFacts) {
    opened.append((flow, facts))
    whenOpened(flow)
  }

  func transport(closed flow: Flow, because reason: CloseReason) { closed.append((flow, reason)) }

  func transport(
    handshakeFailed local: SocketAddress, remote: SocketAddress, isServer: Bool, because failure: HandshakeFailure
  ) {
    failedHandshakes.append(failure)
  }

  func transport(failedToSend tag: UInt64, because reason: SendFailure) { failedSends[tag] = reason }

  func transport(suspect flow: Flow) { suspects.append(flow.id) }

  func transport(recovered flow: Flow) { recovered.append(flow.id) }

  func transport(datagramRefused flow: DatagramFlow) { refused.append(flow) }
}

/// Certificates for the names of these tests, made once.
enum Credentials {
  struct Set: Sendable {
    let authority: CertificatePair
    let server: CertificatePair
  }

  static let shared: Result<Set, any Error> = Result {
    let authority = try CertificateAuthority(name: "Transport tests", days: 1)
    let server = try authority.makeServerCertificate(names: ["one.test", "two.test", "127.0.0.1"], days: 1)
    return Set(authority: authority.pair, server: server)
  }

  static func server() throws -> TLSContext {
    let set = try shared.get()
    var settings = TLSSettings()
    (settings.chain, settings.privateKey) = (set.server.certificate, set.server.privateKey)
    return try TLSContext(.server, settings)
  }

  static func client() throws -> TLSContext {
    var settings = TLSSettings()
    settings.authorities = try shared.get().authority.certificate
    return try TLSContext(.client, settings)
  }
}

/// A transport layer in a loop, with listeners on loopback.
final class Bench {
  let loop: EventLoop
  let layer: TransportLayer
  let recorder = Recorder()

  init(node: NodeCounts? = nil, _ change: (inout TransportSettings) -> Void = { _ in }) throws {
    System.ignoreBrokenPipes()
    loop = try EventLoop()
    var settings = TransportSettings()
    change(&settings)
    let identity = TransportIdentity(node: 7, slot: 2, epoch: 0xE0, generation: 3)
    layer = TransportLayer(loop: loop, identity: identity, settings: settings, node: node, delegate: recorder)
  }

  deinit { layer.closeAll() }

  func listen(_ transport: TransportProtocol, index: UInt16 = 0, on text: String = "127.0.0.1:0") throws
    -> SocketAddress
  {
    let wanted = try #require(SocketAddress(text))
    if transport == .udp {
      let descriptor = try Socket.datagram(wanted)
      let address = try Socket.localAddress(descriptor.number)
      try layer.addDatagramListener(descriptor, index: index)
      return address
    }
    let descriptor = try Socket.listen(wanted)
    let address = try Socket.localAddress(descriptor.number)
    let context = transport == .tls ? try Credentials.server() : nil
    try layer.addStreamListener(descriptor, index: index, transport: transport, context: context)
    return address
  }

  /// Turns the loop until `condition` holds; false when it doesn't within ten seconds.
  @discardableResult
  func turn(until condition: () throws -> Bool) rethrows -> Bool {
    let limit = System.monotonicNow + .seconds(10)
    while System.monotonicNow < limit {
      if try condition() { return true }
      guard (try? loop.runOnce(until: System.monotonicNow + .milliseconds(2))) != nil else { return false }
    }
    return try condition()
  }

  /// Turns the loop for some time, whatever happens.
  func turn(for duration: Duration) {
    let end = System.monotonicNow + duration
    while System.monotonicNow < end { try? loop.runOnce(until: System.monotonicNow + .milliseconds(2)) }
  }

  func send(_ text: String, over flow: FlowID, tag: UInt64 = 0) -> SendResult {
    let octets = Array(text.utf8)
    return layer.send(octets.span, over: flow, tag: tag)
  }

  func send(
    _ text: String, to address: SocketAddress, _ transport: TransportProtocol, name: String? = nil, tag: UInt64 = 0
  ) -> SendResult {
    let octets = Array(text.utf8)
    return layer.send(octets.span, to: address, transport: transport, name: name, tag: tag)
  }

  /// Connects a plain client.
  func connect(to address: SocketAddress) throws -> Client {
    Client(try Socket.connect(to: address), session: nil)
  }

  /// Connects a TLS client and finishes its handshake.
  func connectTLS(to address: SocketAddress, name: String = "one.test") throws -> Client {
    let descriptor = try Socket.connect(to: address)
    let session = try TLSSession(try Credentials.client(), descriptor: descriptor.number, peerName: name)
    let client = Client(descriptor, session: session)
    let count = recorder.opened.count
    var step = HandshakeStep.wantWrite
    turn {
      if step != .done { step = session.handshake() }
      return step == .done && recorder.opened.count > count
    }
    try #require(step == .done)
    return client
  }
}

/// The other end of a connection.
final class Client {
  let session: TLSSession?
  private var descriptor: Descriptor?
  private let number: Int32
  private var buffer = [UInt8](repeating: 0, count: 65_536)
  /// What came so far.
  var received: [UInt8] = []
  private(set) var isEnded = false

  init(_ descriptor: consuming Descriptor, session: TLSSession?) {
    number = descriptor.number
    self.descriptor = consume descriptor
    self.session = session
  }

  var text: String { String(decoding: received, as: UTF8.self) }
  var address: SocketAddress? { try? Socket.localAddress(number) }

  /// Sends as much as the socket takes; returns how much that was.
  @discardableResult
  func send(_ octets: [UInt8]) -> Int {
    if let session {
      guard case .octets(let count) = session.write(octets.span) else { return 0 }
      return count
    }
    guard case .octets(let count) = Socket.send(number, octets.span) else { return 0 }
    return count
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// Reads once; returns whether anything came.
  @discardableResult
  func receive() -> Bool {
    if let session {
      switch session.read(into: &buffer) {
      case .octets(let count): received += buffer[..<count]
      case .endOfFile, .failed:
        isEnded = true
        return false
      case .wantRead, .wantWrite: return false
      }
      return true
    }
    switch Socket.read(number, into: &buffer) {
    case .octets(let count): received += buffer[..<count]
    case .endOfFile, .failed:
      isEnded = true
      return false
    case .wouldBlock: return false
    }
    return true
  }

  func shrinkReceiveBuffer() { Socket.setReceiveBuffer(number, bytes: 4_096) }
  func endWriting() { Socket.shutdownWrite(number) }

  func close() {
    session?.shutdown()
    descriptor = nil
    isEnded = true
  }
}

/// A request of which only the Call-ID and the body matter.
func message(_ name: String, body: String = "") -> String {
  "MESSAGE sip:bob@one.test SIP/2.0\r\nCall-ID: \(name)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

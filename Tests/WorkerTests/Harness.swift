import Configuration
import Logging
import Reactor
import SIPServer
import Structures
import Testing
import Transport

@testable import Worker

/// A worker in a loop, with sockets on loopback in the order TCP, UDP.
final class Bench {
  let loop: EventLoop
  let node: WorkerNode
  let tcp: SocketAddress
  let udp: SocketAddress

  init(
    _ more: [(String, SettingNode)] = [], page: Int32 = -1, slot: UInt16 = 0, slots: UInt16 = 1, generation: UInt16 = 1,
    linkDirectory: String = "", takesOver: Bool = false, location: (any LocationService)? = nil
  ) throws {
    System.ignoreBrokenPipes()
    let pairs: [(String, SettingNode)] =
      [
        ("node", "n"), ("domains", ["example.test"]), ("listen", ["tcp:127.0.0.1:0", "udp:127.0.0.1:0"]),
        ("authentication", ["required": "no"]),
      ] + more
    let facts = SettingsSources.Facts(hostName: "n", cores: 1, clusterSecret: Array(repeating: 9, count: 32))
    let tree = SettingNode.mapping(
      pairs.map { SettingNode.Pair(key: $0.0, position: .start, value: $0.1) }, .start)
    let resolved = ConfigurationBundle(file: "test", settings: tree, facts: facts).resolve()
    let configuration = try #require(resolved.configuration, "\(resolved.errors)")
    let arguments = WorkerArguments(
      configuration: 3, control: 4, slot: slot, slots: slots, generation: generation, epoch: 0xE0, listeners: [],
      linkDirectory: linkDirectory, page: page, handOver: takesOver ? 0 : -1)
    loop = try EventLoop()
    node = try WorkerNode(
      configuration, arguments: arguments, loop: loop,
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, location: location)
    let any = try #require(SocketAddress("127.0.0.1:0"))
    let stream = try Socket.listen(any)
    let datagram = try Socket.datagram(any)
    tcp = try Socket.localAddress(stream.number)
    udp = try Socket.localAddress(datagram.number)
    try node.transport.addStreamListener(stream, index: 0, transport: .tcp)
    try node.transport.addDatagramListener(datagram, index: 1)
  }

  deinit { node.end() }

  /// Turns the loop until `condition` holds; false when it doesn't within ten seconds.
  @discardableResult
  func turn(until condition: () -> Bool) -> Bool {
    let limit = System.monotonicNow + .seconds(10)
    while System.monotonicNow < limit {
      if condition() { return true }
      guard (try? loop.runOnce(until: System.monotonicNow + .milliseconds(2))) != nil else { return false }
    }
    return condition()
  }

  /// Turns the loop for some time, whatever happens.
  func turn(for duration: Duration) {
    let end = System.monotonicNow + duration
    while System.monotonicNow < end { try? loop.runOnce(until: System.monotonicNow + .milliseconds(2)) }
  }

  /// A phone on a TCP connection.
  func phone(_ name: String) throws -> Phone { Phone(name, try Socket.connect(to: tcp), .tcp, tcp) }

  /// A phone on a UDP socket.
  func datagramPhone(_ name: String) throws -> Phone {
    Phone(name, try Socket.datagram(try #require(SocketAddress("127.0.0.1:0"))), .udp, udp)
  }

  /// Registers a phone; whether that was accepted.
  func register(_ phone: Phone) -> Bool {
    let count = phone.texts.count
    phone.send(
      "REGISTER", "sip:example.test", to: "sip:\(phone.name)@example.test",
      more: "Contact: <sip:\(phone.name)@\(phone.host)>\r\n")
    return turn {
      phone.receive()
      return phone.texts.count > count
    } && phone.texts.last?.hasPrefix("SIP/2.0 200 ") == true
  }
}

/// A client of the worker that does only what the test says.
final class Phone {
  let name: String
  private let transport: TransportProtocol
  private let server: SocketAddress
  private var descriptor: Descriptor?
  private let number: Int32
  private var buffer = [UInt8](repeating: 0, count: 65_536)
  private var cseq = 0
  /// The messages that came, in order. (Over TCP: of those without a body.)
  private(set) var texts: [String] = []
  private var rest = ""

  init(_ name: String, _ descriptor: consuming Descriptor, _ transport: TransportProtocol, _ server: SocketAddress) {
    self.name = name
    self.transport = transport
    self.server = server
    number = descriptor.number
    self.descriptor = consume descriptor
  }

  var address: SocketAddress? { try? Socket.localAddress(number) }
  var host: String { address.map { "\($0)" } ?? "" }
  var statuses: [Int] { texts.compactMap { $0.hasPrefix("SIP/2.0 ") ? Int($0.dropFirst(8).prefix(3)) : nil } }
  var methods: [String] {
    texts.compactMap { $0.hasPrefix("SIP/2.0 ") ? nil : String($0.prefix { $0 != " " }) }
  }

  /// Sends a request that starts a transaction.
  func send(_ method: String, _ uri: String, to: String? = nil, toTag: String? = nil, more: String = "") {
    cseq += 1
    write(request(method, uri, to: to, toTag: toTag, more: more))
  }

  /// Cancels the request that was sent last, or has another phone do so over its own connection.
  func cancel(_ uri: String, by other: Phone? = nil) { (other ?? self).write(request("CANCEL", uri)) }

  private func request(
    _ method: String, _ uri: String, to: String? = nil, toTag: String? = nil, more: String = ""
  ) -> String {
    let via = transport == .udp ? "UDP" : "TCP"
    return """
      \(method) \(uri) SIP/2.0\r
      Via: SIP/2.0/\(via) \(host);branch=z9hG4bK\(name)\(cseq);rport\r
      Max-Forwards: 70\r
      From: <sip:\(name)@example.test>;tag=\(name)\r
      To: <\(to ?? uri)>\(toTag.map { ";tag=" + $0 } ?? "")\r
      Call-ID: \(name)@test\r
      CSeq: \(cseq) \(method)\r
      \(more)Content-Length: 0\r
      \r

      """
  }

  /// Answers a request.
  func answer(_ request: String, _ status: String) {
    let wanted = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"]
    let lines = request.components(separatedBy: "\r\n").filter { line in wanted.contains { line.hasPrefix($0) } }
    write("SIP/2.0 \(status)\r\n" + lines.joined(separator: "\r\n") + "\r\nContent-Length: 0\r\n\r\n")
  }

  func write(_ text: String) {
    let octets = Array(text.utf8)
    let result =
      transport == .udp
      ? Socket.send(number, octets.span, to: server) : Socket.send(number, octets.span)
    if result != .octets(octets.count) { Issue.record("\(name) could not send: \(result)") }
  }

  func receive() {
    while case .octets(let count) = Socket.read(number, into: &buffer) {
      let text = String(decoding: buffer[..<count], as: UTF8.self)
      if transport == .udp {
        texts.append(text)
        continue
      }
      rest += text
      while let end = rest.firstRange(of: "\r\n\r\n") {
        texts.append(String(rest[..<end.upperBound]))
        rest.removeSubrange(..<end.upperBound)
      }
    }
  }

  func close() { descriptor = nil }
}

extension String {
  func components(separatedBy separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: true).map(String.init)
  }
}

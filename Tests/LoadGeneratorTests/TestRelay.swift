import Reactor
import Structures

@testable import LoadGenerator

/// The least of a SIP server that a generator needs, over TCP and on the generator's own loop: takes every REGISTER and
/// passes the rest on to the user in the Request-URI. On demand it does one thing wrong.
final class TestRelay: EventHandler {
  enum Fault: CaseIterable {
    case none, changesBody, keepsVia, wrongUser, losesACK, losesRequests, answersItself, breaksFrames, closes
  }

  private let fault: Fault
  private let listener: Descriptor
  private weak var loop: EventLoop?
  private var peers: [Peer] = []
  private var users: [String: Int] = [:]
  private(set) var messages = 0
  /// How many connections there were.
  var connections: Int { peers.count }
  let address: SocketAddress

  init(_ fault: Fault) throws {
    self.fault = fault
    listener = try Socket.listen(SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0))
    address = try Socket.localAddress(listener.number)
  }

  func start(on loop: EventLoop) throws {
    self.loop = loop
    try loop.register(listener.number, .readable, handler: self)
  }

  func ready(_ events: Events) {
    switch Socket.accept(listener.number) {
    case .connection(let descriptor, _):
      let peer = Peer(descriptor, index: peers.count, relay: self)
      peers.append(peer)
      try? loop?.register(peer.descriptor.number, .readable, handler: peer)
    case .none: break
    case .exhausted: break
    case .failed: break
    }
  }

  // MARK: Messages

  fileprivate func received(_ text: String, from peer: Peer) {
    let (head, body) = Self.parts(text)
    if head[0].hasPrefix("SIP/2.0") { return passBack(head, body) }
    if head[0].hasPrefix("REGISTER") {
      users[Self.user(Self.value("To", head))] = peer.index
      return peer.send(Self.reply("200 OK", head))
    }
    if head[0].hasPrefix("MESSAGE") { messages += 1 }
    pass(head, body, from: peer)
  }

  private func pass(_ head: [String], _ body: String, from peer: Peer) {
    let isMessage = head[0].hasPrefix("MESSAGE")
    var (head, body) = (head, body)
    if fault == .losesACK, head[0].hasPrefix("ACK") { return }
    if fault == .losesRequests, isMessage { return }
    if fault == .answersItself, isMessage { return peer.send(Self.reply("200 OK", head)) }
    if fault == .breaksFrames, isMessage { return peer.send("SIP/2.0 200 OK\r\nno field\r\n\r\n") }
    if fault == .closes, isMessage { return peer.close(loop) }
    if fault == .changesBody { body = String(body.dropLast()) + "\u{7F}" }
    guard let index = users[Self.user(head[0])] else { return peer.send(Self.reply("404 Not Found", head)) }
    let target = fault == .wrongUser && isMessage ? (index + 1) % peers.count : index
    head.insert("Via: SIP/2.0/TCP relay.example.test;branch=z9hG4bK-\(peer.index)-x", at: 1)
    if head[0].hasPrefix("INVITE") { head.insert("Record-Route: <sip:relay.example.test;lr>", at: 2) }
    peers[target].send(Self.text(head, body))
  }

  private func passBack(_ head: [String], _ body: String) {
    var head = head
    guard let top = head.firstIndex(where: { $0.hasPrefix("Via: ") }) else { return }
    let parts = head[top].split(separator: "-")
    guard parts.count == 3, let index = Int(parts[1]) else { return }
    if fault == .keepsVia { head.append("Via: SIP/2.0/TCP other.example.test;branch=z9hG4bKother") }
    head.remove(at: top)
    peers[index].send(Self.text(head, body))
  }

  // MARK: Text

  static func parts(_ text: String) -> (head: [String], body: String) {
    var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
    let end = lines.firstIndex(of: "") ?? lines.count
    let body = lines[min(end + 1, lines.count)...].joined(separator: "\r\n")
    lines.removeSubrange(end...)
    return (lines, body)
  }

  private static func text(_ head: [String], _ body: String) -> String {
    head.joined(separator: "\r\n") + "\r\n\r\n" + body
  }

  private static func value(_ name: String, _ head: [String]) -> String {
    head.first { $0.hasPrefix(name + ": ") } ?? ""
  }

  private static func user(_ text: String) -> String {
    let parts = text.split(whereSeparator: { ":@".contains($0) })
    return parts.first { $0.hasPrefix("u0") }.map(String.init) ?? ""
  }

  private static func reply(_ status: String, _ head: [String]) -> String {
    let echoed = head.filter { line in ["Via", "From", "To", "Call-ID", "CSeq"].contains { line.hasPrefix($0 + ":") } }
    return text(["SIP/2.0 \(status)"] + echoed + ["Content-Length: 0"], "")
  }

  /// A connection of the generator's.
  final class Peer: EventHandler {
    let descriptor: Descriptor
    let index: Int
    private unowned let relay: TestRelay
    private var input: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    init(_ descriptor: consuming Descriptor, index: Int, relay: TestRelay) {
      self.descriptor = descriptor
      self.index = index
      self.relay = relay
    }

    func ready(_ events: Events) {
      guard case .octets(let count) = Socket.read(descriptor.number, into: &buffer) else { return close(relay.loop) }
      input += buffer[0..<count]
      while let end = messageEnd() {
        let text = String(decoding: input[0..<end], as: UTF8.self)
        input.removeFirst(end)
        relay.received(text, from: self)
      }
    }

    private func messageEnd() -> Int? {
      let text = String(decoding: input, as: UTF8.self)
      guard let blank = text.firstRange(of: "\r\n\r\n") else { return nil }
      let (head, _) = TestRelay.parts(text)
      let length = head.first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
      let end = text.utf8.distance(from: text.startIndex, to: blank.upperBound) + length
      return end <= input.count ? end : nil
    }

    func send(_ text: String) { _ = Socket.send(descriptor.number, Array(text.utf8).span) }

    func close(_ loop: EventLoop?) {
      loop?.unregister(descriptor.number)
      Socket.shutdownWrite(descriptor.number)
    }
  }
}

import CLinux
import Configuration
import Glibc
import Reactor
import Structures
import Testing

@testable import Admin

/// An HTTP server of the test's own: what it was sent, and what it answers once it has the whole of a small request.
private final class Responder: EventHandler {
  let address: SocketAddress
  var answer: [UInt8]? = Array("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nanswer".utf8)
  private(set) var received: [UInt8] = []
  private let listener: Descriptor
  private let loop: EventLoop
  private var open: [Connection] = []

  private final class Connection: EventHandler {
    let descriptor: Descriptor
    unowned let responder: Responder

    init(_ descriptor: consuming Descriptor, _ responder: Responder) {
      self.descriptor = descriptor
      self.responder = responder
    }

    func ready(_: Events) {
      var buffer = [UInt8](repeating: 0, count: 4_096)
      guard case .octets(let count) = Socket.read(descriptor.number, into: &buffer) else {
        return responder.loop.unregister(descriptor.number)
      }
      responder.received += buffer[..<count]
      if let answer = responder.answer { _ = Socket.send(descriptor.number, answer.span) }
    }
  }

  init(_ loop: EventLoop) throws {
    self.loop = loop
    listener = try Socket.listen(try #require(SocketAddress("127.0.0.1:0")))
    address = try Socket.localAddress(listener.number)
    try loop.register(listener.number, .readable, handler: self)
  }

  func ready(_: Events) {
    guard case .connection(let descriptor, _) = Socket.accept(listener.number) else { return }
    let connection = Connection(descriptor, self)
    open.append(connection)
    try? loop.register(connection.descriptor.number, .readable, handler: connection)
  }
}

@Suite("Fetching for workers")
struct FetchServiceTests {
  private final class Bench {
    let loop: EventLoop
    let service: FetchService
    let worker: Descriptor
    private let path: String

    init() throws {
      System.ignoreBrokenPipes()
      var template = Array("/tmp/apus-admin-XXXXXX".utf8CString)
      path = String(cString: try #require(mkdtemp(&template)))
      loop = try EventLoop()
      let listener = clinux_unix_listen(path + "/admin.sock", clinux_seqpacket, 0o600, 8)
      try #require(listener >= 0)
      service = try FetchService(listener: Descriptor(owning: listener), loop: loop)
      let connected = clinux_unix_connect(path + "/admin.sock", clinux_seqpacket)
      try #require(connected >= 0)
      worker = Descriptor(owning: connected)
    }

    deinit {
      unlink(path + "/admin.sock")
      rmdir(path)
    }

    func ask(_ url: String, id: UInt32 = 7, milliseconds: UInt32 = 5_000) throws {
      let message = FetchMessage.post(
        id: id, milliseconds: milliseconds, url: url, mediaType: "application/ocsp-request",
        body: Array("question".utf8))
      let octets = try #require(message.octets)
      try #require(Socket.send(worker.number, octets.span) == .octets(octets.count))
    }

    /// The next answer; nil after ten seconds.
    func answer() throws -> FetchMessage? {
      let limit = System.monotonicNow + .seconds(10)
      var buffer = [UInt8](repeating: 0, count: FetchMessage.maximumSize)
      while System.monotonicNow < limit {
        var passed: Descriptor?
        if case .octets(let count) = Socket.receive(worker.number, into: &buffer, passed: &passed) {
          return FetchMessage(buffer.span.extracting(..<count))
        }
        try loop.runOnce(until: System.monotonicNow + .milliseconds(5))
      }
      return nil
    }
  }

  @Test("posts what it is given and hands the body back", arguments: ["127.0.0.1", "localhost"])
  func post(_ host: String) throws {
    let bench = try Bench()
    let responder = try Responder(bench.loop)
    try bench.ask("http://\(host):\(responder.address.port)/ocsp?x")
    #expect(try bench.answer() == .body(id: 7, Array("answer".utf8)))
    let request = String(decoding: responder.received, as: UTF8.self)
    #expect(
      request == "POST /ocsp?x HTTP/1.0\r\nHost: \(host):\(responder.address.port)\r\n"
        + "Content-Type: application/ocsp-request\r\nContent-Length: 8\r\nConnection: close\r\n\r\nquestion")
    #expect(bench.service.fetches == 0)
  }

  @Test("says why there is no body, within the time limit")
  func failures() throws {
    let bench = try Bench()
    let responder = try Responder(bench.loop)
    let url = "http://\(responder.address)/"
    func failure(_ url: String, _ milliseconds: UInt32 = 5_000) throws -> String? {
      try bench.ask(url, milliseconds: milliseconds)
      guard case .failure(7, let reason) = try bench.answer() else { return nil }
      return reason
    }
    responder.answer = Array("HTTP/1.0 500 Oh\r\n\r\n".utf8)
    #expect(try failure(url) == "status 500")
    responder.answer = nil
    #expect(try failure(url, 100) == "no answer in time")
    #expect(try failure("https://127.0.0.1/") == "not an http URL that can be fetched")
    #expect(try failure("http://127.0.0.1:1/")?.contains("refused") == true)
    #expect(try failure("http://no-such-host.invalid/", 10_000) != nil)
    #expect(bench.service.fetches == 0)
  }

  @Test("a worker that goes away leaves nothing behind")
  func gone() throws {
    let bench = try Bench()
    let responder = try Responder(bench.loop)
    responder.answer = nil
    try bench.ask("http://\(responder.address)/", milliseconds: 200)
    while bench.service.fetches == 0 { try bench.loop.runOnce(until: System.monotonicNow + .milliseconds(5)) }
    Socket.shutdownWrite(bench.worker.number)
    let limit = System.monotonicNow + .seconds(5)
    while bench.service.fetches > 0, System.monotonicNow < limit {
      try bench.loop.runOnce(until: System.monotonicNow + .milliseconds(5))
    }
    #expect(bench.service.fetches == 0)
  }
}

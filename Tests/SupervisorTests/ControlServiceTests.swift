import CLinux
import Configuration
import Reactor
import Structures
import Testing

@testable import Supervisor

/// A node whose workers answer what the test says.
private final class FakeNode: ControlledNode {
  var slotCount = 2
  var serving: Set<Int> = [0, 1]
  var asked: [(slot: Int, id: UInt32, question: ControlQuestion)] = []
  var replies: [(Result<[JSONValue], ControlProblem>) -> Void] = []

  func answer(
    _ verb: ControlVerb, _ values: [String: String], _ reply: @escaping (Result<[JSONValue], ControlProblem>) -> Void
  ) {
    if verb.name == "reload" { return replies.append(reply) }
    reply(.success((0..<250).map { ["n": .count($0)] }))
  }

  func ask(slot: Int, id: UInt32, octets: [UInt8]) -> Bool {
    guard serving.contains(slot), let question = ControlQuestion(octets) else { return false }
    asked.append((slot, id, question))
    return true
  }
}

/// A client of the control service at the other end of a socket pair.
private final class Administrator {
  let loop: EventLoop
  let node = FakeNode()
  let service: ControlService
  let client: ControlClient
  private let other: Int32
  private var input: [UInt8] = []
  private(set) var isClosed = false

  init() throws {
    loop = try EventLoop()
    service = ControlService(loop: loop, node: node)
    var ends: [Int32] = [-1, -1]
    try #require(clinux_socket_pair(clinux_stream, &ends) == 0)
    other = ends[1]
    try Socket.adopt(ends[0])
    try Socket.adopt(ends[1])
    client = try ControlClient(Descriptor(owning: ends[0]), loop: loop)
    client.received = { [unowned self] in service.received($0, $1) }
    client.drained = { [unowned self] in service.drained($0) }
    client.closed = { [unowned self] in
      service.closed($0)
      isClosed = true
    }
  }

  deinit {
    client.closed = { _ in }
    client.close()
    clinux_close(other)
  }

  func write(_ text: String) {
    let octets = Array(text.utf8)
    #expect(Socket.send(other, octets.span) == .octets(octets.count))
    turn()
  }

  func ask(_ verb: String, _ arguments: JSONValue = [:]) {
    let request: JSONValue = ["version": 1, "verb": .string(verb), "arguments": arguments]
    write(String(decoding: request.octets, as: UTF8.self) + "\n")
  }

  func turn() {
    for _ in 0..<4 { try? loop.runOnce(until: loop.now) }
  }

  /// The lines that have come.
  func lines() -> [JSONValue] {
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while case .octets(let count) = Socket.read(other, into: &buffer) {
      input += buffer[..<count]
      turn()
    }
    var lines: [JSONValue] = []
    while let end = input.firstIndex(of: 0x0A) {
      lines.append(JSONValue(reading: Array(input[..<end])) ?? .null)
      input.removeSubrange(...end)
    }
    return lines
  }

  func answer(_ answer: ControlAnswer) throws {
    let last = try #require(node.asked.last)
    service.answered(slot: last.slot, id: last.id, octets: answer.octets)
    turn()
  }
}

@Suite("The control socket")
struct ControlServiceTests {
  private static let done: JSONValue = ["done": .bool(true), "missing": []]

  @Test("what the supervisor knows comes at once, in lines of a hundred rows")
  func supervisor() throws {
    let test = try Administrator()
    test.ask("core.ps")
    let lines = test.lines()
    #expect(lines.count == 4)
    #expect(lines.last == Self.done)
    let rows = lines.compactMap { if case .array(let rows)? = $0["rows"] { rows } else { nil } }
    #expect(rows.map(\.count) == [100, 100, 50])
    #expect(rows.flatMap(\.self).map { $0["n"] } == (0..<250).map { .count($0) })
  }

  @Test("all workers are asked, page by page, one after the other")
  func pages() throws {
    let test = try Administrator()
    test.ask("ul.dump")
    #expect(test.node.asked.map(\.slot) == [0])
    try test.answer(.rows(json: Array("1,2".utf8), next: 77))
    #expect(test.node.asked.last?.question == ControlQuestion(verb: "ul.dump", values: [:], cursor: 77))
    try test.answer(.rows(json: Array("3".utf8), next: nil))
    #expect(test.node.asked.map(\.slot) == [0, 0, 1])
    #expect(test.node.asked.last?.question.cursor == 0)
    try test.answer(.rows(json: [], next: nil))
    #expect(test.lines() == [["rows": [1, 2]], ["rows": [3]], Self.done])
    #expect(test.node.asked.count == 3)
  }

  @Test("a worker that ends or isn't there is left out and told of")
  func missing() throws {
    let test = try Administrator()
    test.node.serving = [0]
    test.ask("tls.list")
    try test.answer(.rows(json: Array("1".utf8), next: 5))
    test.service.workerEnded(slot: 0)
    #expect(test.lines() == [["rows": [1]], ["done": .bool(true), "missing": [0, 1]]])
    // What it said before comes too late.
    let count = test.node.asked.count
    try test.answer(.rows(json: Array("2".utf8), next: nil))
    #expect(test.lines().isEmpty)
    #expect(test.node.asked.count == count)
  }

  @Test("one worker is enough for what any worker knows; the first that serves is asked")
  func anyWorker() throws {
    let test = try Administrator()
    test.node.serving = [1]
    test.ask("ul.lookup", ["aor": "a@b"])
    #expect(test.node.asked.map(\.slot) == [1])
    #expect(test.node.asked.first?.question.values == ["aor": "a@b"])
    try test.answer(.failed(ControlProblem(.refused, "no contact", remedy: "add one")))
    #expect(test.lines() == [["error": "no contact", "remedy": "add one", "status": 1]])
    test.node.serving = []
    test.ask("ul.lookup", ["aor": "a@b"])
    let lines = test.lines()
    #expect(lines.count == 1)
    #expect(lines.first?["status"] == 3)
  }

  @Test("a connection is looked for where its name says")
  func byID() throws {
    let test = try Administrator()
    test.ask("tls.kill", ["id": "1.1.9"])
    #expect(test.node.asked.map(\.slot) == [1])
    try test.answer(.rows(json: [], next: nil))
    for id in ["2.1.9", "x", "", "-1.2.3"] {
      test.ask("tls.kill", ["id": .string(id)])
    }
    #expect(test.node.asked.count == 1)
    #expect(test.lines().map { $0["status"] } == [nil, 1, 1, 1, 1])
  }

  @Test(
    "what is no request is refused, and the next one is answered",
    arguments: [
      "", "x", "[]", "{\"verb\":\"core.ps\"}", "{\"version\":2,\"verb\":\"core.ps\"}",
      "{\"version\":1,\"verb\":\"core.p\"}",
      "{\"version\":1,\"verb\":\"ul.lookup\"}", "{\"version\":1,\"verb\":\"core.ps\",\"arguments\":{\"x\":\"y\"}}",
      "{\"version\":1,\"verb\":\"ul.lookup\",\"arguments\":{\"aor\":1}}",
    ])
  func nonsense(_ line: String) throws {
    let test = try Administrator()
    test.write(line + "\n")
    #expect(test.lines().map { $0["status"] } == [2])
    test.ask("ul.dump")
    #expect(test.node.asked.count == 1)
  }

  @Test("a client that doesn't read is given no more than it may hold, and all of it when it reads")
  func backPressure() throws {
    let test = try Administrator()
    test.ask("ul.dump")
    let row = "\"" + String(repeating: "x", count: 50_000) + "\""
    for page in 1..<200 where test.node.asked.count == page {
      try test.answer(.rows(json: Array(row.utf8), next: UInt64(page)))
    }
    let asked = test.node.asked.count
    #expect(asked < 100, "the socket and the client's buffer hold less than a megabyte")
    let pages = asked
    var count = test.lines().count
    #expect(test.node.asked.count == pages + 1)
    try test.answer(.rows(json: [], next: nil))
    try test.answer(.rows(json: [], next: nil))
    count += test.lines().count
    #expect(count == pages + 1)
  }

  @Test("a request without end, or a client that goes away, closes the connection; its questions are forgotten")
  func closing() throws {
    let test = try Administrator()
    test.ask("ul.dump")
    test.client.close()
    #expect(test.isClosed)
    try test.answer(.rows(json: Array("1".utf8), next: 9))
    #expect(test.node.asked.count == 1)

    let endless = try Administrator()
    for _ in 0..<5 { endless.write(String(repeating: "x", count: 16 << 10)) }
    #expect(endless.isClosed)
  }

  @Test("what takes its time is answered when it is done; a second request waits for that")
  func later() throws {
    let test = try Administrator()
    test.ask("reload")
    test.ask("core.version")
    #expect(test.lines().isEmpty)
    test.node.replies.first?(.failure(ControlProblem(.refused, "line 3", remedy: "mend it")))
    test.turn()
    let lines = test.lines()
    #expect(lines.first == ["error": "line 3", "remedy": "mend it", "status": 1])
    #expect(lines.last == Self.done)
  }
}

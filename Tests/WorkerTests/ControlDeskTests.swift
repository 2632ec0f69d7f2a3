import Configuration
import Reactor
import Structures
import Testing
import Transport

@testable import Worker

/// A desk of a worker, asked as the supervisor asks.
private final class Desk {
  let bench: Bench
  private var answers: [(id: UInt32, answer: ControlAnswer)] = []
  private var lastID: UInt32 = 0

  init() throws {
    bench = try Bench()
    bench.node.desk = ControlDesk(node: bench.node, nodeName: "n") { [unowned self] in answers.append(($0, $1)) }
  }

  /// One page.
  func page(_ id: UInt32, _ verb: String, _ values: [String: String], _ cursor: UInt64) throws -> ControlAnswer {
    answers = []
    bench.node.desk?.asked(id, ControlQuestion(verb: verb, values: values, cursor: cursor).octets)
    #expect(bench.turn { !self.answers.isEmpty })
    try #require(answers.map(\.id) == [id])
    return answers[0].answer
  }

  /// The rows of all pages, and how many pages there were; a refusal is thrown.
  func ask(_ verb: String, _ values: [String: String] = [:]) throws -> (rows: [JSONValue], pages: Int) {
    lastID += 1
    var (rows, cursor, pages): ([JSONValue], UInt64?, Int) = ([], 0, 0)
    while let next = cursor {
      switch try page(lastID, verb, values, next) {
      case .failed(let problem): throw problem
      case .rows(let json, let after):
        let all = try #require(JSONValue(reading: Array("[".utf8) + json + Array("]".utf8)))
        guard case .array(let part) = all else { continue }
        #expect(part.count <= ControlDesk.pageRows)
        rows += part
        cursor = after
        pages += 1
      }
    }
    return (rows, pages)
  }
}

@Suite("What a worker answers administrators")
struct ControlDeskTests {
  @Test("a contact that was added is found, owned by any worker, and gone when it was removed")
  func contact() throws {
    let desk = try Desk()
    let added = try desk.ask(
      "ul.add",
      [
        "aor": "bob@EXAMPLE.test", "contact": "sip:bob@127.0.0.1:5099", "expires": "60", "q": "0.25",
        "path": "<sip:p;lr>",
      ])
    #expect(added.rows.count == 1)
    let row = try #require(added.rows.first)
    #expect(row["aor"] == "bob@example.test")
    #expect(row["contact"] == "sip:bob@127.0.0.1:5099")
    #expect(row["q"] == .decimal(0.25))
    #expect(row["path"] == "<sip:p;lr>")
    #expect(try #require(row["expires"]?.integer) > 50)
    for name in ["bob@example.test", "sip:bob@example.test", "SIPS:%62ob@example.test:5061"] {
      #expect(try desk.ask("ul.lookup", ["aor": name]).rows.map { $0["contact"] } == [row["contact"]], "\(name)")
    }
    let owner = try desk.ask("cluster.owner", ["aor": "bob@example.test"]).rows
    #expect(owner.map { $0["node"] } == ["n"])
    #expect(owner.map { $0["slot"] } == ["any"])
    #expect(throws: ControlProblem.self) {
      try desk.ask("ul.rm", ["aor": "bob@example.test", "contact": "sip:other@127.0.0.1"])
    }
    #expect(try desk.ask("ul.rm", ["aor": "bob@example.test", "contact": "sip:bob@127.0.0.1:5099"]).rows.isEmpty)
    let missing = #expect(throws: ControlProblem.self) { try desk.ask("ul.lookup", ["aor": "bob@example.test"]) }
    #expect(missing?.status == .refused)
  }

  @Test("without a contact, all of an address of record are removed")
  func removeAll() throws {
    let desk = try Desk()
    for port in 1...3 {
      _ = try desk.ask("ul.add", ["aor": "a@example.test", "contact": "sip:a@127.0.0.1:\(port)"])
    }
    #expect(try desk.ask("ul.lookup", ["aor": "a@example.test"]).rows.count == 3)
    #expect(try desk.ask("ul.rm", ["aor": "a@example.test"]).rows.isEmpty)
    #expect(throws: ControlProblem.self) { try desk.ask("ul.lookup", ["aor": "a@example.test"]) }
  }

  @Test(
    "nonsense is refused and nothing is stored",
    arguments: [
      ["aor": "bob@other.test", "contact": "sip:x@y"], ["aor": "bob", "contact": "sip:x@y"],
      ["aor": "example.test", "contact": "sip:x@y"], ["aor": "", "contact": "sip:x@y"],
      ["aor": "bob@example.test", "contact": "x"], ["aor": "bob@example.test", "contact": "tel:+1"],
      ["aor": "bob@example.test", "contact": "sip:x@y", "expires": "0"],
      ["aor": "bob@example.test", "contact": "sip:x@y", "expires": "soon"],
      ["aor": "bob@example.test", "contact": "sip:x@y", "q": "2"],
      ["aor": "bob@example.test", "contact": "sip:x@y", "q": "nan"],
    ])
  func refused(_ values: [String: String]) throws {
    let desk = try Desk()
    #expect(throws: ControlProblem.self) { try desk.ask("ul.add", values) }
    #expect(desk.bench.node.location.bindingCount == 0)
  }

  @Test("a long list comes in pages, every contact once")
  func dump() throws {
    let desk = try Desk()
    let count = 3 * ControlDesk.pageRows
    for number in 0..<count {
      _ = try desk.ask("ul.add", ["aor": "u\(number)@example.test", "contact": "sip:u@127.0.0.1:\(number + 1)"])
    }
    let dump = try desk.ask("ul.dump")
    #expect(dump.pages >= 3)
    #expect(Set(dump.rows.compactMap { $0["aor"]?.text }).count == count)
    #expect(dump.rows.count == count)
  }

  @Test("a page without its list, a strange verb and strange octets are refused")
  func strange() throws {
    let desk = try Desk()
    for cursor in [1, UInt64.max] {
      guard case .failed = try desk.page(9, "ul.dump", [:], cursor) else {
        Issue.record("a page of nothing")
        return
      }
    }
    guard case .failed = try desk.page(10, "core.ps", [:], 0) else {
      Issue.record("the worker knows no processes")
      return
    }
    for id in ["", "0.1", "1.1.1", "0.1.1.1", "0.70000.1", "0.1.9999999999999999999", "0.-1.1"] {
      #expect(throws: ControlProblem.self) { try desk.ask("tls.kill", ["id": id]) }
    }
  }

  @Test("a connection is told of and closed by its name")
  func connection() throws {
    let desk = try Desk()
    let client = try Socket.connect(to: desk.bench.tcp)
    #expect(desk.bench.turn { desk.bench.node.transport.counters.opened == 1 })
    #expect(try desk.ask("tls.list").rows.isEmpty, "it is a TCP connection")
    let id = try #require(desk.bench.node.transport.connectionIDs.first)
    let name = "0.\(id >> 48).\(id & 0xFFFF_FFFF)"
    let info = try desk.ask("tls.info", ["id": name]).rows
    #expect(info.map { $0["state"] } == ["open"])
    #expect(info.map { $0["id"] } == [.string(name)])
    #expect(info.map { $0["remote"] } == [.string("\(try Socket.localAddress(client.number))")])
    _ = try desk.ask("tls.kill", ["id": name])
    var buffer = [UInt8](repeating: 0, count: 16)
    #expect(desk.bench.turn { Socket.read(client.number, into: &buffer) == .endOfFile })
  }
}

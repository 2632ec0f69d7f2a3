import SIPServer
import Structures
import Testing

@Suite("Max-Breadth, RFC 5393 §5")
struct BreadthTests {
  /// A request of alice's with a Max-Breadth, or none, to bob's phones.
  private struct Fork {
    let node: TestNode
    let alice: TestNode.Peer
    let isInvite: Bool
    var phones: [TestNode.Peer] = []

    init(_ lines: String, _ q: [String], max: Int = 60, method: String = "INVITE") {
      node = TestNode { $0.maxBreadth = max }
      alice = node.peer("alice")
      isInvite = method == "INVITE"
      for (index, q) in q.enumerated() {
        phones.append(node.peer("phone\(index)"))
        node.register("bob", phones[index], q.isEmpty ? "" : ";q=\(q)")
      }
      node.send(node.request(method, from: alice, lines), from: alice)
      node.settle()
    }

    /// The requests that went out since last asked, by phone.
    func requests() -> [Int: String] {
      var found: [Int: String] = [:]
      for (index, phone) in phones.enumerated() {
        for request in node.received(by: phone) where TestNode.header("CSeq", request) != "1 ACK" || !isInvite {
          found[index] = request
        }
      }
      return found
    }

    static func breadths(_ requests: [Int: String]) -> [Int] {
      requests.keys.sorted().map { index in
        let values = TestNode.headers("Max-Breadth", requests[index] ?? "")
        #expect(values.count == 1)
        return Int(values.first ?? "") ?? -1
      }
    }
  }

  @Test(
    "every request that goes on has one value: what came, at most what is allowed, and that where none came (§5.3.3)",
    arguments: [
      ("", 60, 60), ("Max-Breadth: 60", 60, 60), ("Max-Breadth: 7", 60, 7), ("max-breadth:  1 ", 60, 1),
      ("Max-Breadth: 61", 60, 60), ("Max-Breadth: 99999999999999999999999", 60, 60), ("Max-Breadth: 60", 10, 10),
      ("Max-Breadth: 9\nX: y\nMax-Breadth: 5", 60, 5), ("", 33, 33),
    ])
  func single(_ row: (String, Int, Int)) {
    for method in ["INVITE", "MESSAGE", "ACK"] {
      let fork = Fork(row.0, [""], max: row.1, method: method)
      #expect(Fork.breadths(fork.requests()) == [row.2], "\(row) \(method)")
    }
  }

  @Test(
    "it is divided among the branches, nothing lost",
    arguments: [(60, 2, [30, 30]), (60, 7, [9, 9, 9, 9, 8, 8, 8]), (3, 3, [1, 1, 1])])
  func divided(_ row: (Int, Int, [Int])) {
    let fork = Fork("Max-Breadth: \(row.0)", Array(repeating: "", count: row.1))
    #expect(Fork.breadths(fork.requests()).sorted(by: >) == row.2)
  }

  @Test("in serial forking each has all of it, once the ones before have failed (§5.3.3.1)")
  func serial() {
    let fork = Fork("Max-Breadth: 12", ["0.9", "0.5", "0.5"])
    let first = fork.requests()
    #expect(Fork.breadths(first) == [12])
    fork.node.send(TestNode.response("486 Busy", to: first[0] ?? ""), from: fork.phones[0])
    #expect(Fork.breadths(fork.requests()) == [6, 6])
  }

  @Test("with less than there are equal targets the rest waits for failures; never are more pending than came (§5.5)")
  func insufficient() {
    for breadth in 1...3 {
      let fork = Fork("Max-Breadth: \(breadth)", ["", "", "", "", "0.5"])
      var pending = fork.requests()
      var tried = 0
      while let (index, request) = pending.first {
        #expect(pending.count <= breadth)
        #expect(Fork.breadths(pending).reduce(0, +) <= breadth)
        // Nobody of a lower q before all of the higher have failed.
        if pending[4] != nil { #expect(pending.count == 1 && tried == 4) }
        tried += 1
        pending[index] = nil
        fork.node.send(TestNode.response("180 Ringing", to: request, tag: "\(index)"), from: fork.phones[index])
        fork.node.send(TestNode.response("486 Busy", to: request, tag: "\(index)"), from: fork.phones[index])
        for (next, request) in fork.requests() { pending[next] = request }
      }
      #expect(tried == 5)
      #expect(fork.node.received(by: fork.alice).map(TestNode.start).last == "SIP/2.0 486 Busy")
      fork.node.expectNothingLeft()
    }
  }

  @Test("targets that wait for breadth aren't tried after CANCEL, a 6xx or a 2xx", arguments: ["487", "603", "200"])
  func stopped(_ status: String) {
    let fork = Fork("Max-Breadth: 1", ["", ""])
    let (index, request) = fork.requests().first ?? (0, "")
    if status == "487" {
      fork.node.send(TestNode.response("180 Ringing", to: request), from: fork.phones[index])
      let via = TestNode.header("Via", request, 1).prefix { $0 != ";" }
      #expect(via.contains("TLS"))
      let branch = TestNode.header("Via", request, 1).split(separator: "z9hG4bK").last.map(String.init)
      fork.node.send(fork.node.request("CANCEL", from: fork.alice, branch: branch), from: fork.alice)
    }
    fork.node.send(TestNode.response("\(status) X", to: request), from: fork.phones[index])
    #expect(fork.requests().filter { !$0.value.hasPrefix("CANCEL") }.isEmpty)
    #expect(TestNode.start(fork.node.received(by: fork.alice).last ?? "").hasPrefix("SIP/2.0 \(status)"))
    fork.node.expectNothingLeft()
  }

  @Test(
    "without any breadth nothing can be forwarded: 440; what is no number is 400; the server itself is asked as ever")
  func none() {
    for (line, status) in [
      ("Max-Breadth: 0", "440 Max-Breadth Exceeded"), ("Max-Breadth: -1", "400 Malformed Max-Breadth"),
      ("Max-Breadth: 1;x", "400 Malformed Max-Breadth"), ("Max-Breadth:", "400 Malformed Max-Breadth"),
      ("Max-Breadth: 5\nMax-Breadth: a", "400 Malformed Max-Breadth"),
    ] {
      let fork = Fork(line, [""])
      #expect(fork.requests().isEmpty)
      #expect(TestNode.start(fork.node.one(by: fork.alice)) == "SIP/2.0 \(status)")
      fork.node.send(fork.node.request("OPTIONS", "sip:example.test", from: fork.alice, line), from: fork.alice)
      #expect(TestNode.start(fork.node.one(by: fork.alice)) == "SIP/2.0 200 OK")
      fork.node.expectNothingLeft()
    }
  }
}

import SIPServer
import Structures
import Testing

@Suite("A request forked to several contacts, RFC 3261 §16.6, §16.7")
struct ForkingTests {
  /// A request from alice that reached all of bob's phones, one for each `q`.
  private struct Fork {
    let node = TestNode()
    let alice: TestNode.Peer
    var phones: [TestNode.Peer] = []

    init(_ q: [String], _ transport: TransportProtocol = .tls, method: String = "INVITE") {
      alice = node.peer("alice", transport)
      for (index, q) in q.enumerated() {
        let phone = node.peer("phone\(index)", transport)
        phones.append(phone)
        node.register("bob", phone, q.isEmpty ? "" : ";q=\(q)")
      }
      node.send(node.request(method, from: alice, branch: "caller"), from: alice)
      node.settle()
    }

    func cancel() { node.send(node.request("CANCEL", from: alice, branch: "caller"), from: alice) }
    func answer(_ status: String, _ request: String, _ phone: Int, tag: String? = nil) {
      node.send(TestNode.response(status, to: request, tag: tag ?? "tag\(phone)"), from: phones[phone])
    }
    /// Statuses that alice got since she was last asked, the 100 left out.
    func heard() -> [Int] {
      node.received(by: alice).compactMap { Int(TestNode.start($0).split(separator: " ")[1]) }.filter { $0 != 100 }
    }
  }

  @Test(
    "takes the best answer when all have failed: any 6xx, else the lowest class, and no 503",
    arguments: [
      ([486, 404], 486), ([404, 486], 404), ([500, 404], 404), ([302, 404], 302), ([404, 302, 500], 302),
      ([404, 603], 603), ([603, 200], 200), ([603, 600], 603), ([503, 500], 500), ([503, 503], 500), ([503, 404], 404),
      ([404, 401], 401), ([486, 407], 407), ([404, 415], 415), ([404, 420], 420), ([404, 484], 484), ([408, 486], 486),
      ([487, 486], 486), ([408, 500], 408), ([302, 401], 302),
    ])
  func best(_ row: ([Int], Int)) {
    for transport in [TransportProtocol.tls, .udp] {
      let fork = Fork(row.0.map { _ in "" }, transport)
      let requests = fork.phones.map { fork.node.one(by: $0) }
      for (index, status) in row.0.enumerated() {
        if status < 600, index > 0 { #expect(fork.heard().isEmpty) }
        fork.answer("\(status) X", requests[index], index)
      }
      #expect(fork.heard() == [row.1], "\(row)")
      fork.node.expectNothingLeft()
    }
  }

  @Test(
    "whose best answer is a challenge brings the challenges of all (RFC 3261 §16.7 step 7)",
    arguments: [([401, 407], 401), ([407, 404, 401], 407), ([404, 401, 401], 401), ([401, 302], 302)])
  func challenges(_ row: ([Int], Int)) {
    let fork = Fork(row.0.map { _ in "" })
    let requests = fork.phones.map { fork.node.one(by: $0) }
    let names = [401: "WWW-Authenticate", 407: "Proxy-Authenticate"]
    _ = fork.heard()
    for (index, status) in row.0.enumerated() {
      let line = names[status].map { "\($0): Digest realm=\"r\(index)\",\r\n nonce=\"n\"\r\n" } ?? ""
      let response = TestNode.response("\(status) X", to: requests[index], tag: "tag\(index)")
      fork.node.send(response.replacing("Content-Length", with: line + "Content-Length"), from: fork.phones[index])
    }
    let final = fork.node.one(by: fork.alice)
    #expect(TestNode.start(final) == "SIP/2.0 \(row.1) X")
    for (index, status) in row.0.enumerated() {
      let isThere = final.contains("Digest realm=\"r\(index)\",\r\n nonce=\"n\"\r\n")
      #expect(isThere == (row.1 != 302 && names[status] != nil), "\(final)")
    }
    #expect(TestNode.headers("WWW-Authenticate", final).count == (row.1 == 302 ? 0 : row.0.count { $0 == 401 }))
    fork.node.expectNothingLeft()
  }

  @Test("tries equal ones at once, lower ones only after all of the higher have failed")
  func serial() {
    let fork = Fork(["0.5", "", "0.5", "0.1"])
    let (node, phones) = (fork.node, fork.phones)
    let first = node.one(by: phones[1])
    for index in [0, 2, 3] { #expect(node.received(by: phones[index]).isEmpty) }
    fork.answer("500 No", first, 1)
    let second = [node.one(by: phones[0]), node.one(by: phones[2])]
    #expect(node.received(by: phones[3]).isEmpty)
    fork.answer("486 Busy", second[0], 0)
    #expect(node.received(by: phones[3]).isEmpty)
    fork.answer("404 No", second[1], 2)
    let third = node.one(by: phones[3])
    let branches = [first, second[0], second[1], third].map { TestNode.header("Via", $0) }
    #expect(Set(branches).count == 4)
    fork.answer("180 Ringing", third, 3)
    fork.answer("200 OK", third, 3)
    #expect(fork.heard() == [180, 200])
    node.expectNothingLeft()
  }

  @Test("tries the next after one that doesn't answer, and after one whose connection is gone")
  func serialAfterSilence() {
    let fork = Fork(["0.9", "0.5", "0.1"])
    let (node, phones) = (fork.node, fork.phones)
    _ = node.one(by: phones[0])
    node.advance(.seconds(33))
    _ = node.one(by: phones[1])
    node.close(phones[1])
    node.settle()
    let third = node.one(by: phones[2])
    fork.answer("486 Busy", third, 2)
    #expect(fork.heard() == [486])
    node.expectNothingLeft()
  }

  @Test("tries nobody else once the caller has cancelled, a 6xx came, or one has accepted")
  func nothingNew() {
    for stop in ["cancel", "603 Decline", "200 OK"] {
      let fork = Fork(["0.9", "0.1"])
      let first = fork.node.one(by: fork.phones[0])
      fork.answer("180 Ringing", first, 0)
      if stop == "cancel" {
        fork.cancel()
        fork.answer("487 Request Terminated", first, 0)
      } else {
        fork.answer(stop, first, 0)
      }
      fork.node.advance(.seconds(40))
      #expect(fork.node.received(by: fork.phones[1]).isEmpty)
      #expect(fork.heard().last == (stop == "cancel" ? 487 : Int(stop.prefix(3))))
      fork.node.expectNothingLeft()
    }
  }

  @Test("after a 6xx cancels the others and waits for their answers; a 2xx of theirs still wins its way through")
  func sixHundred() {
    for late in ["487 Request Terminated", "200 OK"] {
      let fork = Fork(["", "", ""])
      let requests = fork.phones.map { fork.node.one(by: $0) }
      fork.answer("180 Ringing", requests[1], 1)
      fork.answer("603 Decline", requests[0], 0)
      #expect(fork.heard() == [180])
      #expect(fork.node.received(by: fork.phones[1]).map(TestNode.start).first?.hasPrefix("CANCEL ") == true)
      #expect(fork.node.received(by: fork.phones[2]).isEmpty)
      fork.answer("183 Progress", requests[2], 2)
      #expect(fork.node.received(by: fork.phones[2]).map(TestNode.start).first?.hasPrefix("CANCEL ") == true)
      fork.answer(late, requests[1], 1)
      fork.answer("487 Request Terminated", requests[2], 2)
      let heard = fork.heard().filter { $0 >= 200 }
      #expect(heard == (late.hasPrefix("200") ? [200] : [603]))
      fork.node.expectNothingLeft()
    }
  }

  @Test("passes every 2xx, and cancels only what has rung and has no final response")
  func accepted() {
    let fork = Fork(["", "", "", ""])
    let requests = fork.phones.map { fork.node.one(by: $0) }
    fork.answer("180 Ringing", requests[0], 0)
    fork.answer("180 Ringing", requests[1], 1)
    fork.answer("486 Busy", requests[1], 1)
    fork.answer("200 OK", requests[2], 2)
    #expect(fork.node.received(by: fork.phones[0]).map { TestNode.start($0).prefix(6) } == ["CANCEL"])
    #expect(fork.node.received(by: fork.phones[1]).map { TestNode.start($0).prefix(6) } == ["ACK si"])
    #expect(fork.node.received(by: fork.phones[2]).isEmpty)
    #expect(fork.node.received(by: fork.phones[3]).isEmpty)
    fork.answer("200 OK", requests[0], 0)
    fork.answer("200 OK", requests[3], 3)
    #expect(fork.heard() == [180, 180, 200, 200, 200])
    fork.node.expectNothingLeft()
  }

  @Test("of another method takes the first 2xx alone and cancels nothing")
  func nonInvite() {
    let fork = Fork(["", "", ""], method: "MESSAGE")
    let requests = fork.phones.map { fork.node.one(by: $0) }
    fork.answer("486 Busy", requests[0], 0)
    fork.answer("200 OK", requests[1], 1)
    fork.answer("202 Accepted", requests[2], 2)
    #expect(fork.heard() == [200])
    for phone in fork.phones { #expect(fork.node.received(by: phone).isEmpty) }
    fork.node.expectNothingLeft()
  }

  @Test("that is cancelled before anybody rang ends with one 487, whatever the phones then do")
  func cancelledEarly() {
    let fork = Fork(["", "", ""])
    let requests = fork.phones.map { fork.node.one(by: $0) }
    fork.cancel()
    #expect(fork.heard() == [200])
    for phone in fork.phones { #expect(fork.node.received(by: phone).isEmpty) }
    fork.answer("100 Trying", requests[0], 0)
    #expect(fork.node.received(by: fork.phones[0]).map { TestNode.start($0).prefix(6) } == ["CANCEL"])
    fork.answer("487 Request Terminated", requests[0], 0)
    fork.answer("487 Request Terminated", requests[1], 1)
    #expect(fork.heard().isEmpty)
    fork.node.advance(.seconds(33))
    #expect(fork.heard() == [487])
    fork.node.expectNothingLeft()
  }

  @Test("whose CANCEL crosses a 2xx is accepted")
  func crossing() {
    let fork = Fork([""])
    let request = fork.node.one(by: fork.phones[0])
    fork.answer("180 Ringing", request, 0)
    fork.cancel()
    let cancel = fork.node.one(by: fork.phones[0])
    fork.answer("200 OK", request, 0)
    fork.node.send(TestNode.response("481 Gone", to: cancel), from: fork.phones[0])
    #expect(fork.heard() == [180, 200, 200])
    fork.cancel()
    #expect(fork.heard() == [200])
    #expect(fork.node.received(by: fork.phones[0]).isEmpty)
    fork.node.expectNothingLeft()
  }

  @Test("that rings for longer than Timer C is cancelled, and given up when even that gets no answer")
  func timerC() {
    let fork = Fork(["0.9", "0.1"])
    let request = fork.node.one(by: fork.phones[0])
    fork.answer("180 Ringing", request, 0)
    fork.node.advance(.seconds(170))
    fork.answer("180 Ringing", request, 0)
    fork.node.advance(.seconds(170))
    fork.answer("100 Trying", request, 0)
    #expect(fork.node.received(by: fork.phones[0]).isEmpty)
    fork.node.advance(.seconds(11))
    #expect(fork.node.received(by: fork.phones[0]).map { TestNode.start($0).prefix(6) } == ["CANCEL"])
    fork.node.advance(.seconds(33))
    let second = fork.node.one(by: fork.phones[1])
    fork.answer("404 No", second, 1)
    #expect(fork.heard() == [180, 180, 404])
    fork.node.expectNothingLeft()
  }

  @Test("goes to no more than the configured number of contacts")
  func limit() {
    let node = TestNode { $0.maxBranches = 3 }
    let alice = node.peer("alice")
    let phones = (0..<5).map { node.peer("phone\($0)") }
    for phone in phones { node.register("bob", phone) }
    node.send(node.request("MESSAGE", from: alice), from: alice)
    node.settle()
    #expect(phones.filter { !node.received(by: $0).isEmpty }.count == 3)
    node.expectNothingLeft()
  }
}

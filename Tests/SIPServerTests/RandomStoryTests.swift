import SIPServer
import Simulation
import Structures
import Testing

/// Phones that register, call, answer, cancel, lose their connections and repeat themselves at random. What they do follows the RFC; when,
/// and whether it arrives, is chance.
private final class RandomStory {
  /// One phone: its connection, and what it has been asked.
  private struct Phone {
    let user: String
    var peer: TestNode.Peer
    var ringing: [String] = []
    /// 2xx of ours that wait for their ACK, by Call-ID.
    var unacknowledged: [String: String] = [:]
  }

  /// One INVITE of a phone's, and every final answer that it got.
  private struct Call {
    let phone: Int
    let connection: TestNode.Peer
    let request: String
    var finals: Set<String> = []
    var isProceeding = false
    var isCancelled = false
  }

  private let node: TestNode
  private var random: SplitMix
  private var phones: [Phone] = []
  private var calls: [String: Call] = [:]
  private var requests: [String] = []
  private var number = 0
  private let loses: Bool
  var complaints: [String] = []
  /// How often which final answer came, and what requests the phones got.
  private(set) var seen: [String: Int] = [:]

  init(seed: UInt64) {
    random = SplitMix(seed: seed)
    node = TestNode(seed: seed, hashing: SimpleHashing(seed: seed))
    loses = seed % 3 == 0
    node.locationDelay = .milliseconds(Int.random(in: 1...2_000, using: &random))
    for index in 0..<4 {
      phones.append(Phone(user: ["alice", "bob", "bob", "carol"][index], peer: connect(index)))
      register(index)
    }
    node.settle()
    for phone in phones { _ = node.received(by: phone.peer) }
  }

  private func connect(_ index: Int) -> TestNode.Peer {
    number += 1
    return node.peer("p\(index)-\(number)", [.tls, .udp, .tcp].randomElement(using: &random) ?? .tls)
  }

  private func register(_ index: Int) {
    number += 1
    let phone = phones[index]
    let q = [";q=0.5", "", "", ";q=0.2"].randomElement(using: &random) ?? ""
    node.send(
      """
      REGISTER sip:example.test SIP/2.0
      Via: SIP/2.0/X \(phone.peer.flow.remote);branch=z9hG4bKr\(number)
      Max-Forwards: 70
      From: <sip:\(phone.user)@example.test>;tag=r
      To: <sip:\(phone.user)@example.test>
      Call-ID: r\(index)
      CSeq: \(number) REGISTER
      Contact: <sip:\(phone.user)@\(phone.peer.flow.remote)>\(q)
      Expires: \(chance(10) ? 0 : 3_600)

      """, from: phone.peer)
  }

  private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  // MARK: Steps

  func run(steps: Int) {
    for _ in 0..<steps {
      step()
      hear()
    }
    // The end: all become silent but for their CANCEL and ACK duties, and every timer runs out.
    for _ in 0..<20 {
      node.advance(.seconds(20))
      hear(isEnding: true)
    }
    judge()
  }

  private func step() {
    let index = Int.random(in: 0..<phones.count, using: &random)
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<20: call(from: index)
    case 20..<28: request(from: index)
    case 28..<55: answer(index)
    case 55..<63: cancel()
    case 63..<68: register(index)
    case 68..<71: reconnect(index)
    case 71..<76: repeatSomething()
    case 76..<79: node.isLocationSilent.toggle()
    case 79..<94: node.advance(.milliseconds(Int.random(in: 1...3_000, using: &random)))
    case 94..<98: node.advance(.seconds(Int.random(in: 1...40, using: &random)))
    default: node.advance(.seconds(Int.random(in: 40...250, using: &random)))
    }
    for index in phones.indices {
      for response in phones[index].unacknowledged.values where chance(30) { say(response, index) }
    }
  }

  private func target() -> String {
    ["sip:bob@example.test", "sip:carol@example.test", "sip:nobody@example.test"].randomElement(using: &random) ?? ""
  }

  private func call(from index: Int) {
    number += 1
    let callID = "c\(number)"
    let request = node.request(
      "INVITE", target(), from: phones[index].peer, user: phones[index].user, callID: callID, branch: callID)
    calls[callID] = Call(phone: index, connection: phones[index].peer, request: request)
    // A repeated INVITE is sent by those whose transport may lose it.
    node.send(request, from: phones[index].peer)
  }

  private func request(from index: Int) {
    number += 1
    let method = ["MESSAGE", "OPTIONS", "FOO", "BYE"].randomElement(using: &random) ?? ""
    let request = node.request(method, target(), from: phones[index].peer, callID: "o\(number)", branch: "o\(number)")
    if phones[index].peer.flow.transport == .udp { requests.append(request) }
    node.send(request, from: phones[index].peer)
  }

  /// A phone says something about a call that rings there.
  private func answer(_ index: Int) {
    guard let position = phones[index].ringing.indices.randomElement(using: &random) else { return }
    let request = phones[index].ringing[position]
    let status =
      [
        "100 Trying", "180 Ringing", "183 Progress", "200 OK", "302 Moved", "404 No", "486 Busy", "503 No",
        "603 Decline",
      ]
      .randomElement(using: &random) ?? ""
    let response = TestNode.response(status, to: request, tag: "t\(index)")
    if !status.hasPrefix("1") { phones[index].ringing.remove(at: position) }
    if status.hasPrefix("2") { phones[index].unacknowledged[TestNode.header("Call-ID", request)] = response }
    say(response, index)
    if chance(10) { say(response, index) }
  }

  private func cancel() {
    guard
      let (callID, call) = calls.filter({ $0.value.isProceeding && $0.value.finals.isEmpty }).min(by: {
        $0.key < $1.key
      })
    else { return }
    calls[callID]?.isCancelled = true
    let lines = call.request.split(separator: "\n").filter { !$0.hasPrefix("Content") }
    let text = lines.joined(separator: "\n").replacing("INVITE", with: "CANCEL") + "\n\n"
    node.send(text, from: call.connection)
  }

  private func reconnect(_ index: Int) {
    let old = phones[index].peer
    if old.flow.transport == .udp { node.refuse(old) } else { node.close(old) }
    phones[index].peer = connect(index)
    phones[index].ringing = []
    phones[index].unacknowledged = [:]
    register(index)
  }

  private func repeatSomething() {
    let udp = calls.values.filter { $0.connection.flow.transport == .udp && $0.finals.isEmpty }
    let texts = (udp.map(\.request) + requests).sorted()
    guard let text = texts.randomElement(using: &random) else { return }
    let sender =
      udp.first { $0.request == text }?.connection ?? phones.first { text.contains("\($0.peer.flow.remote)") }?.peer
    if let sender { node.send(text, from: sender) }
  }

  private func say(_ message: String, _ index: Int) {
    if loses, phones[index].peer.flow.transport == .udp, chance(20) { return }
    node.send(message, from: phones[index].peer)
  }

  // MARK: What they hear

  private func hear(isEnding: Bool = false) {
    var isQuiet = false
    while !isQuiet {
      isQuiet = true
      let connections = phones.map(\.peer) + Set(calls.values.map(\.connection)).subtracting(phones.map(\.peer))
      for connection in connections {
        for message in node.received(by: connection) {
          // A 2xx is for its sender to repeat, who may be gone before he can.
          let isAccepted = message.hasPrefix("SIP/2.0 2")
          if loses, connection.flow.transport == .udp, !isAccepted, chance(20) { continue }
          isQuiet = false
          if message.hasPrefix("SIP/2.0") {
            heardResponse(message)
          } else if let index = phones.firstIndex(where: { $0.peer == connection }) {
            heardRequest(message, index, isEnding)
          }
        }
      }
    }
  }

  private func heardRequest(_ message: String, _ index: Int, _ isEnding: Bool) {
    let callID = TestNode.header("Call-ID", message)
    seen["\(message.prefix { $0 != " " })", default: 0] += 1
    switch message.prefix(while: { $0 != " " }) {
    case "INVITE": if !isEnding, !phones[index].ringing.contains(message) { phones[index].ringing.append(message) }
    case "ACK": phones[index].unacknowledged[callID] = nil
    case "CANCEL":
      say(TestNode.response("200 OK", to: message, tag: "t\(index)"), index)
      let via = TestNode.header("Via", message)
      if let position = phones[index].ringing.firstIndex(where: { TestNode.header("Via", $0) == via }) {
        say(
          TestNode.response("487 Request Terminated", to: phones[index].ringing.remove(at: position), tag: "t\(index)"),
          index)
      }
    default: if chance(80) { say(TestNode.response("200 OK", to: message, tag: "t\(index)"), index) }
    }
  }

  private func heardResponse(_ message: String) {
    guard TestNode.header("CSeq", message).hasSuffix("INVITE") else { return }
    let callID = TestNode.header("Call-ID", message)
    guard let call = calls[callID] else { return complaints.append("response of no call: \(message)") }
    if message.hasPrefix("SIP/2.0 1") {
      calls[callID]?.isProceeding = true
      return
    }
    calls[callID]?.finals.insert(message)
    seen["\(message.dropFirst(8).prefix(3))", default: 0] += 1
    let to = TestNode.header("To", message)
    if message.hasPrefix("SIP/2.0 2") {
      let routes = TestNode.headers("Record-Route", message).reversed().joined(separator: ", ")
      let tag = to.split(separator: ";tag=").last.map(String.init)
      number += 1
      let ack = node.request(
        "ACK", "sip:x@10.0.0.1", from: call.connection, callID: callID, branch: "a\(number)", tag: tag,
        "Route: \(routes)")
      node.send(ack, from: call.connection)
    } else {
      let lines = call.request.split(separator: "\n").map { $0.hasPrefix("To:") ? "To: \(to)" : $0 }
      node.send(lines.joined(separator: "\n").replacing("INVITE", with: "ACK") + "\n\n", from: call.connection)
    }
  }

  // MARK: What must be true

  private func judge() {
    for (callID, call) in calls {
      let accepted = call.finals.filter { $0.hasPrefix("SIP/2.0 2") }
      let refused = call.finals.count - accepted.count
      let isThere = phones.contains { $0.peer == call.connection } || call.connection.flow.transport == .udp
      if isThere, call.finals.isEmpty { complaints.append("\(callID) got no final answer") }
      if refused > 1 || refused == 1 && !accepted.isEmpty {
        complaints.append("\(callID) got \(call.finals.map(TestNode.start))")
      }
    }
    node.isLocationSilent = false
    node.advance(.seconds(400))
    let holdings = node.core.holdings
    let left = [
      holdings.clientTransactions, holdings.serverTransactions, holdings.contexts, holdings.timers, holdings.queries,
      holdings.messages,
    ]
    if left != [0, 0, 0, 0, 0, 0] { complaints.append("left: \(holdings)") }
  }
}

@Suite("Random stories: every INVITE gets one final answer or 2xx alone, and nothing is left")
struct RandomStoryTests {
  @Test("of four phones that do what they like", arguments: 0..<8)
  func stories(_ part: Int) {
    var seen: [String: Int] = [:]
    for seed in part * 100..<part * 100 + 100 {
      let story = RandomStory(seed: UInt64(seed))
      story.run(steps: 25)
      #expect(story.complaints.isEmpty, "seed \(seed): \(story.complaints)")
      if !story.complaints.isEmpty { return }
      seen.merge(story.seen) { $0 + $1 }
    }
    // Chance has to have led everywhere, else the stories prove little.
    for word in ["200", "302", "404", "408", "480", "486", "487", "500", "603", "INVITE", "ACK", "CANCEL", "BYE"] {
      #expect(seen[word, default: 0] > 0, "\(word) in none of the stories of part \(part)")
    }
  }
}

import SIPMessage
import SIPServer
import Structures
import Testing

/// Changes octets of a message at random, most of all where a parser looks.
private struct Mutator {
  var random: SplitMix
  private static let words = [
    "\r\n", "\r\n\r\n", "\r\n ", "\n", "\r", "\0", ",", ";", ":", "<", ">", "\"", "\\", "@", "%", "%zz", "=", "?", "[",
    "]",
    " ", "\t", "sip:", "sips:", "SIP/2.0", "0", "-1", "4294967296", "99999999999999999999", ";lr", ";branch=z9hG4bK",
    "*",
    "Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\n", "Content-Length: 5\r\n", "l: 0\r\n", "Route: <sip:192.0.2.1;lr>\r\n",
    "Contact: *\r\n", "[::1]", "[2001:db8:::1]", "z9hG4bK", "CANCEL", "ACK", "INVITE", ";tag=", ";rport", ";received=1",
    ";maddr=224.0.0.1", "Proxy-Require: x\r\n", "Authorization: Digest\r\n", "Expires: 0\r\n", "\u{80}\u{FFFD}",
  ]

  mutating func mutated(_ octets: [UInt8], with other: [UInt8]) -> [UInt8] {
    var result = octets
    for _ in 0..<Int.random(in: 1...4, using: &random) { change(&result, other) }
    return result
  }

  private mutating func change(_ octets: inout [UInt8], _ other: [UInt8]) {
    guard !octets.isEmpty else { return }
    let position = Int.random(in: 0..<octets.count, using: &random)
    let end = min(octets.count, position + Int.random(in: 1...30, using: &random))
    switch Int.random(in: 0..<9, using: &random) {
    case 0: octets[position] = UInt8.random(in: 0...255, using: &random)
    case 1: octets[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2: octets.removeSubrange(position..<end)
    case 3: octets.removeSubrange(position...)
    case 4, 5: octets.insert(contentsOf: Array((Self.words.randomElement(using: &random) ?? "").utf8), at: position)
    case 6: octets.insert(contentsOf: octets[position..<end], at: position)
    case 7: repeatLine(&octets, near: position)
    default:
      let from = Int.random(in: 0..<other.count, using: &random)
      octets.replaceSubrange(position..<end, with: other[from..<min(other.count, from + end - position)])
    }
  }

  private func repeatLine(_ octets: inout [UInt8], near position: Int) {
    let start = (octets[..<position].lastIndex(of: 10) ?? -1) + 1
    guard let end = octets[position...].firstIndex(of: 10) else { return }
    octets.insert(contentsOf: octets[start...end], at: start)
  }
}

@Suite("Changed messages: whatever comes, the server goes on and keeps nothing")
struct MutationTests {
  /// Sound messages of all kinds, with a call under way that they belong to.
  private static func seeds(_ node: TestNode, _ alice: TestNode.Peer, _ bob: TestNode.Peer) -> [[UInt8]] {
    node.send(node.request("INVITE", from: alice, callID: "a", branch: "under-way"), from: alice)
    node.settle()
    let invite = node.received(by: bob).first ?? ""
    node.send(TestNode.response("200 OK", to: invite, contact: "sip:bob@10.0.0.9"), from: bob)
    let routes = TestNode.headers("Record-Route", node.received(by: alice).last ?? "").reversed()
    let route = "Route: " + routes.joined(separator: ", ")
    let digest = DigestClient().credentials("abc")
    let texts = [
      node.request("INVITE", from: alice, "Contact: <sip:a@10.0.0.1>\nSupported: a, b", body: "v=0\r\n"),
      node.request("CANCEL", from: alice, branch: "under-way"), node.request("ACK", from: alice, tag: "callee", route),
      node.request("BYE", "sip:bob@10.0.0.9", from: alice, tag: "callee", route),
      node.request("OPTIONS", "sip:example.test", from: alice),
      node.request("MESSAGE", "sip:x@203.0.113.9", from: alice, "Proxy-Authorization: \(digest)\nRequire: a"),
      node.request("MESSAGE", "sip:bob@[2001:db8::10]:5070;transport=tcp", from: alice),
      node.request(
        "REGISTER", "sip:example.test", from: alice,
        "Contact: \"B\" <sip:b@10.0.0.1:5070;ob>;q=0.5;expires=60;+sip.instance=\"<urn:uuid:1>\";reg-id=1\n"
          + "Authorization: \(digest)\nExpires: 3600\nPath: <sip:p.example;lr;ob>\nSupported: path, outbound, gruu"),
      node.request(
        "REGISTER", "sips:example.test", from: alice,
        "Contact: <sips:b@10.0.0.1>;+sip.instance=\"<urn:uuid:1>\"\nRequire: gruu\nSupported: gruu"),
      node.request("REGISTER", "sip:example.test", from: alice, "Contact: *\nExpires: 0"),
      TestNode.response("183 Progress", to: invite, body: "v=0\r\n"), TestNode.response("200 OK", to: invite),
      TestNode.response("603 Decline", to: invite),
    ]
    return texts.map { Array(TestNode.wire($0).utf8) }
  }

  @Test("10,000 at a time", arguments: 0..<5)
  func changed(_ part: UInt64) {
    let seed = part &* 7_919 &+ 1
    var mutator = Mutator(random: SplitMix(seed: seed))
    let node = TestNode(seed: seed, hashing: QuickHashing(seed: seed)) { $0.authenticationRequired = part % 2 == 0 }
    let open = TestNode(seed: seed, hashing: QuickHashing(seed: seed))
    for node in [node, open] {
      let (alice, udp, bob) = (node.peer("alice"), node.peer("udp", .udp), node.peer("bob"))
      if !node.isChallenging { node.register("bob", bob) }
      let seeds = Self.seeds(node, alice, bob)
      for round in 0..<5_000 {
        let octets = mutator.mutated(
          seeds[Int.random(in: 0..<seeds.count, using: &mutator.random)],
          with: seeds[Int.random(in: 0..<seeds.count, using: &mutator.random)])
        let sender = [alice, udp, bob][round % 3]
        if round % 10 == 9 {
          node.send(unframed: octets, because: .malformedStart, from: sender)
        } else {
          node.send(octets: octets, from: sender)
        }
        for peer in [alice, udp, bob] { check(node.octets(by: peer), seed, round) }
        check(node.takeAddressed().map { Array($0.1.utf8) }, seed, round)
        if round % 50 == 0 { node.advance(.milliseconds(Int.random(in: 1...9_000, using: &mutator.random))) }
      }
      for peer in [alice, bob] { node.close(peer) }
      node.expectNothingLeft()
      #expect(node.core.holdings.connections == 0, "seed \(seed)")
    }
  }

  /// Each message that goes out is well-formed, so that nobody's mistake becomes the next hop's.
  private func check(_ messages: [[UInt8]], _ seed: UInt64, _ round: Int) {
    for octets in messages {
      let message = Message()
      message.load(octets.span, limits: ParserLimits())
      if message.error != nil || message.kind == .malformed {
        Issue.record("seed \(seed), round \(round): \(String(decoding: octets, as: UTF8.self).debugDescription)")
      }
    }
  }
}

import Foundation
import SIPMessage
import SIPServer
import Structures
import Testing

/// What the server does with one message of RFC 4475 or RFC 5118.
struct CoreTortureRow: Sendable, CustomTestStringConvertible {
  enum Outcome: Sendable, Equatable {
    /// Answered here with a status.
    case answer(Int)
    /// Forwarded to the contact of everybody.
    case forward
    /// Forwarded to an address.
    case address(String)
    /// Nothing is sent to anybody.
    case silence
  }

  let file: String
  let section: String
  let datagram: [Outcome]
  let stream: [Outcome]

  init(_ file: String, _ section: String, _ datagram: Outcome, stream: [Outcome]? = nil) {
    self.file = file
    self.section = section
    self.datagram = [datagram]
    self.stream = stream ?? [datagram]
  }

  var testDescription: String { "\(file), §\(section)" }

  static let all: [CoreTortureRow] = [
    CoreTortureRow("rfc4475/wsinv", "3.1.1.1", .forward),
    CoreTortureRow("rfc4475/intmeth", "3.1.1.2", .forward),
    CoreTortureRow("rfc4475/esc01", "3.1.1.3", .forward),
    CoreTortureRow("rfc4475/escnull", "3.1.1.4", .answer(200)),
    CoreTortureRow("rfc4475/esc02", "3.1.1.5", .answer(404)),
    CoreTortureRow("rfc4475/lwsdisp", "3.1.1.6", .forward),
    CoreTortureRow("rfc4475/longreq", "3.1.1.7", .forward),
    CoreTortureRow("rfc4475/dblreq", "3.1.1.8", .answer(200), stream: [.answer(200), .forward]),
    CoreTortureRow("rfc4475/semiuri", "3.1.1.9", .forward),
    CoreTortureRow("rfc4475/transports", "3.1.1.10", .forward),
    CoreTortureRow("rfc4475/mpart01", "3.1.1.11", .address("127.0.0.1:5080")),
    CoreTortureRow("rfc4475/unreason", "3.1.1.12", .silence),
    CoreTortureRow("rfc4475/noreason", "3.1.1.13", .silence),
    CoreTortureRow("rfc4475/badinv01", "3.1.2.1", .silence),
    CoreTortureRow("rfc4475/clerr", "3.1.2.2", .answer(400), stream: [.silence]),
    CoreTortureRow("rfc4475/ncl", "3.1.2.3", .answer(400)),
    CoreTortureRow("rfc4475/scalar02", "3.1.2.4", .answer(400)),
    CoreTortureRow("rfc4475/scalarlg", "3.1.2.5", .silence),
    CoreTortureRow("rfc4475/quotbal", "3.1.2.6", .answer(400)),
    CoreTortureRow("rfc4475/ltgtruri", "3.1.2.7", .answer(400)),
    CoreTortureRow("rfc4475/lwsruri", "3.1.2.8", .answer(400)),
    CoreTortureRow("rfc4475/lwsstart", "3.1.2.9", .answer(400)),
    CoreTortureRow("rfc4475/trws", "3.1.2.10", .answer(400)),
    CoreTortureRow("rfc4475/escruri", "3.1.2.11", .answer(400)),
    CoreTortureRow("rfc4475/baddate", "3.1.2.12", .forward),
    CoreTortureRow("rfc4475/regbadct", "3.1.2.13", .answer(400)),
    CoreTortureRow("rfc4475/badaspec", "3.1.2.14", .answer(400)),
    CoreTortureRow("rfc4475/baddn", "3.1.2.15", .answer(400), stream: [.silence]),
    CoreTortureRow("rfc4475/stream/baddn", "3.1.2.15", .answer(400)),
    CoreTortureRow("rfc4475/badvers", "3.1.2.16", .answer(505)),
    CoreTortureRow("rfc4475/mismatch01", "3.1.2.17", .answer(400)),
    CoreTortureRow("rfc4475/mismatch02", "3.1.2.18", .answer(400)),
    CoreTortureRow("rfc4475/bigcode", "3.1.2.19", .silence),
    CoreTortureRow("rfc4475/badbranch", "3.2.1", .forward),
    CoreTortureRow("rfc4475/insuf", "3.3.1", .answer(400)),
    CoreTortureRow("rfc4475/unkscm", "3.3.2", .answer(416)),
    CoreTortureRow("rfc4475/novelsc", "3.3.3", .answer(416)),
    CoreTortureRow("rfc4475/unksm2", "3.3.4", .answer(400)),
    CoreTortureRow("rfc4475/bext01", "3.3.5", .answer(420)),
    CoreTortureRow("rfc4475/invut", "3.3.6", .forward),
    CoreTortureRow("rfc4475/regaut01", "3.3.7", .answer(200)),
    CoreTortureRow("rfc4475/multi01", "3.3.8", .answer(400)),
    CoreTortureRow("rfc4475/mcl01", "3.3.9", .answer(400)),
    CoreTortureRow("rfc4475/bcast", "3.3.10", .silence),
    CoreTortureRow("rfc4475/zeromf", "3.3.11", .answer(483)),
    CoreTortureRow("rfc4475/cparam01", "3.3.12", .answer(200)),
    CoreTortureRow("rfc4475/cparam02", "3.3.13", .answer(200)),
    CoreTortureRow("rfc4475/regescrt", "3.3.14", .answer(200)),
    CoreTortureRow("rfc4475/sdp01", "3.3.15", .forward),
    CoreTortureRow("rfc4475/inv2543", "3.4.1", .forward, stream: [.answer(400)]),
    CoreTortureRow("rfc4475/test", "A.1", .silence),
    CoreTortureRow("rfc5118/ipv6-good", "4.1", .answer(200)),
    CoreTortureRow("rfc5118/ipv6-bad", "4.2", .answer(400)),
    CoreTortureRow("rfc5118/port-ambiguous", "4.3", .address("[2001:db8::10:5070]:5060")),
    CoreTortureRow("rfc5118/port-unambiguous", "4.4", .address("[2001:db8::10]:5070")),
    CoreTortureRow("rfc5118/via-received-param-with-delim", "4.5", .answer(404)),
    CoreTortureRow("rfc5118/via-received-param-no-delim", "4.5", .answer(200)),
    CoreTortureRow("rfc5118/ipv6-in-sdp", "4.6", .answer(400), stream: [.silence]),
    CoreTortureRow("rfc5118/stream/ipv6-in-sdp", "4.6", .forward),
    CoreTortureRow("rfc5118/mult-ip-in-header", "4.7", .forward),
    CoreTortureRow("rfc5118/mult-ip-in-sdp", "4.8", .forward),
    CoreTortureRow("rfc5118/stream/mult-ip-in-sdp", "4.8", .forward),
    CoreTortureRow("rfc5118/ipv4-mapped-ipv6", "4.9", .forward),
    CoreTortureRow("rfc5118/stream/ipv4-mapped-ipv6", "4.9", .forward),
    CoreTortureRow(
      "rfc5118/ipv6-bug-abnf-3-colons", "4.10", .address("[2001:db8::192.0.2.1]:5060"), stream: [.silence]),
    CoreTortureRow("rfc5118/stream/ipv6-bug-abnf-3-colons", "4.10", .address("[2001:db8::192.0.2.1]:5060")),
    CoreTortureRow(
      "rfc5118/ipv6-correct-abnf-2-colons", "4.10", .address("[2001:db8::192.0.2.1]:5060"), stream: [.silence]),
    CoreTortureRow("rfc5118/stream/ipv6-correct-abnf-2-colons", "4.10", .address("[2001:db8::192.0.2.1]:5060")),
  ]
}

@Suite("Torture messages through the core, RFC 4475 and RFC 5118")
struct CoreTortureTests {
  /// A server of the domains that the messages name, where everybody has one phone.
  private static func node() -> (TestNode, phone: TestNode.Peer) {
    let node = TestNode { settings in
      let others = [
        "example.net", "example.org", "company.com", "chair-dnrc.example.com", "services.example.com",
        "registrar.example.com", "host.example.net", "example.test",
      ]
      settings.domains = [
        .init(name: Array("example.com".utf8), aliases: others.map { Array($0.utf8) }, realm: Array("example.com".utf8))
      ]
      for transport in [TransportProtocol.tls, .tcp, .udp] {
        settings.listeners.append(TestNode.listener(transport, "[2001:db8::10]:\(transport.defaultPort)"))
      }
    }
    let phone = node.peer("phone")
    node.register("phone", phone)
    node.everybody = "phone@example.com"
    return (node, phone)
  }

  static func octets(_ name: String) throws -> [UInt8] {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = tests.appendingPathComponent("SIPMessageTests/Fixtures/\(name).dat")
    return [UInt8](try Data(contentsOf: file))
  }

  /// What came of the octets that were sent, and that nothing else did.
  private func check(
    _ expected: [CoreTortureRow.Outcome], _ node: TestNode, _ sender: TestNode.Peer, _ phone: TestNode.Peer,
    _ body: [UInt8]
  ) {
    node.settle()
    var answers = node.octets(by: sender).filter { !$0.starts(with: "SIP/2.0 100 ".utf8) }
    var forwarded = node.octets(by: phone)
    var addressed = node.takeAddressed()
    for outcome in expected {
      switch outcome {
      case .answer(let status):
        let answer = answers.isEmpty ? [] : answers.removeFirst()
        #expect(answer.starts(with: "SIP/2.0 \(status) ".utf8), "\(String(decoding: answer, as: UTF8.self))")
        checkForm(answer)
      case .forward:
        let message = forwarded.isEmpty ? [] : forwarded.removeFirst()
        #expect(message.suffix(body.count) == body)
        checkForm(message)
        let text = String(decoding: message, as: UTF8.self)
        node.send(TestNode.response("200 OK", to: text), from: phone)
        node.send(TestNode.response("404 Gone", to: text), from: phone)
        // RFC 2543 peers answer as well.
        let reply = node.octets(by: sender).last { !$0.starts(with: "SIP/2.0 100".utf8) } ?? []
        #expect(reply.starts(with: "SIP/2.0 200 OK\r\n".utf8) || reply.isEmpty)
      case .address(let address):
        let (target, message) = addressed.isEmpty ? (nil, "") : addressed.removeFirst()
        #expect(target == SocketAddress(address))
        #expect(Array(message.utf8).suffix(0).isEmpty && message.contains("\r\n\r\n"))
      case .silence: break
      }
    }
    #expect(answers.isEmpty && forwarded.isEmpty && addressed.isEmpty)
    let other = node.peer("other")
    node.send(node.request("OPTIONS", "sip:example.com", from: other), from: other)
    #expect(TestNode.start(node.one(by: other)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  /// What we send is well-formed whatever came, and has no Request-URI with a header part.
  private func checkForm(_ octets: [UInt8]) {
    let message = Message()
    message.load(octets.span, limits: ParserLimits())
    #expect(message.error == nil)
    if message.isRequest { #expect(!message.text(message.requestURIRange).contains("?")) }
  }

  private static func body(_ octets: [UInt8]) -> [UInt8] {
    let message = Message()
    message.load(octets.span, limits: ParserLimits())
    return Array(message.bytes[message.body.positions])
  }

  @Test("as a datagram", arguments: CoreTortureRow.all)
  func datagram(_ row: CoreTortureRow) throws {
    let (node, phone) = Self.node()
    // Responses to a peer without rport go to the port in its Via.
    let octets = try Self.octets(row.file)
    let message = Message()
    message.load(octets.span, limits: ParserLimits())
    let port = (try? message.topVia())?.port ?? 5_060
    let sender = node.peer("sender", .udp, port: (try? message.topVia())?.rportParameter == nil ? port : nil)
    node.send(octets: octets, from: sender)
    check(row.datagram, node, sender, phone, Self.body(octets))
  }

  @Test("as octets of a stream, between sound messages", arguments: CoreTortureRow.all, [TransportProtocol.tls, .tcp])
  func stream(_ row: CoreTortureRow, _ transport: TransportProtocol) throws {
    let (node, phone) = Self.node()
    let sender = node.peer("sender", transport)
    let octets = try Self.octets(row.file)
    let sound = Array(TestNode.wire(node.request("OPTIONS", "sip:example.com", from: sender)).utf8)
    var framer = StreamFramer(maximumHead: 32_768, maximumMessage: 65_535)
    var unread = sound + octets
    var body: [UInt8] = []
    var isOver = false
    while !isOver {
      switch framer.next(unread.span) {
      case .incomplete: isOver = true
      case .keepAlive(let length, _): unread.removeFirst(length)
      case .message(let length):
        node.send(octets: Array(unread[..<length]), from: sender)
        body = Self.body(Array(unread[..<length]))
        unread.removeFirst(length)
      case .broken(let error, let head):
        node.send(unframed: Array(unread[..<head]), because: error, from: sender)
        isOver = true
      }
    }
    var received = node.octets(by: sender)
    #expect(received.first?.starts(with: "SIP/2.0 200 OK".utf8) == true)
    received = Array(received.dropFirst())
    node.putBack(received, for: sender)
    check(row.stream, node, sender, phone, body)
  }
}

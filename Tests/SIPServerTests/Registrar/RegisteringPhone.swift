import Structures
import Testing

/// A user agent that registers over one flow of a ``TestNode``, directly or behind proxies.
struct RegisteringPhone {
  let node: TestNode
  let peer: TestNode.Peer
  /// `user@domain`.
  var aor = "bob@example.test"
  /// Where the REGISTER goes.
  var requestURI = "sip:example.test"
  /// Via values of proxies between the phone and the registrar, the nearest to the registrar first.
  var proxies: [String] = []
  var callID: String
  private(set) var cseq = 0

  init(
    _ node: TestNode, _ name: String = "phone", _ transport: TransportProtocol = .tls, aor: String = "bob@example.test"
  ) {
    self.node = node
    peer = node.peer(name, transport)
    callID = "\(name)-call"
    self.aor = aor
  }

  /// A REGISTER with some lines beside the usual ones.
  func text(_ lines: String, cseq: Int, branch: String? = nil) -> String {
    let transport = "\(peer.flow.transport)".uppercased()
    var vias = proxies.map { "Via: SIP/2.0/\(transport) \($0);branch=z9hG4bKproxy\(cseq)\(callID)" }
    vias.append("Via: SIP/2.0/\(transport) \(peer.flow.remote);branch=z9hG4bK\(branch ?? "\(peer.name)\(cseq)")")
    return """
      REGISTER \(requestURI) SIP/2.0
      \(vias.joined(separator: "\n"))
      Max-Forwards: 70
      From: <sip:\(aor)>;tag=1
      To: <sip:\(aor)>
      Call-ID: \(callID)
      CSeq: \(cseq) REGISTER
      \(lines.isEmpty ? "X: y" : lines)

      """
  }

  /// What the registrar answers.
  mutating func register(_ lines: String = "", cseq: Int? = nil) -> String {
    self.cseq = cseq ?? self.cseq + 1
    node.send(text(lines, cseq: self.cseq), from: peer)
    node.settle()
    return node.one(by: peer)
  }

  /// The status code that the registrar answers with.
  mutating func status(_ lines: String = "", cseq: Int? = nil) -> Int {
    Self.status(of: register(lines, cseq: cseq))
  }

  /// The Contact values that the registrar tells.
  mutating func contacts() -> [String] { TestNode.headers("Contact", register()) }

  static func status(of answer: String) -> Int {
    TestNode.start(answer).split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
  }
}

import SIPServer
import Structures
import Testing

/// A node that challenges, its users, and a gateway that it trusts; what happens between them.
struct IdentityStory {
  let node: TestNode
  /// The peer whose address is trusted.
  let gateway: TestNode.Peer
  let alice: TestNode.Peer
  let bob: TestNode.Peer
  /// Somebody elsewhere.
  let stranger: TestNode.Peer
  /// The gateway's address as the host of a URI.
  var gatewayURI: String { "sip:110@\(gateway.flow.remote);transport=tcp" }
  /// An address that nobody knows.
  static let elsewhere = "sip:x@203.0.113.9"

  static let secrets = ["alice": "secret", "bob": "hidden", "o r?": "odd"]

  /// `alice` isn't registered unless asked for; `bob` is.
  init(
    secrets: [String: String] = IdentityStory.secrets, aliceIsRegistered: Bool = false,
    _ change: @escaping (inout ServerSettings) -> Void = { _ in }
  ) {
    node = TestNode(users: TestUsers(secrets)) { settings in
      settings.authenticationRequired = true
      // The first peer that is made has this address.
      settings.identity.trusted = ["198.51.100.1", "2001:db8::/32"].compactMap { IPNetwork($0) }
      change(&settings)
    }
    gateway = node.peer("gateway", .tcp)
    (alice, bob, stranger) = (node.peer("alice"), node.peer("bob"), node.peer("stranger"))
    let isProving = node.isChallenging
    node.register("bob", bob, password: isProving ? secrets["bob"] : nil)
    if aliceIsRegistered { node.register("alice", alice, password: isProving ? secrets["alice"] : nil) }
  }

  /// A request with another From URI and more header lines.
  func request(
    _ method: String = "MESSAGE", _ uri: String = "sip:bob@example.test", from peer: TestNode.Peer,
    as from: String = "sip:alice@example.test", _ lines: String = ""
  ) -> String {
    node.request(method, uri, from: peer, lines).replacing(
      "From: <sip:alice@example.test>", with: "From: <\(from)>")
  }

  /// Sends a request and answers its challenge. Returns what came back before it went on, the challenge aside.
  @discardableResult
  func prove(
    _ request: String, from peer: TestNode.Peer, user: String = "alice", _ location: SourceLocation = #_sourceLocation
  ) -> [String] {
    node.send(request, from: peer)
    let challenge = node.one(by: peer, location)
    #expect(TestNode.start(challenge).contains("407"), sourceLocation: location)
    let again = AccessTests.proved(request, challenge, user: user, password: Self.secrets[user] ?? "")
    node.send(again.replacing("z9hG4bK", with: "z9hG4bKagain"), from: peer)
    node.settle()
    return node.received(by: peer).map(TestNode.start)
  }

  /// What arrived at the other side: at bob, or at an address when the request went to one.
  func arrived(_ location: SourceLocation = #_sourceLocation) -> String {
    node.settle()
    let all = node.received(by: bob) + node.takeAddressed().map(\.1)
    #expect(all.count == 1, "\(all.map(TestNode.start))", sourceLocation: location)
    return all.first ?? ""
  }

  /// The asserted identities in a message.
  static func asserted(_ message: String) -> [String] { TestNode.headers("P-Asserted-Identity", message) }
}

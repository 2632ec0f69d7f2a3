import CAllocationCount
import SIPMessage
import SIPServer
import SIPTransaction
import Structures
import TLSEngine

/// Users for a server that challenges nobody.
struct NoUsers: UserDirectory {
  func appendHA1(
    domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]
  ) -> Bool { false }
  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? { nil }
}

/// A server core with two registered users, each on a connection of its own, and the location service at its side.
struct Bench {
  let core: ServerCore
  var location = InMemoryLocation(now: 1_790_000_000)
  var actions = ServerActions()
  var now = Instant(nanoseconds: 1_000_000_000)
  let alice = Bench.flow(1)
  let bob = Bench.flow(2)
  let message = Message()
  var messages = Messages()
  let limits = ParserLimits()

  init() throws {
    var settings = ServerSettings(
      domains: [.init(name: Array("example.test".utf8), aliases: [], realm: Array("example.test".utf8))],
      listeners: [
        .init(
          transport: .tls, address: SocketAddress(IPAddress(v4: 0xC000_0201), port: 5061),
          sentBy: Array("node1.example.test:5061".utf8), recordRoute: Array("sip.example.test:5061".utf8))
      ],
      hosts: [Array("sip.example.test".utf8)])
    settings.authenticationRequired = false
    let secret = [UInt8](repeating: 7, count: 32)
    core = ServerCore(
      settings: settings,
      identity: Branch(node: 7, slot: 0, generation: 1, transaction: SlotHandle(index: 0, generation: 0)),
      hashing: try ClusterCryptography(secret: secret.span), users: NoUsers(), start: now, unixSeconds: 1_790_000_000)
    let contact = Array("sip:bob@192.0.2.99:5061;transport=tls".utf8)
    let change = RegistrationUpdate.ContactChange(uri: contact, duration: 3_600, isReachedByFlow: true)
    _ = location.update(
      RegistrationUpdate(
        aor: Array("bob@example.test".utf8), operation: .change([change]), callID: [1], cseq: 1, flow: bob,
        maxContacts: 10, now: 1_790_000_000))
  }

  static func flow(_ number: UInt64) -> Flow {
    let local = SocketAddress(IPAddress(v4: 0xC000_0201), port: 5061)
    let remote = SocketAddress(IPAddress(v4: 0xC633_6400 | UInt32(number)), port: 49_152)
    return Flow(
      id: .stream(StreamFlow(node: 7, slot: 0, epoch: 9, connection: number)), transport: .tls, listener: 0,
      local: local, remote: remote, isVerified: false)
  }

  /// Finds the parts of an INVITE, and writes it as it goes to its target; between the two, `isChecked` holds it against the grammar, as the server
  /// does with everything that it receives.
  mutating func parseAndForward(_ invite: [UInt8], isChecked: Bool) {
    message.load(invite.span, limits: limits)
    if isChecked, message.check() != nil { return }
    guard let via = try? message.topVia() else { return }
    actions.removeAll()
    core.appendForwarded(message, via: via, from: alice, to: bob, uri: messages.target, &actions.outbox.octets)
  }

  /// A MESSAGE from one user to the other and its 200 back, through the whole core.
  mutating func relayMessage(_ number: Int) {
    messages.number(number)
    let request = messages.message
    actions.removeAll()
    core.received(request.span, over: alice, at: now, actions: &actions)
    guard let (query, bindings) = answer() else { return }
    actions.removeAll()
    core.located(query, bindings, at: now, actions: &actions)
    makeResponse()
    let response = messages.response
    actions.removeAll()
    core.received(response.span, over: bob, at: now, actions: &actions)
  }

  // What these two read of the actions is held by them alone: emptying the actions would have to leave it a copy.

  private mutating func makeResponse() {
    guard let sent = actions.outbox.transmissions.first else { return }
    let forwarded = actions.outbox.octets
    messages.makeResponse(forwarded.span.extracting(sent.start..<sent.end))
  }

  /// What the location service says to the first question.
  private mutating func answer() -> (UInt64, BindingSet?)? {
    guard case .lookup(let query, let range) = actions.questions.first else { return nil }
    let keys = actions.keys
    return (query, location.lookup(aor: keys.span.extracting(range), now: 1_790_000_000))
  }
}

/// The benchmarks by name.
enum Work: String {
  case relayMessage = "relay-message"
  case parseCheckRecordRoute = "parse-check-record-route"
  case parseCheckForward = "parse-check-forward"
  case parseForward = "parse-forward"
}

/// Runs one benchmark and prints its heap allocations for each round; instructions are counted from outside.
func run() throws {
  let arguments = CommandLine.arguments
  guard arguments.count == 3, let rounds = Int(arguments[2]) else {
    print("usage: micro parse-forward|parse-check-forward|parse-check-record-route|relay-message ROUNDS")
    return
  }
  var bench = try Bench()
  let (invite, reinvite) = (bench.messages.invite, bench.messages.reinvite)
  var before: UInt64 = 0
  // Looked up once: comparing names is no part of what is measured.
  let work = Work(rawValue: arguments[1]) ?? .parseForward
  for round in 0..<100 + rounds {
    if round == 100 { before = allocation_count() }
    switch work {
    case .relayMessage: bench.relayMessage(round)
    case .parseCheckRecordRoute: bench.parseAndForward(invite, isChecked: true)
    case .parseCheckForward: bench.parseAndForward(reinvite, isChecked: true)
    case .parseForward: bench.parseAndForward(reinvite, isChecked: false)
    }
  }
  let allocations = Double(allocation_count() - before) / Double(rounds)
  print("allocations \(allocations) octets \(bench.actions.outbox.octets.count) held \(bench.core.holdings.messages)")
}

try run()

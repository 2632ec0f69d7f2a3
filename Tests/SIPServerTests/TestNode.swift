import SIPMessage
import SIPServer
import SIPTransaction
import Simulation
import Structures
import Testing

/// A server core with peers that a test plays: it hands in what they send, keeps what is sent to them, and answers the core's questions to the
/// location service after random delays. Time moves only by ``advance(_:)``.
final class TestNode {
  /// Somebody at the other end of a flow.
  struct Peer: Hashable {
    let name: String
    let flow: Flow
  }

  private struct Question {
    let due: Instant
    let answer: (TestNode) -> Void
  }

  let core: ServerCore
  /// Which worker of the node it is.
  let slot: UInt16
  private let firstConnection: UInt64
  /// Whether requests from our domain have to prove who sent them.
  let isChallenging: Bool
  let users: TestUsers
  var location = InMemoryLocation(now: TestNode.start)
  /// Which nonces are claimed; several nodes may share it.
  var claims = InMemoryClaims()
  /// How often a claim, the note of one and a user were asked for.
  private(set) var asked = (claims: 0, notes: 0, users: 0)
  /// What is answered about claims and users instead of what is so; nil: nothing.
  var isKeeperAway = false
  var actions = ServerActions()
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  private var questions: [Question] = []
  private var inboxes: [FlowID: [[UInt8]]] = [:]
  /// What went to addresses instead of flows.
  private(set) var toAddresses: [(SocketAddress, String)] = []
  private var addressedTags: [UInt64] = []
  private(set) var closedFlows: [FlowID] = []
  /// What is for other workers, until ``LinkedNodes`` carries it over.
  var outgoing: [ForOther] = []
  /// The silence that the transport was told to allow last, of each connection.
  private(set) var supervisions: [FlowID: Duration] = [:]
  private(set) var gone: Set<FlowID> = []
  private var datagramPeers: [SocketAddress: FlowID] = [:]
  private var random: SplitMix
  private var connections: UInt64 = 0
  /// The longest that the location service takes to answer.
  var locationDelay = Duration.milliseconds(20)
  /// The address of record whose contacts are everybody's that has none.
  var everybody: String?
  /// Whether the location service has stopped answering.
  var isLocationSilent = false

  static let start: Int64 = 1_790_000_000

  init(
    seed: UInt64 = 1, number: UInt32 = 7, slot: UInt16 = 0, generation: UInt16 = 1, users: TestUsers = TestUsers(),
    hashing: any Hashing = TestHashing(),
    _ change: (inout ServerSettings) -> Void = { _ in }
  ) {
    random = SplitMix(seed: seed)
    firstConnection = UInt64(generation) << 48
    // No two workers have peers at one address.
    connections = UInt64(slot) * 64
    self.users = users
    self.slot = slot
    let listeners = [
      Self.listener(.tls, "192.0.2.1:5061"), Self.listener(.tcp, "192.0.2.1:5060"),
      Self.listener(.udp, "192.0.2.1:5060"),
    ]
    var settings = ServerSettings(
      domains: [
        .init(name: Array("example.test".utf8), aliases: [Array("alias.test".utf8)], realm: Array("example.test".utf8))
      ],
      listeners: listeners,
      hosts: [Array("sip.example.test".utf8), Array("node1.example.test".utf8), Array("192.0.2.1".utf8)])
    settings.authenticationRequired = false
    settings.registrar.expiresSpread = 0
    change(&settings)
    isChallenging = settings.authenticationRequired
    core = ServerCore(
      settings: settings,
      identity: Branch(
        node: number, slot: slot, generation: generation, transaction: SlotHandle(index: 0, generation: 0)),
      hashing: hashing, users: users, start: now, unixSeconds: Self.start + 1)
  }

  static func listener(_ transport: TransportProtocol, _ address: String) -> ServerSettings.Listener {
    let socket = SocketAddress(address) ?? SocketAddress(IPAddress(v4: 0), port: 0)
    return ServerSettings.Listener(
      transport: transport, address: socket, sentBy: Array("node1.example.test:\(socket.port)".utf8),
      recordRoute: Array("sip.example.test:\(socket.port)".utf8))
  }

  // MARK: Peers

  /// A peer with a connection of its own (TLS, TCP), or a socket (UDP).
  func peer(_ name: String, _ transport: TransportProtocol = .tls, verified: Bool = false, port: UInt16? = nil) -> Peer
  {
    connections += 1
    let remote = SocketAddress(
      IPAddress(v4: 0xC633_6400 &+ UInt32(connections)), port: port ?? UInt16(40_000 + connections % 20_000))
    let listener: UInt16 = transport == .tls ? 0 : transport == .tcp ? 1 : 2
    let id: FlowID =
      transport == .udp
      ? .datagram(DatagramFlow(node: 7, listener: listener, remote: remote))
      : .stream(StreamFlow(node: 7, slot: slot, epoch: 99, connection: firstConnection | connections))
    if transport == .udp { datagramPeers[remote] = id }
    let local = SocketAddress(IPAddress(v4: 0xC000_0201), port: transport == .tls ? 5061 : 5060)
    return Peer(
      name: name,
      flow: Flow(id: id, transport: transport, listener: listener, local: local, remote: remote, isVerified: verified))
  }

  /// The peer sends a message; bare line feeds in `text` become CRLF, and Content-Length is added when missing.
  func send(_ text: String, from peer: Peer) {
    send(octets: Array(Self.wire(text).utf8), from: peer)
  }

  /// The peer sends a message, octet by octet as given.
  func send(octets: [UInt8], from peer: Peer) {
    actions.removeAll()
    core.received(octets.span, over: peer.flow, at: now, actions: &actions)
    carryOut()
  }

  /// The peer's connection closes.
  func close(_ peer: Peer) {
    gone.insert(peer.flow.id)
    guard case .stream(let flow) = peer.flow.id else { return }
    actions.removeAll()
    core.connectionClosed(flow, at: now, actions: &actions)
    carryOut()
  }

  /// The peer sends octets of which the end can't be found; what remains of the head is given.
  func send(unframed octets: [UInt8], because error: FramingError, from peer: Peer) {
    actions.removeAll()
    core.receivedUnframed(octets.span, because: error, over: peer.flow, at: now, actions: &actions)
    carryOut()
  }

  /// Nobody listens any more at a datagram peer's port.
  func refuse(_ peer: Peer) {
    guard case .datagram(let flow) = peer.flow.id else { return }
    actions.removeAll()
    core.datagramRefused(flow, at: now, actions: &actions)
    carryOut()
  }

  /// What was sent over the peer's connection isn't acknowledged.
  func suspect(_ peer: Peer) {
    guard case .stream(let flow) = peer.flow.id else { return }
    actions.removeAll()
    core.flowSuspected(flow, at: now, actions: &actions)
    carryOut()
  }

  /// The peer's connection gives a sign of life.
  func recover(_ peer: Peer) {
    if case .stream(let flow) = peer.flow.id { core.flowRecovered(flow) }
  }

  /// What was sent to the peer since it was last asked.
  func received(by peer: Peer) -> [String] {
    octets(by: peer).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The octets of each message that was sent to the peer since it was last asked.
  func octets(by peer: Peer) -> [[UInt8]] {
    inboxes.removeValue(forKey: peer.flow.id) ?? []
  }

  /// Messages that a peer was asked for too early.
  func putBack(_ messages: [[UInt8]], for peer: Peer) {
    inboxes[peer.flow.id] = messages + (inboxes[peer.flow.id] ?? [])
  }

  /// What was sent over a flow since it was last asked.
  func received(over flow: FlowID) -> [String] {
    (inboxes.removeValue(forKey: flow) ?? []).map { String(decoding: $0, as: UTF8.self) }
  }

  /// What was sent to addresses since it was last asked.
  func takeAddressed() -> [(SocketAddress, String)] {
    defer { toAddresses = [] }
    return toAddresses
  }

  /// What went to addresses could not be sent there.
  func failAddressed() {
    let tags = addressedTags
    addressedTags = []
    for tag in tags { fail(tag) }
  }

  /// What went to addresses goes over a peer's connection. Returns how long that may take to open, for each message.
  func carryAddressed(over peer: Peer) -> [Duration?] {
    let tags = addressedTags
    addressedTags = []
    guard case .stream(let flow) = peer.flow.id else { return [] }
    return tags.map { core.sent($0, over: flow) }
  }

  /// Lets every timer run out, and checks that nothing of any request is left.
  func expectNothingLeft(_ location: SourceLocation = #_sourceLocation) {
    isLocationSilent = false
    advance(.seconds(400))
    let holdings = core.holdings
    #expect(holdings.serverTransactions == 0, sourceLocation: location)
    #expect(holdings.clientTransactions == 0, sourceLocation: location)
    #expect(holdings.contexts == 0, sourceLocation: location)
    #expect(holdings.timers == 0, sourceLocation: location)
    #expect(holdings.queries == 0, sourceLocation: location)
    #expect(holdings.registers == 0, sourceLocation: location)
    #expect(holdings.messages == 0, sourceLocation: location)
  }

  /// The only message that was sent to the peer since it was last asked; a failure when there is none or another.
  func one(by peer: Peer, _ location: SourceLocation = #_sourceLocation) -> String {
    let all = received(by: peer)
    #expect(all.count == 1, "\(peer.name) got \(all.map { $0.prefix(40) })", sourceLocation: location)
    return all.first ?? ""
  }

  /// Lets time pass, with everything that becomes due in it.
  func advance(_ duration: Duration) {
    let end = now + duration
    while true {
      let question = questions.map(\.due).min()
      guard let next = [core.nextDeadline, question].compactMap({ $0 }).min(), next <= end else { break }
      now = max(now, next)
      core.unixSeconds = Self.start + now.nanoseconds / 1_000_000_000
      let due = questions.filter { $0.due <= now }
      questions.removeAll { $0.due <= now }
      for question in due { question.answer(self) }
      actions.removeAll()
      core.deadlineReached(at: now, actions: &actions)
      carryOut()
    }
    now = end
    core.unixSeconds = Self.start + now.nanoseconds / 1_000_000_000
  }

  /// What the location service has of a user; nil for nothing.
  func contacts(of user: String) -> BindingSet? {
    let key = Array("\(user)@example.test".utf8)
    return location.lookup(aor: key.span, now: core.unixSeconds)
  }

  /// Lets the location service answer.
  func settle() { advance(locationDelay) }

  // MARK: Orders

  private func carryOut() {
    core.unixSeconds = Self.start + now.nanoseconds / 1_000_000_000
    let batch = actions
    for transmission in batch.outbox.transmissions {
      let octets = Array(batch.outbox.octets[transmission.start..<transmission.end])
      switch transmission.destination {
      case .flow(let id) where gone.contains(id):
        noteClosed(id)
        fail(transmission.tag)
      case .flow(.stream(let flow)) where flow.slot != slot:
        outgoing.append(.message(flow, octets, tag: transmission.tag))
      case .flow(let id): inboxes[id, default: []].append(octets)
      case .address(let address, .udp, _) where datagramPeers[address] != nil:
        if let id = datagramPeers[address] { inboxes[id, default: []].append(octets) }
      case .address(let address, _, _):
        toAddresses.append((address, String(decoding: octets, as: UTF8.self)))
        addressedTags.append(transmission.tag)
      }
    }
    for passing in batch.passings { outgoing.append(.passing(passing, Array(batch.passed[passing.octets]))) }
    for offer in batch.offers { outgoing.append(.offer(offer, Array(batch.passed[offer.octets]))) }
    for flow in batch.trusted { outgoing.append(.trust(flow)) }
    closedFlows += batch.closes
    for (flow, limit) in batch.supervisions { supervisions[.stream(flow)] = limit }
    for question in batch.questions { ask(question, batch.keys) }
  }

  /// Something happens to the core.
  func input(_ body: (ServerCore, Instant, inout ServerActions) -> Void) {
    actions.removeAll()
    body(core, now, &actions)
    carryOut()
  }

  /// Another worker has a message sent over a connection of this one; false when that is gone.
  func deliver(_ octets: [UInt8], over flow: StreamFlow) -> Bool {
    guard !gone.contains(.stream(flow)) else { return false }
    inboxes[.stream(flow), default: []].append(octets)
    return true
  }

  /// As the worker does when it was told to send over a connection that is gone.
  private func noteClosed(_ id: FlowID) {
    guard case .stream(let flow) = id else { return }
    var more = ServerActions()
    core.connectionClosed(flow, at: now, actions: &more)
    actions = more
    carryOut()
  }

  private func fail(_ tag: UInt64) {
    guard tag != 0 else { return }
    var more = ServerActions()
    core.transportFailed(tag, at: now, actions: &more)
    actions = more
    carryOut()
  }

  private func ask(_ question: ServerActions.Question, _ keys: [UInt8]) {
    let delay = Int64.random(in: 0..<max(1, locationDelay.nanoseconds), using: &random)
    let due = now.adding(nanoseconds: delay)
    switch question {
    case .lookup where isLocationSilent, .update where isLocationSilent: return
    case .claim(let query, let range):
      asked.claims += 1
      let name = Array(keys[range])
      answer(at: due) { node in
        let outcome = node.isKeeperAway ? .unavailable : node.claims.claim(name.span, now: node.core.unixSeconds)
        node.core.claimed(query, outcome, at: node.now, actions: &node.actions)
      }
    case .noteClaim(let range):
      asked.notes += 1
      if !isKeeperAway { _ = claims.claim(keys.span.extracting(range), now: core.unixSeconds) }
    case .user(let query, let range):
      asked.users += 1
      let name = Array(keys[range])
      answer(at: due) { node in
        let answer = node.isKeeperAway ? .unavailable : node.users.answer(name)
        node.core.userFound(query, answer, at: node.now, actions: &node.actions)
      }
    case .lookup(let query, let range):
      let key = Array(keys[range])
      questions.append(
        Question(due: due) { node in
          var set = node.location.lookup(aor: key.span, now: node.core.unixSeconds)
          if set == nil, let everybody = node.everybody.map({ Array($0.utf8) }) {
            set = node.location.lookup(aor: everybody.span, now: node.core.unixSeconds)
          }
          node.actions.removeAll()
          node.core.located(query, set, at: node.now, actions: &node.actions)
          node.carryOut()
        })
    case .update(let query, let update):
      questions.append(
        Question(due: due) { node in
          let outcome = node.location.update(update)
          node.actions.removeAll()
          node.core.registered(query, outcome, at: node.now, actions: &node.actions)
          node.carryOut()
        })
    case .remove(let aor, let flow):
      _ = location.remove(aor: aor.span, flow: flow)
    }
  }

  /// Gives an answer later, unless nobody answers.
  private func answer(at due: Instant, _ input: @escaping (TestNode) -> Void) {
    guard !isLocationSilent else { return }
    questions.append(
      Question(due: due) { node in
        node.actions.removeAll()
        input(node)
        node.carryOut()
      })
  }

  // MARK: Messages

  /// A message as it goes over the wire.
  static func wire(_ text: String) -> String {
    let parts = text.replacing("\r\n", with: "\n").split(
      separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
    var head = String(parts[0]).trimmingSuffix { $0 == "\n" }.replacing("\n", with: "\r\n")
    let body = parts.count > 1 ? String(parts[1]) : ""
    if !head.lowercased().contains("content-length:"), !head.contains("\r\nl:") {
      head += "\r\nContent-Length: \(body.utf8.count)"
    }
    return head + "\r\n\r\n" + body
  }

  /// The value of the first header line of a name, or of the line at `index`; empty when there is none.
  static func header(_ name: String, _ message: String, _ index: Int = 0) -> String {
    let lines = headers(name, message)
    return index < lines.count ? lines[index] : ""
  }

  /// The values of all header lines of a name.
  static func headers(_ name: String, _ message: String) -> [String] {
    let head = message.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
    return head.split(separator: "\r\n").dropFirst().compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
      return parts[1].drop { $0 == " " }.description
    }
  }

  /// The first line.
  static func start(_ message: String) -> String {
    message.split(separator: "\r\n", maxSplits: 1).first.map(String.init) ?? ""
  }

  /// A response to a request as a user agent makes it: Via, From, To with a tag, Call-ID, CSeq and Record-Route copied.
  static func response(
    _ status: String, to request: String, tag: String = "callee", contact: String? = nil, body: String = ""
  ) -> String {
    var lines = ["SIP/2.0 \(status)"]
    lines += headers("Via", request).map { "Via: \($0)" }
    lines += headers("Record-Route", request).map { "Record-Route: \($0)" }
    lines.append("From: \(header("From", request))")
    let to = header("To", request)
    lines.append("To: \(to)" + (to.contains(";tag=") || status.hasPrefix("100") ? "" : ";tag=\(tag)"))
    lines.append("Call-ID: \(header("Call-ID", request))")
    lines.append("CSeq: \(header("CSeq", request))")
    if let contact { lines.append("Contact: <\(contact)>") }
    lines.append("Content-Length: \(body.utf8.count)")
    return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
  }

  // MARK: Stories

  private var branches = 0

  /// A request from a peer, with a fresh branch.
  func request(
    _ method: String, _ uri: String = "sip:bob@example.test", from peer: Peer, user: String = "alice",
    callID: String = "call-1", cseq: Int = 1, branch: String? = nil, tag: String? = nil, _ extra: String = "",
    body: String = ""
  ) -> String {
    branches += 1
    let transport = "\(peer.flow.transport)".uppercased()
    return """
      \(method) \(uri) SIP/2.0
      Via: SIP/2.0/\(transport) \(peer.flow.remote);branch=z9hG4bK\(branch ?? "b\(branches)")
      Max-Forwards: 70
      From: <sip:\(user)@example.test>;tag=\(user)-tag
      To: <sip:bob@example.test>\(tag.map { ";tag=" + $0 } ?? "")
      Call-ID: \(callID)
      CSeq: \(cseq) \(method)\(extra.isEmpty ? "" : "\n" + extra)

      \(body)
      """
  }

  /// Registers a contact of a user over the peer's flow and takes the 200; with a password after a challenge.
  func register(
    _ user: String, _ peer: Peer, contact: String? = nil, expires: Int = 3_600, password: String? = nil,
    _ parameters: String = ""
  ) {
    branches += 1
    let request = """
      REGISTER \(contact?.hasPrefix("sips:") == true ? "sips" : "sip"):example.test SIP/2.0
      Via: SIP/2.0/\("\(peer.flow.transport)".uppercased()) \(peer.flow.remote);branch=z9hG4bKreg\(branches)
      Max-Forwards: 70
      From: <sip:\(user)@example.test>;tag=r\(branches)
      To: <sip:\(user)@example.test>
      Call-ID: register-\(user)-\(peer.name)
      CSeq: \(branches) REGISTER
      Contact: <\(contact ?? "sip:\(user)@\(peer.flow.remote)")>\(parameters)
      Expires: \(expires)

      """
    send(request, from: peer)
    if let password {
      let proved = AccessTests.proved(request, one(by: peer), user: user, password: password)
      send(proved.replacing("bKreg", with: "bKproved"), from: peer)
    }
    settle()
    #expect(TestNode.start(one(by: peer)) == "SIP/2.0 200 OK")
  }
}

extension String {
  fileprivate func trimmingSuffix(_ isTrimmed: (Character) -> Bool) -> String {
    var end = endIndex
    while end > startIndex, isTrimmed(self[index(before: end)]) { end = index(before: end) }
    return String(self[..<end])
  }
}

import SIPMessage
import SIPServer
import SIPTransaction
import Structures

/// A server core with its peers, for targets that send it very much: what it sends is judged at once, and what later messages need of
/// it is kept (``Captured``).
final class ServerStory {
  /// What was last seen in what the server sent.
  struct Captured {
    /// The last request that was forwarded, and to whom.
    var request: [UInt8] = []
    var requestPeer = 0
    /// The last final response to an INVITE, and to whom it went.
    var response: [UInt8] = []
    var responsePeer = 0
    /// The last INVITE of a peer.
    var invite: [UInt8] = []
    var invitePeer = 0
    /// By the octet that stands for it in a message: see ``ServerTarget``.
    var words: [UInt8: [UInt8]] = [:]
  }

  private struct Question {
    let due: Instant
    let ask: (ServerStory) throws(Complaint) -> Void
  }

  let core: ServerCore
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  var actions = ServerActions()
  private(set) var captured = Captured()
  private var location = InMemoryLocation(now: 1_000_000)
  private let claims = InMemoryClaims()
  private var questions: [Question] = []
  private var lives: [UInt64] = Array(repeating: 0, count: Peers.count)
  /// How many connections of our own have closed; there is one at a time.
  private var outgoing: UInt64 = 0
  /// How long the location service takes.
  var delay: Int64 = 10_000_000
  var isLocationSilent = false
  /// Whether whatever has to go to an address instead of a flow can't be sent.
  var isUnreachable = false
  private var finals: [UInt64: Set<[UInt8]>] = [:]
  private var failing: [UInt64] = []
  private let checked = Message()
  private(set) var complaint: Complaint?

  init(isChallenging: Bool) {
    core = Peers.core(hashing: StoryHashing(), isChallenging: isChallenging, start: now)
  }

  // MARK: Inputs

  func send(_ octets: [UInt8], from peer: Int) {
    if octets.starts(with: "INVITE ".utf8) { (captured.invite, captured.invitePeer) = (octets, peer) }
    input { core.received(octets.span, over: flow(peer), at: now, actions: &$0) }
  }

  func send(unframed octets: [UInt8], because error: FramingError, from peer: Int) {
    input { core.receivedUnframed(octets.span, because: error, over: flow(peer), at: now, actions: &$0) }
  }

  /// The connection of a peer closes, and its next message comes over another; a datagram peer is refused.
  func close(_ peer: Int) {
    switch flow(peer).id {
    case .stream(let id): input { core.connectionClosed(id, at: now, actions: &$0) }
    case .datagram(let id): input { core.datagramRefused(id, at: now, actions: &$0) }
    }
    lives[peer] += 1
  }

  /// What was sent over the connection of a peer isn't acknowledged, or it is after all.
  func suspect(_ peer: Int, isOver: Bool) {
    guard case .stream(let id) = flow(peer).id else { return }
    if isOver { core.flowRecovered(id) } else { input { core.flowSuspected(id, at: now, actions: &$0) } }
  }

  /// The connection that the server opened closes; the next request to an address opens another.
  func closeOutgoing() {
    input { core.connectionClosed(ownConnection, at: now, actions: &$0) }
    outgoing += 1
  }

  private var ownConnection: StreamFlow {
    StreamFlow(node: 7, slot: 0, epoch: 99, connection: 1 << 48 | outgoing << 8 | 0xFF)
  }

  func pass(_ duration: Duration) {
    let end = now + duration
    var rounds = 0
    while let next = [core.nextDeadline, questions.map(\.due).min()].compactMap(\.self).min(), next <= end {
      now = max(now, next)
      let due = questions.filter { $0.due <= now }
      questions.removeAll { $0.due <= now }
      for question in due { note { () throws(Complaint) in try question.ask(self) } }
      input { core.deadlineReached(at: now, actions: &$0) }
      rounds += 1
      if rounds > 200_000 { return complain("timers without end") }
    }
    now = end
    core.unixSeconds = 1_000_000 + now.nanoseconds / 1_000_000_000
    core.removeExpired()
  }

  /// Everybody leaves, all timers run out: nothing may be left.
  func end() throws(Complaint) {
    isLocationSilent = false
    for peer in 0..<Peers.count { close(peer) }
    for _ in 0..<3 { pass(.seconds(200)) }
    let left = core.holdings
    try Complaint.unless(
      [left.serverTransactions, left.clientTransactions, left.contexts, left.timers, left.queries, left.messages]
        == [0, 0, 0, 0, 0, 0] && left.connections == 0 && left.registers == 0, "left: \(left)")
    if let complaint { throw complaint }
  }

  private func flow(_ peer: Int) -> Flow { Peers.flow(peer, life: lives[peer]) }

  private func input(_ give: (inout ServerActions) -> Void) {
    core.unixSeconds = 1_000_000 + now.nanoseconds / 1_000_000_000
    actions.removeAll()
    give(&actions)
    note { () throws(Complaint) in try carryOut() }
    // What can't be sent is reported afterwards, never at once.
    while !failing.isEmpty {
      let tag = failing.removeFirst()
      actions.removeAll()
      core.transportFailed(tag, at: now, actions: &actions)
      note { () throws(Complaint) in try carryOut() }
    }
  }

  private func note(_ judge: () throws(Complaint) -> Void) {
    do throws(Complaint) { try judge() } catch { if complaint == nil { complaint = error } }
  }

  private func complain(_ text: String) {
    if complaint == nil { complaint = Complaint(text) }
  }

  // MARK: Orders

  private func carryOut() throws(Complaint) {
    let batch = actions
    // One message in makes a bounded number out, each of about its size.
    try Complaint.unless(batch.outbox.octets.count < 1_000_000, "\(batch.outbox.octets.count) octets for one input")
    for sent in batch.outbox.transmissions {
      let octets = Array(batch.outbox.octets[sent.start..<sent.end])
      try judge(octets, sent)
      capture(octets, sent)
      guard sent.tag != 0 else { continue }
      if !isReached(sent.destination) {
        failing.append(sent.tag)
      } else if case .address(_, let transport, _) = sent.destination, transport.isReliable {
        _ = core.sent(sent.tag, over: ownConnection)
      }
    }
    for question in batch.questions { ask(question, batch.keys) }
  }

  private func isReached(_ destination: Destination) -> Bool {
    switch destination {
    case .flow(let id): return peer(at: id) != nil
    case .address: return !isUnreachable
    }
  }

  private func peer(at id: FlowID) -> Int? { (0..<Peers.count).first { flow($0).id == id } }

  private func peer(at destination: Destination) -> Int? {
    switch destination {
    case .flow(let id): peer(at: id)
    case .address(let address, _, _): (0..<Peers.count).first { flow($0).remote == address }
    }
  }

  private func ask(_ question: ServerActions.Question, _ keys: [UInt8]) {
    let due = now.adding(nanoseconds: delay)
    switch question {
    case .lookup where isLocationSilent, .update where isLocationSilent, .claim where isLocationSilent: return
    case .lookup(let query, let range):
      let key = Array(keys[range])
      questions.append(
        Question(due: due) { story in
          let set = story.location.lookup(aor: key.span, now: story.core.unixSeconds)
          story.input { story.core.located(query, set, at: story.now, actions: &$0) }
        })
    case .update(let query, let update):
      questions.append(
        Question(due: due) { story in
          let outcome = story.location.update(update)
          story.input { story.core.registered(query, outcome, at: story.now, actions: &$0) }
        })
    case .remove(let aor, let flow):
      _ = location.remove(aor: aor.span, flow: flow)
    case .claim(let query, let range):
      let outcome = claims.claim(keys.span.extracting(range), now: core.unixSeconds)
      questions.append(
        Question(due: due) { story in story.input { story.core.claimed(query, outcome, at: story.now, actions: &$0) } })
    case .noteClaim(let range): _ = claims.claim(keys.span.extracting(range), now: core.unixSeconds)
    case .user(let query, _):
      questions.append(
        Question(due: due) { story in story.input { story.core.userFound(query, .none, at: story.now, actions: &$0) } })
    }
  }

  // MARK: What is seen

  private func capture(_ octets: [UInt8], _ sent: Transmission) {
    checked.load(octets.span, limits: ParserLimits())
    let peer = peer(at: sent.destination)
    func keep(_ octet: UInt8, _ name: HeaderName) {
      if let value = values(name).first { captured.words[octet] = value }
    }
    if checked.isRequest {
      if checked.method != .cancel, checked.method != .ack, let peer {
        (captured.request, captured.requestPeer) = (octets, peer)
      }
      keep(2, .via)
    } else if checked.status > 100 {
      keep(4, .to)
      if checked.status >= 200, octets.span.contains(" INVITE\r\n"), let peer {
        (captured.response, captured.responsePeer) = (octets, peer)
      }
    }
    let routes = values(.recordRoute)
    if !routes.isEmpty {
      captured.words[3] = Array(routes.joined(separator: ", ".utf8))
      captured.words[5] = Array(routes.reversed().joined(separator: ", ".utf8))
    }
    if let nonce = between("nonce=\"", "\"", octets) { captured.words[6] = nonce }
    if let gruu = between("pub-gruu=\"", "\"", octets) { captured.words[7] = gruu }
    if let gruu = between("temp-gruu=\"", "\"", octets) { captured.words[8] = gruu }
  }

  /// The values of the header lines of a name in the message that was looked at last.
  private func values(_ name: HeaderName) -> [[UInt8]] {
    let bytes = checked.bytes
    var iterator = ValueIterator(name, in: checked)
    var values: [[UInt8]] = []
    while let (value, _) = iterator.next(bytes.span) { values.append(Array(bytes[value.positions])) }
    return values
  }

  private func between(_ before: StaticString, _ after: Character, _ octets: [UInt8]) -> [UInt8]? {
    guard octets.span.contains(before), let end = after.asciiValue else { return nil }
    let length = before.utf8CodeUnitCount
    for start in 0..<octets.count - length where octets.span.extracting(start..<start + length).equals(before) {
      return Array(octets[(start + length)...].prefix { $0 != end })
    }
    return nil
  }

  // MARK: What must be true

  private func judge(_ octets: [UInt8], _ sent: Transmission) throws(Complaint) {
    func text() -> String { String(decoding: octets, as: UTF8.self).debugDescription }
    checked.load(octets.span, limits: ParserLimits(message: 65_535, head: 65_535, fields: 255))
    try Complaint.unless(checked.error == nil && checked.kind != .malformed, "sent malformed: \(text())")
    if checked.isRequest, let problem = checked.check() { throw Complaint("sent with \(problem): \(text())") }
    var framer = StreamFramer(maximumHead: 65_535, maximumMessage: 65_535)
    // A datagram may do without Content-Length, and what came so may go on so.
    if case .message(let length) = framer.next(octets.span) {
      try Complaint.unless(length == octets.count, "its end is elsewhere: \(text())")
    } else {
      throw Complaint("a stream doesn't find its end: \(text())")
    }
    guard case .server = TransactionTag(word: sent.tag), sent.tag != 0, checked.status >= 200 else { return }
    try Finals.note(octets, of: sent.tag, isInvite: octets.span.contains(" INVITE\r\n"), in: &finals)
  }
}

/// Checks are real, so that nobody makes up our branches and tokens; hashes of passwords are all zeros, so that anybody may know them.
private final class StoryHashing: Hashing {
  private let real = FuzzHashing()

  func shortMAC(_ octets: Span<UInt8>) -> UInt64 { real.shortMAC(octets) }
  func appendHash(_ algorithm: HashAlgorithm, _ octets: Span<UInt8>, to output: inout [UInt8]) {
    output.append(contentsOf: repeatElement(0, count: algorithm.length))
  }
  func appendMAC(_ octets: Span<UInt8>, to output: inout [UInt8]) { real.appendMAC(octets, to: &output) }
  func seal(_ octets: Span<UInt8>, to output: inout [UInt8]) { real.seal(octets, to: &output) }
  func open(_ octets: Span<UInt8>, to output: inout [UInt8]) -> Bool { real.open(octets, to: &output) }
  func randomWord() -> UInt64 { real.randomWord() }
}

import Structures

/// Sees every message at both ends, writes down what belongs together, and complains about what must not be. What can be judged only when all is
/// over is in `Witness+Judging`.
final class Witness {
  private(set) var complaints: [String] = []
  private(set) var requests: [String: RequestRecord] = [:]
  private(set) var order: [RequestRecord] = []
  private(set) var branches: [String: BranchRecord] = [:]
  private(set) var acceptances: [(tag: String, Acceptance)] = []
  /// When a caller learned of the 2xx with a To tag.
  private(set) var learnedTags: [String: Instant] = [:]
  /// Since when the server has doubted a connection.
  private(set) var suspicions: [ObjectIdentifier: Instant] = [:]
  /// When the location service said nothing.
  var silences: [Range<Instant>] = []
  /// Which worker was killed when.
  private(set) var kills: [(slot: UInt16, at: Instant)] = []
  private(set) var acknowledgedTags: Set<String> = []
  /// Since when a phone has been registered over a connection.
  private(set) var registrations: [(phone: Phone, connection: Connection, duration: Int, at: Instant)] = []
  /// Whose tag it is, and over which connection the dialog was made.
  private(set) var owners: [String: (phone: Phone, connection: Connection, at: Instant)] = [:]
  private var answers: [Int: (callID: String, status: Int, tag: String)] = [:]
  private var copies: [[UInt8]: Int] = [:]
  private var receivedOfCall: [String: Int] = [:]
  /// How often what happened, to see that chance led everywhere.
  private(set) var seen: [String: Int] = [:]

  func complain(_ text: String) { complaints.append(text) }
  func count(_ what: String) { seen[what, default: 0] += 1 }

  /// A worker is killed: what it had is lost, and the RFCs promise nothing of it.
  func killed(_ slot: UInt16, at now: Instant) {
    count("killed")
    kills.append((slot, now))
    for record in order where record.reachedServer != nil && record.connection.slot == slot {
      record.isOrphan = true
    }
  }

  // MARK: What phones do

  @discardableResult
  func asked(
    _ request: Packet, phone: Phone, over connection: Connection, in dialog: Dialog? = nil, at now: Instant
  ) -> RequestRecord {
    let record = RequestRecord(request, phone: phone, over: connection, in: dialog, at: now)
    requests[record.branch] = record
    order.append(record)
    if dialog == nil { owners[request.fromTag] = (phone, connection, now) }
    count(dialog == nil ? record.method : "re-\(record.method)")
    return record
  }

  func registered(_ phone: Phone, over connection: Connection, _ duration: Int, at now: Instant) {
    registrations.append((phone, connection, duration, now))
  }

  func learned(_ tag: String, at now: Instant) { learnedTags[tag] = learnedTags[tag] ?? now }
  func acknowledged(_ ack: Packet) { acknowledgedTags.insert(ack.toTag) }

  /// A phone gives a response.
  func answered(_ response: Packet, _ number: Int, to server: AgentServerTransaction, by phone: Phone, at now: Instant)
  {
    answers[number] = (response.callID, response.status, response.toTag)
    if owners[response.toTag] == nil { owners[response.toTag] = (phone, server.connection, now) }
    guard response.method != "CANCEL", let branch = branches[response.branch] else { return }
    let status = response.status
    if status < 200 {
      if status > 100 { branch.lastProvisional = now }
    } else {
      branch.final = (status, response.toTag, now)
      if server.isInvite, status < 300, server.request.toTag.isEmpty {
        let isGood = server.connection.isOpenAtPhone && server.connection.brokenAt == nil
        acceptances.append((response.toTag, Acceptance(branch: branch, phone: phone, at: now, isOverGoodFlow: isGood)))
      }
    }
  }

  // MARK: What phones get

  /// A response reached a phone.
  func heard(_ response: Packet, phone: Phone, at now: Instant) {
    let branches = response.branches
    guard branches.count == 1, let record = requests[branches[0]] else {
      return complain("\(phone.name) got a response to nothing: \(response.start), Via \(branches)")
    }
    if record.phone !== phone { complain("\(phone.name) got the response to a request of \(record.phone.name)") }
    if record.callID != response.callID { complain("\(phone.name) got a response with another Call-ID") }
    let answer = response.value("X-Answer")
    if answer.isEmpty {
      count("own \(response.status)")
      if response.status != 100, record.dialog == nil, !response.toTag.hasPrefix("apus") {
        complain("\(phone.name) got a response that nobody sent: \(response.start) to \(response.toTag)")
      }
      if response.status < 300, response.status != 100, response.method == "INVITE" {
        complain("\(phone.name) got a \(response.status) of the server's own")
      }
    } else if let number = Int(answer), let sent = answers[number] {
      count("\(response.method) \(response.status)")
      if sent.callID != response.callID || sent.status != response.status || sent.tag != response.toTag {
        complain("\(phone.name) got a changed response: \(response.start) to \(response.toTag), sent \(sent)")
      }
    } else {
      complain("\(phone.name) got a response with an unknown mark \(answer)")
    }
  }

  /// A request reached a phone.
  func delivered(_ request: Packet, to phone: Phone, over connection: Connection, at now: Instant) {
    let method = request.method
    count("got \(method)")
    if method == "ACK" { return deliveredAck(request, to: phone) }
    guard let branch = branches[request.branch] else {
      return complain("\(phone.name) got \(method) on a branch that the server never sent")
    }
    if branch.connection !== connection { complain("\(phone.name) got \(method) on another's branch") }
    if method == "CANCEL" {
      if !branch.request.isInvite { complain("\(phone.name) got CANCEL of \(branch.request.method)") }
      if branch.reachedPhone == nil { complain("\(phone.name) got CANCEL of an INVITE that it never saw") }
      return
    }
    branch.reachedPhone = branch.reachedPhone ?? now
    let isMine = request.toTag.isEmpty ? request.user("To") == phone.user : isInDialogOf(phone, request)
    if !isMine { complain("\(phone.name) got \(method) for \(request.value("To"))") }
  }

  private func deliveredAck(_ ack: Packet, to phone: Phone) {
    if let branch = branches[ack.branch] {
      guard let final = branch.final, final.status >= 300 else {
        return complain("\(phone.name) got ACK on a branch that it didn't refuse")
      }
      if branch.connection?.phone !== phone { complain("\(phone.name) got the ACK for another") }
    } else if !isInDialogOf(phone, ack) {
      complain("\(phone.name) got ACK of no dialog: to \(ack.toTag)")
    }
  }

  /// Whether a request in a dialog is for a phone: for the one whose dialog it is, or, when its flow has ended, one of the same user that may be it for
  /// all that the server knows.
  private func isInDialogOf(_ phone: Phone, _ request: Packet) -> Bool {
    guard let owner = owners[request.toTag] else { return false }
    if owner.phone === phone { return true }
    count("other phone")
    return owner.phone.user == phone.user && owner.connection.brokenAt != nil
  }

  func cancelled(_ cancel: Packet, at now: Instant) { branches[cancel.branch]?.cancelled = now }

  // MARK: What the server does

  func serverReceived(_ packet: Packet, over connection: Connection, at now: Instant) {
    receivedOfCall[packet.callID, default: 0] += 1
    if packet.isResponse {
      let branch = packet.method == "CANCEL" ? nil : branches[packet.branch]
      branch?.firstAnswerAtServer = branch?.firstAnswerAtServer ?? now
      return
    }
    guard let record = requests[packet.branch] else { return }
    switch packet.method {
    case record.method: record.reachedServer = record.reachedServer ?? now
    case "CANCEL": record.cancelReachedServer = record.cancelReachedServer ?? now
    default: break
    }
  }

  func suspected(_ connection: Connection, at now: Instant) {
    count("suspected")
    if suspicions[ObjectIdentifier(connection)] == nil { suspicions[ObjectIdentifier(connection)] = now }
  }

  func serverSent(_ packet: Packet, to connection: Connection?, at now: Instant) {
    copies[packet.octets, default: 0] += 1
    // No timer repeats a message more often; a message that comes again may have the last one repeated.
    if copies[packet.octets, default: 0] > 12 + receivedOfCall[packet.callID, default: 0] {
      complain("the server sent \(packet.start) \(copies[packet.octets, default: 0]) times")
    }
    if packet.isResponse { return sentResponse(packet, at: now) }
    let all = packet.branches
    switch packet.method {
    case "ACK":
      if let branch = branches[packet.branch], branch.connection !== connection { complain("ACK to another's flow") }
    case "CANCEL":
      guard let branch = branches[packet.branch] else { return complain("CANCEL of no branch") }
      if branch.connection !== connection { complain("CANCEL to another's flow") }
      branch.cancelSent = branch.cancelSent ?? now
    default:
      if let branch = branches[packet.branch] {
        if branch.connection !== connection { complain("\(packet.method) repeated to another's flow") }
        return
      }
      guard all.count == 2, let record = requests[all[1]] else { return complain("the server made up \(packet.start)") }
      let branch = BranchRecord(packet.branch, of: record, to: connection, at: now)
      branches[packet.branch] = branch
      // What is late by more than the life of a transaction is a new request.
      let isSame = now - (record.reachedServer ?? now) < AgentClientTransaction.timeout
      if let connection, isSame, !record.isOrphan, record.branches.contains(where: { $0.connection === connection }) {
        complain("\(record.callID) was forked twice to one flow")
      }
      record.branches.append(branch)
    }
  }

  private func sentResponse(_ response: Packet, at now: Instant) {
    guard response.status >= 200, response.method != "CANCEL", let record = requests[response.branch] else { return }
    record.finals.append(
      RequestRecord.FinalSent(
        status: response.status, tag: response.toTag, octets: response.octets, at: now))
  }
}

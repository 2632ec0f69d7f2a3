import Structures

/// What must be true when all is over.
extension Witness {
  /// What delays, losses and repetitions may cost in all, until what is certain to arrive has arrived.
  private static let margin = Duration.seconds(15)

  func judge(end: Instant) {
    for record in order where !record.isOrphan {
      judgeFinals(record, end)
      for branch in record.branches { judgeBranch(branch, end) }
      judgeDialog(record, end)
    }
    for (tag, acceptance) in acceptances where !acceptance.branch.request.isOrphan {
      judgeAcceptance(tag, acceptance, end)
    }
  }

  // MARK: Final responses

  /// RFC 3261 §16.7: one final response, or 2xx alone; RFC 4320 §4.2: silence where a non-INVITE request got no answer in time.
  private func judgeFinals(_ record: RequestRecord, _ end: Instant) {
    guard record.reachedServer != nil else { return }
    let name = "\(record.phone.name)'s \(record.method) \(record.callID) at \(seconds(record.at))"
    let accepted = record.finals.filter { $0.status < 300 }
    let refused = record.finals.filter { $0.status >= 300 }
    if record.isInvite {
      let tags = Set(accepted.map(\.tag))
      for tag in tags where !record.branches.contains(where: { $0.final?.tag == tag && $0.final?.status == 200 }) {
        complain("\(name) got a 2xx from nobody: \(tag)")
      }
      if let first = refused.first, accepted.contains(where: { !isLate($0, after: first, record) }) {
        complain("\(name) got 2xx and \(first.status)")
      }
      if Set(refused.map(\.octets)).count > 1 { complain("\(name) got \(refused.map(\.status))") }
    } else if Set(record.finals.map(\.octets)).count > 1 {
      complain("\(name) got \(record.finals.map(\.status))")
    }
    if record.connection.isReliable, (record.isInvite ? refused : record.finals).count > 1 {
      complain("\(name) got its final response \(record.finals.count) times over a stream")
    }
    if record.told > 1 { complain("\(name) was told \(record.told) times") }
    guard record.connection.wasGood(from: record.at, to: end) else { return }
    if record.finals.isEmpty, record.isInvite || mustBeAnswered(record) { complain("\(name) got no final response") }
  }

  /// Whether a 2xx came after the refusal and from a branch that was given up as its flow seemed dead: RFC 3261 §16.7 step 5 lets it through even so.
  private func isLate(
    _ accepted: RequestRecord.FinalSent, after refusal: RequestRecord.FinalSent, _ record: RequestRecord
  ) -> Bool {
    let branch = record.branches.first { $0.final?.tag == accepted.tag }
    let doubt = branch?.connection.flatMap { suspicions[ObjectIdentifier($0)] }
    return accepted.at > refusal.at && doubt.map { $0 <= refusal.at } ?? false
  }

  /// Whether every phone that a non-INVITE request went to answered while the answer was still wanted.
  private func mustBeAnswered(_ record: RequestRecord) -> Bool {
    record.branches.allSatisfy { branch in
      guard let connection = branch.connection, connection.brokenAt == nil, let final = branch.final else {
        return false
      }
      return final.at - record.at < .seconds(12)
    }
  }

  // MARK: Branches

  /// Every phone that rang and lost was told: by CANCEL, or it gave a final response itself.
  private func judgeBranch(_ branch: BranchRecord, _ end: Instant) {
    guard branch.request.isInvite, let connection = branch.connection, connection.brokenAt == nil,
      branch.isAnsweredInTime, branch.final == nil
    else { return }
    if branch.cancelled == nil {
      complain(
        "\(connection.phone.name) rings for ever: \(branch.request.callID), CANCEL sent: \(branch.cancelSent != nil)")
    }
  }

  // MARK: Calls

  /// A call that was taken is known to the caller, unless the server had given its branch up.
  private func judgeAcceptance(_ tag: String, _ acceptance: Acceptance, _ end: Instant) {
    let (branch, record) = (acceptance.branch, acceptance.branch.request)
    guard acceptance.isOverGoodFlow, branch.connection?.brokenAt == nil, record.connection.brokenAt == nil,
      let reached = branch.reachedPhone
    else { return }
    let timeout = AgentClientTransaction.timeout - Self.margin
    // Timer B, Timer C, and 64*T1 after CANCEL.
    guard branch.isAnsweredInTime,
      acceptance.at - (branch.lastProvisional ?? reached) < .seconds(180) - Self.margin,
      branch.cancelSent.map({ acceptance.at - $0 < timeout }) ?? true,
      // RFC 3261 §9.1: so long does the caller wait for the end of what it cancelled.
      record.cancelReachedServer.map({ acceptance.at - $0 < timeout }) ?? true
    else { return }
    // Timer L: after another 2xx.
    if let first = record.finals.first, acceptance.at - first.at > timeout { return }
    let name = "\(acceptance.phone.name)'s 2xx \(tag) of \(record.callID) at \(seconds(acceptance.at))"
    if learnedTags[tag] == nil { return complain("\(name) never reached \(record.phone.name)") }
    if !acknowledgedTags.contains(tag), acceptance.phone.dialogs.contains(where: { $0.localTag == tag }) {
      complain("\(name) was never acknowledged")
    }
  }

  // MARK: Dialogs

  /// A request in a dialog reaches the other side: over the connection of the dialog, or, when that is gone, over the one that the same binding has now
  /// (RFC 5626 §5.3).
  private func judgeDialog(_ record: RequestRecord, _ end: Instant) {
    guard record.dialog != nil, let reached = record.reachedServer, record.connection.brokenAt == nil,
      let owner = owners[record.remoteTag],
      let branch = acceptances.first(where: { [record.remoteTag, record.dialog?.localTag].contains($0.tag) })?.1.branch,
      let arrived = branch.request.reachedServer
    else { return }
    let name = "\(record.phone.name)'s \(record.method) \(record.callID) at \(seconds(record.at)) in a dialog"
    guard let brokenAt = owner.connection.brokenAt else {
      if !record.branches.contains(where: { $0.connection === owner.connection }) {
        complain("\(name) never reached \(owner.phone.name)")
      }
      return
    }
    // Who was registered when the INVITE came is found by instance or contact: its tokens name the binding.
    let habits = owner.phone.habits
    guard habits.hasInstance || habits.hasStableContact, brokenAt < reached,
      brokenAt > arrived, !branch.request.isOrphan,
      isRegistered(owner.phone, over: owner.connection, from: arrived, to: arrived),
      let present = registrations.last(where: { $0.phone === owner.phone && $0.at < reached })?.connection,
      present.brokenAt == nil, isRegistered(owner.phone, over: present, from: reached, to: reached + Self.margin),
      !silences.contains(where: { $0.upperBound > reached && $0.lowerBound < reached + Self.margin })
    else { return }
    // Who was registered over a datagram flow is forgotten with the worker that did it.
    if kills.contains(where: { $0.slot == owner.connection.slot && $0.at <= arrived }) { return }
    count("recovered")
    if !record.branches.contains(where: { $0.connection === present }) {
      complain("\(name) never reached the new connection of \(owner.phone.name)")
    }
  }

  /// Whether a phone was registered over a connection all the time between two instants.
  private func isRegistered(_ phone: Phone, over connection: Connection, from start: Instant, to end: Instant) -> Bool {
    guard let last = registrations.last(where: { $0.phone === phone && $0.at < start }) else { return false }
    let isChanged = asked(phone, register: last.at, end)
    return last.connection === connection && last.duration > 0 && last.at + .seconds(last.duration) > end && !isChanged
  }

  /// Whether a phone sent REGISTER between two instants: what then holds isn't known.
  private func asked(_ phone: Phone, register start: Instant, _ end: Instant) -> Bool {
    order.contains { $0.method == "REGISTER" && $0.phone === phone && $0.at > start && $0.at <= end }
  }

  private func seconds(_ instant: Instant) -> String {
    "\(Double((instant.nanoseconds - 1_000_000_000) / 1_000_000) / 1_000)"
  }
}

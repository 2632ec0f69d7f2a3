import Structures

/// How a phone answers what begins outside of dialogs.
extension Phone {
  /// Gives a response to a request that came (RFC 3261 §8.2.6).
  func respond(_ server: AgentServerTransaction, _ status: Int, tag: String, contact target: String? = nil) {
    guard server.isOpen else { return }
    let request = server.request
    var fields = request.fields.filter { ["Via", "Record-Route", "From", "Call-ID", "CSeq"].contains($0.name) }
    let to = request.value("To")
    fields.append(("To", request.toTag.isEmpty && status != 100 ? "\(to);tag=\(tag)" : to))
    if let target {
      fields.append(("Contact", "<\(target)>"))
    } else if server.isInvite {
      fields.append(("Contact", "<\(contact(current ?? server.connection))>"))
    }
    let number = world.number()
    fields.append(("X-Answer", "\(number)"))
    let response = Packet("SIP/2.0 \(status) \(status < 300 ? "Yes" : "No")", fields)
    world.witness.answered(response, number, to: server, by: self, at: world.now)
    server.respond(response)
  }

  func receivedInitial(_ server: AgentServerTransaction) {
    let request = server.request
    // RFC 3261 §8.2.2.2: the same request by another way.
    let isMerged = servers.values.contains {
      $0 !== server && $0.request.callID == request.callID && $0.request.fromTag == request.fromTag
        && $0.request.cseq == request.cseq && $0.request.method == request.method && $0.request.toTag.isEmpty
    }
    let tag = "t\(world.number())\(name)"
    if isMerged { return respond(server, 482, tag: tag) }
    if request.method == "INVITE" { answer(server, tag) } else { answerOther(server, tag) }
  }

  private func answerOther(_ server: AgentServerTransaction, _ tag: String) {
    if world.random.chance(8) { return }
    let delay = world.random.chance(80) ? world.random.milliseconds(0...500) : world.random.milliseconds(500...45_000)
    let status = world.random.pick([200, 200, 200, 202, 404, 486, 503, 603], otherwise: 200)
    world.after(delay) { [self] in respond(server, status, tag: tag) }
  }

  private func answer(_ server: AgentServerTransaction, _ tag: String) {
    let kind = world.random.weighted([45, 10, 5, 5, 5, 5, 5, 3, 10, 7])
    // Nobody is there: not even a provisional response.
    if kind == 9 { return }
    if world.random.chance(85) {
      let first = world.random.chance(80) ? world.random.milliseconds(0...300) : world.random.milliseconds(300...40_000)
      let status = world.random.pick([180, 180, 183, 100], otherwise: 180)
      world.after(first) { [self] in respond(server, status, tag: tag) }
      if world.random.chance(10) {
        world.after(first + world.random.milliseconds(0...100_000)) { [self] in respond(server, 180, tag: tag) }
      }
    }
    // It rings and is never answered.
    if kind == 8 { return }
    let status = [200, 486, 603, 302, 404, 480, 503, 500][kind]
    world.after(answerDelay()) { [self] in
      guard server.isOpen else { return }
      if status == 200 { return accept(server, tag) }
      respond(server, status, tag: tag, contact: status == 302 ? "sip:elsewhere@198.51.100.200" : nil)
    }
  }

  private func answerDelay() -> Duration {
    switch world.random.weighted([70, 20, 6, 4]) {
    case 0: world.random.milliseconds(0...6_000)
    case 1: world.random.milliseconds(6_000...20_000)
    case 2: world.random.milliseconds(20_000...70_000)
    default: world.random.milliseconds(170_000...215_000)
    }
  }

  /// Takes the call, with a dialog that ends some time.
  private func accept(_ server: AgentServerTransaction, _ tag: String) {
    let dialog = Dialog(callee: server.request, tag: tag, over: server.connection)
    dialogs.append(dialog)
    server.unacknowledged = { [self] in abandon(dialog) }
    respond(server, 200, tag: tag)
    live(dialog)
  }

  func receivedCancel(_ cancel: AgentServerTransaction) {
    guard let invite = servers["\(cancel.request.branch) INVITE"] else { return respond(cancel, 481, tag: "c\(name)") }
    respond(cancel, 200, tag: "c\(name)")
    world.witness.cancelled(cancel.request, at: world.now)
    guard invite.isOpen else { return }
    let tag = "t\(world.number())\(name)"
    // The user lifted the handset at this very moment.
    if world.random.chance(8), invite.request.toTag.isEmpty { return accept(invite, tag) }
    respond(invite, 487, tag: tag)
  }
}

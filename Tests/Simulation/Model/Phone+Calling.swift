import Structures

/// What a phone begins: calls, CANCEL, other requests outside of dialogs.
extension Phone {
  /// A call of ours while it is being set up.
  final class Call {
    let record: RequestRecord
    var client: AgentClientTransaction?
    /// ACK to each 2xx, by To tag: sent again with each repetition (RFC 3261 §13.2.2.4).
    var acks: [String: Packet] = [:]
    var isCancelWanted = false
    var isCancelSent = false
    var isRefused = false
    init(record: RequestRecord) { self.record = record }
  }

  /// A request outside of a dialog.
  private func initial(_ method: String, to callee: String, over connection: Connection) -> Packet {
    let branch = newBranch()
    var fields: [(name: String, value: String)] = [
      ("Via", via(connection, branch)), ("Max-Forwards", "70"),
      ("From", "<sip:\(user)@example.test>;tag=f\(world.number())"), ("To", "<sip:\(callee)@example.test>"),
      ("Call-ID", "call-\(world.number())"), ("CSeq", "1 \(method)"),
    ]
    if method == "INVITE" { fields.append(("Contact", "<\(contact(connection))>")) }
    return Packet("\(method) sip:\(callee)@example.test SIP/2.0", fields)
  }

  /// Sends a request other than INVITE.
  func ask(_ method: String, to callee: String) {
    guard let connection = current else { return }
    let request = initial(method, to: callee, over: connection)
    let record = world.witness.asked(request, phone: self, over: connection, at: world.now)
    send(request, over: connection) { if case .final = $0 { record.told += 1 } }
  }

  /// Calls somebody; `patience`: when to CANCEL, unless answered before.
  func call(_ callee: String, patience: Duration?) {
    guard let connection = current else { return }
    let request = initial("INVITE", to: callee, over: connection)
    let call = Call(record: world.witness.asked(request, phone: self, over: connection, at: world.now))
    call.client = send(request, over: connection) { [self] news in heard(news, call) }
    if let patience {
      world.after(patience) { [self] in
        call.isCancelWanted = true
        cancel(call)
      }
    }
  }

  /// RFC 3261 §9.1: CANCEL only after a provisional response and before the final one.
  private func cancel(_ call: Call) {
    guard let client = call.client, client.isProceeding, !call.isCancelSent, client.connection.isOpenAtPhone else {
      return
    }
    call.isCancelSent = true
    let invite = client.request
    var fields = invite.fields.filter { ["Via", "Max-Forwards", "From", "To", "Call-ID"].contains($0.name) }
    fields.append(("CSeq", "\(invite.cseq) CANCEL"))
    send(Packet("CANCEL \(invite.uri) SIP/2.0", fields), over: client.connection) { _ in }
    world.after(AgentClientTransaction.timeout) { client.giveUp() }
  }

  private func heard(_ news: AgentClientTransaction.News, _ call: Call) {
    switch news {
    case .provisional: if call.isCancelWanted { cancel(call) }
    case .accepted(let response): accepted(response, call)
    case .final: call.record.told += 1
    case .timeout, .lost: break
    }
  }

  private func accepted(_ response: Packet, _ call: Call) {
    let tag = response.toTag
    guard let connection = current ?? call.client?.connection else { return }
    if let ack = call.acks[tag] { return world.sendUp(ack, connection) }
    let dialog = Dialog(caller: response, cseq: response.cseq, over: call.record.connection)
    let ack = inDialog("ACK", dialog, over: connection, number: response.cseq)
    let isFirst = call.acks.isEmpty
    call.acks[tag] = ack
    dialogs.append(dialog)
    world.witness.learned(tag, at: world.now)
    world.sendUp(ack, connection)
    if !isFirst || call.isCancelSent { hangUp(dialog) } else { live(dialog) }
  }
}

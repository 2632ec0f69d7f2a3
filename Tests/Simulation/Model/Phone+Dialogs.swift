import Structures

/// What a phone does in a dialog: BYE, re-INVITE, INFO.
extension Phone {
  /// A request in a dialog, with its route set (RFC 3261 §12.2.1.1).
  func inDialog(_ method: String, _ dialog: Dialog, over connection: Connection, number: Int) -> Packet {
    var fields: [(name: String, value: String)] = [
      ("Via", via(connection, newBranch())), ("Max-Forwards", "70"), ("From", dialog.local), ("To", dialog.remote),
      ("Call-ID", dialog.callID), ("CSeq", "\(number) \(method)"),
    ]
    for route in dialog.routes { fields.append(("Route", route)) }
    if method == "INVITE" { fields.append(("Contact", "<\(contact(connection))>")) }
    return Packet("\(method) \(dialog.remoteTarget) SIP/2.0", fields)
  }

  /// A dialog goes on for a while, and one side ends it.
  func live(_ dialog: Dialog) {
    let length = world.random.milliseconds(0...40_000)
    for _ in 0..<Int.random(in: 0...2, using: &world.random) {
      let isInvite = world.random.chance(60)
      world.after(world.random.milliseconds(0...30_000)) { [self] in
        if isInvite { inviteAgain(dialog) } else { inform(dialog) }
      }
    }
    if world.random.chance(60) { world.after(length) { [self] in hangUp(dialog) } }
  }

  func hangUp(_ dialog: Dialog) {
    guard !dialog.isOver, dialog.isAcknowledged else { return }
    guard current != nil else {
      // It has to wait for a connection.
      world.after(.seconds(2)) { [self] in hangUp(dialog) }
      return
    }
    dialog.isOver = true
    request("BYE", dialog) { _ in }
  }

  /// The end of a call whose 2xx nobody acknowledged (RFC 3261 §13.3.1.4).
  func abandon(_ dialog: Dialog) {
    guard !dialog.isAcknowledged else { return }
    dialog.isAcknowledged = true
    hangUp(dialog)
  }

  private func inform(_ dialog: Dialog) {
    guard !dialog.isOver, dialog.isAcknowledged else { return }
    request("INFO", dialog) { [self] status in ended(dialog, status) }
  }

  private func inviteAgain(_ dialog: Dialog) {
    guard !dialog.isOver, dialog.isAcknowledged, !dialog.isInviting, let connection = current else { return }
    dialog.isInviting = true
    dialog.cseq += 1
    let number = dialog.cseq
    let request = inDialog("INVITE", dialog, over: connection, number: number)
    let record = world.witness.asked(request, phone: self, over: connection, in: dialog, at: world.now)
    var ack: Packet?
    send(request, over: connection) { [self] news in
      switch news {
      case .provisional: return
      case .accepted(let response):
        dialog.isInviting = false
        guard let connection = current else { return }
        if ack == nil { dialog.remoteTarget = Packet.uri(response.value("Contact")) }
        let packet = ack ?? inDialog("ACK", dialog, over: connection, number: number)
        ack = packet
        world.sendUp(packet, connection)
      case .final(let response):
        dialog.isInviting = false
        record.told += 1
        ended(dialog, response.status)
      case .timeout, .lost: dialog.isInviting = false
      }
    }
  }

  /// Sends a request other than INVITE in a dialog.
  private func request(_ method: String, _ dialog: Dialog, tell: @escaping (Int) -> Void) {
    guard let connection = current else { return }
    dialog.cseq += 1
    let request = inDialog(method, dialog, over: connection, number: dialog.cseq)
    let record = world.witness.asked(request, phone: self, over: connection, in: dialog, at: world.now)
    send(request, over: connection) { news in
      guard case .final(let response) = news else { return }
      record.told += 1
      tell(response.status)
    }
  }

  /// RFC 3261 §12.2.1.2: the other side knows nothing of it.
  private func ended(_ dialog: Dialog, _ status: Int) {
    if status == 481 || status == 408 { hangUp(dialog) }
  }

  // MARK: What comes

  func receivedInDialog(_ server: AgentServerTransaction) {
    let request = server.request
    guard let dialog = dialogs.first(where: { $0.matches(request) }), !dialog.isOver || server.request.method == "BYE"
    else {
      respond(server, 481, tag: request.toTag)
      return
    }
    switch request.method {
    case "BYE":
      dialog.isOver = true
      respond(server, 200, tag: dialog.localTag)
    case "INVITE" where dialog.isInviting: respond(server, 491, tag: dialog.localTag)
    case "INVITE":
      dialog.remoteTarget = Packet.uri(request.value("Contact"))
      if world.random.chance(50) { respond(server, 180, tag: dialog.localTag) }
      world.after(world.random.milliseconds(0...3_000)) { [self] in
        respond(server, dialog.isOver ? 481 : 200, tag: dialog.localTag)
      }
    default: respond(server, 200, tag: dialog.localTag)
    }
  }
}

import Structures

/// REGISTER (RFC 3261 §10.2): after each new connection, again before it expires, again when it fails.
extension Phone {
  func register(expires: Int? = nil) {
    guard let connection = current else { return }
    registerNumber += 1
    registerAttempt += 1
    let attempt = registerAttempt
    let branch = newBranch()
    let duration = expires ?? habits.expires
    var contact = "<\(contact(connection))>"
    if let q = habits.q { contact += ";q=0.\(q)" }
    if habits.hasInstance {
      contact += ";reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-00000000000\(number)>\""
    }
    var fields: [(name: String, value: String)] = [
      ("Via", via(connection, branch)), ("Max-Forwards", "70"), ("From", "<sip:\(user)@example.test>;tag=r\(branch)"),
      ("To", "<sip:\(user)@example.test>"), ("Call-ID", "register-\(name)"), ("CSeq", "\(registerNumber) REGISTER"),
      ("Contact", contact), ("Expires", "\(duration)"),
    ]
    if habits.hasInstance { fields.append(("Supported", "path, outbound")) }
    let request = Packet("REGISTER sip:example.test SIP/2.0", fields)
    world.witness.asked(request, phone: self, over: connection, at: world.now)
    send(request, over: connection) { [self] news in
      switch news {
      case .final(let response) where response.status == 200:
        world.witness.registered(self, over: connection, duration, at: world.now)
        guard duration > 0 else { return }
        again(attempt, after: .seconds(duration) * 3 / 4)
      case .final, .timeout: again(attempt, after: .seconds(5))
      case .provisional, .accepted, .lost: break
      }
    }
  }

  private func again(_ attempt: Int, after delay: Duration) {
    world.after(delay) { [self] in
      if attempt == registerAttempt, !world.isEnding { register() }
    }
  }
}

import Structures

/// A server transaction as a user agent carries it out, with the repetition of its 2xx to INVITE: RFC 3261 §17.2, §13.3.1.4, RFC 6026 §7.1. Written
/// without the server's machines.
final class AgentServerTransaction {
  private enum State { case proceeding, completed, confirmed, accepted, terminated }

  let request: Packet
  let connection: Connection
  let isInvite: Bool
  private unowned let phone: Phone
  private var state = State.proceeding
  private var last: Packet?
  /// Whether the ACK to a 2xx came.
  private(set) var isAcknowledged = false
  /// Told when no ACK comes to a 2xx.
  var unacknowledged: (() -> Void)?

  init(_ request: Packet, phone: Phone, over connection: Connection) {
    self.request = request
    self.phone = phone
    self.connection = connection
    isInvite = request.method == "INVITE"
  }

  /// Whether no final response was given.
  var isOpen: Bool { state == .proceeding }

  func respond(_ response: Packet) {
    guard state == .proceeding else { return }
    last = response
    phone.reply(response, over: connection)
    let status = response.status
    guard status >= 200 else { return }
    let timeout = AgentClientTransaction.timeout
    if !isInvite {
      state = .completed
      // Timer J
      phone.world.after(connection.isReliable ? .zero : timeout) { [self] in end() }
    } else if status < 300 {
      state = .accepted
      repeatAccepted(after: AgentClientTransaction.t1)
      // Timer L, and the time that the ACK may take
      phone.world.after(timeout) { [self] in
        if !isAcknowledged { unacknowledged?() }
        end()
      }
    } else {
      state = .completed
      if !connection.isReliable { repeatRefused(after: AgentClientTransaction.t1) }
      // Timer H
      phone.world.after(timeout) { [self] in if state == .completed { end() } }
    }
  }

  private func repeatAccepted(after interval: Duration) {
    phone.world.after(interval) { [self] in
      guard state == .accepted, !isAcknowledged, let last else { return }
      phone.reply(last, over: connection)
      repeatAccepted(after: min(interval * 2, AgentClientTransaction.t2))
    }
  }

  /// Timer G
  private func repeatRefused(after interval: Duration) {
    phone.world.after(interval) { [self] in
      guard state == .completed, let last else { return }
      phone.reply(last, over: connection)
      repeatRefused(after: min(interval * 2, AgentClientTransaction.t2))
    }
  }

  func receivedAgain() {
    if state == .proceeding || state == .completed, let last { phone.reply(last, over: connection) }
  }

  /// The ACK to a refusal, which has the branch of the INVITE.
  func receivedAck() {
    guard state == .completed else { return }
    state = .confirmed
    // Timer I
    phone.world.after(connection.isReliable ? .zero : .seconds(5)) { [self] in end() }
  }

  /// The ACK to a 2xx, which has a branch of its own.
  func acknowledge() { isAcknowledged = true }

  private func end() {
    state = .terminated
    phone.forget(self)
  }
}

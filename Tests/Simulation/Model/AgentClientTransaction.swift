import Structures

/// A client transaction as a user agent carries it out: RFC 3261 §17.1, RFC 6026 §7.2. Written without the server's machines.
final class AgentClientTransaction {
  private enum State { case trying, proceeding, completed, accepted, terminated }

  /// What the user agent learns.
  enum News {
    case provisional(Packet)
    case final(Packet)
    /// A 2xx to INVITE, the first or again.
    case accepted(Packet)
    /// No final response came in time.
    case timeout
    /// The connection is gone.
    case lost
  }

  let request: Packet
  let connection: Connection
  private let isInvite: Bool
  private unowned let phone: Phone
  private let tell: (News) -> Void
  private var state = State.trying
  private var ack: Packet?

  static let t1 = Duration.milliseconds(500)
  static let t2 = Duration.seconds(4)
  static let timeout = t1 * 64

  init(_ request: Packet, phone: Phone, over connection: Connection, tell: @escaping (News) -> Void) {
    self.request = request
    self.phone = phone
    self.connection = connection
    self.tell = tell
    isInvite = request.method == "INVITE"
  }

  var isOver: Bool { state == .terminated }
  var isProceeding: Bool { state == .proceeding }

  func start() {
    phone.world.sendUp(request, connection)
    if !connection.isReliable { sendAgain(after: Self.t1) }
    // Timers B and F
    phone.world.after(Self.timeout) { [self] in
      if state == .trying || state == .proceeding && !isInvite { finish(.timeout) }
    }
  }

  /// Timers A and E
  private func sendAgain(after interval: Duration) {
    phone.world.after(interval) { [self] in
      guard state == .trying || state == .proceeding && !isInvite else { return }
      phone.world.sendUp(request, connection)
      let doubled = isInvite ? interval * 2 : min(interval * 2, Self.t2)
      sendAgain(after: state == .proceeding ? Self.t2 : doubled)
    }
  }

  func received(_ response: Packet) {
    switch (state, response.status) {
    case (.trying, ..<200), (.proceeding, ..<200):
      state = .proceeding
      tell(.provisional(response))
    case (.trying, 200..<300) where isInvite, (.proceeding, 200..<300) where isInvite:
      state = .accepted
      // Timer M
      phone.world.after(Self.timeout) { [self] in state = .terminated }
      tell(.accepted(response))
    case (.accepted, 200..<300): tell(.accepted(response))
    case (.completed, 200..<300) where isInvite: tell(.accepted(response))
    case (.trying, _), (.proceeding, _):
      state = .completed
      if isInvite { acknowledge(response) }
      // Timers D and K
      let wait = connection.isReliable ? Duration.zero : isInvite ? .seconds(32) : .seconds(5)
      phone.world.after(wait) { [self] in state = .terminated }
      tell(.final(response))
    case (.completed, 300...) where isInvite: if let ack { phone.world.sendUp(ack, connection) }
    default: break
    }
  }

  /// RFC 3261 §17.1.4
  func connectionLost() {
    if state == .trying || state == .proceeding { finish(.lost) }
  }

  /// RFC 3261 §9.1: a cancelled INVITE that gets no answer is over.
  func giveUp() {
    if state == .trying || state == .proceeding { finish(.timeout) }
  }

  private func finish(_ news: News) {
    state = .terminated
    tell(news)
  }

  /// RFC 3261 §17.1.1.3
  private func acknowledge(_ response: Packet) {
    var fields = request.fields.filter { ["Max-Forwards", "From", "Call-ID", "Route"].contains($0.name) }
    fields.insert(("Via", request.value("Via")), at: 0)
    fields.append(("To", response.value("To")))
    fields.append(("CSeq", "\(request.cseq) ACK"))
    let ack = Packet("ACK \(request.uri) SIP/2.0", fields)
    self.ack = ack
    phone.world.sendUp(ack, connection)
  }
}

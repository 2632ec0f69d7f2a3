import Structures

/// A user agent: it registers, calls, answers, and carries out its own transactions by the RFCs, over a network that may fail it.
final class Phone {
  unowned let world: World
  let number: Int
  let user: String
  let transport: TransportProtocol
  let habits: Habits
  /// What it sends over; nil while it has nothing.
  var current: Connection?
  var clients: [String: AgentClientTransaction] = [:]
  var servers: [String: AgentServerTransaction] = [:]
  var dialogs: [Dialog] = []
  var registerNumber = 0
  /// Counts attempts to register, so that only the last one is repeated.
  var registerAttempt = 0

  /// What distinguishes a phone from others for as long as it exists.
  struct Habits {
    /// Whether its addresses are private, so that it is reached only at where its messages come from.
    var isBehindNAT = false
    /// Whether its contact is the same over each new connection.
    var hasStableContact = false
    /// Whether it registers with instance and reg-id (RFC 5626 §4.2).
    var hasInstance = false
    /// Its preference in tenths; nil: none given.
    var q: Int?
    /// The time that it registers for, in seconds.
    var expires = 3_600
  }

  init(world: World, number: Int, user: String, transport: TransportProtocol, habits: Habits) {
    self.world = world
    self.number = number
    self.user = user
    self.transport = transport
    self.habits = habits
  }

  var name: String { "\(user)\(number)" }

  // MARK: Addresses

  /// The address that it thinks it has.
  func address(_ connection: Connection) -> String {
    habits.isBehindNAT ? "10.0.0.\(number):\(connection.flow.remote.port)" : "\(connection.flow.remote)"
  }

  func contact(_ connection: Connection) -> String {
    let parameter = transport == .udp ? "" : ";transport=tcp"
    if habits.hasStableContact { return "sip:\(user)@10.0.0.\(number):5060\(parameter)" }
    return "sip:\(user)@\(address(connection))\(parameter)"
  }

  func via(_ connection: Connection, _ branch: String) -> String {
    let name = transport == .udp ? "UDP" : transport == .tcp ? "TCP" : "TLS"
    return "SIP/2.0/\(name) \(address(connection));rport;branch=\(branch)"
  }

  func newBranch() -> String { "z9hG4bK\(name)-\(world.number())" }

  // MARK: Connections

  /// Takes a new connection and registers over it.
  func connect() {
    current = world.connect(self)
    register()
  }

  /// It learned that a connection is no more.
  func lost(_ connection: Connection) {
    for (_, client) in clients.sorted(by: { $0.key < $1.key }) where client.connection === connection {
      client.connectionLost()
    }
    guard current === connection else { return }
    current = nil
    world.after(world.random.milliseconds(0...5_000)) { [self] in
      if current == nil { connect() }
    }
  }

  // MARK: Sending

  /// Starts a client transaction over the present connection.
  @discardableResult
  func send(_ request: Packet, over connection: Connection, tell: @escaping (AgentClientTransaction.News) -> Void)
    -> AgentClientTransaction
  {
    let client = AgentClientTransaction(request, phone: self, over: connection, tell: tell)
    clients["\(request.branch) \(request.method)"] = client
    client.start()
    return client
  }

  /// RFC 3261 §18.2.2: over the connection that the request came by, or the one that there is now.
  func reply(_ response: Packet, over connection: Connection) {
    guard let way = connection.isOpenAtPhone ? connection : current else { return }
    world.sendUp(response, way)
  }

  func forget(_ server: AgentServerTransaction) { servers["\(server.request.branch) \(server.request.method)"] = nil }

  // MARK: Receiving

  func received(_ packet: Packet, over connection: Connection) {
    world.heard?.append("\(world.now.nanoseconds) \(name) \(packet.start) \(packet.callID) \(packet.value("CSeq"))")
    if packet.isResponse {
      world.witness.heard(packet, phone: self, at: world.now)
      clients["\(packet.branch) \(packet.method)"]?.received(packet)
      return
    }
    let method = packet.method
    world.witness.delivered(packet, to: self, over: connection, at: world.now)
    if method == "ACK" { return receivedAck(packet) }
    let key = "\(packet.branch) \(method)"
    if let server = servers[key] { return server.receivedAgain() }
    let server = AgentServerTransaction(packet, phone: self, over: connection)
    servers[key] = server
    if method == "CANCEL" {
      receivedCancel(server)
    } else if packet.toTag.isEmpty {
      receivedInitial(server)
    } else {
      receivedInDialog(server)
    }
  }

  private func receivedAck(_ ack: Packet) {
    if let server = servers["\(ack.branch) INVITE"] { return server.receivedAck() }
    for (_, server) in servers.sorted(by: { $0.key < $1.key })
    where server.isInvite && server.request.callID == ack.callID && server.request.cseq == ack.cseq
      && server.request.fromTag == ack.fromTag
    {
      server.acknowledge()
    }
    world.witness.acknowledged(ack)
    dialogs.first { $0.matches(ack) }?.isAcknowledged = true
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// The transaction layer under any order of inputs: requests and their repetitions, responses, CANCELs, time, closed connections, failures.
///
/// Each octet is an operation, followed by its arguments. At the end everybody falls silent, and nothing may be left.
enum TransactionsTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    let story = Story()
    var reader = InputReader(input)
    while !reader.isAtEnd, reader.position < 2_000 { try story.step(&reader) }
    try story.end()
  }

  private final class Story {
    let layer: TransactionLayer
    var now = Instant(nanoseconds: 1_000_000_000)
    var outbox = Outbox()
    var servers: [SlotHandle] = []
    var clients: [SlotHandle] = []
    /// The final responses of each server transaction, by the tag of what was sent.
    var finals: [UInt64: Set<[UInt8]>] = [:]
    /// The branch that each client transaction wrote.
    var branches: [SlotHandle: [UInt8]] = [:]
    var ended: Set<UInt64> = []
    let hashing = FuzzHashing()

    init() {
      let identity = Branch(node: 7, slot: 0, generation: 1, transaction: SlotHandle(index: 0, generation: 0))
      layer = TransactionLayer(identity: identity, settings: TimerSettings(), hashing: hashing, start: now)
    }

    func step(_ reader: inout InputReader) throws(Complaint) {
      outbox.removeAll()
      switch reader.number(below: 14) {
      case 0, 1: receive(&reader)
      case 2: respond(&reader)
      case 3: start(&reader)
      case 4, 5: answer(&reader)
      case 6: cancel(&reader)
      case 7: if let client = client(&reader) { layer.abandon(client, at: now, outbox: &outbox) }
      case 8: try pass(nanoseconds: Int64(reader.octet()) * 20_000_000)
      case 9: try pass(nanoseconds: Int64(reader.octet()) * 1_000_000_000)
      case 10: close(&reader)
      case 11: fail(&reader)
      case 12: suspect(&reader)
      default: if let client = client(&reader) { layer.sent(client.handle, over: stream(reader.octet())) }
      }
      try judge()
    }

    /// All that are asked get an answer, all timers run out.
    func end() throws(Complaint) {
      for handle in servers {
        if let server = layer.server(handle), !server.isAnswered {
          outbox.removeAll()
          respond(server, 500)
          try judge()
        }
      }
      // An INVITE that rings has no timer of its own here: its user ends it (RFC 3261 §16.8).
      for handle in clients {
        guard let client = layer.client(handle) else { continue }
        outbox.removeAll()
        layer.abandon(client, at: now, outbox: &outbox)
        try judge()
      }
      for _ in 0..<8 { try pass(nanoseconds: 50_000_000_000) }
      let left = [layer.serverCount, layer.clientCount, layer.timerCount, layer.pool.outstanding]
      try Complaint.unless(left == [0, 0, 0, 0], "servers, clients, timers, messages left: \(left)")
      try Complaint.unless(layer.nextDeadline == nil, "a deadline without a timer")
    }

    // MARK: Operations

    private static let methods: [StaticString] = [
      "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "FOO", "MESSAGE", "INVITE",
    ]

    private func receive(_ reader: inout InputReader) {
      let method = Self.methods[reader.number(below: 8)]
      let flow = Peers.flow(reader.number(below: Peers.count))
      let look = reader.octet()
      // With the cookie the branch decides; without it several fields do (RFC 3261 §17.2.3).
      let branch = look & 0x80 == 0 ? "z9hG4bK\(look & 7)" : "\(look & 3)"
      let tag = look & 0x40 == 0 ? "" : ";tag=t"
      let text =
        "\(method) sip:b@e.test SIP/2.0\r\nVia: SIP/2.0/UDP h\(look >> 3 & 1);branch=\(branch)\r\n"
        + "From: <sip:a@e.test>;tag=f\r\nTo: <sip:b@e.test>\(tag)\r\nCall-ID: c\r\n"
        + "CSeq: \(look >> 4 & 1) \(method)\r\nContent-Length: 0\r\n\r\n"
      let message = layer.pool.take()
      message.load(Array(text.utf8).span, limits: ParserLimits())
      guard let via = try? message.topVia() else { return layer.pool.put(message) }
      switch layer.received(message, via: via, from: flow, at: now, outbox: &outbox) {
      case .absorbed, .ack: layer.pool.put(message)
      case .new where message.method == .ack: layer.pool.put(message)
      case .new:
        if message.method == .cancel { _ = layer.target(ofCancel: message, via: via) }
        let server = layer.startServer(message, via: via, from: flow, respondingTo: .flow(flow.id), at: now)
        servers.append(server.handle)
      }
    }

    private static let statuses = [100, 180, 183, 200, 202, 302, 404, 487, 500, 603, 699, 199]

    private func respond(_ reader: inout InputReader) {
      guard !servers.isEmpty, let server = layer.server(servers[reader.number(below: servers.count)]) else { return }
      respond(server, Self.statuses[reader.number(below: Self.statuses.count)])
    }

    private func respond(_ server: ServerTransaction, _ status: Int) {
      let start = outbox.octets.count
      ResponseWriter.append(
        status, "Reason", to: server.request, via: server.via, source: server.source, toTag: 7, into: &outbox.octets)
      ResponseWriter.end(body: 0, into: &outbox.octets)
      layer.respond(server, status: status, from: start, at: now, outbox: &outbox)
    }

    private func start(_ reader: inout InputReader) {
      let method = Self.methods[[0, 3, 4, 5][reader.number(below: 4)]]
      let flow = Peers.flow(reader.number(below: Peers.count))
      let isAddressed = reader.octet() & 1 == 1
      let client = layer.prepareClient(context: SlotHandle(index: 0, generation: 0), branch: 0)
      var branch: [UInt8] = []
      Branch(node: 7, slot: 0, generation: 1, transaction: client.handle).append(to: &branch, hashing: hashing)
      branches[client.handle] = branch
      let start = outbox.octets.count
      outbox.octets += Array("\(method) sip:b@e.test SIP/2.0\r\nVia: SIP/2.0/UDP n;branch=".utf8) + branch
      outbox.octets += Array("\r\nFrom: <sip:a@e.test>;tag=f\r\nTo: <sip:b@e.test>\r\nCall-ID: c\r\n".utf8)
      outbox.octets += Array("CSeq: 1 \(method)\r\nContent-Length: 0\r\n\r\n".utf8)
      let word = Array("\(method)".utf8)
      layer.start(
        client, method: Method(word.span), from: start,
        to: isAddressed ? .address(flow.remote, flow.transport, name: []) : .flow(flow.id),
        isReliable: flow.transport.isReliable, at: now, outbox: &outbox)
      clients.append(client.handle)
    }

    private func answer(_ reader: inout InputReader) {
      guard !clients.isEmpty, let branch = branches[clients[reader.number(below: clients.count)]] else { return }
      let status = Self.statuses[reader.number(below: Self.statuses.count)]
      let method = Self.methods[[0, 3, 4, 5, 2][reader.number(below: 5)]]
      var text = Array("SIP/2.0 \(status) X\r\nVia: SIP/2.0/UDP n;branch=".utf8) + branch
      text += Array("\r\nFrom: <sip:a@e.test>;tag=f\r\nTo: <sip:b@e.test>;tag=t\r\nCall-ID: c\r\n".utf8)
      text += Array("CSeq: 1 \(method)\r\nContent-Length: 0\r\n\r\n".utf8)
      let message = layer.pool.take()
      message.load(text.span, limits: ParserLimits())
      if let via = try? message.topVia() { _ = layer.received(message, via: via, at: now, outbox: &outbox) }
      layer.pool.put(message)
    }

    private func cancel(_ reader: inout InputReader) {
      let reason: [UInt8] = []
      if let client = client(&reader) { layer.cancel(client, reason: reason.span, at: now, outbox: &outbox) }
    }

    private func close(_ reader: inout InputReader) {
      switch Peers.flow(reader.number(below: Peers.count)).id {
      case .stream(let flow): layer.connectionClosed(flow, at: now, outbox: &outbox)
      case .datagram(let flow): layer.datagramRefused(flow, at: now, outbox: &outbox)
      }
    }

    private func suspect(_ reader: inout InputReader) {
      if case .stream(let flow) = Peers.flow(reader.number(below: Peers.count)).id { layer.flowSuspected(flow) }
    }

    private func fail(_ reader: inout InputReader) {
      let isServer = reader.octet() & 1 == 1
      let known = isServer ? servers : clients
      guard !known.isEmpty else { return }
      let handle = known[reader.number(below: known.count)]
      let tag = isServer ? TransactionTag.server(handle) : .client(handle)
      layer.transportFailed(TransactionTag(word: tag.word), at: now, outbox: &outbox)
    }

    private func client(_ reader: inout InputReader) -> ClientTransaction? {
      guard !clients.isEmpty else { return nil }
      return layer.client(clients[reader.number(below: clients.count)])
    }

    private func stream(_ octet: UInt8) -> StreamFlow {
      StreamFlow(node: 7, slot: 0, epoch: 99, connection: 1 << 48 | UInt64(octet % 3) + 1)
    }

    private func pass(nanoseconds: Int64) throws(Complaint) {
      let end = now.adding(nanoseconds: nanoseconds)
      var rounds = 0
      while let next = layer.nextDeadline, next <= end {
        now = max(now, next)
        outbox.removeAll()
        layer.deadlineReached(at: now, outbox: &outbox)
        try judge()
        rounds += 1
        try Complaint.unless(rounds < 100_000, "timers without end")
      }
      now = end
    }

    // MARK: What must be true

    private func judge() throws(Complaint) {
      for sent in outbox.transmissions {
        let octets = Array(outbox.octets[sent.start..<sent.end])
        try Complaint.unless(!octets.isEmpty, "nothing was sent")
        guard case .server = TransactionTag(word: sent.tag) else { continue }
        let status = octets.dropFirst(8).prefix(3).reduce(0) { $0 * 10 + Int($1 & 0xF) }
        guard status >= 200 else { continue }
        let isInvite = octets.span.contains("CSeq: 0 INVITE") || octets.span.contains("CSeq: 1 INVITE")
        try Finals.note(octets, of: sent.tag, isInvite: isInvite, in: &finals)
      }
      for event in layer.events {
        switch event {
        case .clientEnded(let client):
          try Complaint.unless(ended.insert(TransactionTag.client(client.handle).word).inserted, "it ended twice")
        case .serverEnded(let server):
          try Complaint.unless(ended.insert(TransactionTag.server(server.handle).word).inserted, "it ended twice")
        case .timeout, .transportFailed, .flowSuspected: break
        }
      }
      layer.events.removeAll()
      layer.endInput()
      if servers.count > 250 { servers.removeFirst(100) }
      if clients.count > 250 { clients.removeFirst(100) }
    }
  }
}

/// The final responses of server transactions.
enum Finals {
  /// RFC 3261 §16.7 step 5, §17.2: there is one final response, sent again at most; but 2xx to an INVITE may follow others.
  static func note(
    _ octets: [UInt8], of tag: UInt64, isInvite: Bool, in finals: inout [UInt64: Set<[UInt8]>]
  ) throws(Complaint) {
    let earlier = finals[tag] ?? []
    if earlier.contains(octets) { return }
    if earlier.isEmpty {
      finals[tag] = [octets]
      return
    }
    try Complaint.unless(
      isInvite && octets.starts(with: "SIP/2.0 2".utf8),
      "\(earlier.count + 1) final responses, the last is \(String(decoding: octets.prefix(40), as: UTF8.self))")
    finals[tag, default: []].insert(octets)
  }
}

extension Span where Element == UInt8 {
  /// Whether a word stands somewhere.
  func contains(_ word: StaticString) -> Bool {
    let length = word.utf8CodeUnitCount
    guard count >= length else { return false }
    for start in 0...count - length where extracting(start..<start + length).equals(word) { return true }
    return false
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// Responses of our own that need no transaction: a retransmitted request gets the same answer again (RFC 3261 §8.2.7).
extension ServerCore {
  /// Whether there is enough of a broken request to answer it: a Via, which says where to and makes it a transaction of the sender's.
  func canBeAnswered(_ message: Message) -> Bool {
    message.isRequest && (try? message.topVia()) != nil
  }

  /// Answers a request that breaks a rule, if it can be answered; takes the message.
  func refuse(_ message: Message, _ error: ParseError, _ flow: Flow, _ actions: inout ServerActions) {
    statistics.malformed &+= 1
    if message.method != .ack, canBeAnswered(message) {
      answer(message, error.status, error.reason, over: flow, &actions)
    } else {
      statistics.dropped &+= 1
    }
    transactions.pool.put(message)
  }

  /// Answers with a status and its customary reason; takes the message.
  func refuse(_ inquiry: Inquiry, _ status: Int, _ actions: inout ServerActions) {
    refuse(inquiry, status, StatusCode.reason(status), &actions)
  }

  /// Answers with a status and a reason; takes the message.
  func refuse(_ inquiry: Inquiry, _ status: Int, _ reason: StaticString, _ actions: inout ServerActions) {
    let start = begin(status, reason, inquiry, &actions)
    finish(inquiry, from: start, status, &actions)
  }

  /// RFC 3261 §8.2.2.3, §16.3 step 5: 420 with the option tags of a header field in Unsupported; takes the message.
  ///
  /// Those are left out that `isKnown` knows.
  func refuseExtensions(
    _ inquiry: Inquiry, _ header: HeaderName, unless isKnown: (Span<UInt8>) -> Bool = { _ in false },
    _ actions: inout ServerActions
  ) {
    let start = begin(420, "Bad Extension", inquiry, &actions)
    let bytes = inquiry.message.bytes
    actions.outbox.octets.append("Unsupported: ")
    var iterator = ValueIterator(header, in: inquiry.message)
    var isFirst = true
    while let (tag, _) = iterator.next(bytes.span) {
      if isKnown(bytes.span.extracting(tag.positions)) { continue }
      if !isFirst { actions.outbox.octets.append(", ") }
      isFirst = false
      actions.outbox.octets.append(bytes.span.extracting(tag.positions))
    }
    actions.outbox.octets.append("\r\n")
    finish(inquiry, from: start, 420, &actions)
  }

  /// Begins a response in the outbox and returns where; the caller may add header lines.
  func begin(_ status: Int, _ reason: StaticString, _ inquiry: Inquiry, _ actions: inout ServerActions) -> Int {
    let start = actions.outbox.octets.count
    ResponseWriter.append(
      status, reason, to: inquiry.message, via: inquiry.via, source: inquiry.flow, toTag: localTag(inquiry.message),
      into: &actions.outbox.octets)
    return start
  }

  /// Ends and sends what ``begin(_:_:_:_:)`` began; takes the message.
  func finish(_ inquiry: Inquiry, from start: Int, _ status: Int, _ actions: inout ServerActions) {
    send(inquiry, from: start, status, &actions)
    transactions.pool.put(inquiry.message)
  }

  /// Like ``finish(_:from:_:_:)``, but leaves the message to the caller.
  func send(_ inquiry: Inquiry, from start: Int, _ status: Int, _ actions: inout ServerActions) {
    ResponseWriter.end(body: 0, into: &actions.outbox.octets)
    actions.outbox.transmit(from: start, to: responseDestination(inquiry.message, inquiry.via, inquiry.flow), tag: 0)
    statistics.responsesMade[status / 100] &+= 1
  }

  /// Answers a request of which not everything need be sound; doesn't take the message.
  func answer(
    _ message: Message, _ status: Int, _ reason: StaticString, over flow: Flow, _ actions: inout ServerActions
  ) {
    guard let via = try? message.topVia() else { return }
    let start = actions.outbox.octets.count
    ResponseWriter.append(
      status, reason, to: message, via: via, source: flow, toTag: localTag(message), into: &actions.outbox.octets)
    ResponseWriter.end(body: 0, into: &actions.outbox.octets)
    actions.outbox.transmit(from: start, to: responseDestination(message, via, flow), tag: 0)
    statistics.responsesMade[status / 100] &+= 1
  }

  /// RFC 3261 §18.2.2, RFC 3581 §4: over the connection that the request came by; a datagram to where it came from, at the port of sent-by unless
  /// `rport` asks for the port that it came from. `maddr` is not obeyed: it would let anyone aim our responses.
  func responseDestination(_ message: Message, _ via: Via, _ flow: Flow) -> Destination {
    guard case .datagram(let datagram) = flow.id, via.rportParameter == nil else { return .flow(flow.id) }
    let remote = SocketAddress(datagram.remote.address, port: via.port ?? flow.transport.defaultPort)
    return .flow(.datagram(DatagramFlow(node: datagram.node, listener: datagram.listener, remote: remote)))
  }

  /// The To tag of our own responses: the same for a request and its retransmissions, and recognised in the ACK (RFC 3261 §8.2.7).
  func localTag(_ message: Message) -> UInt64 {
    scratch.clear()
    let bytes = message.bytes
    if let callID = message.value(of: .callID) { scratch.append(bytes.span.extracting(callID.positions)) }
    if let tag = message.tag(of: .from) { scratch.append(bytes.span.extracting(tag.positions)) }
    if let cseq = try? message.cseq() { scratch.append(bigEndian: UInt64(cseq.number), 4) }
    let octets = scratch
    return hashing.shortMAC(octets.span)
  }

  /// Whether the To tag of an ACK is one that we gave to this transaction: then the ACK is for us.
  func hasLocalTag(_ message: Message) -> Bool {
    guard let tag = message.tag(of: .to) else { return false }
    let expected = localTag(message)
    scratch.clear()
    ResponseWriter.appendTag(expected, to: &scratch)
    let bytes = message.bytes
    let text = scratch
    return bytes.span.extracting(tag.positions).equals(text.span)
  }
}

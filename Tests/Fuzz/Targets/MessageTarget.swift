import SIPMessage
import SIPServer
import SIPTransaction
import Structures

/// One message: read, looked into from all sides, answered, forwarded, and read again as the next hop does.
enum MessageTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    let message = Message()
    message.load(input.span, limits: ParserLimits(message: 1_024, head: 512, fields: 8))
    try look(into: message, limits: ParserLimits(message: 1_024, head: 512, fields: 8))
    message.load(input.span, limits: ParserLimits())
    try look(into: message, limits: ParserLimits())
    // Nothing of one message is left when another is loaded.
    let fresh = Message()
    fresh.load(input.span, limits: ParserLimits())
    try Complaint.unless(isSame(message, fresh), "a message loaded into a used one is another")
    let (error, problem) = (message.error, message.check())
    fresh.load(message.bytes.span, limits: ParserLimits())
    if error == nil {
      try Complaint.unless(isSame(message, fresh) && fresh.check() == problem, "its own octets are another message")
    }
    guard let via = try? message.topVia(), message.isRequest else { return }
    try answer(message, via)
    if error == nil, problem == nil { try forward(message, via) }
  }

  private static func look(into message: Message, limits: ParserLimits) throws(Complaint) {
    let count = message.bytes.count
    try Complaint.unless(count <= limits.message && message.fields.count <= limits.fields, "more than the limits allow")
    try Complaint.unless(
      message.headersStart <= message.headersEnd && message.headersEnd <= count && Int(message.body.end) <= count,
      "parts lie outside")
    var last = message.headersStart
    for (index, field) in message.fields.enumerated() {
      let end = message.end(ofFieldAt: index)
      try Complaint.unless(
        Int(field.start) >= last && Int(field.start) + Int(field.nameLength) <= Int(field.value.start)
          && field.value.start <= field.value.end && Int(field.value.end) <= end && end <= message.headersEnd,
        "field \(index) lies outside or runs into another")
      last = end
      try walk(field, message)
    }
    _ = (message.check(), message.error?.position, try? message.cseq(), try? message.topVia())
    _ = (
      try? message.requestURI(), try? message.from(), try? message.to(), message.tag(of: .from), message.tag(of: .to)
    )
    _ = (message.number(of: .maxForwards), message.number(of: .expires), message.lists("path", in: .supported))
  }

  /// The values of a field come in order, and end.
  private static func walk(_ field: Message.Field, _ message: Message) throws(Complaint) {
    let bytes = message.bytes
    guard field.name != .other, message.firstIndex(of: field.name).map({ message.fields[$0].start }) == field.start
    else { return }
    var iterator = ValueIterator(field.name, in: message)
    var (rounds, last) = (0, 0)
    while let (value, line) = iterator.next(bytes.span) {
      rounds += 1
      try Complaint.unless(
        Int(value.start) >= last && value.start <= value.end
          && value.end <= message.fields[line].value.end && value.start >= message.fields[line].value.start,
        "a value lies outside its line")
      last = Int(value.end)
      if let address = try? NameAddress(bytes.span, value) { try URITarget.check(address.uri, bytes) }
      _ = DigestCredentials(bytes.span, message.fields[line].value)
    }
    try Complaint.unless(rounds <= bytes.count + 1, "more values than octets")
  }

  private static func isSame(_ left: Message, _ right: Message) -> Bool {
    left.kind == right.kind && left.bytes == right.bytes && left.error == right.error && left.body == right.body
      && left.headersEnd == right.headersEnd && left.fields.count == right.fields.count
      && zip(left.fields, right.fields).allSatisfy {
        $0.start == $1.start && $0.name == $1.name && $0.value == $1.value
      }
  }

  /// An answer of ours is a response that belongs to the request, whatever that was.
  private static func answer(_ request: Message, _ via: Via) throws(Complaint) {
    var octets: [UInt8] = []
    ResponseWriter.append(
      400, "Bad Request", to: request, via: via, source: Peers.flow(3), toTag: 1, into: &octets)
    ResponseWriter.end(body: 0, into: &octets)
    let response = Message()
    response.load(octets.span, limits: ParserLimits())
    guard response.bytes.count == octets.count, request.headersEnd < 30_000 else { return }
    try Complaint.unless(response.status == 400 && response.error == nil, "the answer is no response: \(text(octets))")
    try Complaint.unless(
      value(.callID, response) == value(.callID, request) && value(.from, response) == value(.from, request),
      "the answer belongs to another request")
    let branch = try? response.topVia().branch.map { response.text($0) }
    try Complaint.unless(branch == via.branch.map { request.text($0) }, "the answer has another branch")
  }

  /// What we forward is as sound as what came, a stream's framer finds its end, and what is the sender's stayed the sender's.
  private static func forward(_ request: Message, _ via: Via) throws(Complaint) {
    var octets: [UInt8] = []
    let core = core
    core.appendForwarded(request, via: via, from: Peers.flow(3), to: Peers.flow(0), uri: Array("sip:b@c".utf8), &octets)
    // The limits are those of what comes in; forwarding adds some lines.
    guard octets.count < 65_000, request.fields.count < 190, request.headersEnd < 30_000 else { return }
    let copy = Message()
    copy.load(octets.span, limits: ParserLimits())
    let problem = copy.error ?? copy.check()
    try Complaint.unless(problem == nil, "forwarded, it has \(problem.map { "\($0)" } ?? ""): \(text(octets))")
    var framer = StreamFramer(maximumHead: 65_535, maximumMessage: 65_535)
    let step = framer.next(octets.span)
    try Complaint.unless(step == .message(length: octets.count), "forwarded, a stream ends it otherwise: \(step)")
    for name in [HeaderName.callID, .from, .to, .cseq] {
      try Complaint.unless(value(name, copy) == value(name, request), "forwarded, it has another \(name)")
    }
    try Complaint.unless(
      copy.bytes[copy.body.positions] == request.bytes[request.body.positions], "forwarded, it has another body")
    try Complaint.unless(count(.via, copy) == count(.via, request) + 1, "forwarded, it has other Via values")
    try Complaint.unless(
      count(.route, copy) == count(.route, request) && count(.contact, copy) == count(.contact, request),
      "forwarded, it has other Route or Contact values")
  }

  private static let start = Instant(nanoseconds: 1_000_000_000)
  private static var core: ServerCore {
    Peers.core(hashing: FuzzHashing(), isChallenging: false, start: start)
  }

  private static func value(_ name: HeaderName, _ message: Message) -> [UInt8] {
    message.value(of: name).map { Array(message.bytes[$0.positions]) } ?? []
  }

  private static func count(_ name: HeaderName, _ message: Message) -> Int {
    let bytes = message.bytes
    var iterator = ValueIterator(name, in: message)
    var count = 0
    while iterator.next(bytes.span) != nil { count += 1 }
    return count
  }

  private static func text(_ octets: [UInt8]) -> String { String(decoding: octets, as: UTF8.self).debugDescription }
}

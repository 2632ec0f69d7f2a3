import Structures

/// The methods that the generator sends and answers.
enum WireMethod: UInt8 {
  case register, message, invite, ack, bye, cancel, options, other
}

/// Reads one message at a time from octets that a server sent: start line, the few fields that the generator needs,
/// and where it ends.
///
/// Written for this tool alone: it shares nothing with the server's parser, so that a defect of the one isn't hidden by
/// the same defect of the other. One reader serves a whole worker; what it found holds until the next ``read(_:from:)``.
/// All slices are positions in the buffer that was read.
final class WireReader {
  /// What stands at the position that was read.
  enum Outcome: Equatable {
    /// A whole message, which ends before `end`.
    case message(end: Int)
    /// The beginning of a message; more octets have to come.
    case incomplete
    /// An answer to a keep-alive (RFC 5626 §4.4.1).
    case pong(end: Int)
    /// Nothing that SIP allows here; what follows can't be read either.
    case malformed
  }

  /// Most Via, Record-Route and Route lines of a message that are kept.
  static let lineCapacity = 16
  /// A message that has no end after so many octets is malformed.
  static let largestMessage = 65_535

  private(set) var isRequest = false
  private(set) var status = 0
  private(set) var method = WireMethod.other
  private(set) var requestURI = Slice()
  /// The values of the Via fields, first line first; a line may hold several.
  private(set) var viaLines = InlineArray<16, Slice>(repeating: Slice())
  private(set) var viaLineCount = 0
  /// How many Via values there are, whether in one line or in several.
  private(set) var viaCount = 0
  private(set) var recordRoutes = InlineArray<16, Slice>(repeating: Slice())
  private(set) var recordRouteCount = 0
  private(set) var from = Slice()
  private(set) var to = Slice()
  private(set) var callID = Slice()
  private(set) var sequence = Slice()
  private(set) var contact = Slice()
  private(set) var challenge = Slice()
  private(set) var isProxyChallenge = false
  private(set) var minimumExpires = 0
  private(set) var retryAfter = 0
  private(set) var body = Slice()
  private var contentLength = -1

  init() {}

  /// Reads what starts at `position`.
  func read(_ octets: Span<UInt8>, from position: Int) -> Outcome {
    if position >= octets.count { return .incomplete }
    if octets[position] == 0x0D { return readKeepAlive(octets, position) }
    reset()
    guard var line = lineEnd(octets, position) else { return unfinished(octets, position) }
    guard line.end >= 0, readStartLine(octets, position, line.end) else { return .malformed }
    while true {
      let start = line.next
      guard let field = lineEnd(octets, start) else { return unfinished(octets, position) }
      if field.end < 0 { return .malformed }
      line = field
      if field.end == start { return finish(octets, position, field.next) }
      guard readField(octets, start, field.end) else { return .malformed }
    }
  }

  private func readKeepAlive(_ octets: Span<UInt8>, _ position: Int) -> Outcome {
    guard position + 1 < octets.count else { return .incomplete }
    return octets[position + 1] == 0x0A ? .pong(end: position + 2) : .malformed
  }

  private func unfinished(_ octets: Span<UInt8>, _ position: Int) -> Outcome {
    octets.count - position > Self.largestMessage ? .malformed : .incomplete
  }

  private func reset() {
    (viaLineCount, viaCount, recordRouteCount) = (0, 0, 0)
    (from, to, callID, sequence, contact) = (Slice(), Slice(), Slice(), Slice(), Slice())
    (challenge, body, requestURI) = (Slice(), Slice(), Slice())
    (status, minimumExpires, retryAfter, contentLength) = (0, 0, 0, -1)
  }

  private func finish(_ octets: Span<UInt8>, _ position: Int, _ start: Int) -> Outcome {
    // Without a length a stream has no frames (RFC 3261 §18.3).
    guard contentLength >= 0, contentLength <= Self.largestMessage else { return .malformed }
    let end = start + contentLength
    if end > octets.count { return .incomplete }
    body = Slice(start, end)
    return .message(end: end)
  }

  /// Where the line that starts at `start` ends and the next begins, folded lines included; nil when its end hasn't
  /// come yet; an end of -1 when a lone LF stands in it.
  @inline(__always)
  private func lineEnd(_ octets: Span<UInt8>, _ start: Int) -> (end: Int, next: Int)? {
    var from = start
    while let feed = octets.position(of: 0x0A, from: from) {
      if feed == start || octets[feed - 1] != 0x0D { return (-1, feed + 1) }
      if feed - 1 == start { return (start, feed + 1) }
      guard feed + 1 < octets.count else { return nil }
      if octets[feed + 1] != 0x20, octets[feed + 1] != 0x09 { return (feed - 1, feed + 1) }
      from = feed + 1
    }
    return nil
  }

  // MARK: Start line

  private func readStartLine(_ octets: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    if octets.matches("SIP/2.0 ", at: start) {
      guard end >= start + 11, let code = octets.extracting(start + 8..<start + 11).decimal, code >= 100, code < 700
      else { return false }
      (isRequest, status) = (false, code)
      return true
    }
    guard let first = octets.position(of: 0x20, from: start), first < end,
      let second = octets.position(of: 0x20, from: first + 1), second < end,
      end - second == 8, octets.matches("SIP/2.0", at: second + 1)
    else { return false }
    isRequest = true
    method = Self.method(octets.extracting(start..<first))
    requestURI = Slice(first + 1, second)
    return true
  }

  private static func method(_ name: Span<UInt8>) -> WireMethod {
    switch name.count {
    case 3: name.equals("ACK") ? .ack : name.equals("BYE") ? .bye : .other
    case 6: name.equals("INVITE") ? .invite : name.equals("CANCEL") ? .cancel : .other
    case 7: name.equals("MESSAGE") ? .message : name.equals("OPTIONS") ? .options : .other
    case 8: name.equals("REGISTER") ? .register : .other
    default: .other
    }
  }

  // MARK: Fields

  private func readField(_ octets: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    guard let colon = octets.position(of: 0x3A, from: start), colon < end, colon > start else { return false }
    var (nameEnd, first, last) = (colon, colon + 1, end)
    while nameEnd > start, octets[nameEnd - 1] == 0x20 || octets[nameEnd - 1] == 0x09 { nameEnd -= 1 }
    while first < last, octets[first] <= 0x20 { first += 1 }
    while last > first, octets[last - 1] <= 0x20 { last -= 1 }
    return take(octets, octets.extracting(start..<nameEnd), Slice(first, last))
  }

  /// Keeps the field when it is one that the generator needs; false when its value is impossible.
  private func take(_ octets: Span<UInt8>, _ name: Span<UInt8>, _ value: Slice) -> Bool {
    if name.isEmpty { return false }
    switch (name.count, name[0] | 0x20) {
    case (1, 0x76): takeVia(octets, value)
    case (3, 0x76) where name.equalsIgnoringCase("via"): takeVia(octets, value)
    case (1, 0x66): from = value
    case (4, 0x66) where name.equalsIgnoringCase("from"): from = value
    case (1, 0x74): to = value
    case (2, 0x74) where name.equalsIgnoringCase("to"): to = value
    case (1, 0x69): callID = value
    case (7, 0x63) where name.equalsIgnoringCase("call-id"): callID = value
    case (7, 0x63) where name.equalsIgnoringCase("contact"): contact = value
    case (1, 0x6D): contact = value
    case (4, 0x63) where name.equalsIgnoringCase("cseq"): takeSequence(octets, value)
    case (1, 0x6C): return takeLength(octets, value)
    case (14, 0x63) where name.equalsIgnoringCase("content-length"): return takeLength(octets, value)
    case (12, 0x72) where name.equalsIgnoringCase("record-route"): takeRecordRoute(value)
    case (16, 0x77) where name.equalsIgnoringCase("www-authenticate"): takeChallenge(octets, value, proxy: false)
    case (18, 0x70) where name.equalsIgnoringCase("proxy-authenticate"): takeChallenge(octets, value, proxy: true)
    case (11, 0x6D) where name.equalsIgnoringCase("min-expires"):
      minimumExpires = octets.extracting(value.range).decimal ?? 0
    case (11, 0x72) where name.equalsIgnoringCase("retry-after"):
      retryAfter = octets.extracting(value.range).decimal ?? 0
    default: break
    }
    return true
  }

  private func takeVia(_ octets: Span<UInt8>, _ value: Slice) {
    var quoted = false
    viaCount += 1
    for index in value.range {
      if octets[index] == 0x22 { quoted.toggle() }
      if octets[index] == 0x2C, !quoted { viaCount += 1 }
    }
    if viaLineCount < Self.lineCapacity {
      viaLines[viaLineCount] = value
      viaLineCount += 1
    }
  }

  private func takeRecordRoute(_ value: Slice) {
    guard recordRouteCount < Self.lineCapacity else { return }
    recordRoutes[recordRouteCount] = value
    recordRouteCount += 1
  }

  private func takeSequence(_ octets: Span<UInt8>, _ value: Slice) {
    sequence = value
    if isRequest { return }
    let text = octets.extracting(value.range)
    guard let space = text.position(of: 0x20, from: 0) else { return }
    method = Self.method(text.extracting(space + 1..<text.count))
  }

  private func takeLength(_ octets: Span<UInt8>, _ value: Slice) -> Bool {
    guard let length = octets.extracting(value.range).decimal, contentLength < 0 || contentLength == length else {
      return false
    }
    contentLength = length
    return true
  }

  /// Of several challenges the strongest that the generator knows counts (RFC 8760 §2.3 leaves the order to the server; it is best first).
  private func takeChallenge(_ octets: Span<UInt8>, _ value: Slice, proxy: Bool) {
    guard challenge.isEmpty, octets.matches("Digest", at: Int(value.start)) else { return }
    let text = octets.extracting(value.range)
    guard let found = DigestChallenge.parameter("algorithm", in: text) else {
      (challenge, isProxyChallenge) = (value, proxy)
      return
    }
    let algorithm = text.extracting(found)
    if algorithm.equalsIgnoringCase("md5") || algorithm.equalsIgnoringCase("sha-256") {
      (challenge, isProxyChallenge) = (value, proxy)
    }
  }
}

import Structures

/// Why the end of a message can't be found, so that the connection is of no use any more (RFC 3261 §18.3).
public enum FramingError: Error, Equatable, Sendable {
  /// There is no Content-Length, which a stream needs.
  case missingContentLength
  /// Content-Length is no number, or stands there twice.
  case badContentLength
  /// No empty line came within the limit.
  case headTooLarge
  /// Content-Length announces more than the limit.
  case messageTooLarge
  /// What came can't be the start of a SIP message.
  case malformedStart
}

/// Finds where messages end in a stream of octets (RFC 3261 §18.3) and keep-alives between them (RFC 5626 §4.4.1).
///
/// Owned by a connection. It remembers how far it has looked, so that a message that comes octet by octet is looked through once.
public struct StreamFramer: Sendable {
  /// What the unread octets begin with.
  public enum Step: Equatable, Sendable {
    /// Not enough yet.
    case incomplete
    /// A line break to skip. The second of a ping (two CRLF) is to be answered with one CRLF.
    case keepAlive(length: Int, isPing: Bool)
    /// One whole message.
    case message(length: Int)
    /// The end can't be found; `head` octets may be used to make an answer, then the connection is closed.
    case broken(FramingError, head: Int)
  }

  // In 32 bits: every connection has one.
  private let maximumHead: UInt32
  private let maximumMessage: UInt32
  private var seenLine: UInt32 = 0
  private var seenOctets: UInt32 = 0
  private var knownLength = Self.unknown
  private var bodyPosition = Self.unknown
  /// Whether a Content-Length field has begun whose number stands on a folded line.
  private var awaitsLength = false
  /// Whether the octets before were a line break that no ping has been made of yet.
  public private(set) var hadBreak = false

  private static let unknown = UInt32.max

  /// Start of the line that is being looked at: everything before it has been seen.
  private var line: Int {
    get { Int(seenLine) }
    set { seenLine = UInt32(truncatingIfNeeded: newValue) }
  }

  /// Position up to which that line has no line feed.
  private var looked: Int {
    get { Int(seenOctets) }
    set { seenOctets = UInt32(truncatingIfNeeded: newValue) }
  }

  private var contentLength: Int? {
    get { knownLength == Self.unknown ? nil : Int(knownLength) }
    set { knownLength = newValue.map { UInt32(truncatingIfNeeded: $0) } ?? Self.unknown }
  }

  /// Where the body starts, once the empty line was seen.
  private var bodyStart: Int? {
    get { bodyPosition == Self.unknown ? nil : Int(bodyPosition) }
    set { bodyPosition = newValue.map { UInt32(truncatingIfNeeded: $0) } ?? Self.unknown }
  }

  /// A framer with limits in octets: for start line and header fields, and for the whole message.
  public init(maximumHead: Int, maximumMessage: Int, hadBreak: Bool = false) {
    self.maximumHead = UInt32(clamping: maximumHead)
    self.maximumMessage = UInt32(clamping: maximumMessage)
    self.hadBreak = hadBreak
  }

  /// Looks at the octets that were not consumed yet, from the first one on. After a step with a length the caller drops that many
  /// and asks again.
  public mutating func next(_ unread: Span<UInt8>) -> Step {
    if line == 0, bodyStart == nil, let step = keepAlive(unread) { return step }
    if let bodyStart { return finish(unread, bodyStart) }
    while let feed = unread.first(0x0A, in: max(line, looked)..<unread.count) {
      guard feed > line, unread[feed - 1] == 0x0D else { return fail(.malformedStart, unread, feed + 1) }
      if feed + 1 > maximumHead { return fail(.headTooLarge, unread, line) }
      if awaitsLength, let error = noteFolded(unread, line, feed - 1) { return fail(error, unread, unread.count) }
      if feed == line + 1 {
        bodyStart = feed + 1
        return finish(unread, feed + 1)
      }
      if line == 0, !Self.isStartLine(unread, feed - 1) { return fail(.malformedStart, unread, 0) }
      if line > 0, Self.isContentLength(unread, line, feed), let error = noteLength(unread, line, feed - 1) {
        return fail(error, unread, unread.count)
      }
      line = feed + 1
    }
    if unread.count > maximumHead { return fail(.headTooLarge, unread, line) }
    if line == 0, !Self.mayStart(unread) { return fail(.malformedStart, unread, 0) }
    looked = unread.count
    return .incomplete
  }

  /// Line breaks are consumed as they come, so that a lone one isn't taken for the start of a message; the second in a row makes a ping.
  private mutating func keepAlive(_ unread: Span<UInt8>) -> Step? {
    guard unread.count > 0 else { return .incomplete }
    guard unread[0] == 0x0D else {
      hadBreak = false
      return nil
    }
    guard unread.count > 1 else { return .incomplete }
    guard unread[1] == 0x0A else { return .broken(.malformedStart, head: 0) }
    let isPing = hadBreak
    hadBreak = !isPing
    return .keepAlive(length: 2, isPing: isPing)
  }

  private mutating func finish(_ unread: Span<UInt8>, _ bodyStart: Int) -> Step {
    guard let contentLength else { return fail(.missingContentLength, unread, bodyStart) }
    let length = bodyStart + contentLength
    guard length <= maximumMessage else { return fail(.messageTooLarge, unread, bodyStart) }
    guard unread.count >= length else { return .incomplete }
    reset()
    return .message(length: length)
  }

  private mutating func fail(_ error: FramingError, _ unread: Span<UInt8>, _ head: Int) -> Step {
    reset()
    return .broken(error, head: min(head, unread.count))
  }

  private mutating func reset() {
    line = 0
    looked = 0
    contentLength = nil
    awaitsLength = false
    bodyStart = nil
  }

  private mutating func noteLength(_ unread: Span<UInt8>, _ line: Int, _ end: Int) -> FramingError? {
    guard contentLength == nil, let colon = unread.first(UInt8(ascii: ":"), in: line..<end) else {
      return .badContentLength
    }
    let start = unread.skipSpace(colon + 1, end)
    if start == end {
      awaitsLength = true
      return nil
    }
    guard let length = unread.decimal(start..<unread.trimSpace(start, end), below: 1 << 31) else {
      return .badContentLength
    }
    contentLength = length
    return nil
  }

  /// RFC 3261 §7.3.1: the line behind a Content-Length without a number continues it.
  private mutating func noteFolded(_ unread: Span<UInt8>, _ line: Int, _ end: Int) -> FramingError? {
    guard line < end, unread[line] == 0x20 || unread[line] == 0x09 else { return .badContentLength }
    let start = unread.skipSpace(line, end)
    if start == end { return nil }
    guard let length = unread.decimal(start..<unread.trimSpace(start, end), below: 1 << 31) else {
      return .badContentLength
    }
    awaitsLength = false
    contentLength = length
    return nil
  }

  /// Whether the line is a Content-Length field, long or compact.
  private static func isContentLength(_ unread: Span<UInt8>, _ line: Int, _ feed: Int) -> Bool {
    let letter = unread[line] | 0x20
    guard letter == UInt8(ascii: "l") || letter == UInt8(ascii: "c") else { return false }
    let nameEnd = unread.run(line, feed, of: .token)
    guard nameEnd - line == 1 && letter == UInt8(ascii: "l") || nameEnd - line == 14 else { return false }
    return HeaderName(unread.extracting(line..<nameEnd)) == .contentLength
  }

  /// A start line has `SIP/` at its beginning or in its last word. (What else is wrong with it can be answered.)
  private static func isStartLine(_ unread: Span<UInt8>, _ end: Int) -> Bool {
    guard end >= 8, mayStart(unread) else { return false }
    if unread.extracting(0..<4).equalsIgnoringCase("sip/") { return true }
    let last = unread.trimSpace(0, end)
    var word = last
    while word > 0, unread[word - 1] != 0x20 { word -= 1 }
    return last - word >= 4 && unread.extracting(word..<word + 4).equalsIgnoringCase("sip/")
  }

  /// Whether the first octets can begin a method or a version: letters and signs of a token.
  private static func mayStart(_ unread: Span<UInt8>) -> Bool {
    for index in 0..<min(unread.count, 16) {
      if unread[index] == 0x20 || unread[index] == UInt8(ascii: "/") { return index > 0 }
      if !OctetClass.token.contains(unread[index]) { return false }
    }
    return true
  }
}

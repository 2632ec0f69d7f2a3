import Structures

/// One Via value (RFC 3261 §20.42, RFC 3581 §3).
public struct Via: Sendable, Equatable {
  /// The transport that it names.
  public enum Transport: Sendable, Equatable {
    case known(TransportProtocol)
    case other
  }

  /// The whole value.
  public private(set) var range: ByteRange
  /// The transport.
  public private(set) var transport = Transport.other
  /// The host of sent-by; an IPv6 address with its brackets.
  public private(set) var host = ByteRange(0, 0)
  /// The port of sent-by; nil when none is given.
  public private(set) var port: UInt16?
  /// Position behind sent-by: where parameters can be inserted.
  public private(set) var sentByEnd = 0
  /// The branch; nil when there is none.
  public private(set) var branch: ByteRange?
  /// The value of `received`; nil when there is none.
  public private(set) var received: ByteRange?
  /// From the semicolon of `received` to the end of its value.
  public private(set) var receivedParameter: ByteRange?
  /// The value of `rport`, empty when it has none (RFC 3581 §3); nil when the parameter is missing.
  public private(set) var rport: ByteRange?
  /// From the semicolon of `rport` to its end.
  public private(set) var rportParameter: ByteRange?
  /// The value of `maddr`; nil when there is none.
  public private(set) var maddr: ByteRange?

  /// Whether the branch begins with the cookie of RFC 3261 §8.1.1.7 and has something behind it.
  public private(set) var hasMagicCookie = false

  /// Reads the Via value that begins `range` of `text`; what follows a comma is left out.
  /// Throws ``ParseError/Problem/via`` with the position of what is wrong.
  public init(_ text: Span<UInt8>, _ range: ByteRange) throws(ParseError) {
    self.range = range
    let end = Int(range.end)
    let afterProtocol = try readProtocol(text, Int(range.start), end)
    sentByEnd = try readSentBy(text, afterProtocol, end)
    var iterator = ParameterIterator(ByteRange(sentByEnd, end))
    var last = sentByEnd
    while let (name, value) = iterator.next(text) {
      keep(text, name, value, from: last)
      last = Int((value ?? name).end)
    }
    let rest = text.skipSpace(last, end)
    guard rest == end || text[rest] == UInt8(ascii: ",") else { throw ParseError(.via, at: rest) }
    self.range = ByteRange(Int(range.start), last)
  }

  /// `SIP / 2.0 / TLS` with white space where the grammar allows it. Name and version may be any tokens (RFC 3261 §25.1): a request of a
  /// version that we lack is still to be answered.
  private mutating func readProtocol(_ text: Span<UInt8>, _ start: Int, _ end: Int) throws(ParseError) -> Int {
    var position = start
    for part in 0..<3 {
      let partEnd = text.run(position, end, of: .token)
      let name = text.extracting(position..<partEnd)
      guard partEnd > position else { throw ParseError(.via, at: position) }
      if part == 2 {
        for known in TransportProtocol.allCases where name.equalsIgnoringCase(known.name) { transport = .known(known) }
        guard partEnd < end, text[partEnd].isLinearSpace else { throw ParseError(.via, at: partEnd) }
        return text.skipSpace(partEnd, end)
      }
      let slash = text.skipSpace(partEnd, end)
      guard slash < end, text[slash] == UInt8(ascii: "/") else { throw ParseError(.via, at: slash) }
      position = text.skipSpace(slash + 1, end)
    }
    return position
  }

  private mutating func readSentBy(_ text: Span<UInt8>, _ start: Int, _ end: Int) throws(ParseError) -> Int {
    guard let (_, hostEnd) = text.host(start, end) else { throw ParseError(.via, at: start) }
    host = ByteRange(start, hostEnd)
    let colon = text.skipSpace(hostEnd, end)
    guard colon < end, text[colon] == UInt8(ascii: ":") else { return hostEnd }
    let portStart = text.skipSpace(colon + 1, end)
    let portEnd = text.digits(portStart, end)
    guard let number = text.decimal(portStart..<portEnd, below: 65_536) else { throw ParseError(.via, at: colon) }
    port = UInt16(truncatingIfNeeded: number)
    return portEnd
  }

  private mutating func keep(_ text: Span<UInt8>, _ name: ByteRange, _ value: ByteRange?, from start: Int) {
    let word = text.extracting(name.positions)
    let whole = ByteRange(start, Int((value ?? name).end))
    switch word.count {
    case 5 where word.equalsIgnoringCase("rport") && rportParameter == nil:
      rport = value ?? ByteRange(Int(name.end), Int(name.end))
      rportParameter = whole
    case 5 where word.equalsIgnoringCase("maddr"): maddr = value
    case 6 where word.equalsIgnoringCase("branch") && branch == nil:
      branch = value
      if let value, value.count > 7 {
        hasMagicCookie = text.extracting(Int(value.start)..<Int(value.start) + 7).equalsIgnoringCase("z9hg4bk")
      }
    case 8 where word.equalsIgnoringCase("received") && receivedParameter == nil:
      received = value
      receivedParameter = whole
    default: break
    }
  }
}

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
    while let (name, value) = iterator.advance(text) {
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
    if start + 8 <= end, text.matches("sip/2.0/", start, start + 8) {
      position = text.skipSpace(start + 8, end)
    } else {
      position = try readPart(text, position, end)
      position = try readPart(text, position, end)
    }
    let nameEnd = text.run(position, end, of: .token)
    guard nameEnd > position else { throw ParseError(.via, at: position) }
    if text.matches("tls", position, nameEnd) {
      transport = .known(.tls)
    } else if text.matches("udp", position, nameEnd) {
      transport = .known(.udp)
    } else if text.matches("tcp", position, nameEnd) {
      transport = .known(.tcp)
    }
    guard nameEnd < end, text[nameEnd].isLinearSpace else { throw ParseError(.via, at: nameEnd) }
    return text.skipSpace(nameEnd, end)
  }

  /// One part of the protocol and the slash behind it.
  private func readPart(_ text: Span<UInt8>, _ start: Int, _ end: Int) throws(ParseError) -> Int {
    let partEnd = text.run(start, end, of: .token)
    guard partEnd > start else { throw ParseError(.via, at: start) }
    let slash = text.skipSpace(partEnd, end)
    guard slash < end, text[slash] == UInt8(ascii: "/") else { throw ParseError(.via, at: slash) }
    return text.skipSpace(slash + 1, end)
  }

  private mutating func readSentBy(_ text: Span<UInt8>, _ start: Int, _ end: Int) throws(ParseError) -> Int {
    guard let (_, hostEnd) = text.host(start, end) else { throw ParseError(.via, at: start) }
    host = ByteRange(start, hostEnd)
    let colon = text.skipSpace(hostEnd, end)
    guard colon < end, text[colon] == UInt8(ascii: ":") else { return hostEnd }
    let portStart = text.skipSpace(colon + 1, end)
    guard let (number, portEnd) = text.number(portStart, end, below: 65_536) else { throw ParseError(.via, at: colon) }
    port = UInt16(truncatingIfNeeded: number)
    return portEnd
  }

  private mutating func keep(_ text: Span<UInt8>, _ name: ByteRange, _ value: ByteRange?, from start: Int) {
    let whole = ByteRange(start, Int((value ?? name).end))
    guard name.count <= 8 else { return }
    switch text.word(Int(name.start), Int(name.end)).lowercased {
    case "rport" where rportParameter == nil:
      rport = value ?? ByteRange(Int(name.end), Int(name.end))
      rportParameter = whole
    case "maddr": maddr = value
    case "branch" where branch == nil:
      branch = value
      if let value, value.count > 7 { hasMagicCookie = text.matches("z9hg4bk", Int(value.start), Int(value.start) + 7) }
    case "received" where receivedParameter == nil:
      received = value
      receivedParameter = whole
    default: break
    }
  }
}

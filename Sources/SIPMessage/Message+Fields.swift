import Structures

extension Message {
  /// CSeq: the number (below 2^32) and the method (RFC 3261 §20.16).
  public struct CSeq: Sendable, Equatable {
    /// The sequence number.
    public let number: UInt32
    /// The method as written.
    public let method: ByteRange
  }

  /// The topmost Via. Throws when there is none or it is malformed.
  public func topVia() throws(ParseError) -> Via {
    guard let value = value(of: .via) else { throw ParseError(.missingHeader, at: headersEnd) }
    let owned = bytes
    return try Via(owned.span, value)
  }

  /// CSeq. Throws when it is missing or malformed.
  public func cseq() throws(ParseError) -> CSeq {
    guard let value = value(of: .cseq) else { throw ParseError(.missingHeader, at: headersEnd) }
    let owned = bytes
    let text = owned.span
    let numberEnd = text.digits(Int(value.start), Int(value.end))
    guard let number = text.decimal(Int(value.start)..<numberEnd, below: 1 << 32) else {
      throw ParseError(.cseq, at: Int(value.start))
    }
    let method = ByteRange(text.skipSpace(numberEnd, Int(value.end)), Int(value.end))
    guard Int(method.start) > numberEnd, !method.isEmpty, text.all(method.positions, in: .token) else {
      throw ParseError(.cseq, at: numberEnd)
    }
    return CSeq(number: UInt32(truncatingIfNeeded: number), method: method)
  }

  /// From. Throws when it is missing or malformed.
  public func from() throws(ParseError) -> NameAddress { try nameAddress(.from, .from) }

  /// To. Throws when it is missing or malformed.
  public func to() throws(ParseError) -> NameAddress { try nameAddress(.to, .to) }

  /// The tag of From or To; nil when the field is missing, malformed or has no tag.
  public func tag(of name: HeaderName) -> ByteRange? {
    guard let value = value(of: name) else { return nil }
    let owned = bytes
    guard let address = try? NameAddress(owned.span, value), let tag = address.parameter("tag", in: owned.span) else {
      return nil
    }
    return tag.isEmpty ? nil : tag
  }

  /// The Request-URI. Throws ``ParseError/Problem/requestURI`` when it is malformed.
  public func requestURI() throws(ParseError) -> SIPURI {
    let owned = bytes
    do {
      return try SIPURI(owned.span, requestURIRange)
    } catch {
      throw ParseError(.requestURI, at: error.position)
    }
  }

  /// A header field that is one decimal number, such as Max-Forwards or Expires; nil when it is missing or no number below 2^32.
  public func number(of name: HeaderName) -> Int? {
    guard let value = value(of: name) else { return nil }
    let owned = bytes
    return owned.span.decimal(value.positions, below: 1 << 32)
  }

  /// Whether a list of option tags (Require, Supported…) names `tag`, given in small letters (RFC 3261 §19.2).
  public func lists(_ tag: StaticString, in name: HeaderName) -> Bool {
    let owned = bytes
    var iterator = ValueIterator(name, in: self)
    while let (value, _) = iterator.next(self, owned.span) {
      if owned.span.extracting(value.positions).equalsIgnoringCase(tag) { return true }
    }
    return false
  }

  private func nameAddress(_ name: HeaderName, _ problem: ParseError.Problem) throws(ParseError) -> NameAddress {
    guard let value = value(of: name) else { throw ParseError(.missingHeader, at: headersEnd) }
    let owned = bytes
    do {
      return try NameAddress(owned.span, value)
    } catch {
      throw ParseError(problem, at: error.position)
    }
  }
}

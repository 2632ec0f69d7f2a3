import Structures

extension MessageLayout {
  /// See ``Message/check()``; keeps what it reads.
  mutating func check(_ text: Span<UInt8>) -> ParseError? {
    if let error { return error }
    do {
      try checkCounts()
      try checkFields(text)
      if isRequest { try checkRequest(text) }
      return nil
    } catch {
      return error
    }
  }

  /// RFC 3261 §8.1.1: five fields that every message has once (Max-Forwards, which RFC 2543 didn't know, at most once).
  private func checkCounts() throws(ParseError) {
    if let repeated { throw ParseError(.repeatedHeader, at: Int(repeated)) }
    guard has(.via), has(.from), has(.to), has(.callID), has(.cseq) else {
      throw ParseError(.missingHeader, at: headersEnd)
    }
  }

  private mutating func checkFields(_ text: Span<UInt8>) throws(ParseError) {
    checkedVia = try readTopVia(text)
    let sequence = try readCSeq(text)
    checkedCSeq = sequence
    checkedFrom = try readAddress(.from, text)
    checkedTo = try readAddress(.to, text)
    if let callID = value(of: .callID) {
      // RFC 3261 §25.1: word [ "@" word ]. Deviation: phones that make it of base64 put `=` there, which harms nobody
      // (RequestCheckTests).
      let at = text.first(UInt8(ascii: "@"), in: callID.positions) ?? Int(callID.end)
      guard at > Int(callID.start), text.isCallIDPart(Int(callID.start), at),
        at == Int(callID.end) || at + 1 < Int(callID.end) && text.isCallIDPart(at + 1, Int(callID.end))
      else { throw ParseError(.callID, at: Int(callID.start)) }
    }
    // What a response has besides is for its reader: dropping it would leave the caller without an answer.
    guard isRequest else { return }
    guard text.extracting(sequence.method.positions).equals(text.extracting(methodToken.positions)) else {
      throw ParseError(.methodMismatch, at: Int(sequence.method.start))
    }
    try checkAddresses(.route, .route, text)
    try checkAddresses(.recordRoute, .route, text)
    try checkContacts(text)
  }

  private mutating func checkRequest(_ text: Span<UInt8>) throws(ParseError) {
    let uri = try readURI(text)
    checkedURI = uri
    // RFC 3261 §19.1.5, RFC 4475 §3.1.2.11: a Request-URI has no header part.
    if !uri.headers.isEmpty { throw ParseError(.requestURI, at: Int(uri.headers.start)) }
    if let value = value(of: .maxForwards), text.decimal(value.positions, below: 256) == nil {
      throw ParseError(.maxForwards, at: Int(value.start))
    }
    try checkTags(.require, text)
    try checkTags(.proxyRequire, text)
  }

  private func checkTags(_ name: HeaderName, _ text: Span<UInt8>) throws(ParseError) {
    guard has(name) else { return }
    var iterator = values(of: name)
    while let (tag, _) = iterator.next(text) {
      guard !tag.isEmpty, text.all(tag.positions, in: .token) else {
        throw ParseError(.requireTag, at: Int(tag.start))
      }
    }
  }

  /// Route and Record-Route values stand in angle brackets.
  private func checkAddresses(_ name: HeaderName, _ problem: ParseError.Problem, _ text: Span<UInt8>) throws(ParseError)
  {
    guard has(name) else { return }
    var iterator = values(of: name)
    while let (value, _) = iterator.next(text) {
      guard let address = try? NameAddress(text, value), address.isBracketed else {
        throw ParseError(problem, at: Int(value.start))
      }
    }
  }

  /// RFC 3261 §20.10: `*`, alone and in REGISTER only, or addresses.
  @inline(__always)
  private func checkContacts(_ text: Span<UInt8>) throws(ParseError) {
    guard has(.contact) else { return }
    var iterator = values(of: .contact)
    while let (value, _) = iterator.next(text) {
      if value.count == 1, text[Int(value.start)] == UInt8(ascii: "*"), isRegister { continue }
      do {
        _ = try NameAddress(text, value)
      } catch {
        throw ParseError(.contact, at: error.position)
      }
    }
  }
}

extension Span where Element == UInt8 {
  /// Whether the octets are of `word`, or equals signs.
  fileprivate func isCallIDPart(_ start: Int, _ end: Int) -> Bool {
    var position = run(start, end, of: .word)
    while position < end, self[position] == UInt8(ascii: "=") { position = run(position + 1, end, of: .word) }
    return position == end
  }
}

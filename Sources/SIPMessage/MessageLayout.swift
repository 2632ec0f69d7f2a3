import Structures

/// Where the parts of a message are in its octets. A value of its own, so that a pass over a message works on one thing in one place.
struct MessageLayout {
  var kind = Message.Kind.malformed
  var methodToken = ByteRange(0, 0)
  var requestURI = ByteRange(0, 0)
  var reason = ByteRange(0, 0)
  var fields: [Message.Field] = []
  var headersStart = 0
  var headersEnd = 0
  var body = ByteRange(0, 0)
  var error: ParseError?
  /// Position in ``fields`` of the first field of each name; 255 for none.
  var first = InlineArray<34, UInt8>(repeating: 255)

  // What ``check(_:)`` has read already.
  var checkedVia: Via?
  var checkedURI: SIPURI?
  var checkedFrom: NameAddress?
  var checkedTo: NameAddress?
  var checkedCSeq: Message.CSeq?

  init() {
    fields.reserveCapacity(48)
  }

  /// Forgets the message before.
  mutating func clear() {
    kind = .malformed
    methodToken = ByteRange(0, 0)
    requestURI = ByteRange(0, 0)
    reason = ByteRange(0, 0)
    fields.removeAll(keepingCapacity: true)
    first = InlineArray<34, UInt8>(repeating: 255)
    error = nil
    checkedVia = nil
    checkedURI = nil
    checkedFrom = nil
    checkedTo = nil
    checkedCSeq = nil
  }

  var isRequest: Bool {
    if case .request = kind { return true }
    return false
  }

  var isRegister: Bool { kind == .request(.register) }

  @inline(__always)
  func firstIndex(of name: HeaderName) -> Int? {
    let index = first[Int(name.rawValue)]
    return index == 255 ? nil : Int(index)
  }

  func value(of name: HeaderName) -> ByteRange? {
    firstIndex(of: name).map { fields[$0].value }
  }

  func has(_ name: HeaderName) -> Bool { firstIndex(of: name) != nil }

  func end(ofFieldAt index: Int) -> Int {
    index + 1 < fields.count ? Int(fields[index + 1].start) : headersEnd
  }

  // MARK: Typed fields

  func topVia(_ text: Span<UInt8>) throws(ParseError) -> Via {
    if let checkedVia { return checkedVia }
    guard let value = value(of: .via) else { throw ParseError(.missingHeader, at: headersEnd) }
    return try Via(text, value)
  }

  func uri(_ text: Span<UInt8>) throws(ParseError) -> SIPURI {
    if let checkedURI { return checkedURI }
    do {
      return try SIPURI(text, requestURI)
    } catch {
      throw ParseError(.requestURI, at: error.position)
    }
  }

  func cseq(_ text: Span<UInt8>) throws(ParseError) -> Message.CSeq {
    if let checkedCSeq { return checkedCSeq }
    guard let value = value(of: .cseq) else { throw ParseError(.missingHeader, at: headersEnd) }
    let numberEnd = text.digits(Int(value.start), Int(value.end))
    guard let number = text.decimal(Int(value.start)..<numberEnd, below: 1 << 32) else {
      throw ParseError(.cseq, at: Int(value.start))
    }
    let method = ByteRange(text.skipSpace(numberEnd, Int(value.end)), Int(value.end))
    guard Int(method.start) > numberEnd, !method.isEmpty, text.all(method.positions, in: .token) else {
      throw ParseError(.cseq, at: numberEnd)
    }
    return Message.CSeq(number: UInt32(truncatingIfNeeded: number), method: method)
  }

  /// From or To.
  func address(_ name: HeaderName, _ text: Span<UInt8>) throws(ParseError) -> NameAddress {
    if let checked = name == .from ? checkedFrom : checkedTo { return checked }
    guard let value = value(of: name) else { throw ParseError(.missingHeader, at: headersEnd) }
    do {
      return try NameAddress(text, value)
    } catch {
      throw ParseError(name == .from ? .from : .to, at: error.position)
    }
  }

  func tag(of name: HeaderName, _ text: Span<UInt8>) -> ByteRange? {
    guard let address = try? address(name, text), let tag = address.tag else { return nil }
    return tag.isEmpty ? nil : tag
  }
}

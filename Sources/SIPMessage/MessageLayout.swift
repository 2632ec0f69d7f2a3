import Structures

/// Where the parts of a message are in its octets. A value of its own, so that a pass over a message works on one thing in one place.
struct MessageLayout: ~Copyable {
  var kind = Message.Kind.malformed
  var methodToken = ByteRange(0, 0)
  var requestURI = ByteRange(0, 0)
  var reason = ByteRange(0, 0)
  var fields: [Message.Field] = []
  var headersStart = 0
  var headersEnd = 0
  var body = ByteRange(0, 0)
  var error: ParseError?
  /// The names that fields have.
  var names = NameSet()
  /// The names that more than one field has.
  var repeatedNames = NameSet()
  /// Where the first field begins that a message may have once and has twice.
  var repeated: UInt16?
  /// Position in ``fields`` of the first field of each name; 255 for none. ``HeaderName/capacity`` places.
  var first = InlineArray<48, UInt8>(repeating: 255)

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
    fields.clear()
    first = InlineArray<48, UInt8>(repeating: 255)
    error = nil
    repeated = nil
    names = NameSet()
    repeatedNames = NameSet()
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

  @inline(__always)
  func value(of name: HeaderName) -> ByteRange? {
    guard let index = firstIndex(of: name) else { return nil }
    return fields[index].value
  }

  /// The values of all fields of a name.
  func values(of name: HeaderName) -> ValueIterator {
    ValueIterator(name, in: fields, from: firstIndex(of: name), isOnly: isOnly(name))
  }

  /// Whether no two fields have the name.
  func isOnly(_ name: HeaderName) -> Bool { !repeatedNames.contains(name) }

  func has(_ name: HeaderName) -> Bool { firstIndex(of: name) != nil }

  func end(ofFieldAt index: Int) -> Int {
    index + 1 < fields.count ? Int(fields[index + 1].start) : headersEnd
  }

  // MARK: Typed fields

  func topVia(_ text: Span<UInt8>) throws(ParseError) -> Via {
    if let checkedVia { return checkedVia }
    return try readTopVia(text)
  }

  func uri(_ text: Span<UInt8>) throws(ParseError) -> SIPURI {
    if let checkedURI { return checkedURI }
    return try readURI(text)
  }

  func cseq(_ text: Span<UInt8>) throws(ParseError) -> Message.CSeq {
    if let checkedCSeq { return checkedCSeq }
    return try readCSeq(text)
  }

  /// From or To.
  func address(_ name: HeaderName, _ text: Span<UInt8>) throws(ParseError) -> NameAddress {
    if let checked = name == .from ? checkedFrom : checkedTo { return checked }
    return try readAddress(name, text)
  }

  /// The tag of From or To.
  @inline(__always)
  func tag(of name: HeaderName, _ text: Span<UInt8>) -> ByteRange? {
    let tag: ByteRange?
    switch name {
    case .from where checkedFrom != nil: tag = checkedFrom?.tag
    case .to where checkedTo != nil: tag = checkedTo?.tag
    default: tag = (try? readAddress(name, text))?.tag
    }
    return tag?.isEmpty == false ? tag : nil
  }

  // MARK: Reading them

  func readTopVia(_ text: Span<UInt8>) throws(ParseError) -> Via {
    guard let value = value(of: .via) else { throw ParseError(.missingHeader, at: headersEnd) }
    return try Via(text, value)
  }

  func readURI(_ text: Span<UInt8>) throws(ParseError) -> SIPURI {
    do {
      return try SIPURI(text, requestURI)
    } catch {
      throw ParseError(.requestURI, at: error.position)
    }
  }

  func readCSeq(_ text: Span<UInt8>) throws(ParseError) -> Message.CSeq {
    guard let value = value(of: .cseq) else { throw ParseError(.missingHeader, at: headersEnd) }
    let (start, end) = (Int(value.start), Int(value.end))
    guard let (number, numberEnd) = text.number(start, end, below: 1 << 32) else { throw ParseError(.cseq, at: start) }
    let method = text.skipSpace(numberEnd, end)
    guard method > numberEnd, method < end, text.all(method..<end, in: .token) else {
      throw ParseError(.cseq, at: numberEnd)
    }
    return Message.CSeq(number: UInt32(truncatingIfNeeded: number), method: ByteRange(method, end))
  }

  /// From or To.
  func readAddress(_ name: HeaderName, _ text: Span<UInt8>) throws(ParseError) -> NameAddress {
    guard let value = value(of: name) else { throw ParseError(.missingHeader, at: headersEnd) }
    do {
      return try NameAddress(text, value)
    } catch {
      throw ParseError(name == .from ? .from : .to, at: error.position)
    }
  }
}

import Structures

extension MessageLayout {
  /// Keeps the first error only: later ones are often its consequence.
  mutating func note(_ problem: ParseError.Problem, at position: Int) {
    if error == nil { error = ParseError(problem, at: position) }
  }

  /// Finds the parts of a message; `isCut` says that octets beyond the limit were left out.
  mutating func parse(_ text: Span<UInt8>, _ limits: ParserLimits, isCut: Bool) {
    clear()
    if isCut { note(.tooLarge, at: limits.message) }
    var position = 0
    // RFC 3261 §7.5: empty lines before the start line are skipped.
    while position + 1 < text.count, text[position] == 0x0D, text[position + 1] == 0x0A { position += 2 }
    headersStart = text.count
    headersEnd = text.count
    body = ByteRange(text.count, text.count)
    guard let end = lineEnd(text, position) else {
      note(.startLine, at: position)
      return
    }
    parseStartLine(text, position, end)
    headersStart = end + 2
    parseFields(text, limits)
    cutBody(text)
    if headersEnd > limits.head { note(.tooLarge, at: limits.head) }
  }

  /// Reads all header lines. They are written to the free room of the array, which is looked for once and not for each of them.
  private mutating func parseFields(_ text: Span<UInt8>, _ limits: ParserLimits) {
    var found: [Message.Field] = []
    swap(&found, &fields)
    var position: Int? = headersStart
    while let start = position {
      let known = found.count
      found.append(addingCapacity: max(found.capacity - known, 48)) { room in
        position = parseFields(text, from: start, known, limits, into: &room)
      }
    }
    swap(&found, &fields)
  }

  /// Reads header lines until there is no room for another one, and returns where that one begins; nil behind the last. `known` were read before.
  private mutating func parseFields(
    _ text: Span<UInt8>, from start: Int, _ known: Int, _ limits: ParserLimits,
    into room: inout OutputSpan<Message.Field>
  ) -> Int? {
    var position = start
    while !room.isFull {
      // RFC 5118 §4.10: a datagram may end behind its last header line; the empty line is understood.
      if position == text.count { return nil }
      if let line = text.usualLine(at: position), let name = fieldName(line), known + room.count < limits.fields {
        append(name, line.nameLength, position, line.value, known, to: &room)
        position = line.next
        continue
      }
      guard let end = lineEnd(text, position) else {
        note(.headerLine, at: position)
        headersEnd = min(position, text.count)
        return nil
      }
      if end == position {
        headersEnd = position
        body = ByteRange(position + 2, text.count)
        return nil
      }
      position = parseField(text, position, end, known, limits, into: &room)
    }
    return position
  }

  /// The position of the CRLF that ends the line; nil when no line feed is left. A line feed alone ends the line too, and is noted.
  private mutating func lineEnd(_ text: Span<UInt8>, _ position: Int) -> Int? {
    guard position < text.count, let feed = text.first(0x0A, in: position..<text.count) else { return nil }
    if feed > position, text[feed - 1] == 0x0D { return feed - 1 }
    note(.headerLine, at: feed)
    return nil
  }

  /// `Method SP Request-URI SP SIP-Version` or `SIP-Version SP Status-Code SP Reason-Phrase` (RFC 3261 §7.1, §7.2).
  private mutating func parseStartLine(_ text: Span<UInt8>, _ start: Int, _ end: Int) {
    guard end - start >= 8, let space = text.first(0x20, in: start..<end) else {
      note(.startLine, at: start)
      return
    }
    if text.matches("sip/", start, start + 4) {
      parseStatusLine(text, start, space, end)
      return
    }
    guard space > start, text.all(start..<space, in: .token) else {
      note(.startLine, at: start)
      return
    }
    kind = .request(Method(text, start, space))
    methodToken = ByteRange(start, space)
    guard let second = text.first(0x20, in: space + 1..<end), second > space + 1 else {
      note(.startLine, at: space)
      return
    }
    requestURI = ByteRange(space + 1, second)
    let version = second + 1
    if !text.matches("sip/2.0", version, end) {
      let isVersion =
        end - version > 4 && text.matches("sip/", version, version + 4) && text.all(version + 4..<end, in: .token)
      note(isVersion ? .version : .startLine, at: version)
    }
  }

  private mutating func parseStatusLine(_ text: Span<UInt8>, _ start: Int, _ space: Int, _ end: Int) {
    guard text.matches("sip/2.0", start, space) else {
      note(.version, at: start)
      return
    }
    var status = 0
    var position = space + 1
    while position < end, position < space + 4, let digit = text[position].decimalDigit {
      status = status * 10 + Int(digit)
      position += 1
    }
    // A phone that leaves out the space before an empty reason phrase is understood.
    guard position == space + 4, position == end || text[position] == 0x20, status >= 100, status < 700 else {
      note(.startLine, at: space)
      return
    }
    kind = .response(status: status)
    reason = ByteRange(min(position + 1, end), end)
  }

  /// The name of a usual line; nil when it isn't one for certain.
  @inline(__always)
  private func fieldName(_ line: UsualLine) -> HeaderName? {
    let name = HeaderName(line.first, line.second, line.third)
    let isName =
      name != .other
      || line.first.isPlain(line.nameLength) && line.second.isPlain(line.nameLength - 8)
        && line.third.isPlain(line.nameLength - 16)
    return isName ? name : nil
  }

  @inline(__always)
  private mutating func append(
    _ name: HeaderName, _ nameLength: Int, _ start: Int, _ value: ByteRange, _ known: Int,
    to room: inout OutputSpan<Message.Field>
  ) {
    if first[Int(name.rawValue)] == 255 {
      first[Int(name.rawValue)] = UInt8(truncatingIfNeeded: known + room.count)
      names.insert(name)
    } else {
      repeatedNames.insert(name)
      if name.isSingle, repeated == nil { repeated = UInt16(truncatingIfNeeded: start) }
    }
    room.append(
      Message.Field(
        name: name, nameLength: UInt8(truncatingIfNeeded: nameLength), start: UInt16(truncatingIfNeeded: start),
        value: value))
  }

  /// Reads one header line with the lines folded into it, whatever it is like; returns the position behind it.
  private mutating func parseField(
    _ text: Span<UInt8>, _ start: Int, _ firstEnd: Int, _ known: Int, _ limits: ParserLimits,
    into room: inout OutputSpan<Message.Field>
  ) -> Int {
    var end = firstEnd
    // RFC 3261 §7.3.1: a line that begins with white space continues the one before.
    while end + 2 < text.count, text[end + 2] == 0x20 || text[end + 2] == 0x09 {
      guard let next = lineEnd(text, end + 2) else {
        note(.headerLine, at: end + 2)
        return text.count
      }
      end = next
    }
    let colon = text.first(UInt8(ascii: ":"), in: start..<firstEnd) ?? start
    var nameEnd = colon
    while nameEnd > start, text[nameEnd - 1] == 0x20 || text[nameEnd - 1] == 0x09 { nameEnd -= 1 }
    guard nameEnd > start, nameEnd - start < 256, text.isToken(start, nameEnd) else {
      note(.headerLine, at: start)
      return end + 2
    }
    guard known + room.count < limits.fields else {
      note(.tooManyHeaders, at: start)
      return end + 2
    }
    let name = HeaderName(text, start, nameEnd)
    append(name, nameEnd - start, start, text.trimmed(colon + 1, end), known, to: &room)
    return end + 2
  }

  /// RFC 3261 §18.3: octets beyond Content-Length are not part of the message, fewer are an error; without it a datagram's body
  /// goes to its end.
  private mutating func cutBody(_ text: Span<UInt8>) {
    guard let index = firstIndex(of: .contentLength) else { return }
    let value = fields[index].value
    guard let length = text.decimal(value.positions, below: 1 << 32) else {
      note(.contentLength, at: Int(value.start))
      return
    }
    if Int(body.start) + length > text.count {
      note(.contentLength, at: Int(value.start))
    } else {
      body = ByteRange(Int(body.start), Int(body.start) + length)
    }
  }
}

import Structures

/// Searching and reading octets. The one file of the module that reads without bounds checks: each function checks its range once, and its
/// loop stays inside.
extension Span where Element == UInt8 {
  /// Checks that `start` and `end` lie in the span.
  @inline(__always)
  private func check(_ start: Int, _ end: Int) {
    precondition(start >= 0 && end <= count, "range outside of the octets")
  }

  /// The eight octets at a position of the span; those behind its end are 0.
  @inline(__always)
  private func word(at position: Int) -> UInt64 {
    position <= count - 8
      ? UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self))
      : lastWord(at: position)
  }

  @inline(never)
  private func lastWord(at position: Int) -> UInt64 {
    var word: UInt64 = 0
    for index in position..<Swift.max(position, count) {
      word |= UInt64(self[unchecked: index]) << UInt64((index - position) * 8)
    }
    return word
  }

  /// The first octets of a range, at most eight.
  @inline(__always)
  func word(_ start: Int, _ end: Int) -> OctetWord {
    check(start, end)
    return OctetWord(bits: word(at: start)).prefix(end - start)
  }

  /// Whether the range holds the octets of `literal` (at most eight), capital or small. `literal` is in small letters.
  @inline(__always)
  func matches(_ literal: OctetWord, _ start: Int, _ end: Int) -> Bool {
    end - start == literal.count && word(start, end).lowercased == literal
  }

  // MARK: Searching, sixteen octets at a time

  /// The position of the first of sixteen octets for which `isHit` has ones; nil when there is none.
  @inline(__always)
  private func position(_ index: Int, _ isHit: SIMD2<UInt64>) -> Int? {
    if isHit[0] | isHit[1] == 0 { return nil }
    return isHit[0] != 0
      ? index &+ isHit[0].trailingZeroBitCount >> 3 : index &+ 8 &+ isHit[1].trailingZeroBitCount >> 3
  }

  /// The position of the first octet of the range that `isHit` finds among sixteen; nil when there is none.
  @inline(__always)
  private func first(in range: Range<Int>, _ isHit: (SIMD16<UInt8>) -> SIMD2<UInt64>) -> Int? {
    check(range.lowerBound, range.upperBound)
    var index = range.lowerBound
    while index < range.upperBound {
      let octets =
        index <= count - 16
        ? bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: SIMD16<UInt8>.self) : lastOctets(at: index)
      if let found = position(index, isHit(octets)) { return found < range.upperBound ? found : nil }
      index &+= 16
    }
    return nil
  }

  /// Ones where the octets are the same.
  @inline(__always)
  private func equal(_ octets: SIMD16<UInt8>, _ others: SIMD16<UInt8>) -> SIMD2<UInt64> {
    unsafeBitCast(octets .== others, to: SIMD2<UInt64>.self)
  }

  /// The octets from a position near the end of the span on, and zeros.
  @inline(never)
  private func lastOctets(at position: Int) -> SIMD16<UInt8> {
    let behind = position + 8
    return unsafeBitCast(
      SIMD2(word(at: position).littleEndian, behind < count ? word(at: behind).littleEndian : 0),
      to: SIMD16<UInt8>.self)
  }

  /// The position of the first `octet` in the range; nil when there is none.
  @inline(__always)
  func first(_ octet: UInt8, in range: Range<Int>) -> Int? {
    let wanted = SIMD16(repeating: octet)
    return first(in: range) { equal($0, wanted) }
  }

  /// The position of the first octet that is one of two; nil when there is none.
  @inline(__always)
  func first(_ one: UInt8, or other: UInt8, in range: Range<Int>) -> Int? {
    let (wanted, alsoWanted) = (SIMD16(repeating: one), SIMD16(repeating: other))
    return first(in: range) { equal($0, wanted) | equal($0, alsoWanted) }
  }

  /// The position behind a quoted string that begins at `position`; nil when it doesn't end.
  func endOfQuoted(_ position: Int, _ end: Int) -> Int? {
    var index = position + 1
    while index < end, let found = first(UInt8(ascii: "\""), or: UInt8(ascii: "\\"), in: index..<end) {
      if self[found] == UInt8(ascii: "\"") { return found + 1 }
      index = found + 2
    }
    return nil
  }

  // MARK: Runs

  /// The end of the run of `set` that begins at `position`.
  @inline(__always)
  func run(_ position: Int, _ end: Int, of set: OctetClass) -> Int {
    check(position, end)
    var index = position
    while index < end, set.contains(self[unchecked: index]) { index += 1 }
    return index
  }

  /// Like ``run(_:_:of:)``, going on over escapes: a percent sign and two hexadecimal digits.
  @inline(__always)
  func run(escaped position: Int, _ end: Int, of set: OctetClass) -> Int {
    var index = run(position, end, of: set)
    while index + 2 < end, self[index] == UInt8(ascii: "%"), self[index + 1].hexadecimalDigit != nil,
      self[index + 2].hexadecimalDigit != nil
    {
      index = run(index + 3, end, of: set)
    }
    return index
  }

  /// Whether the range is a token. Most are letters, digits and hyphens, which are told eight at a time.
  @inline(__always)
  func isToken(_ start: Int, _ end: Int) -> Bool {
    check(start, end)
    var index = start
    while index < end, OctetWord(bits: word(at: index)).isPlain(end &- index) { index &+= 8 }
    return index >= end || all(index..<end, in: .token)
  }

  /// Whether all octets of the range are in the set; true for an empty range.
  @inline(__always)
  func all(_ range: Range<Int>, in set: OctetClass) -> Bool {
    run(range.lowerBound, range.upperBound, of: set) == range.upperBound
  }

  /// Whether all octets of the range are in the set or belong to an escape.
  @inline(__always)
  func allEscaped(_ range: Range<Int>, in set: OctetClass) -> Bool {
    run(escaped: range.lowerBound, range.upperBound, of: set) == range.upperBound
  }

  /// Skips SP, HT and the CRLF of a folded line.
  @inline(__always)
  func skipSpace(_ position: Int, _ end: Int) -> Int { run(position, end, of: .space) }

  /// The end of the range without white space behind it.
  @inline(__always)
  func trimSpace(_ start: Int, _ end: Int) -> Int {
    check(start, end)
    var index = end
    while index > start, OctetClass.space.contains(self[unchecked: index - 1]) { index -= 1 }
    return index
  }

  /// The range without white space at its ends.
  @inline(__always)
  func trimmed(_ start: Int, _ end: Int) -> ByteRange {
    check(start, end)
    var (first, behind) = (start, end)
    while first < behind, OctetClass.space.contains(self[unchecked: first]) { first &+= 1 }
    while behind > first, OctetClass.space.contains(self[unchecked: behind &- 1]) { behind &-= 1 }
    return ByteRange(first, behind)
  }

  /// The decimal number that begins at a position, and its end; nil when there is none or it is not below the limit.
  @inline(__always)
  func number(_ start: Int, _ end: Int, below limit: Int) -> (Int, end: Int)? {
    check(start, end)
    var (number, index) = (0, start)
    while index < end {
      let digit = self[unchecked: index] &- 0x30
      if digit >= 10 { break }
      number = number &* 10 &+ Int(digit)
      if number >= limit { return nil }
      index &+= 1
    }
    return index > start ? (number, index) : nil
  }

  /// A decimal number that fills the range; nil when it is empty, has other octets or is not below the limit.
  func decimal(_ range: Range<Int>, below limit: Int) -> Int? {
    guard let (number, end) = number(range.lowerBound, range.upperBound, below: limit), end == range.upperBound else {
      return nil
    }
    return number
  }
}

// MARK: Header lines

/// A header line as nearly all are: at most 24 octets of name, a colon directly behind them, a value on the same line, CRLF, and more of the
/// message behind it.
struct UsualLine {
  /// The first eight octets of the name.
  var first: OctetWord = ""
  /// Those behind them.
  var second: OctetWord = ""
  /// The last ones of a name of more than sixteen.
  var third: OctetWord = ""
  /// How many octets the name has; the last of them is not 0.
  var nameLength = 0
  /// The value without white space around it.
  var value = ByteRange(0, 0)
  /// Position of the line behind it.
  var next = 0
}

extension Span where Element == UInt8 {
  /// Reads the line at a position; nil when it isn't a usual one, whether or not it is a good one.
  @inline(__always)
  func usualLine(at start: Int) -> UsualLine? {
    guard start >= 0, start <= count &- 24 else { return nil }
    var line = UsualLine()
    readName(start, &line)
    let colon = start &+ line.nameLength
    guard line.nameLength > 0, self[unchecked: colon &- 1] != 0, let feed = lineFeed(behind: colon) else { return nil }
    // Inside of the span: what is looked at lies between the colon and the line feed, or is the octet behind that.
    let end = feed &- 1
    let continuation = self[unchecked: feed &+ 1]
    guard end > colon, self[unchecked: end] == 0x0D, continuation != 0x20, continuation != 0x09 else { return nil }
    var (valueStart, valueEnd) = (colon &+ 1, end)
    while self[unchecked: valueStart] == 0x20 { valueStart &+= 1 }
    guard valueStart < end else { return nil }
    while self[unchecked: valueEnd &- 1] == 0x20 { valueEnd &-= 1 }
    if self[unchecked: valueStart].isLinearSpace || self[unchecked: valueEnd &- 1].isLinearSpace { return nil }
    line.value = ByteRange(valueStart, valueEnd)
    line.next = feed &+ 1
    return line
  }

  /// Reads the octets before the first colon; leaves the length 0 when it isn't among the 24 octets from `start` on, which must be there.
  @inline(__always)
  private func readName(_ start: Int, _ line: inout UsualLine) {
    let (first, second) = (word(at: start), word(at: start &+ 8))
    if let (before, length) = octetsBeforeColon(first) {
      line.first = before
      line.nameLength = length
      return
    }
    line.first = OctetWord(bits: first)
    if let (before, length) = octetsBeforeColon(second) {
      line.second = before
      line.nameLength = 8 &+ length
    } else if let (before, length) = octetsBeforeColon(word(at: start &+ 16)) {
      line.second = OctetWord(bits: second)
      line.third = before
      line.nameLength = 16 &+ length
    }
  }

  /// The octets of a word before its first colon; nil when it has none.
  @inline(__always)
  private func octetsBeforeColon(_ word: UInt64) -> (OctetWord, Int)? {
    // An octet becomes 0 where it is a colon; the subtraction then borrows into its top bit. The lowest such bit is exact.
    let difference = word ^ 0x3A3A_3A3A_3A3A_3A3A
    let colons = (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
    if colons == 0 { return nil }
    let below = (colons & (0 &- colons)) >> 7 &- 1
    return (OctetWord(bits: word & below), colons.trailingZeroBitCount >> 3)
  }

  /// The first line feed behind a position, when an octet follows it; nil near the end of the span.
  @inline(__always)
  private func lineFeed(behind position: Int) -> Int? {
    let wanted = SIMD16<UInt8>(repeating: 0x0A)
    var index = position &+ 1
    while index <= count &- 17 {
      let octets = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: SIMD16<UInt8>.self)
      if let feed = self.position(index, equal(octets, wanted)) { return feed }
      index &+= 16
    }
    return nil
  }
}

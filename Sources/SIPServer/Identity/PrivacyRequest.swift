import SIPMessage
import Structures

/// What the sender of a message asks to be kept from others (RFC 3323 §4.2, RFC 3325 §9.3).
struct PrivacyRequest: OptionSet {
  let rawValue: UInt8

  /// Nothing is to be kept back, whatever we do otherwise.
  static let none = PrivacyRequest(rawValue: 1)
  /// The asserted identity, from those outside of the trust domain: what we can do.
  static let id = PrivacyRequest(rawValue: 2)
  /// Via, Contact and their like.
  static let header = PrivacyRequest(rawValue: 4)
  /// Where the media come from.
  static let session = PrivacyRequest(rawValue: 8)
  /// What the user agent should have left out itself.
  static let user = PrivacyRequest(rawValue: 16)
  /// The request shall rather fail than go on without.
  static let critical = PrivacyRequest(rawValue: 32)
  /// Something that we don't know.
  static let other = PrivacyRequest(rawValue: 64)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  /// What the Privacy fields of a message ask for.
  init(_ message: Message) {
    guard let first = message.value(of: .privacy) else {
      self = []
      return
    }
    let bytes = message.bytes
    // Most often this is all.
    if message.hasOne(.privacy), bytes.span.extracting(first.positions).equalsIgnoringCase("none") {
      self = .none
      return
    }
    var all: PrivacyRequest = []
    message.forEach(.privacy) { _, line in
      var values = Values(line)
      while let value = values.next(bytes.span) { all.insert(Self.one(bytes.span.extracting(value.positions))) }
      return true
    }
    // RFC 3323 §4.2: `none` stands alone. Where it doesn't, the privacy that is asked for as well harms nobody.
    if all != .none { all.remove(.none) }
    self = all
  }

  private static func one(_ word: Span<UInt8>) -> PrivacyRequest {
    if word.equalsIgnoringCase("id") { return .id }
    if word.equalsIgnoringCase("none") { return .none }
    if word.equalsIgnoringCase("critical") { return .critical }
    if word.equalsIgnoringCase("header") { return .header }
    if word.equalsIgnoringCase("session") { return .session }
    return word.equalsIgnoringCase("user") ? .user : .other
  }

  /// What is asked for and not done here.
  var unserved: PrivacyRequest { intersection([.header, .session, .user, .other]) }

  /// Whether anything is to be kept back.
  var isWanted: Bool { !isDisjoint(with: [.id, .header, .session, .user, .other]) }

  /// Walks the values of a Privacy line: between semicolons, as its grammar has it, or commas, as some write them.
  struct Values {
    private var position: Int
    private let end: Int

    init(_ line: ByteRange) {
      position = Int(line.start)
      end = Int(line.end)
    }

    /// The next value without the white space around it; nil at the end. Empty ones are left out.
    mutating func next(_ text: Span<UInt8>) -> ByteRange? {
      while position < end {
        var last = position
        while last < end, text[last] != UInt8(ascii: ";"), text[last] != UInt8(ascii: ",") { last += 1 }
        var (start, stop) = (position, last)
        position = last + 1
        while start < stop, text[start] <= 0x20 { start += 1 }
        while start < stop, text[stop - 1] <= 0x20 { stop -= 1 }
        if start < stop { return ByteRange(start, stop) }
      }
      return nil
    }
  }
}

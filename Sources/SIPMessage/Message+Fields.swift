import Structures

extension Message {
  /// CSeq: the number (below 2^32) and the method (RFC 3261 §20.16).
  public struct CSeq: Sendable, Equatable {
    /// The sequence number.
    public let number: UInt32
    /// The method as written.
    public let method: ByteRange
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
    while let (value, _) = iterator.next(owned.span) {
      if owned.span.extracting(value.positions).equalsIgnoringCase(tag) { return true }
    }
    return false
  }
}

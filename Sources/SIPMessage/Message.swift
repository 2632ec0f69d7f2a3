import Structures

/// One SIP message: its octets and a table of where everything is in them (RFC 3261 §7).
///
/// Read this first; then `Message+Parsing.swift` (the one pass), `Message+Fields.swift` (typed fields on demand),
/// `Message+Validation.swift` (what makes a request unacceptable), `SIPURI.swift`, `StreamFramer.swift`.
///
/// A message is loaded over and over: owners keep spent ones in a ``MessagePool``, so that receiving allocates nothing.
/// Nothing is decoded at loading; the octets stay as they came, and forwarding copies runs of them between splices.
public final class Message {
  /// What the first line says.
  public enum Kind: Sendable, Equatable {
    /// A request of a method.
    case request(Method)
    /// A response with a status code of three digits.
    case response(status: Int)
    /// The first line is neither.
    case malformed
  }

  /// One header line, folded lines included.
  public struct Field: Sendable {
    /// Which header field it is.
    public let name: HeaderName
    /// Length of the name as written, in octets.
    public let nameLength: UInt8
    /// Position of the first octet of the name.
    public let start: UInt16
    /// The value without white space around it.
    public let value: ByteRange
  }

  /// The octets of the message and nothing else.
  public private(set) var bytes: [UInt8] = []
  /// Whether the one who sent it is believed: a mark for whoever loads it, who sets it afterwards.
  public var isTrusted = false
  /// Where everything is in them.
  private var layout = MessageLayout()

  /// An empty message, to be loaded.
  public init() {
    bytes.reserveCapacity(2_048)
  }

  /// Takes over the octets of one message and finds its parts in one pass.
  ///
  /// `octets` is a datagram, or what a ``StreamFramer`` cut out. Nothing is thrown: what is wrong stands in ``error`` and the rest
  /// is read as far as it goes.
  public func load(_ octets: Span<UInt8>, limits: ParserLimits) {
    isTrusted = false
    bytes.clear()
    bytes.append(octets.extracting(0..<min(octets.count, limits.message)))
    parse(limits, isCut: octets.count > limits.message)
    // RFC 3261 §18.3: what follows the body of a datagram is no part of the message.
    let end = Int(layout.body.end)
    if end < bytes.count { bytes.removeSubrange(end...) }
  }

  private func parse(_ limits: ParserLimits, isCut: Bool) {
    let owned = bytes
    layout.parse(owned.span, limits, isCut: isCut)
  }

  /// What makes the message unacceptable: how it was framed and laid out, and whether the fields that a proxy and a registrar work with
  /// follow the grammar (RFC 3261 §8.2, §16.3, §25.1); nil when nothing does.
  ///
  /// Fields that the server doesn't use (Date, Subject, unknown ones) are not looked into.
  public func check() -> ParseError? {
    let owned = bytes
    return layout.check(owned.span)
  }

  /// What the first line says.
  public var kind: Kind { layout.kind }
  /// The method as written in a request; empty in a response.
  public var methodToken: ByteRange { layout.methodToken }
  /// The Request-URI as written; empty in a response.
  public var requestURIRange: ByteRange { layout.requestURI }
  /// The reason phrase of a response; empty in a request.
  public var reasonRange: ByteRange { layout.reason }
  /// The header lines in order.
  public var fields: [Field] { layout.fields }
  /// Position of the first octet behind the start line.
  public var headersStart: Int { layout.headersStart }
  /// Position of the empty line.
  public var headersEnd: Int { layout.headersEnd }
  /// The body; shortened to Content-Length.
  public var body: ByteRange { layout.body }
  /// What was wrong with the message at loading: the first thing found. The rest was read nevertheless, so that an answer can be made.
  public var error: ParseError? { layout.error }

  /// Whether the message is a request.
  public var isRequest: Bool {
    if case .request = kind { return true }
    return false
  }

  /// The method of a request; `other` for a response.
  public var method: Method {
    if case .request(let method) = kind { return method }
    return .other
  }

  /// The status code of a response; 0 for a request.
  public var status: Int {
    if case .response(let status) = kind { return status }
    return 0
  }

  /// Position in ``fields`` of the first field of a name; nil when the message has none.
  public func firstIndex(of name: HeaderName) -> Int? { layout.firstIndex(of: name) }

  /// The value of the first field of a name; nil when the message has none.
  public func value(of name: HeaderName) -> ByteRange? { layout.value(of: name) }

  /// The values of all fields of a name.
  func values(of name: HeaderName) -> ValueIterator { layout.values(of: name) }

  /// Whether the message has a field of a name.
  public func has(_ name: HeaderName) -> Bool { firstIndex(of: name) != nil }

  /// The names of the fields that the message has.
  public var names: NameSet { layout.names }

  /// Whether the message has just one field of a name.
  public func hasOne(_ name: HeaderName) -> Bool { has(name) && layout.isOnly(name) }

  /// Position behind a header line and its CRLF.
  public func end(ofFieldAt index: Int) -> Int { layout.end(ofFieldAt: index) }

  /// Calls `visit` with the position and value of every field of a name, until it returns false.
  public func forEach(_ name: HeaderName, _ visit: (Int, ByteRange) -> Bool) {
    guard var index = firstIndex(of: name) else { return }
    let fields = layout.fields
    while index < fields.count {
      if fields[index].name == name, !visit(index, fields[index].value) { return }
      index += 1
    }
  }

  /// The octets of a range, as text; for logs and tests.
  public func text(_ range: ByteRange) -> String {
    String(decoding: bytes[range.positions], as: UTF8.self)
  }

  // MARK: Typed fields

  /// The topmost Via. Throws when there is none or it is malformed.
  public func topVia() throws(ParseError) -> Via {
    let owned = bytes
    return try layout.topVia(owned.span)
  }

  /// CSeq. Throws when it is missing or malformed.
  public func cseq() throws(ParseError) -> CSeq {
    let owned = bytes
    return try layout.cseq(owned.span)
  }

  /// From. Throws when it is missing or malformed.
  public func from() throws(ParseError) -> NameAddress {
    let owned = bytes
    return try layout.address(.from, owned.span)
  }

  /// To. Throws when it is missing or malformed.
  public func to() throws(ParseError) -> NameAddress {
    let owned = bytes
    return try layout.address(.to, owned.span)
  }

  /// The Request-URI. Throws ``ParseError/Problem/requestURI`` when it is malformed.
  public func requestURI() throws(ParseError) -> SIPURI {
    let owned = bytes
    return try layout.uri(owned.span)
  }

  /// The tag of From or To; nil when the field is missing, malformed or has no tag.
  public func tag(of name: HeaderName) -> ByteRange? {
    let owned = bytes
    return layout.tag(of: name, owned.span)
  }
}

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
  public internal(set) var bytes: [UInt8] = []
  /// What the first line says.
  public internal(set) var kind = Kind.malformed
  /// The method as written in a request; empty in a response.
  public internal(set) var methodToken = ByteRange(0, 0)
  /// The Request-URI as written; empty in a response.
  public internal(set) var requestURIRange = ByteRange(0, 0)
  /// The reason phrase of a response; empty in a request.
  public internal(set) var reasonRange = ByteRange(0, 0)
  /// The header lines in order.
  public internal(set) var fields: [Field] = []
  /// Position of the first octet behind the start line.
  public internal(set) var headersStart = 0
  /// Position of the empty line.
  public internal(set) var headersEnd = 0
  /// The body; shortened to Content-Length.
  public internal(set) var body = ByteRange(0, 0)
  /// What was wrong with the message at loading: the first thing found. The rest was read nevertheless, so that an answer can be made.
  public internal(set) var error: ParseError?
  /// Position in ``fields`` of the first field of each name; 255 for none.
  var first = InlineArray<34, UInt8>(repeating: 255)

  /// An empty message, to be loaded.
  public init() {
    bytes.reserveCapacity(2_048)
    fields.reserveCapacity(48)
  }

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
  @inline(__always)
  public func firstIndex(of name: HeaderName) -> Int? {
    let index = first[Int(name.rawValue)]
    return index == 255 ? nil : Int(index)
  }

  /// The value of the first field of a name; nil when the message has none.
  public func value(of name: HeaderName) -> ByteRange? {
    firstIndex(of: name).map { fields[$0].value }
  }

  /// Whether the message has a field of a name.
  public func has(_ name: HeaderName) -> Bool { firstIndex(of: name) != nil }

  /// Position behind a header line and its CRLF.
  @inline(__always)
  public func end(ofFieldAt index: Int) -> Int {
    index + 1 < fields.count ? Int(fields[index + 1].start) : headersEnd
  }

  /// Calls `visit` with the position and value of every field of a name, until it returns false.
  @inline(__always)
  public func forEach(_ name: HeaderName, _ visit: (Int, ByteRange) -> Bool) {
    guard var index = firstIndex(of: name) else { return }
    while index < fields.count {
      if fields[index].name == name, !visit(index, fields[index].value) { return }
      index += 1
    }
  }

  /// The octets of a range, as text; for logs and tests.
  public func text(_ range: ByteRange) -> String {
    String(decoding: bytes[range.positions], as: UTF8.self)
  }
}

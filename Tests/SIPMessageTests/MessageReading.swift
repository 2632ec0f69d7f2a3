import SIPMessage
import Structures
import Testing

/// Shorter ways for tests to read a message.
extension Message {
  /// The text of the first field of a name; nil when there is none.
  func string(_ name: HeaderName) -> String? { value(of: name).map(text) }

  /// The value of a field that the server has no name for, as written.
  func string(named name: String) -> String? {
    fields.first { field in
      field.name == .other && text(ByteRange(Int(field.start), Int(field.start) + Int(field.nameLength))) == name
    }.map { text($0.value) }
  }

  /// All values of a header field.
  func values(_ name: HeaderName) -> [ByteRange] {
    let owned = bytes
    var values: [ByteRange] = []
    var iterator = ValueIterator(name, in: self)
    while let (value, _) = iterator.next(owned.span) { values.append(value) }
    return values
  }

  /// All values of Via.
  func vias() throws -> [Via] {
    let owned = bytes
    var vias: [Via] = []
    for value in values(.via) { vias.append(try Via(owned.span, value)) }
    return vias
  }

  /// All values of a header field that holds addresses.
  func addresses(_ name: HeaderName) throws -> [NameAddress] {
    let owned = bytes
    var addresses: [NameAddress] = []
    for value in values(name) { addresses.append(try NameAddress(owned.span, value)) }
    return addresses
  }

  /// A parameter of a header value; nil when there is none, empty when it has no value.
  func parameter(_ name: StaticString, of address: NameAddress) -> String? {
    let owned = bytes
    return address.parameter(name, in: owned.span).map(text)
  }

  /// A parameter of a URI; nil when there is none, empty when it has no value.
  func parameter(_ name: StaticString, of uri: SIPURI) -> String? {
    let owned = bytes
    return uri.parameter(name, in: owned.span).map(text)
  }

  /// The address that is the host of a URI; nil for a name.
  func address(of uri: SIPURI) -> IPAddress? {
    let owned = bytes
    return uri.address(in: owned.span)
  }

  /// Whether a URI of the message is equivalent to another (RFC 3261 §19.1.4).
  func isEquivalent(_ uri: SIPURI, _ other: String) throws -> Bool {
    let owned = bytes
    let octets = Array(other.utf8)
    let parsed = try SIPURI(octets.span, ByteRange(0, octets.count))
    return SIPURI.areEquivalent(uri, in: owned.span, parsed, in: octets.span)
  }

  /// Whether two URIs of the message are equivalent (RFC 3261 §19.1.4).
  func areEquivalent(_ left: SIPURI, _ right: SIPURI) -> Bool {
    let owned = bytes
    return SIPURI.areEquivalent(left, in: owned.span, right, in: owned.span)
  }
}

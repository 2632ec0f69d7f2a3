import SIPMessage
import SIPTransaction
import Structures

/// URIs, name-addr values and addresses: the lines of the input are read as each, and compared with each other.
enum URITarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    let lines = input.split(separator: 0x0A, maxSplits: 3, omittingEmptySubsequences: false)
    var uris: [(text: [UInt8], uri: SIPURI)] = []
    for line in lines where line.count <= 4_096 {
      let text = Array(line)
      let range = ByteRange(0, text.count)
      if let uri = try? SIPURI(text.span, range) {
        try check(uri, text)
        uris.append((text, uri))
      }
      if let value = try? NameAddress(text.span, range) { try check(value, text) }
      if let via = try? Via(text.span, range) { try check(via, text) }
      try checkAddress(text)
    }
    for left in uris {
      for right in uris {
        let isSame = SIPURI.areEquivalent(left.uri, in: left.text.span, right.uri, in: right.text.span)
        let isSameBack = SIPURI.areEquivalent(right.uri, in: right.text.span, left.uri, in: left.text.span)
        try Complaint.unless(isSame == isSameBack, "one URI is the other, but not the other way about")
        // A URI that gives a parameter twice is none by RFC 3261 §19.1.1, and not even equivalent to itself.
        if left.text == right.text, namesAreUnique(left.uri, left.text) {
          try Complaint.unless(isSame, "a URI isn't itself")
        }
      }
    }
  }

  private static func namesAreUnique(_ uri: SIPURI, _ text: [UInt8]) -> Bool {
    var iterator = ParameterIterator(uri.parameters)
    var names: Set<[UInt8]> = []
    while let (name, _) = iterator.next(text.span) {
      var plain: [UInt8] = []
      text.span.appendUnescaped(name, to: &plain)
      if !names.insert(plain.map(\.lowercased)).inserted { return false }
    }
    return true
  }

  static func check(_ uri: SIPURI, _ text: [UInt8]) throws(Complaint) {
    for range in [uri.user, uri.password, uri.host, uri.parameters, uri.headers].compactMap(\.self) where !range.isEmpty
    {
      try Complaint.unless(
        range.start >= uri.range.start && range.end <= uri.range.end && range.start <= range.end, "a part lies outside")
    }
    try Complaint.unless(!uri.isSIP || !uri.host.isEmpty, "no host")
    _ = uri.address(in: text.span)
    var key: [UInt8] = []
    uri.appendAddressOfRecord(text.span, to: &key)
    try Complaint.unless(key.count <= text.count + 1, "an address of record longer than its URI")
    guard uri.isSIP else { return }
    // RFC 3261 §19.1.1: what a Request-URI may not have is gone, the rest is the same.
    var written: [UInt8] = []
    uri.appendRequestURI(text.span, to: &written)
    guard let again = try? SIPURI(written.span, ByteRange(0, written.count)) else {
      throw Complaint("the Request-URI can't be read: \(String(decoding: written, as: UTF8.self))")
    }
    try Complaint.unless(!again.isMoreThanRequestURI(written.span), "the Request-URI has more than it may")
    try Complaint.unless(
      again.scheme == uri.scheme && again.port == uri.port && again.hostKind == uri.hostKind
        && same(again.user, written, uri.user, text) && same(again.host, written, uri.host, text),
      "the Request-URI leads elsewhere")
    if !uri.isMoreThanRequestURI(text.span) {
      try Complaint.unless(written == Array(text[uri.range.positions]), "the Request-URI was changed")
    }
  }

  private static func check(_ value: NameAddress, _ text: [UInt8]) throws(Complaint) {
    try check(value.uri, text)
    var iterator = ParameterIterator(value.parameters)
    var tag: ByteRange?
    while let (name, found) = iterator.next(text.span) {
      try Complaint.unless(
        name.end <= value.range.end && found?.end ?? 0 <= value.range.end, "a parameter lies outside")
      if tag == nil, String(decoding: text[name.positions], as: UTF8.self).lowercased() == "tag" {
        tag = found ?? ByteRange(Int(name.end), Int(name.end))
      }
    }
    try Complaint.unless(iterator.isAtEnd(text.span), "parameters end early")
    if let tag { try Complaint.unless(value.tag != nil && (value.tag?.start ?? 0) <= tag.start, "the tag is another") }
  }

  private static func check(_ via: Via, _ text: [UInt8]) throws(Complaint) {
    for range in [via.host, via.branch, via.received, via.receivedParameter, via.rport, via.rportParameter, via.maddr]
      .compactMap(\.self)
    {
      try Complaint.unless(range.start <= range.end && range.end <= via.range.end, "a part of the Via lies outside")
    }
    // What the transport adds on the way can be read by the next hop, and says where the message came from (RFC 3581 §4).
    let source = Peers.flow(3)
    var written: [UInt8] = []
    let rest = ResponseWriter.appendVia(via, text.span, from: Int(via.range.start), source: source, to: &written)
    written += text[rest..<Int(via.range.end)]
    guard let again = try? Via(written.span, ByteRange(0, written.count)) else {
      throw Complaint("the Via can't be read: \(String(decoding: written, as: UTF8.self))")
    }
    try Complaint.unless(
      same(again.branch, written, via.branch, text) && same(again.host, written, via.host, text)
        && again.port == via.port && again.hasMagicCookie == via.hasMagicCookie, "the Via was changed")
    if via.rport != nil {
      let port = again.rport.map { String(decoding: written[$0.positions], as: UTF8.self) }
      try Complaint.unless(port == "\(source.remote.port)", "rport is \(port ?? "missing")")
    }
  }

  private static func checkAddress(_ text: [UInt8]) throws(Complaint) {
    if let address = IPAddress(text.span) {
      var written: [UInt8] = []
      address.append(to: &written)
      try Complaint.unless(IPAddress(written.span) == address, "the address is another once written")
    }
    if text.count < 100, let address = SocketAddress(String(decoding: text, as: UTF8.self)) {
      var written: [UInt8] = []
      address.append(to: &written)
      try Complaint.unless(
        SocketAddress(String(decoding: written, as: UTF8.self)) == address, "the address is another once written")
    }
  }

  private static func same(_ left: ByteRange?, _ leftText: [UInt8], _ right: ByteRange?, _ rightText: [UInt8]) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return leftText[left.positions] == rightText[right.positions]
  }
}

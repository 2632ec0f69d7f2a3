import Structures

/// The header fields that the server reads or writes. Every other is `other` and passes as its octets.
public enum HeaderName: UInt8, Sendable, CaseIterable {
  case via, from, to, callID, cseq, maxForwards, contact, route, recordRoute, contentLength, contentType, expires
  case minExpires, require, proxyRequire, supported, unsupported, authorization, proxyAuthorization, wwwAuthenticate
  case proxyAuthenticate, path, serviceRoute, retryAfter, event, maxBreadth, userAgent, allow, accept, date, subject
  case referTo, reason
  case other

  /// The name that a header line begins with, long or compact, letters of either case (RFC 3261 §7.3.1, §7.3.3).
  init(_ name: Span<UInt8>) {
    self = name.count == 1 ? Self.compact(name[0].lowercased) : Self.long(name)
  }

  private static func compact(_ letter: UInt8) -> HeaderName {
    switch letter {
    case UInt8(ascii: "v"): .via
    case UInt8(ascii: "f"): .from
    case UInt8(ascii: "t"): .to
    case UInt8(ascii: "i"): .callID
    case UInt8(ascii: "m"): .contact
    case UInt8(ascii: "l"): .contentLength
    case UInt8(ascii: "c"): .contentType
    case UInt8(ascii: "k"): .supported
    case UInt8(ascii: "o"): .event
    case UInt8(ascii: "s"): .subject
    case UInt8(ascii: "r"): .referTo
    default: .other
    }
  }

  /// The first eight letters made small, the first in the lowest octet: one comparison tells most names apart.
  private static func firstWord(_ name: Span<UInt8>) -> UInt64 {
    var word: UInt64 = 0
    for index in 0..<min(name.count, 8) { word |= UInt64(name[index].lowercased) << UInt64(index * 8) }
    return word
  }

  // One table by length and first letters; the constants spell the name in the comment above them.
  private static func long(_ name: Span<UInt8>) -> HeaderName {
    @inline(__always) func tail(_ rest: StaticString, _ header: HeaderName) -> HeaderName {
      name.extracting(8..<name.count).equalsIgnoringCase(rest) ? header : .other
    }
    let word = firstWord(name)
    switch name.count {
    case 2:
      // to
      if word == 0x0000_0000_0000_6F74 { return .to }
      return .other
    case 3:
      // via
      if word == 0x0000_0000_0061_6976 { return .via }
      return .other
    case 4:
      // from
      if word == 0x0000_0000_6D6F_7266 { return .from }
      // cseq
      if word == 0x0000_0000_7165_7363 { return .cseq }
      // path
      if word == 0x0000_0000_6874_6170 { return .path }
      // date
      if word == 0x0000_0000_6574_6164 { return .date }
      return .other
    case 5:
      // route
      if word == 0x0000_0065_7475_6F72 { return .route }
      // event
      if word == 0x0000_0074_6E65_7665 { return .event }
      // allow
      if word == 0x0000_0077_6F6C_6C61 { return .allow }
      return .other
    case 6:
      // accept
      if word == 0x0000_7470_6563_6361 { return .accept }
      // reason
      if word == 0x0000_6E6F_7361_6572 { return .reason }
      return .other
    case 7:
      // call-id
      if word == 0x0064_692D_6C6C_6163 { return .callID }
      // contact
      if word == 0x0074_6361_746E_6F63 { return .contact }
      // expires
      if word == 0x0073_6572_6970_7865 { return .expires }
      // require
      if word == 0x0065_7269_7571_6572 { return .require }
      // subject
      if word == 0x0074_6365_6A62_7573 { return .subject }
      return .other
    case 8:
      // refer-to
      if word == 0x6F74_2D72_6566_6572 { return .referTo }
      return .other
    case 9:
      // supported
      if word == 0x6574_726F_7070_7573 { return tail("d", .supported) }
      return .other
    case 10:
      // user-agent
      if word == 0x6567_612D_7265_7375 { return tail("nt", .userAgent) }
      return .other
    case 11:
      // min-expires
      if word == 0x6970_7865_2D6E_696D { return tail("res", .minExpires) }
      // unsupported
      if word == 0x726F_7070_7573_6E75 { return tail("ted", .unsupported) }
      // retry-after
      if word == 0x6661_2D79_7274_6572 { return tail("ter", .retryAfter) }
      // max-breadth
      if word == 0x6165_7262_2D78_616D { return tail("dth", .maxBreadth) }
      return .other
    case 12:
      // max-forwards
      if word == 0x7772_6F66_2D78_616D { return tail("ards", .maxForwards) }
      // record-route
      if word == 0x722D_6472_6F63_6572 { return tail("oute", .recordRoute) }
      // content-type
      if word == 0x2D74_6E65_746E_6F63 { return tail("type", .contentType) }
      return .other
    case 13:
      // proxy-require
      if word == 0x6572_2D79_786F_7270 { return tail("quire", .proxyRequire) }
      // authorization
      if word == 0x7A69_726F_6874_7561 { return tail("ation", .authorization) }
      // service-route
      if word == 0x2D65_6369_7672_6573 { return tail("route", .serviceRoute) }
      return .other
    case 14:
      // content-length
      if word == 0x2D74_6E65_746E_6F63 { return tail("length", .contentLength) }
      return .other
    case 16:
      // www-authenticate
      if word == 0x6874_7561_2D77_7777 { return tail("enticate", .wwwAuthenticate) }
      return .other
    case 18:
      // proxy-authenticate
      if word == 0x7561_2D79_786F_7270 { return tail("thenticate", .proxyAuthenticate) }
      return .other
    case 19:
      // proxy-authorization
      if word == 0x7561_2D79_786F_7270 { return tail("thorization", .proxyAuthorization) }
      return .other
    default: return .other
    }
  }
}

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

  // One exhaustive table by length, so that a name is compared with two candidates at most.
  private static func long(_ name: Span<UInt8>) -> HeaderName {
    @inline(__always) func match(_ literal: StaticString, _ header: HeaderName) -> HeaderName? {
      name.equalsIgnoringCase(literal) ? header : nil
    }
    let first = name.count > 0 ? name[0].lowercased : 0
    switch name.count {
    case 2: return match("to", .to) ?? .other
    case 3: return match("via", .via) ?? .other
    case 4:
      if first == UInt8(ascii: "f") { return match("from", .from) ?? .other }
      if first == UInt8(ascii: "c") { return match("cseq", .cseq) ?? .other }
      return match("path", .path) ?? match("date", .date) ?? .other
    case 5:
      if first == UInt8(ascii: "r") { return match("route", .route) ?? .other }
      return match("event", .event) ?? match("allow", .allow) ?? .other
    case 6: return match("accept", .accept) ?? match("reason", .reason) ?? .other
    case 7:
      if first == UInt8(ascii: "c") { return match("call-id", .callID) ?? match("contact", .contact) ?? .other }
      if first == UInt8(ascii: "e") { return match("expires", .expires) ?? .other }
      return match("require", .require) ?? match("subject", .subject) ?? .other
    case 8: return match("refer-to", .referTo) ?? .other
    case 9: return match("supported", .supported) ?? .other
    case 10: return match("user-agent", .userAgent) ?? .other
    case 11:
      return match("min-expires", .minExpires) ?? match("unsupported", .unsupported)
        ?? match("retry-after", .retryAfter) ?? match("max-breadth", .maxBreadth) ?? .other
    case 12:
      if first == UInt8(ascii: "m") { return match("max-forwards", .maxForwards) ?? .other }
      return match("content-type", .contentType) ?? match("record-route", .recordRoute) ?? .other
    case 13:
      return match("authorization", .authorization) ?? match("proxy-require", .proxyRequire)
        ?? match("service-route", .serviceRoute) ?? .other
    case 14: return match("content-length", .contentLength) ?? .other
    case 16: return match("www-authenticate", .wwwAuthenticate) ?? .other
    case 18: return match("proxy-authenticate", .proxyAuthenticate) ?? .other
    case 19: return match("proxy-authorization", .proxyAuthorization) ?? .other
    default: return .other
    }
  }
}

import Structures

/// The header fields that the server reads or writes. Every other is `other` and passes as its octets.
public enum HeaderName: UInt8, Sendable, CaseIterable {
  case via, from, to, callID, cseq, maxForwards, contact, route, recordRoute, contentLength, contentType, expires
  case minExpires, require, proxyRequire, supported, unsupported, authorization, proxyAuthorization, wwwAuthenticate
  case proxyAuthenticate, path, serviceRoute, retryAfter, event, maxBreadth, userAgent, allow, accept, date, subject
  case referTo, reason
  case assertedIdentity, preferredIdentity, assertedService, remotePartyID, privacy
  /// The name begins with `X-Apus-`: a field of our own, to be believed only from those whom we trust.
  case own
  case other

  /// Room for the names, in tables that have a place for each. At most 64: ``NameSet`` has a bit for each.
  static let capacity = 48

  /// Whether a message may have one field of the name only, with one value.
  var isSingle: Bool {
    switch self {
    case .from, .to, .callID, .cseq, .maxForwards, .contentLength, .contentType, .expires: true
    default: false
    }
  }

  /// The name that the octets spell, long or compact, letters of either case (RFC 3261 §7.3.1, §7.3.3).
  public init(_ name: Span<UInt8>) {
    self.init(name, 0, name.count)
  }

  /// The name that stands between two positions.
  init(_ text: Span<UInt8>, _ start: Int, _ end: Int) {
    let length = end - start
    if length == 0 || text[end - 1] == 0 {
      self = .other
    } else if length > 24 {
      self = Self.unknown(text.word(start, start + 8).lowercased)
    } else {
      self.init(
        text.word(start, end), length > 8 ? text.word(start + 8, end) : "",
        length > 16 ? text.word(start + 16, end) : "")
    }
  }

  /// The name of up to 24 octets, the last of them not 0, that three words spell.
  @inline(__always)
  init(_ first: OctetWord, _ second: OctetWord, _ third: OctetWord) {
    if second != "", first.count < 8 {
      // The eighth octet is 0, which looks like the end of a short name.
      self = .other
    } else {
      self =
        third == ""
        ? Self.find(first.lowercased, second.lowercased)
        : Self.longest(first.lowercased, second.lowercased, third.lowercased)
    }
  }

  @inline(never)
  private static func find(_ first: OctetWord, _ second: OctetWord) -> HeaderName {
    @inline(__always) func rest(_ literal: OctetWord, _ name: HeaderName) -> HeaderName {
      second == literal ? name : .other
    }
    switch first {
    case "from", "f": return .from
    case "cseq": return .cseq
    case "path": return .path
    case "date": return .date
    case "route": return .route
    case "event", "o": return .event
    case "allow": return .allow
    case "accept": return .accept
    case "reason": return .reason
    case "call-id", "i": return .callID
    case "contact", "m": return .contact
    case "expires": return .expires
    case "require": return .require
    case "subject", "s": return .subject
    case "to", "t": return .to
    case "via", "v": return .via
    case "r": return .referTo
    case "refer-to": return rest("", .referTo)
    case "l": return .contentLength
    case "c": return .contentType
    case "k": return .supported
    case "supporte": return rest("d", .supported)
    case "user-age": return rest("nt", .userAgent)
    case "min-expi": return rest("res", .minExpires)
    case "unsuppor": return rest("ted", .unsupported)
    case "retry-af": return rest("ter", .retryAfter)
    case "max-brea": return rest("dth", .maxBreadth)
    case "max-forw": return rest("ards", .maxForwards)
    case "record-r": return rest("oute", .recordRoute)
    case "content-": return second == "type" ? .contentType : rest("length", .contentLength)
    case "proxy-re": return rest("quire", .proxyRequire)
    case "authoriz": return rest("ation", .authorization)
    case "service-": return rest("route", .serviceRoute)
    case "www-auth": return rest("enticate", .wwwAuthenticate)
    case "privacy": return .privacy
    case "remote-p": return rest("arty-id", .remotePartyID)
    default: return unknown(first)
    }
  }

  /// The names of more than sixteen octets.
  private static func longest(_ first: OctetWord, _ second: OctetWord, _ third: OctetWord) -> HeaderName {
    switch (first, second, third) {
    case ("proxy-au", "thentica", "te"): return .proxyAuthenticate
    case ("proxy-au", "thorizat", "ion"): return .proxyAuthorization
    case ("p-assert", "ed-ident", "ity"): return .assertedIdentity
    case ("p-assert", "ed-servi", "ce"): return .assertedService
    case ("p-prefer", "red-iden", "tity"): return .preferredIdentity
    default: return unknown(first)
    }
  }

  /// What a name is that isn't known as a whole, by its first eight octets.
  @inline(__always)
  private static func unknown(_ first: OctetWord) -> HeaderName {
    first.prefix(7) == "x-apus-" && first.count == 8 ? .own : .other
  }
}

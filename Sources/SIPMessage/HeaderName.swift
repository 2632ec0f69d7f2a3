import Structures

/// The header fields that the server reads or writes. Every other is `other` and passes as its octets.
public enum HeaderName: UInt8, Sendable, CaseIterable {
  case via, from, to, callID, cseq, maxForwards, contact, route, recordRoute, contentLength, contentType, expires
  case minExpires, require, proxyRequire, supported, unsupported, authorization, proxyAuthorization, wwwAuthenticate
  case proxyAuthenticate, path, serviceRoute, retryAfter, event, maxBreadth, userAgent, allow, accept, date, subject
  case referTo, reason
  case other

  /// Whether a message may have one field of the name only, with one value.
  var isSingle: Bool {
    switch self {
    case .from, .to, .callID, .cseq, .maxForwards, .contentLength, .contentType, .expires: true
    default: false
    }
  }

  /// The name that a header line begins with, long or compact, letters of either case (RFC 3261 §7.3.1, §7.3.3).
  init(_ name: Span<UInt8>) {
    self.init(name, 0, name.count)
  }

  /// The name that stands between two positions. Only those that are known here consist of the right octets for certain.
  @inline(__always)
  init(_ text: Span<UInt8>, _ start: Int, _ end: Int) {
    self = Self.find(text.word(start, end).lowercased, text, start, end)
  }

  /// One table by length and first letters.
  private static func find(_ word: OctetWord, _ text: Span<UInt8>, _ start: Int, _ end: Int) -> HeaderName {
    @inline(__always) func tail(_ rest: OctetWord, _ header: HeaderName) -> HeaderName {
      text.word(start + 8, end).lowercased == rest ? header : .other
    }
    switch end - start {
    case 1: return compact(word)
    case 2: return word == "to" ? .to : .other
    case 3: return word == "via" ? .via : .other
    case 4:
      switch word {
      case "from": return .from
      case "cseq": return .cseq
      case "path": return .path
      case "date": return .date
      default: return .other
      }
    case 5:
      switch word {
      case "route": return .route
      case "event": return .event
      case "allow": return .allow
      default: return .other
      }
    case 6:
      switch word {
      case "accept": return .accept
      case "reason": return .reason
      default: return .other
      }
    case 7:
      switch word {
      case "call-id": return .callID
      case "contact": return .contact
      case "expires": return .expires
      case "require": return .require
      case "subject": return .subject
      default: return .other
      }
    case 8: return word == "refer-to" ? .referTo : .other
    case 9: return word == "supporte" ? tail("d", .supported) : .other
    case 10: return word == "user-age" ? tail("nt", .userAgent) : .other
    case 11:
      switch word {
      case "min-expi": return tail("res", .minExpires)
      case "unsuppor": return tail("ted", .unsupported)
      case "retry-af": return tail("ter", .retryAfter)
      case "max-brea": return tail("dth", .maxBreadth)
      default: return .other
      }
    case 12:
      switch word {
      case "max-forw": return tail("ards", .maxForwards)
      case "record-r": return tail("oute", .recordRoute)
      case "content-": return tail("type", .contentType)
      default: return .other
      }
    case 13:
      switch word {
      case "proxy-re": return tail("quire", .proxyRequire)
      case "authoriz": return tail("ation", .authorization)
      case "service-": return tail("route", .serviceRoute)
      default: return .other
      }
    case 14: return word == "content-" ? tail("length", .contentLength) : .other
    case 16: return word == "www-auth" ? tail("enticate", .wwwAuthenticate) : .other
    case 18 where text.matches("te", start + 16, end):
      return word == "proxy-au" ? tail("thentica", .proxyAuthenticate) : .other
    case 19 where text.matches("ion", start + 16, end):
      return word == "proxy-au" ? tail("thorizat", .proxyAuthorization) : .other
    default: return .other
    }
  }

  private static func compact(_ letter: OctetWord) -> HeaderName {
    switch letter {
    case "v": .via
    case "f": .from
    case "t": .to
    case "i": .callID
    case "m": .contact
    case "l": .contentLength
    case "c": .contentType
    case "k": .supported
    case "o": .event
    case "s": .subject
    case "r": .referTo
    default: .other
    }
  }
}

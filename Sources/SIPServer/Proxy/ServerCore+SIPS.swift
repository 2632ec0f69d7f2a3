import SIPMessage
import SIPTransaction
import Structures

/// Why a request was not forwarded for the scheme of its Request-URI or that of the contact (RFC 5630 §5.3).
enum SIPSWarning {
  /// A sips request would have to leave sips, or TLS.
  case notAllowed
  /// A contact that is reached by TLS alone can't be reached so.
  case required
}

/// What a proxy owes a sips Request-URI and a sips contact (RFC 5630 §5.3).
extension ServerCore {
  /// A target as a request may go to it; nil when it may not.
  ///
  /// A sips request goes to sips URIs over TLS only. A sips contact is reached by TLS whatever was asked for, and for a sip request its URI is a sip
  /// URI. What may be tried in place of the next hop is held to the same.
  func admitted(_ target: ResponseContext.Target, isSecure: Bool) -> ResponseContext.Target? {
    let isDetoured = target.isDetoured
    let isContactSecure = Self.isSIPS(target.uri) || isDetoured && Self.isSIPS(target.lastRoute)
    guard isSecure || isContactSecure else { return target }
    // Without the last-hop exception of RFC 3261 §26.2.2.
    if isSecure, !Self.isSIPS(target.uri) || !target.lastRoute.isEmpty && !Self.isSIPS(target.lastRoute) { return nil }
    var (hop, fallback) = (target.hop, target.fallback)
    if fallback?.transport != .tls { fallback = nil }
    if hop.transport != .tls {
      guard let secure = fallback else { return nil }
      (hop, fallback) = (secure, nil)
    }
    if isSecure, !isDetoured { return target }
    return ResponseContext.Target(
      uri: isSecure ? target.uri : Self.asSIP(target.uri), hop: hop, q: target.q, instance: target.instance,
      // It is that of the contact as it was registered.
      identity: identity(of: target), origin: target.origin,
      lastRoute: isSecure ? target.lastRoute : Self.asSIP(target.lastRoute), route: target.route, fallback: fallback)
  }

  /// Why a target is not admitted.
  static func warning(isSecure: Bool) -> SIPSWarning { isSecure ? .notAllowed : .required }

  /// RFC 5630 §5.3: 480, with the reason in Warning; takes the message.
  func refuse(_ inquiry: Inquiry, _ warning: SIPSWarning, _ actions: inout ServerActions) {
    let start = begin(480, StatusCode.reason(480), inquiry, &actions)
    appendWarning(warning, inquiry.flow, to: &actions.outbox.octets)
    finish(inquiry, from: start, 480, &actions)
  }

  /// Writes the Warning (RFC 3261 §20.43).
  func appendWarning(_ warning: SIPSWarning, _ source: Flow, to output: inout [UInt8]) {
    switch warning {
    case .notAllowed: output.append("Warning: 380 ")
    case .required: output.append("Warning: 381 ")
    }
    output += settings.listeners[Int(source.listener)].sentBy
    switch warning {
    case .notAllowed: output.append(" \"SIPS Not Allowed\"\r\n")
    case .required: output.append(" \"SIPS Required\"\r\n")
    }
  }

  /// Whether a URI is a SIPS URI, without reading it.
  static func isSIPS(_ uri: [UInt8]) -> Bool {
    uri.count > 5 && uri.span.extracting(0..<5).equalsIgnoringCase("sips:")
  }

  /// A SIPS URI with sip as its scheme, the rest as it is; another URI unchanged.
  private static func asSIP(_ uri: [UInt8]) -> [UInt8] {
    guard isSIPS(uri) else { return uri }
    var other = uri
    other.remove(at: 3)
    return other
  }
}

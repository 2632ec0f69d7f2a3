import SIPMessage
import SIPTransaction
import Structures

/// Strict routers, as RFC 2543 had them, before us and behind us.
extension ServerCore {
  /// RFC 3261 §16.4: a strict router before us made a Record-Route value of ours the Request-URI and put the target last into Route. Both go back
  /// to where a loose router leaves them, so that nothing else has to know. Returns what is wrong with the request then.
  func undoStrictRoute(_ message: Message, _ flow: Flow) -> ParseError? {
    guard message.has(.route), let uri = try? message.requestURI(), let user = uri.user,
      user.count >= FlowToken.shortest
    else { return nil }
    let bytes = message.bytes
    let text = bytes.span
    guard isOurRoute(uri, text, flow), token(text.extracting(user.positions)) != nil,
      let last = lastRoute(message, text), let address = try? NameAddress(text, last.value)
    else { return nil }
    scratch.clear()
    scratch.append(text.extracting(0..<Int(uri.range.start)))
    scratch.append(text.extracting(address.uri.range.positions))
    scratch.append(text.extracting(Int(uri.range.end)..<message.headersStart))
    scratch.append("Route: <")
    scratch.append(text.extracting(uri.range.positions))
    scratch.append(">\r\n")
    scratch.append(text.extracting(message.headersStart..<last.cut.lowerBound))
    scratch.append(text.extracting(last.cut.upperBound..<Int(message.body.end)))
    let rewritten = scratch
    message.load(rewritten.span, limits: settings.parserLimits)
    return message.check()
  }

  /// The last Route value, and what goes when it is taken out: its line, or itself with the comma before it.
  private func lastRoute(_ message: Message, _ text: Span<UInt8>) -> (value: ByteRange, cut: Range<Int>)? {
    var iterator = ValueIterator(.route, in: message)
    var last: (value: ByteRange, field: Int)?
    var cut = 0..<0
    while let found = iterator.next(text) {
      cut =
        if let last, last.field == found.field {
          Int(last.value.end)..<Int(found.value.end)
        } else {
          Int(message.fields[found.field].start)..<message.end(ofFieldAt: found.field)
        }
      last = found
    }
    return last.map { ($0.value, cut) }
  }

  /// Where a request goes whose next hop is known. RFC 3261 §16.6 step 6: if the first Route value that is left has no `lr`, a strict router
  /// comes next: it finds itself in the Request-URI, and the Request-URI that came at the end of Route.
  func target(of inquiry: Inquiry, over hop: NextHop, isToken: Bool = false) -> ResponseContext.Target {
    let identity = isToken ? inquiry.token?.owner.identity ?? .none : .none
    let origin = isToken ? ResponseContext.Target.Origin.token : .address
    let bytes = inquiry.message.bytes
    let text = bytes.span
    var uri: [UInt8] = []
    uri.append(text.extracting(inquiry.message.requestURIRange.positions))
    guard inquiry.hasForeignRoute, let route = foreignRoute(of: inquiry, text), route.uri.isSIP,
      route.uri.parameter("lr", in: text) == nil
    else { return ResponseContext.Target(uri: uri, hop: hop, q: 1_000, identity: identity, origin: origin) }
    var router: [UInt8] = []
    route.uri.appendRequestURI(text, to: &router)
    return ResponseContext.Target(
      uri: router, hop: hop, q: 1_000, identity: identity, origin: origin, lastRoute: uri)
  }

  /// The first Route value that isn't ours; nil when there is none.
  func foreignRoute(of inquiry: Inquiry, _ text: Span<UInt8>) -> NameAddress? {
    var iterator = ValueIterator(.route, in: inquiry.message)
    var index = 0
    while let (value, _) = iterator.next(text) {
      if index == inquiry.poppedRoutes { return try? NameAddress(text, value) }
      index += 1
    }
    return nil
  }
}

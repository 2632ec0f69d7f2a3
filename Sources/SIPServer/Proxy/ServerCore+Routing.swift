import SIPMessage
import SIPTransaction
import Structures

/// Where a request goes: Route processing (RFC 3261 §16.4) and the target set (RFC 3261 §16.5).
extension ServerCore {
  // MARK: Route

  /// Finds the Route values at the top that are ours, and the token that decides. Values behind one that isn't ours don't count.
  ///
  /// We write our values in pairs, of which the first that a side uses leads to the other side and the second back to itself. Several pairs in a row
  /// are those of a request that came here several times by way of somebody who then left the dialog: the last of them leads on.
  func readRoutes(_ inquiry: inout Inquiry) {
    guard inquiry.message.has(.route) else { return }
    let bytes = inquiry.message.bytes
    let text = bytes.span
    var iterator = ValueIterator(.route, in: inquiry.message)
    var (last, beforeLast) = (ByteRange(0, 0), ByteRange(0, 0))
    while let (value, _) = iterator.next(text) {
      guard let address = try? NameAddress(text, value), isOurRoute(address.uri, text, inquiry.flow) else {
        inquiry.hasForeignRoute = true
        break
      }
      inquiry.poppedRoutes += 1
      // A short name in front of our host, as some phones write their outbound proxy, is no token.
      guard let user = address.uri.user, user.count >= FlowToken.shortest else { continue }
      inquiry.tokenCount += 1
      beforeLast = last
      last = user
    }
    guard inquiry.tokenCount > 0 else { return }
    let isPaired = inquiry.tokenCount % 2 == 0
    inquiry.tokenText = isPaired ? beforeLast : last
    inquiry.token = token(text.extracting(inquiry.tokenText.positions))
    inquiry.hasBadToken = inquiry.token == nil
    // Outside of a dialog only a Path says where a request goes: our Record-Route values were given to the parties of a dialog, for it alone.
    if inquiry.token?.isPath == false, inquiry.message.tag(of: .to) == nil { inquiry.token = nil }
    // Whoever keeps the two values the wrong way round doesn't mean itself.
    guard isPaired, let flow = inquiry.token?.hop?.flow, flow == inquiry.flow.id,
      let other = token(text.extracting(last.positions))
    else { return }
    inquiry.token = other
    inquiry.tokenText = last
  }

  /// Whether a request needs no further proof: it goes nowhere but where its token leads, which we gave to the parties of its dialog, or to whoever
  /// was told of a Path (RFC 3327 §5.1). A token that leads nowhere itself counts within its own call alone.
  func isLetThrough(_ inquiry: Inquiry) -> Bool {
    guard let token = inquiry.token else { return false }
    if token.hop == nil { return token.callCheck == callCheck(inquiry.message) }
    return tokenHop(of: inquiry) != nil
  }

  /// What the Route of a request says that was received before; nil for one that could not have been.
  func readAgain(_ request: Message, _ flow: Flow) -> Inquiry? {
    guard let via = try? request.topVia(), let uri = try? request.requestURI() else { return nil }
    var inquiry = Inquiry(message: request, flow: flow, via: via, uri: uri)
    readRoutes(&inquiry)
    return inquiry
  }

  /// Whether a token of ours stood in the Route of a request.
  func isByToken(_ request: Message, _ flow: Flow) -> Bool {
    readAgain(request, flow)?.token != nil
  }

  /// A check of the Call-ID of a request, for tokens that lead nowhere themselves.
  func callCheck(_ request: Message) -> UInt32 {
    guard let callID = request.value(of: .callID) else { return 0 }
    let bytes = request.bytes
    return UInt32(truncatingIfNeeded: hashing.shortMAC(bytes.span.extracting(callID.positions)))
  }

  /// The binding to which the token in the Route of a request led; unknown when it has none.
  func tokenOwner(_ request: Message, _ flow: Flow) -> FlowToken.Owner {
    guard let inquiry = readAgain(request, flow), inquiry.token != nil else { return .unknown }
    let bytes = request.bytes
    let text = bytes.span.extracting(inquiry.tokenText.positions)
    return FlowToken(text, withRecord: true, hashing: hashing, scratch: &tokenScratch)?.owner ?? .unknown
  }

  /// Appends the address of record that the token of a request names.
  func appendTokenRecord(of inquiry: Inquiry, to record: inout [UInt8]) {
    let bytes = inquiry.message.bytes
    let text = bytes.span.extracting(inquiry.tokenText.positions)
    FlowToken.appendRecord(text, hashing: hashing, scratch: &tokenScratch, to: &record)
  }

  /// Reads a token of ours; nil when it isn't one, or names a listener that is no more.
  func token(_ text: Span<UInt8>) -> FlowToken? {
    guard let token = FlowToken(text, hashing: hashing, scratch: &tokenScratch) else { return nil }
    guard let hop = token.hop else { return token }
    return isListener(hop.listener, of: hop.transport) ? token : nil
  }

  func isOurRoute(_ uri: SIPURI, _ text: Span<UInt8>, _ flow: Flow) -> Bool {
    guard uri.isSIP else { return false }
    // A domain of ours as outbound proxy, which many phones are told.
    if settings.domain(text.extracting(uri.host.positions)) != nil {
      guard let port = uri.port else { return true }
      return settings.listeners.contains { $0.address.port == port }
    }
    return settings.isOurs(uri, text, flow)
  }

  // MARK: Targets

  /// Starts the transaction of a request that is to be forwarded, and finds or asks for its targets.
  func route(_ inquiry: Inquiry, _ now: Instant, _ actions: inout ServerActions) {
    let bytes = inquiry.message.bytes
    let text = bytes.span
    let named = tokenHop(of: inquiry)
    let hasRoute = named != nil || inquiry.hasForeignRoute
    let domain = domain(of: inquiry.uri, text, inquiry.flow)
    let gruu = domain == nil ? .none : GRUU.read(inquiry.uri, in: text, hashing: hashing)
    if gruu == .invalid, !hasRoute {
      // RFC 5627 §6.1
      refuse(inquiry, 404, &actions)
      return
    }
    // A GRUU is looked up wherever the request came from and goes to (RFC 5627 §6.1).
    let lookup = gruu.isOurs || !hasRoute ? domain : nil
    let hop = lookup == nil || hasRoute ? named ?? nextHop(of: inquiry) : nil
    guard hop != nil || lookup != nil && !hasRoute else {
      refuse(inquiry, 500, "Next Hop Has No Address", &actions)
      return
    }
    let target = hop.map { self.target(of: inquiry, over: $0, isToken: named != nil) }
    let isSecure = inquiry.uri.scheme == .sips
    // A GRUU's targets are judged when they are known.
    let direct = target.flatMap { admitted($0, isSecure: isSecure) }
    guard lookup != nil || direct != nil else {
      refuse(inquiry, Self.warning(isSecure: isSecure), &actions)
      return
    }
    guard let breadth = breadth(of: inquiry, &actions) else { return }
    let context = begin(inquiry, now, &actions)
    context.breadth = breadth
    context.loopCheck = loopCheck(inquiry.message)
    if let lookup {
      context.routed = target
      lookUp(inquiry.uri, lookup, gruu, context, text, now, &actions)
    } else if let direct, asksForPort(of: inquiry, context, now, &actions) {
      context.routed = direct
    } else if let direct {
      context.targets.append(direct)
      tryTargets(context, now, &actions)
    }
  }

  /// How many branches a request may have; nil when it was answered.
  private func breadth(of inquiry: Inquiry, _ actions: inout ServerActions) -> Int? {
    guard let breadth = incomingBreadth(inquiry.message) else {
      refuse(inquiry, 400, "Malformed Max-Breadth", &actions)
      return nil
    }
    // RFC 5393 §5.3.3: nothing less than one branch is left to fall back to.
    guard breadth > 0 else {
      refuse(inquiry, 440, &actions)
      return nil
    }
    return breadth
  }

  /// Asks for the bindings of the address of record that a Request-URI names.
  private func lookUp(
    _ uri: SIPURI, _ domain: ServerSettings.Domain, _ gruu: GRUU.Reading, _ context: ResponseContext,
    _ text: Span<UInt8>, _ now: Instant, _ actions: inout ServerActions
  ) {
    if case .gruu(let found) = gruu {
      context.gruu = found
      found.appendKey(domain: domain.name.span, to: &context.record)
    } else {
      appendKey(uri, domain, text, &context.record)
    }
    let record = context.record
    ask(open(.targets(context: context.handle), now), key: record.span, &actions)
  }

  /// Where the token of a request leads. RFC 5626 §5.3: a token alone in Route that names the flow of its sender says that the request goes out
  /// by way of us, not where to.
  func tokenHop(of inquiry: Inquiry) -> NextHop? {
    guard let hop = inquiry.token?.hop else { return nil }
    return inquiry.tokenCount == 1 && hop.flow == inquiry.flow.id ? nil : hop
  }

  /// RFC 3261 §16.7: makes the response context and the server transaction; answers an INVITE with 100 at once.
  private func begin(_ inquiry: Inquiry, _ now: Instant, _ actions: inout ServerActions) -> ResponseContext {
    let context = spareContexts.popLast() ?? ResponseContext()
    context.reset()
    let server = transactions.startServer(
      inquiry.message, via: inquiry.via, from: inquiry.flow,
      respondingTo: responseDestination(inquiry.message, inquiry.via, inquiry.flow), at: now)
    context.handle = contexts.insert(context)
    context.server = server.handle
    server.context = context.handle
    context.isInvite = server.isInvite
    context.poppedRoutes = inquiry.poppedRoutes
    noteCaller(of: inquiry, in: context)
    if inquiry.message.method.formsDialog {
      let record = context.callerRecord
      context.callerIdentity = owned.identity(over: inquiry.flow.id, aor: record.span)
    }
    appendIdentity(of: inquiry, to: &context.asserted)
    if context.isInvite { respond(server, 100, now, &actions) }
    return context
  }

  /// Whose flow the request came over, for the token that leads back to it: the user that proved who he is, or whoever is registered over it.
  private func noteCaller(of inquiry: Inquiry, in context: ResponseContext) {
    context.callerRecord.append(inquiry.authenticated.span)
    guard inquiry.authenticated.isEmpty, inquiry.message.method.formsDialog, owned.count > 0 else { return }
    if let domain = inquiry.fromDomain, let from = try? inquiry.message.from() {
      let bytes = inquiry.message.bytes
      appendKey(from.uri, domain, bytes.span, &context.callerRecord)
      let record = context.callerRecord
      if owned.identity(over: inquiry.flow.id, aor: record.span) != .none { return }
      context.callerRecord.clear()
    }
    if let only = owned.onlyRecord(over: inquiry.flow.id) { context.callerRecord.append(only.span) }
  }

  /// Asks for the contacts of the address of record that a URI names.
  func ask(
    _ query: SlotHandle, _ uri: SIPURI, _ domain: ServerSettings.Domain, _ text: Span<UInt8>,
    _ actions: inout ServerActions
  ) {
    let start = actions.keys.count
    appendKey(uri, domain, text, &actions.keys)
    actions.questions.append(.lookup(query: query.word, key: start..<actions.keys.count))
  }

  /// Asks for the contacts of an address of record.
  func ask(_ query: SlotHandle, key: Span<UInt8>, _ actions: inout ServerActions) {
    let start = actions.keys.count
    actions.keys.append(key)
    actions.questions.append(.lookup(query: query.word, key: start..<actions.keys.count))
  }

  /// The key of an address of record: `user@domain`, with the domain's own name whatever alias stands in the URI.
  func appendKey(_ uri: SIPURI, _ domain: ServerSettings.Domain, _ text: Span<UInt8>, _ key: inout [UInt8]) {
    if let user = uri.user { text.appendUnescaped(user, to: &key) }
    key.append(UInt8(ascii: "@"))
    key.append(domain.name.span)
  }

  // MARK: Next hops

  /// RFC 3261 §16.6 step 7: the first Route value that isn't ours, else the Request-URI. If that is a SIPS URI, so are they all.
  func nextHop(of inquiry: Inquiry) -> NextHop? {
    let bytes = inquiry.message.bytes
    let text = bytes.span
    guard inquiry.hasForeignRoute else { return address(of: inquiry.uri, text) }
    return foreignRoute(of: inquiry, text).flatMap {
      address(of: $0.uri, text, isSecure: inquiry.uri.scheme == .sips)
    }
  }

  /// RFC 3263 §4 for a host that is an address: the transport that the URI names, else by its scheme. Names have no address here.
  /// With `isSecure` as if its scheme were sips.
  func address(of uri: SIPURI, _ text: Span<UInt8>, isSecure: Bool = false) -> NextHop? {
    guard let address = uri.address(in: text), !address.isUnspecified, !address.isMulticastOrBroadcast else {
      return nil
    }
    let isSecure = isSecure || uri.scheme == .sips
    var transport: TransportProtocol = isSecure ? .tls : .udp
    if let name = uri.parameter("transport", in: text) {
      let word = text.extracting(name.positions)
      // RFC 3261 §26.2.2 deprecates transport=tls; phones send it all the same.
      guard let known = TransportProtocol.allCases.first(where: { word.equalsIgnoringCase($0.name) }) else {
        return nil
      }
      transport = isSecure ? .tls : known
    }
    guard let listener = settings.listener(for: transport, family: address.family) else { return nil }
    let remote = SocketAddress(address, port: uri.port ?? transport.defaultPort)
    var name: [UInt8] = []
    if transport == .tls { name.append(text.extracting(uri.host.positions)) }
    return NextHop(destination: .address(remote, transport, name: name), transport: transport, listener: listener)
  }
}

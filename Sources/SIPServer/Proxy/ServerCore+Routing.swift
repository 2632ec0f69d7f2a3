import SIPMessage
import SIPTransaction
import Structures

/// Where a request goes: Route processing (RFC 3261 §16.4) and the target set (RFC 3261 §16.5).
extension ServerCore {
  // MARK: Route

  /// Finds the Route values at the top that are ours, and what the first of them says. Values behind one that isn't ours don't count.
  func readRoutes(_ inquiry: inout Inquiry) {
    guard inquiry.message.has(.route) else { return }
    let bytes = inquiry.message.bytes
    let text = bytes.span
    var iterator = ValueIterator(.route, in: inquiry.message)
    while let (value, _) = iterator.next(text) {
      guard let address = try? NameAddress(text, value), isOurRoute(address.uri, text, inquiry.flow) else {
        inquiry.hasForeignRoute = true
        return
      }
      inquiry.poppedRoutes += 1
      guard let user = address.uri.user else { continue }
      switch inquiry.poppedRoutes {
      case 1:
        inquiry.token = token(text.extracting(user.positions))
        // A short name in front of our host, as some phones write their outbound proxy, is no token.
        inquiry.hasBadToken = inquiry.token == nil && user.count >= FlowToken.shortest
      case 2:
        // Whoever keeps the two values the wrong way round doesn't mean itself.
        guard let flow = inquiry.token?.hop?.flow, flow == inquiry.flow.id else { continue }
        inquiry.token = token(text.extracting(user.positions)) ?? inquiry.token
      default: continue
      }
    }
  }

  /// Reads a token of ours; nil when it isn't one, or names a listener that is no more.
  func token(_ text: Span<UInt8>) -> FlowToken? {
    guard let token = FlowToken(text, hashing: hashing, scratch: &tokenScratch) else { return nil }
    guard let hop = token.hop else { return token }
    let listener = Int(hop.listener)
    return listener < settings.listeners.count && settings.listeners[listener].transport == hop.transport ? token : nil
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
    let message = inquiry.message
    let bytes = message.bytes
    let text = bytes.span
    let domain =
      inquiry.token?.hop == nil && !inquiry.hasForeignRoute ? self.domain(of: inquiry.uri, text, inquiry.flow) : nil
    let hop = domain == nil ? inquiry.token?.hop ?? nextHop(of: inquiry) : nil
    guard domain != nil || hop != nil else {
      refuse(inquiry, 500, "Next Hop Has No Address", &actions)
      return
    }
    let context = begin(inquiry, now, &actions)
    if let hop {
      context.targets.append(target(of: inquiry, over: hop))
      tryTargets(context, now, &actions)
    } else if let domain {
      let query = open(.targets(context: context.handle), now)
      ask(query, inquiry.uri, domain, text, &actions)
    }
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
    context.callerRecord.append(inquiry.authenticated.span)
    appendIdentity(of: inquiry, to: &context.asserted)
    if context.isInvite { respond(server, 100, now, &actions) }
    return context
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

  /// The key of an address of record: `user@domain`, with the domain's own name whatever alias stands in the URI.
  func appendKey(_ uri: SIPURI, _ domain: ServerSettings.Domain, _ text: Span<UInt8>, _ key: inout [UInt8]) {
    if let user = uri.user { text.appendUnescaped(user, to: &key) }
    key.append(UInt8(ascii: "@"))
    key.append(domain.name.span)
  }

  /// The contacts are known: they are the target set (RFC 3261 §16.5), in the order of q.
  func foundTargets(
    _ handle: SlotHandle, _ bindings: BindingSet?, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard let context = contexts[handle], let server = transactions.server(context.server) else { return }
    guard !context.isStopped else {
      completeIfDone(context, now, &actions)
      return
    }
    let request = server.request
    let bytes = request.bytes
    guard let uri = try? request.requestURI() else { return }
    if let bindings {
      // RFC 5630 §3: a sips request goes by TLS or not at all.
      let needsTLS = uri.scheme == .sips
      for binding in bindings.bindings where context.targets.count < settings.maxBranches {
        guard let hop = nextHop(of: binding), !needsTLS || hop.transport == .tls else { continue }
        context.targets.append(
          ResponseContext.Target(uri: requestURI(of: binding), hop: hop, q: binding.q, isUser: true))
      }
    }
    guard context.targets.isEmpty else {
      tryTargets(context, now, &actions)
      return
    }
    let isKnown = isKnownUser(uri, bytes.span, server.source) || bindings?.bindings.isEmpty == false
    context.best = .local(status: isKnown ? 480 : 404)
    completeIfDone(context, now, &actions)
  }

  func isKnownUser(_ uri: SIPURI, _ text: Span<UInt8>, _ flow: Flow) -> Bool {
    guard let domain = domain(of: uri, text, flow) else { return false }
    scratch.removeAll(keepingCapacity: true)
    if let user = uri.user { text.appendUnescaped(user, to: &scratch) }
    let user = scratch
    var hash: [UInt8] = []
    for algorithm in HashAlgorithm.allCases
    where users.appendHA1(domain: domain.name.span, user: user.span, algorithm: algorithm, to: &hash) { return true }
    return false
  }

  // MARK: Next hops

  /// A contact is reached over the flow that it was registered over, whatever address it claims; only a datagram client that isn't behind
  /// a NAT at the address that it gave.
  func nextHop(of binding: Binding) -> NextHop? {
    let flow = NextHop(
      destination: .flow(binding.flow.id), transport: binding.flow.transport, listener: binding.flow.listener)
    if binding.isReachedByFlow { return flow }
    let contact = binding.uri
    guard let uri = try? SIPURI(contact.span, ByteRange(0, contact.count)), uri.isSIP else { return nil }
    // Nobody's contact is this server: such a request would come back here, several for each.
    guard !settings.isOurs(uri, contact.span, binding.flow) else { return flow }
    return address(of: uri, contact.span).map { direct($0, binding.flow) } ?? flow
  }

  /// A datagram peer's address is a flow like that over which it registered: its dialogs are led back to it.
  private func direct(_ hop: NextHop, _ flow: Flow) -> NextHop {
    guard case .address(let address, .udp, _) = hop.destination, case .datagram(let datagram) = flow.id,
      datagram.remote.address.family == address.address.family
    else { return hop }
    let peer = DatagramFlow(node: datagram.node, listener: datagram.listener, remote: address)
    return NextHop(destination: .flow(.datagram(peer)), transport: .udp, listener: datagram.listener)
  }

  /// RFC 3261 §16.6 step 2: the contact as a Request-URI.
  func requestURI(of binding: Binding) -> [UInt8] {
    let contact = binding.uri
    guard Self.mayBeMoreThanRequestURI(contact.span),
      let uri = try? SIPURI(contact.span, ByteRange(0, contact.count)), uri.isMoreThanRequestURI(contact.span)
    else { return contact }
    var shortened: [UInt8] = []
    uri.appendRequestURI(contact.span, to: &shortened)
    return shortened
  }

  /// False for nearly every contact, so that it isn't read again for each request.
  private static func mayBeMoreThanRequestURI(_ contact: Span<UInt8>) -> Bool {
    for index in contact.indices {
      if contact[index] == UInt8(ascii: "?") { return true }
      guard contact[index] == UInt8(ascii: ";"), index + 1 < contact.count else { continue }
      let next = contact[index + 1].lowercased
      if next == UInt8(ascii: "m") || next == UInt8(ascii: "%") { return true }
    }
    return false
  }

  /// RFC 3261 §16.6 step 7: the first Route value that isn't ours, else the Request-URI.
  func nextHop(of inquiry: Inquiry) -> NextHop? {
    let bytes = inquiry.message.bytes
    let text = bytes.span
    guard inquiry.hasForeignRoute else { return address(of: inquiry.uri, text) }
    return foreignRoute(of: inquiry, text).flatMap { address(of: $0.uri, text) }
  }

  /// RFC 3263 §4 for a host that is an address: the transport that the URI names, else by its scheme. Names have no address here.
  func address(of uri: SIPURI, _ text: Span<UInt8>) -> NextHop? {
    guard let address = uri.address(in: text), !address.isUnspecified, !address.isMulticastOrBroadcast else {
      return nil
    }
    var transport: TransportProtocol = uri.scheme == .sips ? .tls : .udp
    if let name = uri.parameter("transport", in: text) {
      let word = text.extracting(name.positions)
      // RFC 3261 §26.2.2 deprecates transport=tls; phones send it all the same.
      guard let known = TransportProtocol.allCases.first(where: { word.equalsIgnoringCase($0.name) }) else {
        return nil
      }
      transport = uri.scheme == .sips ? .tls : known
    }
    guard let listener = settings.listener(for: transport, family: address.family) else { return nil }
    let remote = SocketAddress(address, port: uri.port ?? transport.defaultPort)
    var name: [UInt8] = []
    if transport == .tls { name.append(text.extracting(uri.host.positions)) }
    return NextHop(destination: .address(remote, transport, name: name), transport: transport, listener: listener)
  }
}

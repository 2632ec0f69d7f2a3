import SIPMessage
import SIPTransaction
import Structures

/// Request forwarding: RFC 3261 §16.6.
extension ServerCore {
  /// Forwards to the next group of targets with equal q. Lower ones wait until these have failed (RFC 3261 §16.6).
  func tryTargets(_ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions) {
    guard context.nextTarget < context.targets.count else { return }
    let q = context.targets[context.nextTarget].q
    while context.nextTarget < context.targets.count, context.targets[context.nextTarget].q == q {
      forwardNext(context, now, &actions)
    }
    scheduleTimerC(context)
  }

  /// Forwards to a target that wasn't among those chosen at first, before those that wait.
  func forwardAtOnce(
    _ target: ResponseContext.Target, _ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions
  ) {
    context.targets.insert(target, at: context.nextTarget)
    forwardNext(context, now, &actions)
    scheduleTimerC(context)
  }

  private func forwardNext(_ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions) {
    let position = context.nextTarget
    let target = context.targets[position]
    context.nextTarget += 1
    guard let server = transactions.server(context.server) else { return }
    let client = transactions.prepareClient(context: context.handle, branch: context.branches.count)
    let start = actions.outbox.octets.count
    let branch = branchText(client.handle)
    append(
      server.request, via: server.via, from: server.source, to: target, branch: branch,
      poppedRoutes: context.poppedRoutes, callerRecord: context.callerRecord, calleeRecord: context.record,
      &actions.outbox.octets)
    // RFC 3261 §16.6 step 11: Timer C runs for INVITE only.
    context.branches.append(
      ResponseContext.Branch(
        client: client.handle, target: position, isPending: true, isCancelled: false,
        deadline: context.isInvite ? now + settings.timerC : .distantFuture))
    context.pendingCount += 1
    context.liveClients += 1
    statistics.requestsForwarded &+= 1
    transactions.start(
      client, method: server.request.method, from: start, to: target.hop.destination,
      isReliable: target.hop.transport.isReliable, at: now, outbox: &actions.outbox)
  }

  func branchText(_ handle: SlotHandle) -> Branch {
    let identity = transactions.identity
    return Branch(
      node: identity.node, slot: identity.slot, generation: identity.generation, transaction: handle)
  }

  // MARK: Octets

  /// Writes a request as it would go over a flow, without a transaction: what `benchmarks/micro` measures.
  public func appendForwarded(
    _ request: Message, via: Via, from source: Flow, to flow: Flow, uri: [UInt8], _ output: inout [UInt8]
  ) {
    let hop = NextHop(destination: .flow(flow.id), transport: flow.transport, listener: flow.listener)
    append(
      request, via: via, from: source, to: ResponseContext.Target(uri: uri, hop: hop, q: 1_000),
      branch: branchText(SlotHandle(index: 1, generation: 1)), poppedRoutes: 0, callerRecord: [], calleeRecord: [],
      &output)
  }

  /// Writes the request as it goes to one target: copied in runs, with the lines that change spliced in.
  func append(
    _ request: Message, via: Via, from source: Flow, to target: ResponseContext.Target, branch: Branch,
    poppedRoutes: Int, callerRecord: [UInt8], calleeRecord: [UInt8], _ output: inout [UInt8]
  ) {
    let bytes = request.bytes
    let text = bytes.span
    appendStart(request, text, target, branch, &output)
    // RFC 6665 §4.3: a subscriber may learn of a dialog by its NOTIFY alone; that its SUBSCRIBE was ours, the token tells.
    if settings.recordRoute, request.method.formsDialog,
      request.tag(of: .to) == nil || request.method == .notify && target.origin == .token
    {
      appendRecordRoutes(request, source, target, callerRecord, calleeRecord, &output)
    }
    if request.method == .register { appendPath(request, text, source, target, &output) }
    if target.isDetoured, !target.route.isEmpty {
      output.append("Route: ")
      output.append(target.route.span)
      output.append("\r\n")
    }
    let hasLastRoute = target.isDetoured && !target.lastRoute.isEmpty
    appendFields(request, text, via, source, poppedRoutes + (hasLastRoute ? 1 : 0), &output)
    if hasLastRoute {
      output.append("Route: <")
      output.append(target.lastRoute.span)
      output.append(">\r\n")
    }
    if !request.has(.maxForwards) {
      appendMaxForwards(settings.maxForwards, &output)
    }
    if !request.has(.contentLength) {
      output.append("Content-Length: ")
      output.append(decimal: UInt64(request.body.count))
      output.append("\r\n")
    }
    output.append("\r\n")
    output.append(text.extracting(request.body.positions))
  }

  /// The start line (RFC 3261 §16.6 step 2) and our Via (step 8).
  private func appendStart(
    _ request: Message, _ text: Span<UInt8>, _ target: ResponseContext.Target, _ branch: Branch,
    _ output: inout [UInt8]
  ) {
    let method = request.methodToken
    let sentBy = settings.listeners[Int(target.hop.listener)].sentBy
    let fixed = 48
    output.append(addingCapacity: method.count + target.uri.count + sentBy.count + Branch.length + fixed) { output in
      output.append(text.extracting(method.positions))
      output.append(" ")
      output.append(target.uri.span)
      switch target.hop.transport {
      case .udp: output.append(" SIP/2.0\r\nVia: SIP/2.0/UDP ")
      case .tcp: output.append(" SIP/2.0\r\nVia: SIP/2.0/TCP ")
      case .tls: output.append(" SIP/2.0\r\nVia: SIP/2.0/TLS ")
      }
      output.append(sentBy.span)
      output.append(";branch=")
      branch.append(to: &output, hashing: hashing)
      output.append("\r\n")
    }
  }

  /// Two values, so that each side's next request names the flow to the other side, over whatever connection it comes (RFC 5626 §5.3,
  /// RFC 5658 §3.3): the callee uses the upper one first, the caller the lower.
  private func appendRecordRoutes(
    _ request: Message, _ source: Flow, _ target: ResponseContext.Target, _ callerRecord: [UInt8],
    _ calleeRecord: [UInt8], _ output: inout [UInt8]
  ) {
    let caller = NextHop(destination: .flow(source.id), transport: source.transport, listener: source.listener)
    let contact = target.uri
    let isSecureThere = contact.count > 5 && contact.span.extracting(0..<5).equalsIgnoringCase("sips:")
    let callerIdentity = owned.identity(over: source.id, aor: callerRecord.span)
    appendRecordRoute(
      as: target.hop, leadingTo: caller, FlowToken.Owner(aor: callerRecord, identity: callerIdentity),
      isSecure: isSecureThere, &output)
    var callee = FlowToken.Owner(aor: calleeRecord, identity: identity(of: target))
    if target.origin == .token { callee = tokenOwner(request, source) }
    let isSecureHere = (try? request.requestURI())?.scheme == .sips
    appendRecordRoute(as: caller, leadingTo: target.hop, callee, isSecure: isSecureHere, &output)
  }

  /// RFC 5626 §5.1: as the first hop of a registration with somebody else we stay in the way back to the client.
  private func appendPath(
    _ request: Message, _ text: Span<UInt8>, _ source: Flow, _ target: ResponseContext.Target, _ output: inout [UInt8]
  ) {
    guard !hasPassedProxy(request), supportsPath(request, text) else { return }
    let client = NextHop(destination: .flow(source.id), transport: source.transport, listener: source.listener)
    output.append("Path: <sip:")
    FlowToken.append(
      client, owner: .unknown, isPath: true, hashing: hashing, scratch: &tokenScratch, sealed: &scratch, to: &output)
    output.append("@")
    output += settings.listeners[Int(target.hop.listener)].recordRoute
    switch target.hop.transport {
    case .udp: output.append(";lr;ob>\r\n")
    case .tcp: output.append(";transport=tcp;lr;ob>\r\n")
    case .tls: output.append(";transport=tls;lr;ob>\r\n")
    }
  }

  /// RFC 3327 §5.2, RFC 5626 §4.2.1: whether the client understands Path.
  private func supportsPath(_ request: Message, _ text: Span<UInt8>) -> Bool {
    var iterator = ValueIterator(.supported, in: request)
    while let (tag, _) = iterator.next(text) {
      let word = text.extracting(tag.positions)
      if word.equalsIgnoringCase("path") || word.equalsIgnoringCase("outbound") { return true }
    }
    return false
  }

  /// Whether a request came by way of another proxy: it has more than one Via value.
  func hasPassedProxy(_ request: Message) -> Bool {
    guard let via = try? request.topVia(), let first = request.value(of: .via) else { return false }
    if via.range.end < first.end { return true }
    var count = 0
    request.forEach(.via) { _, _ in
      count += 1
      return count < 2
    }
    return count > 1
  }

  /// RFC 3261 §16.6 step 4: where the Request-URI is a SIPS URI, so is this; TLS then goes without saying.
  private func appendRecordRoute(
    as side: NextHop, leadingTo other: NextHop, _ owner: FlowToken.Owner, isSecure: Bool, _ output: inout [UInt8]
  ) {
    let isSecure = isSecure && side.transport == .tls
    output.append(isSecure ? "Record-Route: <sips:" : "Record-Route: <sip:")
    FlowToken.append(other, owner: owner, hashing: hashing, scratch: &tokenScratch, sealed: &scratch, to: &output)
    output.append("@")
    output += settings.listeners[Int(side.listener)].recordRoute
    switch side.transport {
    case .udp: output.append(";lr>\r\n")
    case .tcp: output.append(";transport=tcp;lr>\r\n")
    case .tls: output.append(isSecure ? ";lr>\r\n" : ";transport=tls;lr>\r\n")
    }
  }

  private func appendFields(
    _ request: Message, _ text: Span<UInt8>, _ via: Via, _ source: Flow, _ poppedRoutes: Int,
    _ output: inout [UInt8]
  ) {
    var run = request.headersStart
    var routesToDrop = poppedRoutes
    var isTopVia = true
    let fields = request.fields
    for index in fields.indices {
      let field = fields[index]
      switch field.name {
      case .via where isTopVia:
        isTopVia = false
        run = ResponseWriter.appendVia(via, text, from: run, source: source, to: &output)
      case .maxForwards:
        output.append(text.extracting(run..<Int(field.start)))
        appendMaxForwards((request.number(of: .maxForwards) ?? settings.maxForwards) - 1, &output)
        run = request.end(ofFieldAt: index)
      case .route where routesToDrop > 0:
        output.append(text.extracting(run..<Int(field.start)))
        run = appendRemainingRoutes(request, text, index, &routesToDrop, &output)
      case .proxyAuthorization where isForOurRealm(text, field.value):
        output.append(text.extracting(run..<Int(field.start)))
        run = request.end(ofFieldAt: index)
      default: break
      }
    }
    output.append(text.extracting(run..<request.headersEnd))
  }

  /// RFC 3261 §16.6 step 3
  private func appendMaxForwards(_ number: Int, _ output: inout [UInt8]) {
    output.append(addingCapacity: 16 + OutputSpan.decimalDigits) { output in
      output.append("Max-Forwards: ")
      output.append(decimal: UInt64(max(0, number)))
      output.append("\r\n")
    }
  }

  /// RFC 3261 §16.4: drops the values that were ours from one Route line; returns where copying goes on.
  private func appendRemainingRoutes(
    _ request: Message, _ text: Span<UInt8>, _ index: Int, _ toDrop: inout Int, _ output: inout [UInt8]
  ) -> Int {
    let field = request.fields[index]
    var iterator = ValueIterator(.route, in: request)
    var isFirst = true
    while let (value, line) = iterator.next(text), line <= index {
      guard line == index else { continue }
      if toDrop > 0 {
        toDrop -= 1
        continue
      }
      if isFirst {
        output.append("Route: ")
        output.append(text.extracting(Int(value.start)..<Int(field.value.end)))
        output.append("\r\n")
      }
      isFirst = false
      break
    }
    return request.end(ofFieldAt: index)
  }

  /// RFC 3261 §22.3: credentials for our realm have done their work, or weren't needed, and are nobody else's to see; those for others go on.
  private func isForOurRealm(_ text: Span<UInt8>, _ value: ByteRange) -> Bool {
    guard let credentials = DigestCredentials(text, value) else { return false }
    let realm = text.extracting(credentials.realm.positions)
    for domain in settings.domains where realm.equals(domain.realm.span) { return true }
    return false
  }

  // MARK: ACK

  /// An ACK to a 2xx is forwarded without a transaction (RFC 3261 §16.6, §17.1.1.3); one for a response of ours is for us.
  func receivedAck(_ inquiry: Inquiry, _ now: Instant, _ actions: inout ServerActions) {
    var inquiry = inquiry
    readRoutes(&inquiry)
    let bytes = inquiry.message.bytes
    guard inquiry.message.number(of: .maxForwards) != 0, !hasLocalTag(inquiry.message), inquiry.uri.isSIP else {
      drop(inquiry.message)
      return
    }
    if let gruu = gruu(of: inquiry, bytes.span), !inquiry.hasBadToken {
      var key: [UInt8] = []
      gruu.gruu.appendKey(domain: gruu.domain.name.span, to: &key)
      ask(open(.ack(inquiry.message, inquiry.flow), now), key: key.span, &actions)
    } else if inquiry.token != nil {
      if let hop = tokenHop(of: inquiry) {
        // Whether the flow is still there is not known before the ACK is sent.
        let sent = open(.sentAck(inquiry.message, inquiry.flow), until: now + Self.sentAckTime)
        forwardAck(inquiry, hop, nil, tag: TransactionTag.stateless(sent).word, &actions)
        return
      }
      if let hop = nextHop(of: inquiry) { forwardAck(inquiry, hop, nil, &actions) }
      transactions.pool.put(inquiry.message)
    } else if !inquiry.hasBadToken, !inquiry.hasForeignRoute, inquiry.uri.user != nil,
      let domain = domain(of: inquiry.uri, bytes.span, inquiry.flow)
    {
      // A caller that keeps to the address it called, without the route set: its callee's contact is asked for again.
      let query = open(.ack(inquiry.message, inquiry.flow), now)
      ask(query, inquiry.uri, domain, bytes.span, &actions)
    } else {
      drop(inquiry.message)
    }
  }

  /// The contact for an ACK without a route is known.
  func forwardAck(
    _ message: Message, to bindings: BindingSet?, from flow: Flow, _ now: Instant, _ actions: inout ServerActions
  ) {
    defer { transactions.pool.put(message) }
    guard let via = try? message.topVia(), let uri = try? message.requestURI() else { return }
    let bindings = bindings ?? .empty
    var inquiry = Inquiry(message: message, flow: flow, via: via, uri: uri)
    readRoutes(&inquiry)
    let bytes = message.bytes
    if let gruu = gruu(of: inquiry, bytes.span)?.gruu {
      forwardAck(inquiry, toGRUU: gruu, bindings, &actions)
    } else if let token = inquiry.token, let gone = tokenHop(of: inquiry) {
      let others = bindings.successors(of: token.owner.identity, hashing: hashing)
      guard let next = others.lazy.compactMap({ self.nextHop(of: $0) }).first(where: { $0.flow != gone.flow }) else {
        return
      }
      forwardAck(inquiry, next, nil, &actions)
    } else if let binding = bindings.bindings.first, let hop = nextHop(of: binding) {
      forwardAck(inquiry, hop, requestURI(of: binding), &actions)
    }
  }

  /// RFC 5627 §6.1: the ACK goes to the contact that a GRUU means, over the flow of its token if that is one of the instance's.
  private func forwardAck(
    _ inquiry: Inquiry, toGRUU gruu: GRUU, _ bindings: BindingSet, _ actions: inout ServerActions
  ) {
    let named = tokenHop(of: inquiry)
    let meant = bindings.bindings.filter { gruu.matches($0) }
    let binding = meant.first { $0.flow.id == named?.flow } ?? meant.first
    guard let hop = inquiry.hasForeignRoute ? nextHop(of: inquiry) : binding.flatMap({ nextHop(of: $0) }) ?? named
    else {
      return
    }
    forwardAck(inquiry, hop, binding.map { requestURI(of: $0) }, &actions)
  }

  /// The GRUU of ours that the Request-URI of a request is, with its domain.
  private func gruu(of inquiry: Inquiry, _ text: Span<UInt8>) -> (gruu: GRUU, domain: ServerSettings.Domain)? {
    guard !inquiry.uri.parameters.isEmpty, let domain = domain(of: inquiry.uri, text, inquiry.flow),
      case .gruu(let gruu) = GRUU.read(inquiry.uri, in: text, hashing: hashing)
    else { return nil }
    return (gruu, domain)
  }

  /// An ACK over the flow of a token could not be sent: it goes over the flow that the same binding has now.
  func ackFailed(_ handle: SlotHandle, _ now: Instant, _ actions: inout ServerActions) {
    guard case .sentAck(let message, let flow) = close(handle) else { return }
    let owner = tokenOwner(message, flow)
    guard !owner.aor.isEmpty else {
      drop(message)
      return
    }
    let query = open(.ack(message, flow), now)
    ask(query, key: owner.aor.span, &actions)
  }

  /// How long it may take to turn out that a flow is gone, of another worker perhaps.
  private static let sentAckTime = Duration.milliseconds(500)

  private func forwardAck(
    _ inquiry: Inquiry, _ hop: NextHop, _ contact: [UInt8]?, tag: UInt64 = 0, _ actions: inout ServerActions
  ) {
    let bytes = inquiry.message.bytes
    let target = contact.map { ResponseContext.Target(uri: $0, hop: hop, q: 1_000) } ?? target(of: inquiry, over: hop)
    let start = actions.outbox.octets.count
    // The same ACK gets the same branch each time it comes, and none that names a transaction.
    scratch.clear()
    scratch.append(bytes.span.extracting(inquiry.via.range.positions))
    let octets = scratch
    let word = hashing.shortMAC(octets.span)
    append(
      inquiry.message, via: inquiry.via, from: inquiry.flow, to: target,
      branch: branchText(SlotHandle(index: UInt32(truncatingIfNeeded: word), generation: 0)),
      poppedRoutes: inquiry.poppedRoutes, callerRecord: [], calleeRecord: [], &actions.outbox.octets)
    actions.outbox.transmit(from: start, to: hop.destination, tag: tag)
    statistics.requestsForwarded &+= 1
  }

  func drop(_ message: Message) {
    statistics.dropped &+= 1
    transactions.pool.put(message)
  }
}

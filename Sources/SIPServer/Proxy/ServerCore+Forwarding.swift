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
      forward(context, context.targets[context.nextTarget], now, &actions)
      context.nextTarget += 1
    }
    scheduleTimerC(context)
  }

  private func forward(
    _ context: ResponseContext, _ target: ResponseContext.Target, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard let server = transactions.server(context.server) else { return }
    let client = transactions.prepareClient(context: context.handle, branch: context.branches.count)
    let start = actions.outbox.octets.count
    let branch = branchText(client.handle)
    append(
      server.request, via: server.via, from: server.source, to: target, branch: branch,
      poppedRoutes: context.poppedRoutes, callerRecord: context.callerRecord, asserted: context.asserted,
      &actions.outbox.octets)
    // RFC 3261 §16.6 step 11: Timer C runs for INVITE only.
    context.branches.append(
      ResponseContext.Branch(
        client: client.handle, isPending: true, isCancelled: false,
        deadline: context.isInvite ? now + settings.timerC : .distantFuture))
    context.pendingCount += 1
    context.liveClients += 1
    statistics.requestsForwarded &+= 1
    transactions.start(
      client, method: server.request.method, from: start, to: target.hop.destination,
      isReliable: target.hop.transport.isReliable, at: now, outbox: &actions.outbox)
  }

  private func branchText(_ handle: SlotHandle) -> Branch {
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
      branch: branchText(SlotHandle(index: 1, generation: 1)), poppedRoutes: 0, callerRecord: [], &output)
  }

  /// Writes the request as it goes to one target: copied in runs, with the lines that change spliced in.
  func append(
    _ request: Message, via: Via, from source: Flow, to target: ResponseContext.Target, branch: Branch,
    poppedRoutes: Int, callerRecord: [UInt8], asserted: [UInt8] = [], _ output: inout [UInt8]
  ) {
    let bytes = request.bytes
    let text = bytes.span
    appendStart(request, text, target, branch, &output)
    if settings.recordRoute, request.method.formsDialog, request.tag(of: .to) == nil {
      appendRecordRoutes(request, source, target, callerRecord, &output)
    }
    var edits = IdentityEdits()
    if request.names.meets(settings.identity.concerned) {
      edits = identityEdits(request, to: audience(of: target))
    }
    appendFields(request, text, via, source, edits, poppedRoutes + (target.lastRoute.isEmpty ? 0 : 1), &output)
    if !asserted.isEmpty { appendAsserted(asserted, request, to: audience(of: target), &output) }
    if !target.lastRoute.isEmpty {
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
    _ output: inout [UInt8]
  ) {
    let caller = NextHop(destination: .flow(source.id), transport: source.transport, listener: source.listener)
    let contact = target.uri
    let isSecureThere = contact.count > 5 && contact.span.extracting(0..<5).equalsIgnoringCase("sips:")
    appendRecordRoute(as: target.hop, leadingTo: caller, callerRecord, isSecure: isSecureThere, &output)
    keyScratch.removeAll(keepingCapacity: true)
    let bytes = request.bytes
    let uri = try? request.requestURI()
    if let uri, let domain = domain(of: uri, bytes.span, source) { appendKey(uri, domain, bytes.span, &keyScratch) }
    let callee = keyScratch
    appendRecordRoute(as: caller, leadingTo: target.hop, callee, isSecure: uri?.scheme == .sips, &output)
  }

  /// RFC 3261 §16.6 step 4: where the Request-URI is a SIPS URI, so is this; TLS then goes without saying.
  private func appendRecordRoute(
    as side: NextHop, leadingTo other: NextHop, _ aor: [UInt8], isSecure: Bool, _ output: inout [UInt8]
  ) {
    let isSecure = isSecure && side.transport == .tls
    output.append(isSecure ? "Record-Route: <sips:" : "Record-Route: <sip:")
    FlowToken.append(other, aor: aor.span, hashing: hashing, scratch: &tokenScratch, sealed: &scratch, to: &output)
    output.append("@")
    output += settings.listeners[Int(side.listener)].recordRoute
    switch side.transport {
    case .udp: output.append(";lr>\r\n")
    case .tcp: output.append(";transport=tcp;lr>\r\n")
    case .tls: output.append(isSecure ? ";lr>\r\n" : ";transport=tls;lr>\r\n")
    }
  }

  private func appendFields(
    _ request: Message, _ text: Span<UInt8>, _ via: Via, _ source: Flow, _ edits: IdentityEdits, _ poppedRoutes: Int,
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
      case let name where edits.touched.contains(name):
        run = edits.append(request, text, index, from: run, to: &output)
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
    if let token = inquiry.token {
      if let hop = token.hop ?? nextHop(of: inquiry) { forwardAck(inquiry, hop, nil, &actions) }
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
    if let via = try? message.topVia(), let uri = try? message.requestURI(), let binding = bindings?.bindings.first,
      let hop = nextHop(of: binding)
    {
      var inquiry = Inquiry(message: message, flow: flow, via: via, uri: uri)
      readRoutes(&inquiry)
      forwardAck(inquiry, hop, requestURI(of: binding), &actions)
    }
    transactions.pool.put(message)
  }

  private func forwardAck(_ inquiry: Inquiry, _ hop: NextHop, _ contact: [UInt8]?, _ actions: inout ServerActions) {
    let bytes = inquiry.message.bytes
    let target = contact.map { ResponseContext.Target(uri: $0, hop: hop, q: 1_000) } ?? target(of: inquiry, over: hop)
    let start = actions.outbox.octets.count
    // The same ACK gets the same branch each time it comes, and none that names a transaction.
    scratch.removeAll(keepingCapacity: true)
    scratch.append(bytes.span.extracting(inquiry.via.range.positions))
    let octets = scratch
    let word = hashing.shortMAC(octets.span)
    append(
      inquiry.message, via: inquiry.via, from: inquiry.flow, to: target,
      branch: branchText(SlotHandle(index: UInt32(truncatingIfNeeded: word), generation: 0)),
      poppedRoutes: inquiry.poppedRoutes, callerRecord: [], &actions.outbox.octets)
    actions.outbox.transmit(from: start, to: hop.destination, tag: 0)
    statistics.requestsForwarded &+= 1
  }

  func drop(_ message: Message) {
    statistics.dropped &+= 1
    transactions.pool.put(message)
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// Request forwarding: RFC 3261 §16.6.
extension ServerCore {
  /// Forwards to the next group of targets with equal q, or to as many of them as the request has breadth for (RFC 5393 §5.3.3). Lower ones
  /// wait until these have failed (RFC 3261 §16.6).
  func tryTargets(_ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions) {
    guard context.nextTarget < context.targets.count else { return }
    let q = context.targets[context.nextTarget].q
    var waiting = 0
    for target in context.targets[context.nextTarget...] where target.q == q { waiting += 1 }
    var breadth = freeBreadth(context)
    while waiting > 0, breadth > 0 {
      let share = (breadth + waiting - 1) / waiting
      forwardNext(context, breadth: share, now, &actions)
      breadth -= share
      waiting -= 1
    }
    scheduleTimerC(context)
  }

  /// Forwards to a target that wasn't among those chosen at first, before those that wait.
  func forwardAtOnce(
    _ target: ResponseContext.Target, _ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions
  ) {
    context.targets.insert(target, at: context.nextTarget)
    let breadth = freeBreadth(context)
    // Others may have taken what the failed one had; then it waits for them.
    guard breadth > 0 else { return }
    forwardNext(context, breadth: breadth, now, &actions)
    scheduleTimerC(context)
  }

  private func forwardNext(
    _ context: ResponseContext, breadth: Int, _ now: Instant, _ actions: inout ServerActions
  ) {
    let position = context.nextTarget
    var target = context.targets[position]
    context.nextTarget += 1
    guard let server = transactions.server(context.server) else { return }
    let client = transactions.prepareClient(context: context.handle, branch: context.branches.count)
    let start = actions.outbox.octets.count
    let branch = branchText(client.handle, context.loopCheck)
    append(context, server, to: target, branch, breadth, &actions.outbox.octets)
    let isTooLarge = actions.outbox.octets.count - start > settings.udpSize && divert(&target, now)
    if isTooLarge {
      actions.outbox.octets.removeLast(actions.outbox.octets.count - start)
      append(context, server, to: target, branch, breadth, &actions.outbox.octets)
    }
    // RFC 3261 §16.6 step 11: Timer C runs for INVITE only.
    context.branches.append(
      ResponseContext.Branch(
        client: client.handle, target: position, isPending: true, isCancelled: false,
        deadline: context.isInvite ? now + settings.timerC : .distantFuture, breadth: breadth,
        isTooLarge: isTooLarge))
    context.pendingCount += 1
    context.liveClients += 1
    statistics.requestsForwarded &+= 1
    transactions.start(
      client, method: server.request.method, from: start, to: target.hop.destination,
      isReliable: target.hop.transport.isReliable, at: now, outbox: &actions.outbox)
  }

  func branchText(_ handle: SlotHandle, _ loopCheck: UInt32 = 0) -> Branch {
    let identity = transactions.identity
    return Branch(
      node: identity.node, slot: identity.slot, generation: identity.generation, transaction: handle,
      loopCheck: loopCheck)
  }

  // MARK: Octets

  /// Writes a request as it would go over a flow, without a transaction: what `benchmarks/micro` measures.
  public func appendForwarded(
    _ request: Message, via: Via, from source: Flow, to flow: Flow, uri: [UInt8], _ output: inout [UInt8]
  ) {
    let hop = NextHop(destination: .flow(flow.id), transport: flow.transport, listener: flow.listener)
    append(
      request, via: via, from: source, to: ResponseContext.Target(uri: uri, hop: hop, q: 1_000),
      branch: branchText(SlotHandle(index: 1, generation: 1), loopCheck(request)),
      breadth: incomingBreadth(request) ?? settings.maxBreadth, poppedRoutes: 0, callerRecord: [], calleeRecord: [],
      &output)
  }

  /// Writes the request as it goes to one target: copied in runs, with the lines that change spliced in.
  func append(
    _ request: Message, via: Via, from source: Flow, to target: ResponseContext.Target, branch: Branch,
    breadth: Int, poppedRoutes: Int, callerRecord: [UInt8], calleeRecord: [UInt8], asserted: [UInt8] = [],
    _ output: inout [UInt8]
  ) {
    let bytes = request.bytes
    let text = bytes.span
    appendStart(request, text, target, branch, breadth, &output)
    // RFC 6665 §4.3: a subscriber may learn of a dialog by its NOTIFY alone; that its SUBSCRIBE was ours, the token tells.
    if settings.recordRoute, request.method.formsDialog,
      request.tag(of: .to) == nil || request.method == .notify && isByToken(request, source)
    {
      appendRecordRoutes(request, source, target, callerRecord, calleeRecord, &output)
    }
    if request.method == .register { appendPath(request, text, source, target, &output) }
    if target.isDetoured, !target.route.isEmpty {
      output.append("Route: ")
      output.append(target.route.span)
      output.append("\r\n")
    }
    var edits = IdentityEdits()
    if request.names.meets(settings.identity.concerned) {
      edits = identityEdits(request, to: audience(of: target))
    }
    let hasLastRoute = target.isDetoured && !target.lastRoute.isEmpty
    appendFields(request, text, via, source, edits, breadth, poppedRoutes + (hasLastRoute ? 1 : 0), &output)
    if !asserted.isEmpty { appendAsserted(asserted, request, to: audience(of: target), &output) }
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

  /// The start line (RFC 3261 §16.6 step 2), our Via (step 8), and Max-Breadth where there is none yet (RFC 5393 §5.3.3).
  private func appendStart(
    _ request: Message, _ text: Span<UInt8>, _ target: ResponseContext.Target, _ branch: Branch,
    _ breadth: Int, _ output: inout [UInt8]
  ) {
    let method = request.methodToken
    let (uri, viaStart) = (target.uri, settings.listeners[Int(target.hop.listener)].viaStart)
    let fixed = 32 + OutputSpan.decimalDigits
    output.append(addingCapacity: method.count + uri.count + viaStart.count + Branch.length + fixed) { output in
      output.append(text.extracting(method.positions))
      output.append(" ")
      output.append(uri.span)
      output.append(viaStart.span)
      branch.append(to: &output, hashing: hashing)
      if request.has(.maxBreadth) {
        output.append("\r\n")
      } else {
        output.append("\r\nMax-Breadth: ")
        output.append(decimal: UInt64(breadth))
        output.append("\r\n")
      }
    }
  }

  /// Two values, so that each side's next request names the flow to the other side, over whatever connection it comes (RFC 5626 §5.3,
  /// RFC 5658 §3.3): the callee uses the upper one first, the caller the lower.
  private func appendRecordRoutes(
    _ request: Message, _ source: Flow, _ target: ResponseContext.Target, _ callerRecord: [UInt8],
    _ calleeRecord: [UInt8], _ output: inout [UInt8]
  ) {
    let caller = NextHop(destination: .flow(source.id), transport: source.transport, listener: source.listener)
    let isSecureThere = Self.isSIPS(target.uri)
    let callerIdentity = owned.identity(over: source.id, aor: callerRecord.span)
    let check = target.hop.flow == nil ? callCheck(request) : 0
    appendRecordRoute(
      as: target.hop, leadingTo: caller, FlowToken.Owner(aor: callerRecord, identity: callerIdentity),
      isSecure: isSecureThere, &output)
    var callee = FlowToken.Owner(aor: calleeRecord, identity: identity(of: target))
    if calleeRecord.isEmpty, request.tag(of: .to) != nil || target.origin == .token {
      callee = tokenOwner(request, source)
    }
    let isSecureHere = (try? request.requestURI())?.scheme == .sips
    appendRecordRoute(as: caller, leadingTo: target.hop, callee, callCheck: check, isSecure: isSecureHere, &output)
  }

  /// RFC 5626 §5.1: as the first hop of a registration with somebody else we stay in the way back to the client. RFC 5630 §5.2: a SIPS contact
  /// is taken with a SIPS Path alone; ours is one where both sides are TLS.
  private func appendPath(
    _ request: Message, _ text: Span<UInt8>, _ source: Flow, _ target: ResponseContext.Target, _ output: inout [UInt8]
  ) {
    guard !hasPassedProxy(request), supportsPath(request, text) else { return }
    let client = NextHop(destination: .flow(source.id), transport: source.transport, listener: source.listener)
    let isSecure =
      source.transport == .tls && target.hop.transport == .tls && (try? request.requestURI())?.scheme == .sips
    output.append(isSecure ? "Path: <sips:" : "Path: <sip:")
    FlowToken.append(
      client, owner: .unknown, isPath: true, hashing: hashing, scratch: &tokenScratch, sealed: &scratch, to: &output)
    output.append("@")
    output += settings.listeners[Int(target.hop.listener)].recordRoute
    switch target.hop.transport {
    case .udp: output.append(";lr;ob>\r\n")
    case .tcp: output.append(";transport=tcp;lr;ob>\r\n")
    case .tls: output.append(isSecure ? ";lr;ob>\r\n" : ";transport=tls;lr;ob>\r\n")
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
    as side: NextHop, leadingTo other: NextHop, _ owner: FlowToken.Owner, callCheck: UInt32 = 0, isSecure: Bool,
    _ output: inout [UInt8]
  ) {
    let isSecure = isSecure && side.transport == .tls
    output.append(isSecure ? "Record-Route: <sips:" : "Record-Route: <sip:")
    FlowToken.append(
      other, owner: owner, callCheck: callCheck, hashing: hashing, scratch: &tokenScratch, sealed: &scratch, to: &output
    )
    output.append("@")
    output += settings.listeners[Int(side.listener)].recordRoute
    // Deviation: RFC 5630 §5.3 forbids a proxy `transport=tls`. A client that registered by sip over TLS knows no other word by which to come back
    // over TLS, and would be made to use SIPS contacts by a sips value (RFC 3261 §12.1.1). Pinned by SIPSTests, "the TLS side of a sip request is
    // named with transport=tls".
    switch side.transport {
    case .udp: output.append(";lr>\r\n")
    case .tcp: output.append(";transport=tcp;lr>\r\n")
    case .tls: output.append(isSecure ? ";lr>\r\n" : ";transport=tls;lr>\r\n")
    }
  }

  private func appendFields(
    _ request: Message, _ text: Span<UInt8>, _ via: Via, _ source: Flow, _ edits: IdentityEdits, _ breadth: Int,
    _ poppedRoutes: Int,
    _ output: inout [UInt8]
  ) {
    var run = request.headersStart
    var routesToDrop = poppedRoutes
    var isTopVia = true
    var touched: NameSet = [.via, .maxForwards, .maxBreadth, .route, .proxyAuthorization]
    touched.formUnion(edits.touched)
    let fields = request.fields
    for index in fields.indices {
      let field = fields[index]
      guard touched.contains(field.name) else { continue }
      switch field.name {
      case .via where isTopVia:
        isTopVia = false
        run = ResponseWriter.appendVia(via, text, from: run, source: source, to: &output)
      case .maxForwards:
        output.append(text.extracting(run..<Int(field.start)))
        appendMaxForwards((request.number(of: .maxForwards) ?? settings.maxForwards) - 1, &output)
        run = request.end(ofFieldAt: index)
      case .maxBreadth:
        // RFC 5393 §5.3.3: one value, however many came.
        output.append(text.extracting(run..<Int(field.start)))
        if index == request.firstIndex(of: .maxBreadth) { appendMaxBreadth(breadth, &output) }
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

  private func appendMaxBreadth(_ number: Int, _ output: inout [UInt8]) {
    output.append("Max-Breadth: ")
    output.append(decimal: UInt64(max(1, number)))
    output.append("\r\n")
  }

  /// RFC 3261 §16.4: drops the values that were ours from one Route line; returns where copying goes on.
  private func appendRemainingRoutes(
    _ request: Message, _ text: Span<UInt8>, _ index: Int, _ toDrop: inout Int, _ output: inout [UInt8]
  ) -> Int {
    let field = request.fields[index]
    var iterator = ValueIterator(lineAt: index, in: request)
    while let (value, _) = iterator.next(text) {
      guard toDrop == 0 else {
        toDrop -= 1
        continue
      }
      output.append("Route: ")
      output.append(text.extracting(Int(value.start)..<Int(field.value.end)))
      output.append("\r\n")
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
}

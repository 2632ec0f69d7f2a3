import SIPMessage
import SIPTransaction
import Structures

/// What is tried in place of a branch whose flow failed: the next flow of the same instance (RFC 5626 §7), or the flow that the binding has now.
extension ServerCore {
  /// A branch's request could not be sent, or its flow is gone before anything was answered.
  func unreached(_ client: ClientTransaction, _ now: Instant, _ actions: inout ServerActions) {
    guard let context = contexts[client.context], client.branch < context.branches.count,
      context.branches[client.branch].isPending
    else { return }
    settle(context, client.branch)
    let target = context.targets[context.branches[client.branch].target]
    removeIfClosed(target, context, &actions)
    if client.isRefused {
      refusedForLoad(client, context, now, &actions)
    } else if isRefusedForSize(client, context, now), mayTryMore(context) {
      forwardAtOnce(target, context, now, &actions)
    } else if let fallback = target.fallback, mayTryMore(context) {
      forwardAtOnce(target.over(fallback), context, now, &actions)
    } else if !tryNextFlow(context, client.branch, now, &actions),
      !askForSuccessor(of: client.branch, context, now, &actions)
    {
      keepBetter(context, local: unreachedStatus(context, target))
    }
    scheduleTimerC(context)
    completeIfDone(context, now, &actions)
  }

  /// Nothing is wrong with the flow; only too much waits for it.
  private func refusedForLoad(
    _ client: ClientTransaction, _ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard !tryNextFlow(context, client.branch, now, &actions) else { return }
    statistics.overloaded &+= 1
    context.isOverloaded = true
    keepBetter(context, local: 503)
  }

  /// RFC 5626 §7, RFC 5627 §6.1: after 408 and 430 and a failed flow the request goes over the next flow of the instance. False when there is none.
  func tryNextFlow(
    _ context: ResponseContext, _ branch: Int, _ now: Instant, _ actions: inout ServerActions
  ) -> Bool {
    guard !context.spares.isEmpty, mayTryMore(context),
      let instance = context.targets[context.branches[branch].target].instance,
      let index = context.spares.firstIndex(where: { $0.instance == instance })
    else { return false }
    forwardAtOnce(context.spares.remove(at: index), context, now, &actions)
    return true
  }

  /// Nothing more is tried for a request that is answered or cancelled, nor without end.
  private func mayTryMore(_ context: ResponseContext) -> Bool {
    !context.isStopped && !context.isAnswered && context.branches.count < 2 * settings.maxBranches
  }

  /// Asks where the binding is now whose flow is gone: its client may have come back over another.
  private func askForSuccessor(
    of branch: Int, _ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions
  ) -> Bool {
    guard mayTryMore(context), let server = transactions.server(context.server) else { return false }
    switch context.targets[context.branches[branch].target].origin {
    case .address, .successor: return false
    case .binding:
      let record = context.record
      context.openQueries += 1
      ask(open(.successor(context: context.handle, branch: branch), now), key: record.span, &actions)
    case .token:
      let owner = tokenOwner(server.request, server.source)
      if owner.aor.isEmpty { return false }
      context.openQueries += 1
      ask(open(.successor(context: context.handle, branch: branch), now), key: owner.aor.span, &actions)
    }
    return true
  }

  /// The present bindings of an address of record are known, of which one had the flow that is gone.
  func foundSuccessors(
    _ handle: SlotHandle, _ branch: Int, _ bindings: BindingSet?, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard let context = contexts[handle], branch < context.branches.count else { return }
    context.openQueries -= 1
    let gone = context.targets[context.branches[branch].target]
    if mayTryMore(context) {
      if let next = successor(of: gone, context, bindings) {
        forwardAtOnce(next, context, now, &actions)
      } else {
        keepBetter(context, local: unreachedStatus(context, gone))
      }
    }
    completeIfDone(context, now, &actions)
  }

  // MARK: Ports that change

  /// A datagram client's address is no connection that closes when it gets another: whether its binding hangs on the one in a token is asked for, if
  /// the token says which binding it is. False when it isn't.
  ///
  /// What this worker itself has registered doesn't tell: the client's next REGISTER may have reached another.
  func asksForPort(
    of inquiry: Inquiry, _ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions
  ) -> Bool {
    guard mayHaveMoved(inquiry) else { return false }
    appendTokenRecord(of: inquiry, to: &context.record)
    guard !context.record.isEmpty else { return false }
    let record = context.record
    ask(open(.targets(context: context.handle), now), key: record.span, &actions)
    return true
  }

  /// Whether the token of a request names a datagram flow of a binding that is known.
  func mayHaveMoved(_ inquiry: Inquiry) -> Bool {
    guard let token = inquiry.token, case .datagram = tokenHop(of: inquiry)?.flow else { return false }
    return !token.isPath && token.owner.identity.kind != .none
  }

  /// The target of a request by a token that names a datagram flow: that flow if it is still the binding's, or if nothing else is known of it;
  /// else the flow that took its place.
  func addTarget(
    insteadOf routed: ResponseContext.Target, _ bindings: BindingSet?, to context: ResponseContext
  ) {
    let isPresent = isPresent(routed.hop, in: bindings, as: routed.identity)
    let target = isPresent ? nil : successor(of: routed, context, bindings)
    context.targets.append(target ?? routed)
  }

  /// Whether one of the bindings with an identity is reached by a hop.
  func isPresent(_ hop: NextHop, in bindings: BindingSet?, as identity: BindingIdentity) -> Bool {
    let meant = bindings?.successors(of: identity, hashing: hashing) ?? []
    return meant.contains { $0.flow.id == hop.flow || nextHop(of: $0)?.destination == hop.destination }
  }

  private func successor(
    of gone: ResponseContext.Target, _ context: ResponseContext, _ bindings: BindingSet?
  ) -> ResponseContext.Target? {
    guard let bindings, let server = transactions.server(context.server) else { return nil }
    let isSecure = (try? server.request.requestURI())?.scheme == .sips
    for binding in bindings.successors(of: identity(of: gone), hashing: hashing) {
      // RFC 5630 §5.3: a sips contact is reached by TLS also where it isn't the Request-URI.
      guard var found = target(of: binding) else { continue }
      if !isSecure {
        guard let allowed = admitted(found, isSecure: false) else { continue }
        found = allowed
      }
      if gone.origin == .token {
        // Within a dialog the Request-URI is the remote target, whatever contact is registered.
        found = ResponseContext.Target(
          uri: gone.uri, hop: found.hop, q: gone.q, lastRoute: gone.lastRoute, route: found.route,
          fallback: found.fallback)
      }
      guard var next = admitted(found, isSecure: isSecure) else { continue }
      // Neither what was tried nor what waits for its turn.
      if context.targets.contains(where: { $0.hop.destination == next.hop.destination }) { continue }
      next.origin = .successor
      return next
    }
    return nil
  }

  /// RFC 3261 §16.9 says as if 503. A flow that is gone means that its owner can't be reached for now; a proxy that sent its request by a token
  /// of ours learns that it is this flow (RFC 5626 §5.3.1), an endpoint doesn't (RFC 5626 §11.5).
  private func unreachedStatus(_ context: ResponseContext, _ target: ResponseContext.Target) -> Int {
    guard target.hop.flow != nil || target.origin == .successor else { return 503 }
    return isTokenOfProxy(context) ? 430 : 480
  }

  /// Whether the request came from another proxy by way of a token of ours.
  private func isTokenOfProxy(_ context: ResponseContext) -> Bool {
    guard context.targets.first?.origin == .token, let server = transactions.server(context.server) else {
      return false
    }
    return hasPassedProxy(server.request)
  }

  /// The status that goes back for a response that came: 430 is for proxies (RFC 5626 §11.5).
  func isForProxiesOnly(_ status: Int, _ context: ResponseContext) -> Bool {
    guard status == 430, let server = transactions.server(context.server) else { return false }
    return !hasPassedProxy(server.request)
  }
}

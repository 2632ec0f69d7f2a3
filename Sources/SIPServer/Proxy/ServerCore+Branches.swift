import SIPMessage
import SIPTransaction
import Structures

/// What happens to the branches of a request besides responses: CANCEL (RFC 3261 §16.10), Timer C (§16.8), transport errors (§16.9), the end.
extension ServerCore {
  // MARK: CANCEL

  /// RFC 3261 §16.10: cancels every branch of an INVITE that has no final response. `reason` is the CANCEL that came, whose Reason goes on
  /// (RFC 3326 §2); without it the call was taken elsewhere.
  func cancelPending(_ context: ResponseContext, reason: Message?, _ now: Instant, _ actions: inout ServerActions) {
    guard context.isInvite, context.pendingCount > 0 else { return }
    for index in context.branches.indices
    where context.branches[index].isPending && !context.branches[index].isCancelled {
      context.branches[index].isCancelled = true
      guard let client = transactions.client(context.branches[index].client) else { continue }
      // RFC 3261 §9.1: not before a provisional response; the branch remembers.
      if client.isProceeding { sendCancel(context, index, client, reason, now, &actions) }
    }
  }

  func sendCancel(
    _ context: ResponseContext, _ index: Int, _ invite: ClientTransaction, _ reason: Message?, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    guard !invite.isCancelSent else { return }
    scratch.clear()
    if let reason {
      let bytes = reason.bytes
      reason.forEach(.reason) { line, value in
        scratch.append(bytes.span.extracting(Int(reason.fields[line].start)..<Int(value.end)))
        scratch.append("\r\n")
        return true
      }
    } else if context.isAnswered {
      scratch.append("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n")
    }
    let lines = scratch
    transactions.cancel(invite, reason: lines.span, at: now, outbox: &actions.outbox)
    // RFC 3261 §9.1: if no final response comes within 64*T1 the INVITE counts as cancelled.
    context.branches[index].deadline = now.adding(nanoseconds: settings.timers.timeoutNanoseconds)
    scheduleTimerC(context)
  }

  // MARK: Time and failures

  func scheduleTimerC(_ context: ResponseContext) {
    var earliest = Instant.distantFuture
    for branch in context.branches where branch.isPending { earliest = min(earliest, branch.deadline) }
    if earliest == .distantFuture {
      contextTimers.cancel(context.handle.index)
    } else {
      contextTimers.schedule(context.handle.index, at: earliest)
    }
  }

  /// RFC 3261 §16.8: a branch rang for too long: it is cancelled; one that never answered, or doesn't answer the CANCEL, is given up.
  func expire(_ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions) {
    for index in context.branches.indices
    where context.branches[index].isPending && context.branches[index].deadline <= now {
      guard let client = transactions.client(context.branches[index].client) else { continue }
      if client.isProceeding, !context.branches[index].isCancelled {
        context.branches[index].isCancelled = true
        sendCancel(context, index, client, nil, now, &actions)
      } else {
        settle(context, index)
        keepBetter(context, local: 408)
        transactions.abandon(client, at: now, outbox: &actions.outbox)
      }
    }
    scheduleTimerC(context)
    completeIfDone(context, now, &actions)
  }

  /// What a transaction reported.
  func handle(_ event: TransactionLayer.Event, _ now: Instant, _ actions: inout ServerActions) {
    switch event {
    case .timeout(let client) where client.keepsAlive != nil,
      .transportFailed(let client) where client.keepsAlive != nil:
      if let handle = client.keepsAlive { keepAliveMissed(handle, &actions) }
    case .timeout(let client):
      failed(client, with: 408, now, &actions)
    case .transportFailed(let client) where client.isCancel:
      // The branch can't be told; nothing is left to wait for.
      guard let context = contexts[client.context], client.branch < context.branches.count,
        context.branches[client.branch].isPending
      else { return }
      context.branches[client.branch].deadline = now
      expire(context, now, &actions)
    case .transportFailed(let client):
      unreached(client, now, &actions)
    case .flowSuspected(let client):
      // Should the request arrive after all, its branch is cancelled at the first sign of life.
      if !client.isCancel, let context = contexts[client.context], client.branch < context.branches.count {
        context.branches[client.branch].isCancelled = true
      }
      handle(.transportFailed(client), now, &actions)
    case .clientEnded(let client):
      guard !client.isCancel, let context = contexts[client.context] else { return }
      context.liveClients -= 1
      releaseIfOver(context)
    case .serverEnded(let server):
      if server.request.method == .register { forgetRegister(server) }
      guard let context = contexts[server.context] else { return }
      context.isServerEnded = true
      releaseIfOver(context)
    }
  }

  /// A branch got no answer in time.
  private func failed(_ client: ClientTransaction, with status: Int, _ now: Instant, _ actions: inout ServerActions) {
    guard let context = pendingContext(of: client) else { return }
    settle(context, client.branch)
    if !tryNextFlow(context, client.branch, now, &actions) { keepBetter(context, local: status) }
    scheduleTimerC(context)
    completeIfDone(context, now, &actions)
  }

  private func pendingContext(of client: ClientTransaction) -> ResponseContext? {
    guard !client.isCancel, let context = contexts[client.context], client.branch < context.branches.count,
      context.branches[client.branch].isPending
    else { return nil }
    return context
  }

  private func releaseIfOver(_ context: ResponseContext) {
    guard context.isServerEnded, context.liveClients == 0 else { return }
    if case .received(let message, _) = context.best { transactions.pool.put(message) }
    context.best = .none
    contextTimers.cancel(context.handle.index)
    contexts.remove(context.handle)
    if spareContexts.count < 4_096 { spareContexts.append(context) }
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// What happens to the branches of a request besides responses: CANCEL (RFC 3261 §16.10), Timer C (§16.8), transport errors (§16.9), the end.
extension ServerCore {
  // MARK: CANCEL

  /// RFC 3261 §16.10: cancels every branch of an INVITE that has no final response. `reason` is the CANCEL that came, whose Reason goes on
  /// (RFC 3326 §2), also to the branches that can't be cancelled yet; without it the call was taken elsewhere.
  func cancelPending(_ context: ResponseContext, reason: Message?, _ now: Instant, _ actions: inout ServerActions) {
    guard context.isInvite, context.pendingCount > 0 else { return }
    if context.cancelReason.isEmpty { keepReason(context, reason) }
    for index in context.branches.indices
    where context.branches[index].isPending && !context.branches[index].isCancelled {
      context.branches[index].isCancelled = true
      guard let client = transactions.client(context.branches[index].client) else { continue }
      // RFC 3261 §9.1: not before a provisional response; the branch remembers.
      if client.isProceeding { sendCancel(context, index, client, now, &actions) }
    }
  }

  private func keepReason(_ context: ResponseContext, _ cancel: Message?) {
    guard let cancel else {
      if context.isAnswered {
        context.cancelReason.append("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n")
      }
      return
    }
    let bytes = cancel.bytes
    cancel.forEach(.reason) { line, value in
      context.cancelReason.append(bytes.span.extracting(Int(cancel.fields[line].start)..<Int(value.end)))
      context.cancelReason.append("\r\n")
      return true
    }
  }

  func sendCancel(
    _ context: ResponseContext, _ index: Int, _ invite: ClientTransaction, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    guard !invite.isCancelSent else { return }
    let lines = context.cancelReason
    transactions.cancel(invite, reason: lines.span, at: now, outbox: &actions.outbox)
    // RFC 3261 §9.1: if no final response comes within 64*T1 the INVITE counts as cancelled.
    context.branches[index].deadline = now.adding(nanoseconds: settings.timers.timeoutNanoseconds)
    scheduleTimerC(context)
  }

  // MARK: Time and failures

  func scheduleTimerC(_ context: ResponseContext) {
    var earliest = Instant.distantFuture
    for branch in context.branches { earliest = min(earliest, branch.deadline) }
    if earliest == .distantFuture {
      contextTimers.cancel(context.handle.index)
    } else {
      contextTimers.schedule(context.handle.index, at: earliest)
    }
  }

  /// RFC 3261 §16.8: a branch rang for too long: it is cancelled; one that never answered, or doesn't answer the CANCEL, is given up. One that was
  /// given up already and answered provisionally later has its CANCEL to wait for as well.
  func expire(_ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions) {
    for index in context.branches.indices
    where context.branches[index].deadline <= now {
      guard let client = transactions.client(context.branches[index].client) else {
        // Its end is reported by an event of its own.
        context.branches[index].deadline = .distantFuture
        continue
      }
      if client.isProceeding, !context.branches[index].isCancelled {
        context.branches[index].isCancelled = true
        sendCancel(context, index, client, now, &actions)
      } else {
        if context.branches[index].isPending { keepBetter(context, local: 408) }
        settle(context, index)
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
    case .flowSuspected(let client) where client.isCancel:
      // RFC 3261 §9.1: the INVITE waits for its answer as long as if the CANCEL had arrived.
      break
    case .flowSuspected(let client):
      // Should the request arrive after all, its branch is cancelled at the first sign of life.
      if let context = contexts[client.context], client.branch < context.branches.count {
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
      if context.liveClients > 0 { context.lateDestination = server.destination }
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

import SIPMessage
import SIPTransaction
import Structures

/// Response processing (RFC 3261 §16.7).
extension ServerCore {
  func receivedResponse(_ message: Message, _ flow: Flow, _ now: Instant, _ actions: inout ServerActions) {
    statistics.responsesReceived &+= 1
    let bytes = message.bytes
    // RFC 3261 §18.1.2: what wasn't sent by one of our names isn't the answer to anything of ours.
    guard message.check() == nil, let via = try? message.topVia(), settings.isSentBy(via, bytes.span) else {
      statistics.malformed &+= 1
      drop(message)
      return
    }
    switch transactions.received(message, via: via, at: now, outbox: &actions.outbox) {
    case .stray: drop(message)
    case .elsewhere(let slot, let generation):
      pass(message, flow, to: slot, generation, &actions)
      transactions.pool.put(message)
    case .absorbed: transactions.pool.put(message)
    case .deliver(let client):
      if let handle = client.keepsAlive { keepAliveAnswered(handle) }
      guard !client.isCancel, let context = contexts[client.context], client.branch < context.branches.count else {
        transactions.pool.put(message)
        return
      }
      if isForSomebodyElse(message, via) {
        received(message, via, for: client, context, now, &actions)
      } else {
        receivedForNobody(message.status, client, context, now, &actions)
        drop(message)
      }
    }
  }

  /// RFC 3261 §16.7 step 3: the callee has taken off the Vias below ours, so that nobody is left to forward its response to. The caller
  /// needn't wait for another: what ends the branch is a bad response of a gateway (RFC 3261 §21.5.3).
  private func receivedForNobody(
    _ status: Int, _ client: ClientTransaction, _ context: ResponseContext, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    statistics.malformed &+= 1
    if status < 200 {
      provisional(context, client, status, now, &actions)
    } else if context.branches[client.branch].isPending {
      settle(context, client.branch)
      keepBetter(context, local: 502)
      completeIfDone(context, now, &actions)
    }
  }

  /// RFC 3261 §16.7 step 3: whether a Via is left below ours, which the answer to a request of our own need not have: to a CANCEL, and to an
  /// OPTIONS that keeps a client alive.
  private func isForSomebodyElse(_ message: Message, _ via: Via) -> Bool {
    guard let first = message.value(of: .via), via.range.end == first.end else { return true }
    var count = 0
    message.forEach(.via) { _, _ in
      count += 1
      return count < 2
    }
    guard count < 2, let cseq = try? message.cseq() else { return true }
    let bytes = message.bytes
    let method = bytes.span.extracting(cseq.method.positions)
    return method.equals("CANCEL") || method.equals("OPTIONS") && transactions.isKeepAlive(message, via: via)
  }

  /// A response that a branch's transaction lets through; takes the message.
  private func received(
    _ message: Message, _ via: Via, for client: ClientTransaction, _ context: ResponseContext, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    let status = message.status
    switch status {
    case 100:
      provisional(context, client, status, now, &actions)
      transactions.pool.put(message)
    case 101..<200:
      provisional(context, client, status, now, &actions)
      // RFC 3261 §16.7 step 5; RFC 4320 §4.1: a non-INVITE request gets no provisional response but 100.
      if !context.isAnswered, context.isInvite, context.branches[client.branch].isPending {
        forward(message, via, context, now, &actions)
      }
      transactions.pool.put(message)
    case 200..<300:
      settle(context, client.branch)
      // Every 2xx to INVITE goes back at once, also after another final response; to other methods only the first.
      if context.isInvite || !context.isAnswered { forward(message, via, context, now, &actions) }
      transactions.pool.put(message)
      context.isAnswered = true
      context.isStopped = true
      cancelPending(context, reason: nil, now, &actions)
      completeIfDone(context, now, &actions)
    default:
      settle(context, client.branch)
      if status == 408 || status == 430, tryNextFlow(context, client.branch, now, &actions) {
        transactions.pool.put(message)
      } else if status < 400, follow(message, context, now, &actions) {
        transactions.pool.put(message)
      } else {
        keepBetter(context, message, via)
      }
      if status >= 600 {
        context.isStopped = true
        cancelPending(context, reason: nil, now, &actions)
      }
      completeIfDone(context, now, &actions)
    }
  }

  /// A branch is known to be worked on: Timer C starts anew (RFC 3261 §16.7 step 2), and a CANCEL that waited for this goes out.
  private func provisional(
    _ context: ResponseContext, _ client: ClientTransaction, _ status: Int, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    guard context.isInvite else { return }
    if context.branches[client.branch].isCancelled {
      sendCancel(context, client.branch, client, now, &actions)
    } else if status > 100 {
      context.branches[client.branch].deadline = now + settings.timerC
      scheduleTimerC(context)
    }
  }

  /// A branch has its final response.
  func settle(_ context: ResponseContext, _ branch: Int) {
    context.branches[branch].deadline = .distantFuture
    guard context.branches[branch].isPending else { return }
    context.branches[branch].isPending = false
    context.pendingCount -= 1
  }

  // MARK: Choosing

  /// RFC 3261 §16.7 step 6: any 6xx, else the lowest class, within it what tells the caller most.
  private func keepBetter(_ context: ResponseContext, _ message: Message, _ via: Via) {
    if case .none = context.best {
      context.best = .received(message, via)
    } else if Self.rank(message.status) < Self.rank(context.best) {
      if case .received(let other, _) = context.best { discard(other, context) }
      context.best = .received(message, via)
    } else {
      discard(message, context)
    }
  }

  /// RFC 3261 §16.7 step 7: the challenges of a response that isn't the best go along with it, if it brings challenges too.
  private func discard(_ message: Message, _ context: ResponseContext) {
    if message.status == 401 || message.status == 407 {
      let bytes = message.bytes
      for index in message.fields.indices
      where message.fields[index].name == .wwwAuthenticate || message.fields[index].name == .proxyAuthenticate {
        let start = Int(message.fields[index].start)
        context.challenges.append(bytes.span.extracting(start..<Int(message.fields[index].value.end)))
        context.challenges.append("\r\n")
      }
    }
    transactions.pool.put(message)
  }

  func keepBetter(_ context: ResponseContext, local status: Int) {
    if case .none = context.best {
      context.best = .local(status: status)
    } else if Self.rank(.local(status: status)) < Self.rank(context.best) {
      if case .received(let other, _) = context.best { transactions.pool.put(other) }
      context.best = .local(status: status)
    }
  }

  /// What a target said of itself tells the caller more than that another can't be reached.
  private static func rank(_ best: ResponseContext.Best) -> Int {
    if case .local(480) = best { return 4_800 }
    if case .local(430) = best { return 4_800 }
    return rank(best.status)
  }

  private static func rank(_ status: Int) -> Int {
    switch status {
    case 600...: 0
    case 401, 407, 415, 420, 484: status / 100 * 1_000
    case 503: 5_999
    case 408, 487: 4_900
    default: status / 100 * 1_000 + 100
    }
  }

  /// Goes on when no branch is pending: to the next targets, or to the caller with the best response.
  func completeIfDone(_ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions) {
    guard !context.isAnswered else { return }
    if hasBreadthForMore(context) {
      tryTargets(context, now, &actions)
      return
    }
    guard context.pendingCount == 0, context.openQueries == 0 else { return }
    if !context.isStopped, context.nextTarget < context.targets.count {
      tryTargets(context, now, &actions)
      return
    }
    context.isAnswered = true
    guard let server = transactions.server(context.server) else { return }
    switch context.best {
    case .received(let message, _) where isForProxiesOnly(message.status, context):
      transactions.pool.put(message)
      respond(server, 480, now, &actions)
    case .received(let message, let via) where message.status != 503:
      forward(message, via, context, now, &actions)
      transactions.pool.put(message)
    case .received(let message, _):
      // RFC 3261 §16.7 step 6: a 503 says only that one server is overloaded.
      transactions.pool.put(message)
      respond(server, 500, now, &actions)
    case .local(408) where context.isStopped:
      respond(server, 487, now, &actions)
    case .local(let status):
      // RFC 4320 §4.2: a non-INVITE request that timed out gets no answer: it would come too late.
      let isElsewhere = status == 503 && !context.isOverloaded
      if status != 408 || context.isInvite { respond(server, isElsewhere ? 500 : status, now, &actions) }
    case .none:
      if context.isInvite { respond(server, context.isStopped ? 487 : 480, now, &actions) }
    }
    context.best = .none
  }

  /// Sends a response of our own through the transaction.
  func respond(
    _ server: ServerTransaction, _ status: Int, warning: SIPSWarning? = nil, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    let start = actions.outbox.octets.count
    let tag = status == 100 ? nil : localTag(server.request)
    ResponseWriter.append(
      status, StatusCode.reason(status), to: server.request, via: server.via, source: server.source, toTag: tag,
      into: &actions.outbox.octets)
    if let warning { appendWarning(warning, server.source, to: &actions.outbox.octets) }
    ResponseWriter.end(body: 0, into: &actions.outbox.octets)
    statistics.responsesMade[status / 100] &+= 1
    leadBack(server)
    transactions.respond(server, status: status, from: start, at: now, outbox: &actions.outbox)
  }

  /// RFC 3261 §16.7 steps 3, 8, 9: the response without our Via, over the transaction of the request.
  private func forward(
    _ message: Message, _ via: Via, _ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions
  ) {
    let server = transactions.server(context.server)
    guard server != nil || isLate(message, context), let index = message.firstIndex(of: .via) else { return }
    let start = actions.outbox.octets.count
    let bytes = message.bytes
    let text = bytes.span
    let field = message.fields[index]
    var edits = IdentityEdits()
    if message.names.meets(settings.identity.concerned) {
      // Nothing is known any more of who sent a request whose transaction is over.
      edits = identityEdits(message, to: server.map { audience(of: $0, context) } ?? .stranger)
    }
    actions.outbox.octets.append("SIP/2.0 ")
    actions.outbox.octets.append(decimal: UInt64(message.status))
    actions.outbox.octets.append(" ")
    actions.outbox.octets.append(text.extracting(message.reasonRange.positions))
    actions.outbox.octets.append("\r\n")
    if via.range.end < field.value.end {
      // More values stand on the line: the first goes with its comma.
      var rest = Int(via.range.end)
      while rest < Int(field.value.end), text[rest] != UInt8(ascii: ",") { rest += 1 }
      edits.appendHeader(message, text, message.headersStart..<Int(field.value.start), to: &actions.outbox.octets)
      edits.appendHeader(
        message, text, min(rest + 1, Int(field.value.end))..<message.headersEnd, to: &actions.outbox.octets)
    } else {
      edits.appendHeader(message, text, message.headersStart..<Int(field.start), to: &actions.outbox.octets)
      edits.appendHeader(
        message, text, message.end(ofFieldAt: index)..<message.headersEnd, to: &actions.outbox.octets)
    }
    if message.status == 401 || message.status == 407 { actions.outbox.octets += context.challenges }
    if !message.has(.contentLength) {
      actions.outbox.octets.append("Content-Length: ")
      actions.outbox.octets.append(decimal: UInt64(message.body.count))
      actions.outbox.octets.append("\r\n")
    }
    actions.outbox.octets.append("\r\n")
    actions.outbox.octets.append(text.extracting(message.body.positions))
    statistics.responsesForwarded &+= 1
    guard let server else {
      actions.outbox.transmit(from: start, to: context.lateDestination, tag: 0)
      return
    }
    leadBack(server)
    transactions.respond(server, status: message.status, from: start, at: now, outbox: &actions.outbox)
  }

  /// RFC 3261 §16.7 step 9: whether a response is a 2xx to an INVITE whose server transaction is over: it goes back without one.
  private func isLate(_ message: Message, _ context: ResponseContext) -> Bool {
    context.isInvite && context.isServerEnded && (200..<300).contains(message.status)
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// Keeps what is registered over flows within reach: NAT bindings of UDP clients are kept open, contacts that answer no more are given up, and
/// connections that die without a word are found out (RFC 5626 §4.4, RFC 5626 §5.3.1).
extension ServerCore {
  // MARK: Flows in doubt

  /// What was sent over a connection is not acknowledged. Requests over it without any response fail at once, so that the next flow is tried
  /// or the caller hears of it; the connection and what is registered over it stay. Comes again while more is sent in vain.
  public func flowSuspected(_ flow: StreamFlow, at now: Instant, actions: inout ServerActions) {
    suspects.insert(.stream(flow))
    transactions.flowSuspected(flow)
    endInput(now, &actions)
  }

  /// A connection that was in doubt lives.
  public func flowRecovered(_ flow: StreamFlow) {
    suspects.remove(.stream(flow))
  }

  /// Whether a flow seems to be dead, so that others of the same instance come before it.
  public func isSuspect(_ flow: FlowID) -> Bool { !suspects.isEmpty && suspects.contains(flow) }

  /// The next process of the slot keeps clients within reach from now on.
  public func stopKeepingAlive(at now: Instant) {
    keepAlives = KeepAliveSchedule(start: now)
    _ = owned.takeNewcomers()
  }

  /// This process keeps clients within reach after all.
  public func keepAliveAgain() { owned.nameDatagramsAnew() }

  // MARK: UDP clients

  /// How many bindings one input keeps alive at most; the others come with the next, at once.
  private static let keepAlivesPerInput = 64

  /// Bindings came up that may have to be kept alive: each gets a place in the interval at random, so that they never come in a burst.
  func scheduleKeepAlives(_ now: Instant) {
    for handle in owned.takeNewcomers() {
      guard let entry = owned[handle], settings.keepAlive.applies(to: entry.binding) else { continue }
      let phase = hashing.randomWord() % UInt64(max(1, settings.keepAlive.interval.nanoseconds))
      keepAlives.start(handle, name: Self.name(entry), at: now.adding(nanoseconds: Int64(phase)))
    }
  }

  /// Sends what is due.
  func sendKeepAlives(_ now: Instant, _ actions: inout ServerActions) {
    for _ in 0..<Self.keepAlivesPerInput {
      guard let handle = keepAlives.popExpired(now) else { return }
      // It may have been switched off meanwhile.
      guard let entry = owned[handle], settings.keepAlive.applies(to: entry.binding) else {
        keepAlives.stop(handle)
        continue
      }
      keepAlives.schedule(handle, at: now + settings.keepAlive.interval)
      switch settings.keepAlive.method {
      case .lineBreaks:
        keepAlives.passedUnanswerable(handle)
        let start = actions.outbox.octets.count
        actions.outbox.octets.append("\r\n\r\n")
        actions.outbox.transmit(from: start, to: .flow(entry.binding.flow.id), tag: 0)
        statistics.keepAlivesSent &+= 1
      case .options:
        if let transaction = keepAlives.openTransaction(handle) {
          transactions.forget(transaction)
          if giveUp(handle, after: keepAlives.missed(handle), &actions) { continue }
        }
        sendOptions(handle, entry, now, &actions)
      }
    }
  }

  /// RFC 3261 §11.1: outside of a dialog, in the name of the domain.
  private func sendOptions(
    _ handle: SlotHandle, _ entry: OwnedBindings.Entry, _ now: Instant, _ actions: inout ServerActions
  ) {
    let (uri, flow) = (entry.binding.uri, entry.binding.flow)
    guard Int(flow.listener) < settings.listeners.count else { return }
    let client = transactions.prepareClient(keepingAlive: handle)
    keepAlives.asked(handle, by: client.handle)
    let domain = entry.aor[((entry.aor.lastIndex(of: UInt8(ascii: "@")) ?? -1) + 1)...]
    let start = actions.outbox.octets.count
    var output: [UInt8] = []
    swap(&output, &actions.outbox.octets)
    output.append("OPTIONS ")
    output.append(uri.span)
    output.append(" SIP/2.0\r\nVia: SIP/2.0/UDP ")
    output += settings.listeners[Int(flow.listener)].sentBy
    output.append(";branch=")
    branchText(client.handle).append(to: &output, hashing: hashing)
    output.append("\r\nMax-Forwards: 70\r\nFrom: <sip:")
    output += domain
    output.append(">;tag=")
    ResponseWriter.appendTag(hashing.randomWord(), to: &output)
    output.append("\r\nTo: <")
    output.append(uri.span)
    output.append(">\r\nCall-ID: ")
    ResponseWriter.appendTag(hashing.randomWord(), to: &output)
    output.append("\r\nCSeq: 1 OPTIONS\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n")
    swap(&output, &actions.outbox.octets)
    statistics.keepAlivesSent &+= 1
    transactions.start(
      client, method: .options, from: start, to: .flow(flow.id), isReliable: false, at: now, outbox: &actions.outbox)
  }

  /// A client answered what kept it alive: whatever the answer is, it lives.
  func keepAliveAnswered(_ handle: SlotHandle) { keepAlives.answered(handle) }

  /// A client gave no answer.
  func keepAliveMissed(_ handle: SlotHandle, _ actions: inout ServerActions) {
    _ = giveUp(handle, after: keepAlives.missed(handle), &actions)
  }

  /// Nobody is at a datagram peer's port: whoever is registered from there missed one.
  func noteRefusal(_ flow: DatagramFlow, _ actions: inout ServerActions) {
    if keepAlives.count == 0 { return }
    for handle in owned.handles(over: .datagram(flow)) {
      _ = giveUp(handle, after: keepAlives.refused(handle), &actions)
    }
  }

  /// The contact is removed if it still is that flow's: the client may have registered again from elsewhere. Returns whether that was ordered.
  private func giveUp(_ handle: SlotHandle, after missed: Int, _ actions: inout ServerActions) -> Bool {
    let limit = settings.keepAlive.removeAfter
    guard limit > 0, missed >= limit, let entry = owned.remove(handle) else { return false }
    keepAlives.stop(handle)
    actions.questions.append(.remove(aor: entry.aor, flow: entry.binding.flow.id))
    statistics.contactsGivenUp &+= 1
    return true
  }

  /// The same for a binding over whatever flow.
  private static func name(_ entry: OwnedBindings.Entry) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(entry.aor)
    hasher.combine(entry.identity)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

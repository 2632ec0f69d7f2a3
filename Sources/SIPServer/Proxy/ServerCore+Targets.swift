import SIPMessage
import SIPTransaction
import Structures

/// The target set from what is registered (RFC 3261 §16.5, RFC 5626 §7, RFC 5627 §6.1).
extension ServerCore {
  /// The bindings are known: they are the target set, in the order of q.
  func foundTargets(
    _ handle: SlotHandle, _ bindings: BindingSet?, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard let context = contexts[handle], let server = transactions.server(context.server) else { return }
    guard !context.isStopped else {
      completeIfDone(context, now, &actions)
      return
    }
    let isSecure = (try? server.request.requestURI())?.scheme == .sips
    if context.gruu == nil, let routed = context.routed {
      addTarget(insteadOf: routed, bindings, to: context)
    } else if let gruu = context.gruu {
      addTargets(of: gruu, bindings, to: context, isSecure: isSecure)
    } else {
      if let bindings { addTargets(bindings.bindings, to: context, isSecure: isSecure) }
      addStaticTargets(to: context, isSecure: isSecure)
    }
    if context.targets.isEmpty, let warning = context.warning {
      context.isAnswered = true
      respond(server, 480, warning: warning, now, &actions)
    } else if context.targets.isEmpty, askForExistence(context, bindings, now, &actions) {
      return
    } else if context.targets.isEmpty {
      context.best = .local(status: statusWithoutTarget(context, bindings))
      completeIfDone(context, now, &actions)
    } else {
      tryTargets(context, now, &actions)
    }
  }

  /// RFC 5626 §7: of several bindings of one instance only one is a target at a time; the others wait for it to fail. Flows that seem dead come
  /// last.
  func addTargets(_ bindings: [Binding], to context: ResponseContext, isSecure: Bool) {
    var hasSuspects = false
    for binding in bindings {
      if isSuspect(binding.flow.id) { hasSuspects = true } else { addTarget(binding, to: context, isSecure: isSecure) }
    }
    guard hasSuspects else { return }
    for binding in bindings where isSuspect(binding.flow.id) { addTarget(binding, to: context, isSecure: isSecure) }
  }

  private func addTarget(_ binding: Binding, to context: ResponseContext, isSecure: Bool) {
    guard let found = target(of: binding), let target = admit(found, to: context, isSecure: isSecure) else { return }
    if let instance = target.instance, context.targets.contains(where: { $0.instance == instance }) {
      context.spares.append(target)
    } else {
      add(target, to: context)
    }
  }

  /// Like ``admitted(_:isSecure:)``, and notes why a target isn't.
  private func admit(
    _ target: ResponseContext.Target, to context: ResponseContext, isSecure: Bool
  ) -> ResponseContext.Target? {
    if let target = admitted(target, isSecure: isSecure) { return target }
    context.warning = Self.warning(isSecure: isSecure)
    return nil
  }

  private func add(_ target: ResponseContext.Target, to context: ResponseContext) {
    guard context.targets.count < settings.maxBranches else { return }
    if let last = context.targets.last, last.q < target.q {
      let position = context.targets.lastIndex { $0.q >= target.q }.map { $0 + 1 } ?? 0
      context.targets.insert(target, at: position)
    } else {
      context.targets.append(target)
    }
  }

  /// Contacts that stand in the configuration, for gateways that don't register.
  private func addStaticTargets(to context: ResponseContext, isSecure: Bool) {
    let record = context.record
    for contact in settings.staticContacts(for: record.span) {
      let text = contact.uri
      guard let uri = try? SIPURI(text.span, ByteRange(0, text.count)), let hop = address(of: uri, text.span),
        let target = admit(
          ResponseContext.Target(uri: contact.uri, hop: hop, q: contact.q), to: context, isSecure: isSecure)
      else { continue }
      add(target, to: context)
    }
  }

  /// The bindings that a GRUU means, that one first which hangs on the flow of the request's token. Where Route leads to somebody else, it goes
  /// there, with the contact as Request-URI; the Path doesn't count then (RFC 5627 §6.1). A client that is not registered any more is still
  /// reached within its dialogs.
  private func addTargets(of gruu: GRUU, _ bindings: BindingSet?, to context: ResponseContext, isSecure: Bool) {
    var meant = bindings?.bindings.filter { gruu.matches($0) } ?? []
    guard let routed = context.routed else {
      addTargets(meant, to: context, isSecure: isSecure)
      return
    }
    if routed.origin == .token {
      if let same = meant.firstIndex(where: { $0.flow.id == routed.hop.flow }) {
        meant.insert(meant.remove(at: same), at: 0)
      } else if !meant.contains(where: { BindingIdentity($0, hashing: hashing) == routed.identity }) {
        // The token is somebody else's: it leads where it leads, and nowhere else.
        meant = []
      }
      addTargets(meant, to: context, isSecure: isSecure)
      if context.targets.isEmpty, context.warning == nil,
        let target = admit(routed, to: context, isSecure: isSecure)
      {
        context.targets.append(target)
      }
      return
    }
    for binding in meant where context.targets.isEmpty {
      let contact = requestURI(of: binding)
      let target =
        routed.lastRoute.isEmpty
        ? ResponseContext.Target(uri: contact, hop: routed.hop, q: routed.q)
        : ResponseContext.Target(uri: routed.uri, hop: routed.hop, q: routed.q, lastRoute: contact)
      if let target = admit(target, to: context, isSecure: isSecure) { context.targets.append(target) }
    }
  }

  // MARK: Nobody there

  /// 404 for a user that there isn't, 480 for one that isn't registered (RFC 3261 §16.5, RFC 5627 §6.1).
  func statusWithoutTarget(_ context: ResponseContext, _ bindings: BindingSet?) -> Int {
    let record = context.record
    let isUncertain = [.unknown, .away].contains(readiness(of: record.span))
    let isKnown =
      bindings?.isEmpty == false || isKnownUser(record.span) || isUncertain
      || !settings.staticContacts(for: record.span).isEmpty
    return context.gruu?.statusWithoutBinding(in: bindings, isKnownUser: isKnown) ?? (isKnown ? 480 : 404)
  }

  /// Whether the users have the user of an address of record, given as its key.
  func isKnownUser(_ record: Span<UInt8>) -> Bool {
    guard let at = record.indices.last(where: { record[$0] == UInt8(ascii: "@") }) else { return false }
    let (user, domain) = (record.extracting(0..<at), record.extracting(at + 1..<record.count))
    let users = settings.domain(domain).map { directory(of: $0) } ?? users
    var hash: [UInt8] = []
    for algorithm in HashAlgorithm.allCases
    where users.appendHA1(domain: domain, user: user, algorithm: algorithm, to: &hash) { return true }
    return false
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// Recursion on 3xx responses (RFC 3261 §16.7 step 4).
extension ServerCore {
  /// Where one Contact of a 3xx leads.
  private enum Place {
    /// To an address.
    case target(ResponseContext.Target)
    /// To a user of ours, given as the key of the address of record.
    case record([UInt8])
    /// Where the request went or goes already.
    case known
  }

  /// Makes the contacts of a 3xx targets, if all can be reached: a part of them would have to be taken out of a response that goes on. Only for
  /// requests whose targets were ours to choose (RFC 3261 §16.5). False when the response is to be treated like any other.
  func follow(
    _ message: Message, _ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions
  ) -> Bool {
    guard settings.followsRedirects, !context.record.isEmpty, context.gruu == nil, !context.isStopped,
      !context.isAnswered, message.status != 305, message.status != 380,
      let server = transactions.server(context.server), let places = places(in: message, context, server)
    else { return false }
    for (place, q) in places {
      switch place {
      case .known: break
      case .target(let target):
        if context.targets.count < 2 * settings.maxBranches { addLater(target, to: context) }
      case .record(let key):
        guard context.redirectedTo.count < settings.maxBranches else { continue }
        context.redirectedTo.append(key)
        context.openQueries += 1
        ask(open(.redirected(context: context.handle, q: q), now), key: key.span, &actions)
      }
    }
    tryAddedTargets(context, now, &actions)
    return true
  }

  /// Where the Contacts of a 3xx lead, with their q in thousandths; nil unless each leads somewhere and there is one.
  private func places(
    in message: Message, _ context: ResponseContext, _ server: ServerTransaction
  ) -> [(Place, q: UInt16)]? {
    let bytes = message.bytes
    let text = bytes.span
    let isSecure = (try? server.request.requestURI())?.scheme == .sips
    var places: [(Place, q: UInt16)] = []
    var values = ValueIterator(.contact, in: message)
    while let (value, _) = values.next(text) {
      guard places.count < settings.maxBranches, let contact = try? NameAddress(text, value), contact.uri.isSIP,
        // RFC 5630 §5.3
        isSecure == (contact.uri.scheme == .sips)
      else { return nil }
      let q = contact.parameter("q", in: text).flatMap {
        RegistrationRequest.thousandths(text.extracting($0.positions))
      }
      guard let place = place(of: contact.uri, text, q ?? 1_000, context, server.source) else { return nil }
      places.append((place, q ?? 1_000))
    }
    return places.isEmpty ? nil : places
  }

  private func place(
    of uri: SIPURI, _ text: Span<UInt8>, _ q: UInt16, _ context: ResponseContext, _ flow: Flow
  ) -> Place? {
    if let domain = domain(of: uri, text, flow) {
      guard uri.user != nil else { return nil }
      var key: [UInt8] = []
      appendKey(uri, domain, text, &key)
      return key == context.record || context.redirectedTo.contains(key) ? .known : .record(key)
    }
    guard let hop = address(of: uri, text) else { return nil }
    var request: [UInt8] = []
    uri.appendRequestURI(text, to: &request)
    let isKnown = context.targets.contains { $0.uri == request }
    return isKnown ? .known : .target(ResponseContext.Target(uri: request, hop: hop, q: q))
  }

  /// The bindings of a user of ours whom a 3xx named are known.
  func foundRedirected(
    _ handle: SlotHandle, _ q: UInt16, _ bindings: BindingSet?, _ now: Instant, _ actions: inout ServerActions
  ) {
    guard let context = contexts[handle] else { return }
    context.openQueries -= 1
    if !context.isStopped, !context.isAnswered, let server = transactions.server(context.server) {
      let isSecure = (try? server.request.requestURI())?.scheme == .sips
      for binding in bindings?.bindings ?? [] where context.targets.count < 2 * settings.maxBranches {
        guard let found = target(of: binding).flatMap({ admitted($0, isSecure: isSecure) }),
          !context.targets.contains(where: { $0.hop.destination == found.hop.destination && $0.uri == found.uri })
        else { continue }
        // One instance is tried over one flow at a time; its others wait.
        if let instance = found.instance, context.targets.contains(where: { $0.instance == instance }) {
          context.spares.append(found)
        } else {
          addLater(found.with(q: q), to: context)
        }
      }
      if context.pendingCount == 0, context.openQueries == 0, context.nextTarget == context.targets.count {
        keepBetter(context, local: 480)
      }
    }
    tryAddedTargets(context, now, &actions)
    completeIfDone(context, now, &actions)
  }

  /// Those that are preferred no less than what is being tried don't wait for it.
  private func tryAddedTargets(_ context: ResponseContext, _ now: Instant, _ actions: inout ServerActions) {
    guard context.pendingCount > 0, context.nextTarget > 0 else { return }
    let present = context.targets[context.nextTarget - 1].q
    while context.nextTarget < context.targets.count, context.targets[context.nextTarget].q >= present {
      let position = context.nextTarget
      tryTargets(context, now, &actions)
      // Without breadth they wait all the same.
      if context.nextTarget == position { return }
    }
  }

  /// Adds a target behind those that were tried and those that are preferred to it.
  private func addLater(_ target: ResponseContext.Target, to context: ResponseContext) {
    var position = context.targets.count
    while position > context.nextTarget, context.targets[position - 1].q < target.q { position -= 1 }
    context.targets.insert(target, at: position)
  }
}

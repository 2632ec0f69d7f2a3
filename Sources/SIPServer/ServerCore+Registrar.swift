import SIPMessage
import SIPTransaction
import Structures

/// REGISTER (RFC 3261 §10.3): the checks before and the answer after what `Registrar/` and `Location/` do.
extension ServerCore {
  /// What is refused whoever asks: a request that came before on another way (RFC 3261 §8.2.2.2), and one that requires what we lack
  /// (RFC 3261 §10.3 step 2). Returns whether the request was answered.
  func refusesRegister(_ inquiry: Inquiry, _ actions: inout ServerActions) -> Bool {
    let message = inquiry.message
    if message.tag(of: .to) == nil, registersUnderWay[localTag(message)] != nil {
      statistics.registrationsRefused &+= 1
      refuse(inquiry, 482, "Merged Request", &actions)
      return true
    }
    guard refusesExtensions(inquiry, &actions) else { return false }
    statistics.registrationsRefused &+= 1
    return true
  }

  /// RFC 3261 §8.2.2.3: refuses a request to the server itself that requires what we lack. Returns whether the request was answered.
  func refusesExtensions(_ inquiry: Inquiry, _ actions: inout ServerActions) -> Bool {
    let bytes = inquiry.message.bytes
    let text = bytes.span
    var tags = ValueIterator(.require, in: inquiry.message)
    while let (tag, _) = tags.next(text) {
      guard !Self.isExtensionOfOurs(text.extracting(tag.positions)) else { continue }
      refuseExtensions(inquiry, .require, unless: Self.isExtensionOfOurs, &actions)
      return true
    }
    return false
  }

  /// What may be required of us: Path (RFC 3327 §4), outbound (RFC 5626 §11.4) and GRUU (RFC 5627 §5.1).
  private static func isExtensionOfOurs(_ tag: Span<UInt8>) -> Bool {
    tag.equalsIgnoringCase("path") || tag.equalsIgnoringCase("outbound") || tag.equalsIgnoringCase("gruu")
  }

  /// A REGISTER whose Request-URI is a domain of ours (RFC 3261 §10.3 step 1); its user part, which shouldn't be there, doesn't count.
  func receivedRegister(_ inquiry: Inquiry, _ now: Instant, _ actions: inout ServerActions) {
    let message = inquiry.message
    let bytes = message.bytes
    guard let to = try? message.to(), to.uri.isSIP else {
      statistics.registrationsRefused &+= 1
      refuse(inquiry, 400, "To Is No SIP URI", &actions)
      return
    }
    guard let domain = registeringDomain(to.uri, inquiry, bytes.span) else {
      statistics.registrationsRefused &+= 1
      refuse(inquiry, 404, &actions)
      return
    }
    let request = RegistrationRequest(
      message, flow: inquiry.flow, settings: settings.registrar, random: hashing.randomWord())
    do {
      let update = try request.update(domain: domain.name.span, now: unixSeconds)
      try checkContacts(of: update, domain)
      let server = transactions.startServer(
        message, via: inquiry.via, from: inquiry.flow,
        respondingTo: responseDestination(message, inquiry.via, inquiry.flow), at: now)
      registersUnderWay[localTag(message)] = server.handle
      let query = open(.registration(server: server.handle, update), now)
      actions.questions.append(.update(query: query.word, update))
    } catch {
      statistics.registrationsRefused &+= 1
      let start = begin(error.status, error.reason, inquiry, &actions)
      error.appendHeaders(to: &actions.outbox.octets)
      finish(inquiry, from: start, error.status, &actions)
    }
  }

  /// RFC 3261 §10.3 step 5: the domain of the address of record, which is the one that the Request-URI names; a Request-URI that names the
  /// node itself, as many phones write it, serves for all domains.
  private func registeringDomain(
    _ to: SIPURI, _ inquiry: Inquiry, _ text: Span<UInt8>
  ) -> ServerSettings.Domain? {
    guard let domain = domain(of: to, text, inquiry.flow) else { return nil }
    let named = settings.domain(text.extracting(inquiry.uri.host.positions))
    return named == nil || named?.name == domain.name ? domain : nil
  }

  /// RFC 5627 §5.1: the contact of an instance is a SIP URI, and neither its address of record nor a GRUU of that.
  private func checkContacts(
    of update: RegistrationUpdate, _ domain: ServerSettings.Domain
  ) throws(RegistrationRefusal) {
    guard case .change(let contacts) = update.operation else { return }
    for contact in contacts where contact.instance != nil && contact.duration > 0 {
      let octets = contact.uri
      guard let uri = try? SIPURI(octets.span, ByteRange(0, octets.count)), uri.isSIP else { throw .unusableContact }
      guard uri.port == nil, settings.domain(octets.span.extracting(uri.host.positions))?.name == domain.name else {
        continue
      }
      var key: [UInt8] = []
      if case .gruu(let gruu) = GRUU.read(uri, in: octets.span, hashing: hashing) {
        gruu.appendKey(domain: domain.name.span, to: &key)
      } else {
        appendKey(uri, domain, octets.span, &key)
      }
      if key == update.aor { throw .unusableContact }
    }
  }

  /// The location service has carried out an update, or not.
  func finishRegistration(
    _ handle: SlotHandle, _ update: RegistrationUpdate, _ outcome: UpdateOutcome, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    if case .done(let bindings, _) = outcome {
      owned.note(update, bindings, hashing: hashing)
      scheduleKeepAlives(now)
    }
    guard let server = transactions.server(handle) else { return }
    let start = actions.outbox.octets.count
    ResponseWriter.append(
      outcome.status, outcome.reason, to: server.request, via: server.via, source: server.source,
      toTag: localTag(server.request), into: &actions.outbox.octets)
    if case .done(let bindings, _) = outcome {
      statistics.registrationsAccepted &+= 1
      appendFields(of: bindings, update, server.request, server.source, &actions.outbox.octets)
      superviseFlow(of: update, bindings, server.request, server.source, &actions)
    } else {
      statistics.registrationsRefused &+= 1
    }
    ResponseWriter.end(body: 0, into: &actions.outbox.octets)
    statistics.responsesMade[outcome.status / 100] &+= 1
    transactions.respond(server, status: outcome.status, from: start, at: now, outbox: &actions.outbox)
  }

  /// What a 200 to REGISTER says beside what every answer does.
  private func appendFields(
    of bindings: BindingSet, _ update: RegistrationUpdate, _ request: Message, _ source: Flow, _ output: inout [UInt8]
  ) {
    bindings.appendContacts(
      now: unixSeconds, gruusOf: request.lists("gruu", in: .supported) ? update.aor : nil, hashing: hashing, to: &output
    )
    // RFC 5626 §6
    if update.registersFlow, request.lists("outbound", in: .supported) {
      output.append("Require: outbound\r\n")
      if tellsFlowTimer(update, source) {
        output.append("Flow-Timer: ")
        output.append(decimal: UInt64(settings.registrar.flowTimer))
        output.append("\r\n")
      }
    }
    // RFC 3327 §5.3
    if !update.path.isEmpty {
      output.append("Path: ")
      output += update.path
      output.append("\r\n")
    }
    if settings.registrar.serviceRoute { appendServiceRoute(request, source, &output) }
    // RFC 3261 §10.3 step 8
    DateHeader.append(unixSeconds: unixSeconds, to: &output)
  }

  private func tellsFlowTimer(_ update: RegistrationUpdate, _ source: Flow) -> Bool {
    update.isDirect && source.transport.isReliable && settings.registrar.flowTimer > 0
  }

  /// RFC 5626 §5.4: who was told a Flow-Timer must give signs of life so often and some grace more, until it registers no more.
  private func superviseFlow(
    of update: RegistrationUpdate, _ bindings: BindingSet, _ request: Message, _ source: Flow,
    _ actions: inout ServerActions
  ) {
    guard tellsFlowTimer(update, source), case .stream(let flow) = source.id else { return }
    if bindings.bindings.contains(where: { $0.flow.id == source.id && $0.regID != nil }) {
      guard update.registersFlow, request.lists("outbound", in: .supported) else { return }
      actions.supervisions.append((flow, .seconds(settings.registrar.flowTimer) + settings.keepAlive.flowGrace))
    } else if update.registersFlow || update.operation == .removeAll {
      actions.supervisions.append((flow, .zero))
    }
  }

  /// RFC 3608 §6.3: this server, as the client reached it. RFC 5630 §5.2: a SIPS route for who registers by SIPS alone.
  private func appendServiceRoute(_ request: Message, _ source: Flow, _ output: inout [UInt8]) {
    let index = Int(source.listener)
    guard index < settings.listeners.count else { return }
    let isSecure = source.transport == .tls && (try? request.requestURI())?.scheme == .sips
    output.append(isSecure ? "Service-Route: <sips:" : "Service-Route: <sip:")
    output += settings.listeners[index].recordRoute
    switch source.transport {
    case .udp: output.append(";lr>\r\n")
    case .tcp: output.append(";transport=tcp;lr>\r\n")
    case .tls: output.append(isSecure ? ";lr>\r\n" : ";transport=tls;lr>\r\n")
    }
  }

  /// The transaction of a REGISTER has ended: from now on the same request would be a new one.
  func forgetRegister(_ server: ServerTransaction) {
    let tag = localTag(server.request)
    if registersUnderWay[tag] == server.handle { registersUnderWay[tag] = nil }
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// REGISTER (RFC 3261 §10.3): the checks before and the answer after what `Registrar/` and `Location/` do.
extension ServerCore {
  /// A REGISTER whose Request-URI is a domain of ours (RFC 3261 §10.3 step 1); its user part, which shouldn't be there, doesn't count.
  func receivedRegister(_ inquiry: Inquiry, _ now: Instant, _ actions: inout ServerActions) {
    let message = inquiry.message
    // RFC 3261 §10.3 step 2
    if message.has(.require) {
      refuseExtensions(inquiry, .require, &actions)
      return
    }
    let bytes = message.bytes
    guard let to = try? message.to(), to.uri.isSIP else {
      statistics.registrationsRefused &+= 1
      refuse(inquiry, 400, "To Is No SIP URI", &actions)
      return
    }
    // RFC 3261 §10.3 step 5
    guard let domain = domain(of: to.uri, bytes.span, inquiry.flow) else {
      statistics.registrationsRefused &+= 1
      refuse(inquiry, 404, &actions)
      return
    }
    let request = RegistrationRequest(
      message, flow: inquiry.flow, settings: settings.registrar, random: hashing.randomWord())
    do {
      let update = try request.update(domain: domain.name.span, now: unixSeconds)
      let server = transactions.startServer(
        message, via: inquiry.via, from: inquiry.flow,
        respondingTo: responseDestination(message, inquiry.via, inquiry.flow), at: now)
      let query = open(.registration(server: server.handle, update), now)
      actions.questions.append(.update(query: query.word, update))
    } catch {
      statistics.registrationsRefused &+= 1
      let start = begin(error.status, error.reason, inquiry, &actions)
      error.appendHeaders(to: &actions.outbox.octets)
      finish(inquiry, from: start, error.status, &actions)
    }
  }

  /// The location service has carried out an update, or not.
  func finishRegistration(
    _ handle: SlotHandle, _ update: RegistrationUpdate, _ outcome: UpdateOutcome, _ now: Instant,
    _ actions: inout ServerActions
  ) {
    if case .done(let bindings, _) = outcome { owned.note(update, bindings, hashing: hashing) }
    guard let server = transactions.server(handle) else { return }
    let start = actions.outbox.octets.count
    ResponseWriter.append(
      outcome.status, outcome.reason, to: server.request, via: server.via, source: server.source,
      toTag: localTag(server.request), into: &actions.outbox.octets)
    if case .done(let bindings, _) = outcome {
      statistics.registrationsAccepted &+= 1
      bindings.appendContacts(now: unixSeconds, to: &actions.outbox.octets)
      // RFC 3261 §10.3 step 8
      DateHeader.append(unixSeconds: unixSeconds, to: &actions.outbox.octets)
    } else {
      statistics.registrationsRefused &+= 1
    }
    ResponseWriter.end(body: 0, into: &actions.outbox.octets)
    statistics.responsesMade[outcome.status / 100] &+= 1
    transactions.respond(server, status: outcome.status, from: start, at: now, outbox: &actions.outbox)
  }
}

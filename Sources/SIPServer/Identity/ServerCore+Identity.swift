import SIPMessage
import SIPTransaction
import Structures

/// Who is believed, and who is told whose request it is: asserted identities (RFC 3325 §5 to §7).
extension ServerCore {
  // MARK: Trust

  /// Whether a peer belongs to our trust domain. Everything that believes somebody asks here.
  func isTrusted(_ flow: Flow) -> Bool {
    flow.isTrusted || settings.identity.isTrusted(flow.remote.address)
  }

  /// The same of a next hop. The connection of one of them is known as such once something came over it.
  func isTrusted(_ hop: NextHop) -> Bool {
    if settings.identity.trustsNobody { return false }
    switch hop.destination {
    case .address(let address, _, _): return settings.identity.isTrusted(address.address)
    case .flow(.datagram(let flow)): return settings.identity.isTrusted(flow.remote.address)
    case .flow(.stream(let flow)): return trustedConnections.contains(flow)
    }
  }

  /// Marks a message by who sent it.
  func markTrust(_ message: Message, _ flow: Flow, _ actions: inout ServerActions) {
    guard !settings.identity.trustsNobody, isTrusted(flow) else { return }
    message.isTrusted = true
    guard case .stream(let stream) = flow.id, trustedConnections.insert(stream).inserted else { return }
    if stream.slot == transactions.identity.slot { actions.trusted.append(stream) }
  }

  // MARK: Fields that come and go

  /// Who a target is.
  func audience(of target: ResponseContext.Target) -> IdentityEdits.Audience {
    if isTrusted(target.hop) { return .trusted }
    return target.isUser ? .user : .stranger
  }

  /// Who the sender of a request is, as the receiver of its responses.
  func audience(of server: ServerTransaction, _ context: ResponseContext) -> IdentityEdits.Audience {
    if isTrusted(server.source) { return .trusted }
    return !context.callerRecord.isEmpty || record(over: server.source.id) != nil ? .user : .stranger
  }

  /// What changes in a message that has fields which ``IdentitySettings/concerned`` names.
  func identityEdits(_ message: Message, to audience: IdentityEdits.Audience) -> IdentityEdits {
    var edits = IdentityEdits()
    // RFC 3325 §6: this is for the first proxy alone.
    edits.drop([.preferredIdentity])
    if !message.isTrusted {
      // RFC 3325 §5, RFC 3324 §4.4: what strangers assert must not be passed on.
      edits.drop(settings.identity.stripped)
      if settings.identity.stripped.contains(.other) { edits.drop(others: settings.identity.strippedOthers) }
    }
    if audience == .trusted { return edits }
    edits.drop([.assertedService, .own])
    let privacy = PrivacyRequest(message)
    if !isShown(message, privacy, to: audience) {
      edits.drop([.assertedIdentity, .remotePartyID])
    } else if privacy != .none, isPartyPrivate(message) {
      edits.drop([.remotePartyID])
    }
    if privacy.contains(.id) { edits.serveID(privacy) }
    return edits
  }

  /// RFC 3325 §7: whether somebody outside of the trust domain is told the asserted identity of a message.
  private func isShown(
    _ message: Message, _ privacy: PrivacyRequest, to audience: IdentityEdits.Audience
  ) -> Bool {
    if privacy == .none { return true }
    if privacy.isWanted || message.isRequest && isConcealed(message) { return false }
    return audience == .user && settings.identity.isShownToUsers
  }

  /// Whether a Remote-Party-ID has a wish for privacy in itself: a parameter `privacy` that isn't `off`.
  private func isPartyPrivate(_ message: Message) -> Bool {
    let bytes = message.bytes
    let text = bytes.span
    var iterator = ValueIterator(.remotePartyID, in: message)
    while let (value, _) = iterator.next(text) {
      guard let party = try? NameAddress(text, value) else { return true }
      if let wish = party.parameter("privacy", in: text), !text.extracting(wish.positions).equalsIgnoringCase("off") {
        return true
      }
    }
    return false
  }

  /// Writes the identity that ``appendIdentity(of:to:)`` found, where the receiver may know it.
  func appendAsserted(
    _ identity: [UInt8], _ request: Message, to audience: IdentityEdits.Audience, _ output: inout [UInt8]
  ) {
    let hasPrivacy = request.has(.privacy)
    if audience != .trusted {
      guard isShown(request, hasPrivacy ? PrivacyRequest(request) : [], to: audience) else { return }
    } else if !hasPrivacy, isConcealed(request) {
      // RFC 3323 §4.2: who hides himself in From wants what the next ones have to be told.
      output.append("Privacy: id\r\n")
    }
    output.append("P-Asserted-Identity: ")
    output += identity
    output.append("\r\n")
  }

  // MARK: The identity of a user

  /// Appends the identity to be asserted of the user who proved that a request is his, `<sip:user@domain>`; nothing when nobody did.
  ///
  /// RFC 3325 §9.1 knows none in REGISTER. A display name is whatever its user says, so none is asserted.
  func appendIdentity(of inquiry: Inquiry, to identity: inout [UInt8]) {
    guard settings.identity.isAsserted, !inquiry.authenticated.isEmpty, inquiry.message.method != .register else {
      return
    }
    let bytes = inquiry.message.bytes
    if let uri = preferredIdentity(of: inquiry, bytes.span) {
      identity.append(uri.scheme == .sips ? "<sips:" : "<sip:")
      if let user = uri.user { identity.append(bytes.span.extracting(user.positions)) }
      identity.append("@")
      identity.append(bytes.span.extracting(uri.host.positions))
    } else {
      let record = inquiry.authenticated
      let end = record.lastIndex(of: UInt8(ascii: "@")) ?? 0
      identity.append("<sip:")
      identity.append(escapingUser: record.span.extracting(0..<end))
      identity.append(record.span.extracting(end..<record.count))
    }
    identity.append(">")
  }

  /// RFC 3325 §6: which of his names the user prefers: with an alias of the domain, or as SIPS URI. A name that isn't his counts for nothing.
  private func preferredIdentity(of inquiry: Inquiry, _ text: Span<UInt8>) -> SIPURI? {
    guard inquiry.message.has(.preferredIdentity) else { return nil }
    var iterator = ValueIterator(.preferredIdentity, in: inquiry.message)
    while let (value, _) = iterator.next(text) {
      guard let uri = (try? NameAddress(text, value))?.uri, uri.isSIP,
        let domain = settings.domain(text.extracting(uri.host.positions))
      else { continue }
      scratch.clear()
      appendKey(uri, domain, text, &scratch)
      if scratch == inquiry.authenticated { return uri }
    }
    return nil
  }
}

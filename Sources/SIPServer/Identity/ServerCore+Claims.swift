import SIPMessage
import SIPTransaction
import Structures

/// Who has to prove what: users who hide their names, and peers that speak for users (RFC 3325 §5, RFC 3323 §4.1).
extension ServerCore {
  /// What the sender of a request has to prove.
  struct Claim {
    /// Whose user he is.
    let domain: ServerSettings.Domain
    /// The URI in the request that names him; nil when none does.
    var uri: SIPURI?
    /// His name, where it is known otherwise; else empty. It only decides which algorithms he is offered.
    var user: [UInt8] = []
  }

  /// Whether From doesn't name the sender: an anonymous URI (RFC 3323 §4.1.1.3), or one of a scheme that has no domain which could prove it.
  func isConcealed(_ message: Message) -> Bool {
    guard let uri = (try? message.from())?.uri else { return false }
    let bytes = message.bytes
    return isConcealed(uri, bytes.span)
  }

  private func isConcealed(_ uri: SIPURI, _ text: Span<UInt8>) -> Bool {
    if !uri.isSIP { return true }
    let host = text.extracting(uri.host.positions)
    if host.equalsIgnoringCase("anonymous.invalid") { return true }
    return isAnonymous(uri, text) && settings.domain(host) != nil
  }

  /// RFC 3323 §4.1.1.2: whether the user part says that it names nobody.
  func isAnonymous(_ uri: SIPURI, _ text: Span<UInt8>) -> Bool {
    guard let user = uri.user else { return false }
    return text.extracting(user.positions).equalsIgnoringCase("anonymous")
  }

  /// What the sender of a request from elsewhere has to prove: who hides his name, but seems to be one of our users, says to us who he is. Nil for a
  /// stranger, who is served as such.
  func concealedClaim(_ inquiry: Inquiry, _ from: SIPURI, _ text: Span<UInt8>) -> Claim? {
    guard isConcealed(from, text) else { return nil }
    if let claim = certificateClaim(inquiry.flow) { return claim }
    let message = inquiry.message
    // RFC 3325 §6
    var preferred = ValueIterator(.preferredIdentity, in: message)
    while let (value, _) = preferred.next(text) {
      guard let uri = (try? NameAddress(text, value))?.uri, let domain = domain(of: uri, text, inquiry.flow) else {
        continue
      }
      return Claim(domain: domain, uri: uri)
    }
    if let record = record(over: inquiry.flow.id), let end = record.lastIndex(of: UInt8(ascii: "@")),
      let domain = settings.domain(record.span.extracting(end + 1..<record.count))
    {
      return Claim(domain: domain, user: Array(record[..<end]))
    }
    // He may know from an earlier challenge what we ask for, or is bound for a place to which no stranger gets.
    if let domain = provenDomain(message, text) { return Claim(domain: domain) }
    guard inquiry.hasForeignRoute || domain(of: inquiry.uri, text, inquiry.flow) == nil else { return nil }
    return settings.domains.first.map { Claim(domain: $0) }
  }

  /// The address of record of a user who is registered over a flow; nil when there is none.
  func record(over flow: FlowID) -> [UInt8]? {
    owned.firstRecord(over: flow)
  }

  /// The domain for whose realm a request has credentials.
  private func provenDomain(_ message: Message, _ text: Span<UInt8>) -> ServerSettings.Domain? {
    var found: ServerSettings.Domain?
    let domains = settings.domains
    message.forEach(.proxyAuthorization) { _, value in
      let bytes = message.bytes
      guard let credentials = DigestCredentials(bytes.span, value) else { return true }
      found = domains.first { bytes.span.equalsUnquoted(credentials.realm, $0.realm.span) }
      return found == nil
    }
    return found
  }

  /// RFC 3325 §5: whether a peer that we trust says that a request is of a user of ours.
  func isAssertedUser(_ inquiry: Inquiry, _ text: Span<UInt8>) -> Bool {
    guard inquiry.message.isTrusted, inquiry.message.has(.assertedIdentity) else { return false }
    var iterator = ValueIterator(.assertedIdentity, in: inquiry.message)
    while let (value, _) = iterator.next(text) {
      if let uri = (try? NameAddress(text, value))?.uri, domain(of: uri, text, inquiry.flow) != nil { return true }
    }
    return false
  }

  /// Whether the user who just proved himself is the one whom the request names: in From, unless that hides him, and for REGISTER in To
  /// (RFC 3261 §10.3 step 4). Nobody registers for another, and nobody of ours writes another's name in From.
  func isHimself(_ inquiry: Inquiry, _ domain: ServerSettings.Domain, _ from: SIPURI, isRegister: Bool) -> Bool {
    let bytes = inquiry.message.bytes
    let text = bytes.span
    if isRegister, let to = try? inquiry.message.to(), !isProven(to.uri, text) { return false }
    guard let claimed = inquiry.fromDomain else { return true }
    if claimed.name == domain.name, isProven(from, text) { return true }
    guard isAnonymous(from, text) else { return false }
    var record: [UInt8] = []
    appendKey(from, claimed, text, &record)
    return !isKnownUser(record.span)
  }

  private func isProven(_ uri: SIPURI, _ text: Span<UInt8>) -> Bool {
    scratch.clear()
    if let user = uri.user { text.appendUnescaped(user, to: &scratch) }
    return scratch == authenticator.user
  }
}

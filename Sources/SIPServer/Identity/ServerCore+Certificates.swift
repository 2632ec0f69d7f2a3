import SIPMessage
import SIPTransaction
import Structures

/// Users and domains that are proved by the certificate of a connection instead of by digest.
///
/// What the certificate proves needs no digest, and then credentials in the request are not looked at: nobody but the holder of the certificate can
/// send over the connection. Whatever it doesn't prove is challenged as if there were no certificate, so that a phone with the certificate of one
/// user has other users too, by their passwords. So neither ever takes away what the other proves.
extension ServerCore {
  /// What the certificate at the other end of a connection of this worker proves; nil: nothing any more. To be told before the first message
  /// of the connection. (No other worker needs to know: a request is asked for its sender where its connection is.)
  public func certificateProves(_ peer: ProvenPeer?, over flow: StreamFlow) {
    provenPeers[flow] = peer.flatMap { $0.names.isEmpty ? nil : $0 }
  }

  /// For whom the peer of a flow speaks by its certificate.
  func provenPeer(_ flow: Flow) -> ProvenPeer? {
    guard flow.isVerified, !provenPeers.isEmpty, case .stream(let stream) = flow.id else { return nil }
    return provenPeers[stream]
  }

  /// Whether the certificate of its connection proves all that the sender of a request claims; then the request is that user's, where it
  /// is known who of a domain he is.
  ///
  /// As with digest: nobody registers for another (RFC 3261 §10.3 step 4), and nobody of ours writes another's name in From.
  func isProvenByCertificate(_ inquiry: inout Inquiry, _ claim: Claim, _ from: SIPURI, isRegister: Bool) -> Bool {
    guard let peer = provenPeer(inquiry.flow) else { return false }
    let bytes = inquiry.message.bytes
    let text = bytes.span
    var record: [UInt8] = []
    if let domain = inquiry.fromDomain { appendKey(from, domain, text, &record) }
    let isHidden = record.isEmpty || isAnonymous(from, text) && !isKnownUser(record.span)
    if !isHidden, !peer.speaks(for: record.span) { return false }
    if isRegister {
      guard let to = try? inquiry.message.to(), let domain = domain(of: to.uri, text, inquiry.flow) else {
        return false
      }
      record.clear()
      appendKey(to.uri, domain, text, &record)
      guard peer.speaks(for: record.span) else { return false }
    } else if isHidden {
      guard let user = hiddenUser(inquiry, peer, claim.domain, text) else { return false }
      record = user
    }
    inquiry.authenticated = record
    return true
  }

  /// Who hides himself in From: the user whom he prefers to be called (RFC 3325 §6) if that is proved, else the one whom the certificate names.
  /// Empty for somebody of a domain that is proved; nil when nothing is.
  private func hiddenUser(
    _ inquiry: Inquiry, _ peer: ProvenPeer, _ domain: ServerSettings.Domain, _ text: Span<UInt8>
  ) -> [UInt8]? {
    var preferred = ValueIterator(.preferredIdentity, in: inquiry.message)
    while let (value, _) = preferred.next(text) {
      guard let uri = (try? NameAddress(text, value))?.uri, let domain = self.domain(of: uri, text, inquiry.flow) else {
        continue
      }
      var record: [UInt8] = []
      appendKey(uri, domain, text, &record)
      if peer.speaks(for: record.span) { return record }
    }
    return peer.firstUser ?? (peer.speaks(forAllOf: domain.name.span) ? [] : nil)
  }

  /// What a user who hides himself claims to be by his certificate.
  func certificateClaim(_ flow: Flow) -> Claim? {
    guard let user = provenPeer(flow)?.firstUser, let end = user.lastIndex(of: UInt8(ascii: "@")),
      let domain = settings.domain(user.span.extracting(end + 1..<user.count))
    else { return nil }
    return Claim(domain: domain, user: Array(user[..<end]))
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// What is done when somebody asks for privacy (RFC 3323 §5): `id`, `none` and `critical` are understood; what would take a back-to-back user
/// agent is not.
extension ServerCore {
  /// Whether a request asks for nothing that we don't do; else it is answered.
  func meetsPrivacy(_ inquiry: Inquiry, isForServer: Bool, _ actions: inout ServerActions) -> Bool {
    let message = inquiry.message
    guard message.has(.privacy) || message.has(.proxyRequire) else { return true }
    let privacy = PrivacyRequest(message)
    // RFC 3323 §5
    if privacy.contains(.critical), !privacy.unserved.isEmpty {
      refusePrivacy(inquiry, &actions)
      return false
    }
    // RFC 3261 §16.3 step 5. RFC 3323 §4.3: the option tag asks for a server that does what Privacy says.
    guard !isForServer, message.has(.proxyRequire) else { return true }
    let isUnderstood = privacy.unserved.isEmpty
    let bytes = message.bytes
    var iterator = ValueIterator(.proxyRequire, in: message)
    while let (tag, _) = iterator.next(bytes.span) {
      if isUnderstood, bytes.span.extracting(tag.positions).equalsIgnoringCase("privacy") { continue }
      refuseExtensions(
        inquiry, .proxyRequire, unless: { isUnderstood && $0.equalsIgnoringCase("privacy") }, &actions)
      return false
    }
    return true
  }

  /// In octets; no more words are named then.
  private static let longestReason = 100

  /// RFC 3323 §5: 500 whose reason names what isn't done.
  private func refusePrivacy(_ inquiry: Inquiry, _ actions: inout ServerActions) {
    let bytes = inquiry.message.bytes
    var reason: [UInt8] = []
    reason.append("Privacy Failure:")
    inquiry.message.forEach(.privacy) { _, line in
      var values = PrivacyRequest.Values(line)
      while let value = values.next(bytes.span), reason.count < Self.longestReason {
        let word = bytes.span.extracting(value.positions)
        if word.equalsIgnoringCase("id") || word.equalsIgnoringCase("critical") { continue }
        reason.append(" ")
        for index in word.indices where word[index] > 0x20 && word[index] < 0x7F { reason.append(word[index]) }
      }
      return true
    }
    let start = actions.outbox.octets.count
    ResponseWriter.append(
      500, reason: reason.span, to: inquiry.message, via: inquiry.via, source: inquiry.flow,
      toTag: localTag(inquiry.message), into: &actions.outbox.octets)
    finish(inquiry, from: start, 500, &actions)
  }
}

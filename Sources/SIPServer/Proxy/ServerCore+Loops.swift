import SIPMessage
import SIPTransaction
import Structures

/// Loop detection: RFC 3261 §16.3 step 4 as RFC 5393 §4.2 corrected it.
extension ServerCore {
  /// A hash of all that decides where a request goes, which is its Request-URI and Route as they came, and of Call-ID and CSeq number, so that
  /// a collision isn't met again by the next request to the same place (RFC 5393 §4.2.1, §4.2.4). The method is no part of it. It needs no
  /// key: the branch that holds it is authenticated.
  func loopCheck(_ request: Message) -> UInt32 {
    let bytes = request.bytes
    let text = bytes.span
    var word = text.extracting(request.requestURIRange.positions).mixed(into: 0)
    if let callID = request.value(of: .callID) { word = text.extracting(callID.positions).mixed(into: word) }
    if let cseq = request.value(of: .cseq) {
      // The number alone.
      var end = Int(cseq.start)
      while end < Int(cseq.end), text[end].decimalDigit != nil { end += 1 }
      word = text.extracting(Int(cseq.start)..<end).mixed(into: word)
    }
    if request.has(.route) {
      request.forEach(.route) { _, value in
        word = text.extracting(value.positions).mixed(into: word)
        return true
      }
    }
    return UInt32(truncatingIfNeeded: word &>> 32)
  }

  /// Whether a worker of the cluster has forwarded the request before, for the same reasons: then it would come back for ever. A request that was
  /// given another Request-URI on its way is a spiral and goes on.
  func hasLooped(_ inquiry: Inquiry) -> Bool {
    // Nearly always there is one Via, the sender's own.
    if inquiry.message.hasOne(.via), inquiry.via.branch?.count != Branch.length,
      inquiry.message.value(of: .via)?.end == inquiry.via.range.end
    {
      return false
    }
    let bytes = inquiry.message.bytes
    let text = bytes.span
    var own: UInt32?
    var iterator = ValueIterator(.via, in: inquiry.message)
    while let (value, _) = iterator.next(text) {
      guard value.count > Branch.length,
        // RFC 5393 §4.2.4: whatever others write into their Via, it is none of ours then.
        let via = value.start == inquiry.via.range.start ? inquiry.via : try? Via(text, value),
        let range = via.branch, range.count == Branch.length,
        let branch = Branch(text.extracting(range.positions), hashing: hashing, scratch: &tokenScratch)
      else { continue }
      let check = own ?? loopCheck(inquiry.message)
      if branch.loopCheck == check { return true }
      own = check
    }
    return false
  }
}

import SIPMessage
import SIPTransaction
import Structures

/// Loop detection: RFC 3261 §16.3 step 4 as RFC 5393 §4.2 corrected it.
extension ServerCore {
  /// A hash of all that decides where a request goes, which is its Request-URI and Route as they came, and of what tells it from other requests
  /// to the same place, so that a collision isn't met again (RFC 5393 §4.2.1, §4.2.4). The method is no part of it.
  func loopCheck(_ request: Message) -> UInt32 {
    let bytes = request.bytes
    let text = bytes.span
    scratch.removeAll(keepingCapacity: true)
    scratch.append(text.extracting(request.requestURIRange.positions))
    request.forEach(.route) { _, value in
      scratch.append(0)
      scratch.append(text.extracting(value.positions))
      return true
    }
    scratch.append(0)
    if let callID = request.value(of: .callID) { scratch.append(text.extracting(callID.positions)) }
    scratch.append(0)
    if let tag = request.tag(of: .from) { scratch.append(text.extracting(tag.positions)) }
    scratch.append(0)
    if let tag = request.tag(of: .to) { scratch.append(text.extracting(tag.positions)) }
    if let cseq = try? request.cseq() { scratch.append(bigEndian: UInt64(cseq.number), 4) }
    let octets = scratch
    return UInt32(truncatingIfNeeded: hashing.shortMAC(octets.span))
  }

  /// Whether a worker of the cluster has forwarded the request before, for the same reasons: then it would come back for ever. A request that was
  /// given another Request-URI on its way is a spiral and goes on.
  func hasLooped(_ inquiry: Inquiry) -> Bool {
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

import SIPMessage
import Structures

extension RegistrationUpdate {
  /// What the update makes of the bindings that an address of record has: all of it, or nothing (RFC 3261 §10.3 steps 6 and 7).
  ///
  /// This is the rule by which every location works, wherever it keeps its bindings.
  public func applied(to present: BindingSet) -> UpdateOutcome {
    let live = present.live(at: now)
    switch operation {
    case .fetch:
      return .done(live, changed: false)
    case .removeAll:
      // RFC 3261 §10.3 step 6: another Call-ID removes; the same only with a higher CSeq.
      guard live.bindings.allSatisfy(isInOrder) else { return .outOfOrder }
      return .done(.empty, changed: !live.isEmpty)
    case .change(let contacts):
      return change(contacts, live)
    }
  }

  private func change(_ contacts: [ContactChange], _ live: BindingSet) -> UpdateOutcome {
    var draft = Draft(live.bindings)
    for contact in contacts {
      let found = draft.find(contact.uri)
      // The order of requests is that against bindings of earlier requests: a contact that the same request gives twice is
      // taken in turn, the later word counts.
      if let found, !draft.isWritten[found], !isInOrder(draft.bindings[found]) { return .outOfOrder }
      if contact.duration > 0 {
        draft.put(binding(contact), at: found)
      } else if let found {
        draft.remove(at: found)
      }
    }
    // The limit holds back what makes the set larger, so that a client over a limit that was lowered can refresh and remove.
    if draft.bindings.count > maxContacts, draft.bindings.count > live.count { return .tooManyContacts }
    let result = draft.bindings.isEmpty ? BindingSet.empty : BindingSet(draft.ordered)
    return .done(result, changed: !result.hasSameTargets(as: live))
  }

  /// Whether the request is later than the one that wrote a binding (RFC 3261 §10.3 step 7). By the letter a second request with
  /// the same CSeq is not; true retransmissions never come here.
  private func isInOrder(_ binding: Binding) -> Bool {
    binding.callID != callID || cseq > binding.cseq
  }

  private func binding(_ contact: ContactChange) -> Binding {
    let (end, overflow) = now.addingReportingOverflow(contact.duration)
    return Binding(
      uri: contact.uri, parameters: contact.parameters, q: contact.q ?? 1_000, isQGiven: contact.q != nil,
      expires: overflow ? .max : end, callID: callID, cseq: cseq, instance: contact.instance, regID: contact.regID,
      path: path, flow: flow, isReachedByFlow: contact.isReachedByFlow, userAgent: userAgent, registeredAt: now)
  }
}

/// The bindings while an update is tried on them.
private struct Draft {
  private(set) var bindings: [Binding]
  /// Which of them this update wrote.
  private(set) var isWritten: [Bool]
  /// Their URIs read once; nil for one that can't be (it matches by its octets alone).
  private var uris: [SIPURI?]

  init(_ bindings: [Binding]) {
    self.bindings = bindings
    isWritten = Array(repeating: false, count: bindings.count)
    uris = bindings.map { Self.read($0.uri) }
  }

  /// The binding of a contact address (RFC 3261 §19.1.4): the one written alike, else the first equivalent one.
  ///
  /// Equivalence isn't transitive, and a URI that gives a parameter twice isn't even equivalent to itself: what is written alike
  /// comes first.
  func find(_ uri: [UInt8]) -> Int? {
    if let same = bindings.firstIndex(where: { $0.uri == uri }) { return same }
    guard let wanted = Self.read(uri) else { return nil }
    for (index, other) in uris.enumerated() {
      guard let other else { continue }
      let stored = bindings[index].uri
      if SIPURI.areEquivalent(wanted, in: uri.span, other, in: stored.span) { return index }
    }
    return nil
  }

  mutating func put(_ binding: Binding, at position: Int?) {
    if let position { remove(at: position) }
    bindings.append(binding)
    isWritten.append(true)
    uris.append(Self.read(binding.uri))
  }

  mutating func remove(at position: Int) {
    bindings.remove(at: position)
    isWritten.remove(at: position)
    uris.remove(at: position)
  }

  /// What was written now, in the order of the request, before what stayed: of one second the latest writing comes first.
  var ordered: [Binding] {
    let pairs = zip(bindings, isWritten)
    return pairs.filter { $0.1 }.map { $0.0 } + pairs.filter { !$0.1 }.map { $0.0 }
  }

  private static func read(_ uri: [UInt8]) -> SIPURI? {
    try? SIPURI(uri.span, ByteRange(0, uri.count))
  }
}

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
    var draft = Draft(live)
    for contact in contacts {
      let found = draft.find(contact)
      // The order of requests is that against bindings of earlier requests: a contact that the same request gives twice is
      // taken in turn, the later word counts.
      if let found, !draft.isWritten[found], !isInOrder(draft.bindings[found]) { return .outOfOrder }
      if contact.duration > 0 {
        let era = era(of: contact, &draft)
        draft.put(binding(contact, era), at: found)
      } else if let found {
        draft.remove(at: found)
      }
      draft.forgetLapsed(contact)
    }
    // The limit holds back what makes the set larger, so that a client over a limit that was lowered can refresh and remove.
    if draft.bindings.count > maxContacts, draft.bindings.count > live.count { return .tooManyContacts }
    let result = BindingSet.of(draft.ordered, lapsed: draft.lapsed)
    return .done(result, changed: !result.hasSameTargets(as: live))
  }

  /// Whether the request is later than the one that wrote a binding (RFC 3261 §10.3 step 7). By the letter a second request with
  /// the same CSeq is not; true retransmissions never come here.
  private func isInOrder(_ binding: Binding) -> Bool {
    binding.callID != callID || cseq > binding.cseq
  }

  /// The era of temporary GRUUs that a contact is written with: that of its instance, unless the instance has none or begins a new one by
  /// another Call-ID (RFC 5627 §5.1); then all its bindings do.
  private func era(of contact: ContactChange, _ draft: inout Draft) -> UInt64 {
    guard let instance = contact.instance else { return 0 }
    let new = gruuSeed &+ UInt64(draft.writtenCount)
    let previous = draft.latest(of: instance, regID: contact.regID)
    if let previous, previous.callID != callID {
      draft.beginEra(new, of: instance)
      return new
    }
    return (previous ?? draft.latest(of: instance, regID: nil))?.gruuEra ?? new
  }

  private func binding(_ contact: ContactChange, _ era: UInt64) -> Binding {
    let (end, overflow) = now.addingReportingOverflow(contact.duration)
    return Binding(
      uri: contact.uri, parameters: contact.parameters, q: contact.q ?? 1_000, isQGiven: contact.q != nil,
      expires: overflow ? .max : end, callID: callID, cseq: cseq, instance: contact.instance, regID: contact.regID,
      gruuEra: era, path: path, flow: flow, isDirect: isDirect, isReachedByFlow: contact.isReachedByFlow,
      userAgent: userAgent, registeredAt: now)
  }
}

extension BindingSet {
  /// The set after a worker wrote again what it knows of its own bindings (`own`), which it answered for already. Where the set has the binding as it was
  /// written later, it stays. One that is not in the set comes back only if the set `lost` it; else whoever took it away knew more.
  public func restoring(_ own: BindingSet, lost: Bool, at now: Int64) -> BindingSet {
    var draft = Draft(live(at: now))
    for binding in own.bindings where binding.expires > now {
      guard let found = draft.find(binding.uri, binding.instance, binding.regID) else {
        if lost { draft.restore(binding, at: nil) }
        continue
      }
      if binding.isLater(than: draft.bindings[found]) { draft.restore(binding, at: found) }
    }
    if lost { draft.restoreLapsed(own.lapsed.filter { $0.expires > now }) }
    return draft.isTouched ? .of(draft.ordered, lapsed: draft.lapsed) : live(at: now)
  }
}

extension Binding {
  /// Whether it was written later than another writing of the same binding.
  fileprivate func isLater(than other: Binding) -> Bool {
    if registeredAt != other.registeredAt { return registeredAt > other.registeredAt }
    return callID == other.callID && cseq > other.cseq
  }
}

/// The bindings while an update is tried on them.
private struct Draft {
  private(set) var bindings: [Binding]
  /// See ``BindingSet/lapsed``.
  private(set) var lapsed: [Binding]
  /// Which of them this update wrote.
  private(set) var isWritten: [Bool]
  /// Their URIs read once, a SIPS one as the SIP one that it also stands for; nil for one that can't be read (it matches by its octets alone).
  private var uris: [ComparableURI?]
  /// How many times this update wrote.
  private(set) var writtenCount = 0

  init(_ live: BindingSet) {
    bindings = live.bindings
    lapsed = live.lapsed
    isWritten = Array(repeating: false, count: bindings.count)
    uris = bindings.map { ComparableURI($0.uri) }
  }

  /// The binding that a contact means: one with reg-id is known by instance and reg-id alone (RFC 5626 §6), all others by their address.
  func find(_ contact: RegistrationUpdate.ContactChange) -> Int? {
    find(contact.uri, contact.instance, contact.regID)
  }

  func find(_ uri: [UInt8], _ instance: [UInt8]?, _ regID: UInt32?) -> Int? {
    guard regID != nil else { return find(uri) }
    return bindings.firstIndex { $0.regID == regID && $0.instance == instance }
  }

  /// The binding of a contact address (RFC 3261 §19.1.4): the one written alike, else the first equivalent one.
  ///
  /// Equivalence isn't transitive, and a URI that gives a parameter twice isn't even equivalent to itself: what is written alike
  /// comes first.
  private func find(_ uri: [UInt8]) -> Int? {
    let known = bindings.indices.lazy.filter { bindings[$0].regID == nil }
    if let same = known.first(where: { bindings[$0].uri == uri }) { return same }
    guard let wanted = ComparableURI(uri) else { return nil }
    return known.first { uris[$0]?.isEquivalent(to: wanted) ?? false }
  }

  /// The binding of an instance, and with a reg-id of that, which was written last, lapsed ones included; nil when it has none.
  func latest(of instance: [UInt8], regID: UInt32?) -> Binding? {
    var latest: Binding?
    for binding in bindings + lapsed
    where binding.instance == instance && (regID == nil || binding.regID == regID) {
      if latest.map({ $0.registeredAt < binding.registeredAt }) ?? true { latest = binding }
    }
    return latest
  }

  /// What a contact says of itself is no longer what its binding was when it lapsed.
  mutating func forgetLapsed(_ contact: RegistrationUpdate.ContactChange) {
    guard let instance = contact.instance else { return }
    lapsed.removeAll { $0.instance == instance && $0.regID == contact.regID }
  }

  /// Ends all temporary GRUUs of an instance.
  mutating func beginEra(_ era: UInt64, of instance: [UInt8]) {
    for index in bindings.indices where bindings[index].instance == instance { bindings[index].gruuEra = era }
    lapsed.removeAll { $0.instance == instance }
  }

  /// Whether anything was written.
  var isTouched: Bool { writtenCount > 0 }

  /// Puts a binding back as it was. All bindings of an instance have one era: that of the one written last.
  mutating func restore(_ binding: Binding, at position: Int?) {
    var binding = binding
    if let instance = binding.instance, let latest = latest(of: instance, regID: nil), latest.gruuEra != binding.gruuEra
    {
      if latest.registeredAt > binding.registeredAt {
        binding.gruuEra = latest.gruuEra
      } else {
        beginEra(binding.gruuEra, of: instance)
      }
    }
    put(binding, at: position)
    lapsed.removeAll { $0.instance == binding.instance && $0.regID == binding.regID && binding.instance != nil }
  }

  /// Puts back what had lapsed of instances of which nothing else is known.
  mutating func restoreLapsed(_ old: [Binding]) {
    for binding in old {
      guard let instance = binding.instance, latest(of: instance, regID: nil) == nil else { continue }
      lapsed.append(binding)
      writtenCount += 1
    }
  }

  mutating func put(_ binding: Binding, at position: Int?) {
    if let position { remove(at: position) }
    bindings.append(binding)
    isWritten.append(true)
    writtenCount += 1
    uris.append(ComparableURI(binding.uri))
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
}

/// A contact URI for comparison. RFC 5630 §5.1.1.1: a SIPS contact and the SIP contact that differs from it by the scheme alone replace one
/// another, which RFC 3261 §19.1.4 by itself would keep apart.
private struct ComparableURI {
  private let octets: [UInt8]
  private let uri: SIPURI

  init?(_ written: [UInt8]) {
    let octets = SIPURI.asSIP(written)
    guard let uri = try? SIPURI(octets.span, ByteRange(0, octets.count)) else { return nil }
    self.octets = octets
    self.uri = uri
  }

  func isEquivalent(to other: ComparableURI) -> Bool {
    SIPURI.areEquivalent(uri, in: octets.span, other.uri, in: other.octets.span)
  }
}

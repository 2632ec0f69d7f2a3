import SIPServer
import Structures

/// Lookups: from the cache, from the record of this worker, from Redis, and while that is away from the other workers.
extension LocationMachine {
  /// The core wants to know the bindings of an address of record.
  func lookup(_ query: UInt64, _ aor: Span<UInt8>, at now: Moment, orders: inout LocationOrders) {
    let hash = OwnedBindings.hash(aor)
    if let (set, _) = cache.find(aor, hash, at: now.instant), answer(query, set, now, &orders) { return }
    if let position = owned.record(of: aor, hash), let standing = owned.standing(at: position),
      isWhole(standing), now.seconds &- standing.confirmedAt < 60, let set = owned.set(at: position)
    {
      let age = Duration.seconds(Int64(now.seconds &- standing.confirmedAt))
      let until = now.instant + (LookupCache.lifetime - age)
      if standing.version != 0, let known = owned.aor(at: position) {
        cache.insert(known, hash, set, version: standing.version, until: until)
      }
      if answer(query, set, now, &orders) { return }
    }
    let work = openWork(aor.withUnsafeBufferPointer { Array($0) }, hash)
    work.lookups.append(query)
    start(work, at: now, orders: &orders)
  }

  /// Whether a record is the whole set that the location has, as far as anybody told.
  func isWhole(_ standing: OwnedBindings.RecordStanding) -> Bool {
    subscription != 0 && standing.subscription == subscription
  }

  /// Answers with a set that has live bindings; that there are none is not for the cache to say. Nor that one has ended: its refresh at
  /// another worker is told to nobody.
  private func answer(_ query: UInt64, _ set: BindingSet, _ now: Moment, _ orders: inout LocationOrders) -> Bool {
    if set.isEmpty || set.earliestExpiry <= now.unixSeconds { return false }
    orders.answers.append(.bindings(query: query, set))
    return true
  }

  /// Answers the lookups that wait for an address of record; a set that is the present state is kept for the next ones.
  func answerLookups(
    _ work: LocationWork, _ set: BindingSet, version: UInt64, isCurrent: Bool, _ now: Moment,
    _ orders: inout LocationOrders
  ) {
    if work.lookups.isEmpty {
      forget(work, unless: version)
      return
    }
    let live = set.live(at: now.unixSeconds)
    if isCurrent {
      cache.insert(work.aor, work.hash, live, version: version, until: now.instant + LookupCache.lifetime)
    } else {
      forget(work, unless: 0)
    }
    for query in work.lookups { orders.answers.append(.bindings(query: query, live.isVacant ? nil : live)) }
    work.lookups.removeAll(keepingCapacity: true)
  }

  // MARK: Users and nonces

  /// The core wants a nonce for one flow. Whoever can't be asked is waited for no longer than Redis takes to fail.
  func claim(_ query: UInt64?, _ key: Span<UInt8>, orders: inout LocationOrders) {
    guard isConnected else {
      if let query { orders.answers.append(.claim(query: query, .unavailable)) }
      return
    }
    let name = key.withUnsafeBufferPointer { Array($0) }
    send(.claim(key: name, seconds: settings.claimSeconds), for: .claim(query: query), &orders)
  }

  func claimed(_ query: UInt64?, _ reply: LocationReply, _ orders: inout LocationOrders) {
    guard let query else { return }
    let outcome: ClaimOutcome =
      switch reply {
      case .done: .granted
      case .value: .taken
      case .scriptMissing, .failed: .unavailable
      }
    orders.answers.append(.claim(query: query, outcome))
  }

  /// The core wants what is kept of a user.
  func user(_ query: UInt64, _ key: Span<UInt8>, orders: inout LocationOrders) {
    guard isConnected else {
      orders.answers.append(.user(query: query, .unavailable))
      return
    }
    send(.user(key: key.withUnsafeBufferPointer { Array($0) }), for: .user(query: query), &orders)
  }

  func foundUser(_ query: UInt64, _ reply: LocationReply, _ orders: inout LocationOrders) {
    let answer: UserAnswer
    if case .value(let value) = reply {
      answer = value.map { UserRecord($0.span).map { .found($0) } ?? .unavailable } ?? .none
    } else {
      answer = .unavailable
    }
    orders.answers.append(.user(query: query, answer))
  }
}

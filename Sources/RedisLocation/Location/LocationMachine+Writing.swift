import SIPServer
import Structures

/// What one address of record goes through: read, changed, written if nobody else wrote meanwhile, else once more.
extension LocationMachine {
  /// A state of an address of record that a change begins from.
  struct Base {
    let set: BindingSet
    let version: UInt64
    /// Whether Redis said so, or would have told if it were otherwise; else it is a guess that the write will show right or wrong.
    let isKnown: Bool
    /// Whether it is this worker's record, which may be ahead of what is stored.
    let isRecord: Bool
  }

  private enum Plan {
    case write(LocationWork.Attempt)
    /// Nothing is to be written: what each job came to, and the set.
    case settle([UpdateOutcome?], BindingSet)
    /// The guess isn't good enough.
    case read
  }

  /// Begins what is to be done, unless something is under way that will go on by itself.
  func start(_ work: LocationWork, at now: Moment, orders: inout LocationOrders) {
    guard work.isIdle else { return }
    guard isConnected else { return fallBack(work, at: now, orders: &orders) }
    if work.mustCheck || (work.jobs.isEmpty && !isToBeWritten(work)) { return read(work, &orders) }
    proceed(work, from: base(of: work, at: now), at: now, orders: &orders)
  }

  /// What is known, or guessed, of what is stored.
  private func base(of work: LocationWork, at now: Moment) -> Base {
    if let position = ownRecord(work), let standing = owned.standing(at: position),
      standing.version != 0, let set = owned.set(at: position)
    {
      return Base(
        set: set, version: standing.version, isKnown: isWhole(standing) && !standing.isLost, isRecord: true)
    }
    if let (set, version) = looked(work, at: now) {
      return Base(set: set, version: version, isKnown: true, isRecord: false)
    }
    return Base(set: .empty, version: 0, isKnown: false, isRecord: false)
  }

  private func read(_ work: LocationWork, _ orders: inout LocationOrders) {
    work.mustCheck = false
    work.state = .reading(watch())
    send(.read(aor: work.aor), for: .work(work.handle), &orders)
  }

  // MARK: Replies

  /// Redis replied to the command of an address of record.
  func replied(_ work: LocationWork, _ reply: LocationReply, at now: Moment, orders: inout LocationOrders) {
    let state = work.state
    work.state = .idle
    switch (state, reply) {
    case (.reading(let watch), .value(let value)): hasRead(work, watch, value, at: now, orders: &orders)
    case (.writing(let attempt), .done):
      writesUnderWay -= 1
      hasWritten(work, attempt, at: now, orders: &orders)
    case (.writing(let attempt), .value(let value)):
      writesUnderWay -= 1
      foundOther(work, attempt, value, at: now, orders: &orders)
    case (.writing(let attempt), .scriptMissing) where work.retries < Self.maxRetries:
      work.retries += 1
      writesUnderWay -= 1
      write(work, attempt, at: now, &orders)
    case (.writing, _):
      writesUnderWay -= 1
      fallBack(work, at: now, orders: &orders)
    case (.reading, _): fallBack(work, at: now, orders: &orders)
    case (.idle, _), (.asking, _): work.state = state
    }
    if reply == .failed {
      pauseFlushing(at: now)
    } else if isFlushing {
      flush(at: now, orders: &orders)
    }
  }

  private func hasRead(
    _ work: LocationWork, _ watch: LocationWork.Watch, _ value: [UInt8]?, at now: Moment, orders: inout LocationOrders
  ) {
    let (set, version) = Self.decode(value)
    if mustAskEra(work, version) { return askEra(work, &orders) }
    if isOutdated(watch, version), work.retries < Self.maxRetries {
      work.retries += 1
      return read(work, &orders)
    }
    let base = Base(set: set, version: version, isKnown: true, isRecord: false)
    // Too often changed while it was read: the last answer must do, but isn't believed.
    proceed(work, from: base, isCurrent: isCurrent(watch, version), at: now, orders: &orders)
  }

  /// Whether it is still to be found out if nothing is stored because nothing is registered, or because the data set was emptied: what this
  /// worker holds would be dropped, and a caller told that nobody is there.
  private func mustAskEra(_ work: LocationWork, _ version: UInt64) -> Bool {
    version == 0 && !work.isEraAsked && (!work.lookups.isEmpty || ownRecord(work) != nil)
  }

  /// Reads once more, behind the era of the data set.
  private func askEra(_ work: LocationWork, _ orders: inout LocationOrders) {
    work.isEraAsked = true
    send(.readEra, for: .era, &orders)
    read(work, &orders)
  }

  /// The write was not made, as another state was there: it may be ours, if the reply to an earlier write was lost.
  private func foundOther(
    _ work: LocationWork, _ attempt: LocationWork.Attempt, _ value: [UInt8]?, at now: Moment,
    orders: inout LocationOrders
  ) {
    let (set, version) = Self.decode(value)
    if mustAskEra(work, version) { return askEra(work, &orders) }
    work.retries += 1
    if work.retries > Self.maxRetries { return giveUp(work, at: now, orders: &orders) }
    let base = Base(set: set, version: version, isKnown: true, isRecord: false)
    proceed(
      work, from: base, isCurrent: isCurrent(attempt.watch, version), isOutdated: isOutdated(attempt.watch, version),
      at: now, orders: &orders)
  }

  /// Others were quicker too often.
  private func giveUp(_ work: LocationWork, at now: Moment, orders: inout LocationOrders) {
    for case .update(let query?, _) in work.jobs {
      orders.answers.append(.outcome(query: query, .unavailable))
    }
    work.jobs.removeAll(keepingCapacity: true)
    work.retries = 0
    finish(work, at: now, orders: &orders)
  }

  // MARK: Changing

  /// Does the jobs to a state: writes what comes of it, or answers when nothing is to be written. Lookups are not answered with a state that is
  /// outdated; they are read anew.
  private func proceed(
    _ work: LocationWork, from base: Base, isCurrent: Bool = false, isOutdated: Bool = false, at now: Moment,
    orders: inout LocationOrders
  ) {
    switch plan(work, base, at: now) {
    case .read: read(work, &orders)
    case .write(let attempt):
      // Whoever waits for a lookup needn't wait for the write, unless it may bring the first contact.
      if base.isKnown, !base.isRecord, !isOutdated, !base.set.live(at: now.unixSeconds).isEmpty {
        answerLookups(work, base.set, version: base.version, isCurrent: isCurrent, now, &orders)
      }
      write(work, attempt, at: now, &orders)
    case .settle(let outcomes, let set):
      if !base.isRecord { storeRead(work, set, version: base.version, isCurrent: isCurrent, at: now) }
      answerJobs(work, outcomes, &orders)
      if !isOutdated, !work.lookups.isEmpty, now.instant < mistrustedUntil, set.live(at: now.unixSeconds).isEmpty {
        return inquire(work, at: now, orders: &orders)
      }
      let isBelieved = isCurrent && base.version != 0
      if !isOutdated { answerLookups(work, set, version: base.version, isCurrent: isBelieved, now, &orders) }
      finish(work, at: now, orders: &orders)
    }
  }

  private func plan(_ work: LocationWork, _ base: Base, at now: Moment) -> Plan {
    let start = base.set.live(at: now.unixSeconds)
    // What the record has beyond it was there before the jobs came.
    let (restored, isForced) = ownWriting(work, base, start, at: now)
    var set = restored
    var outcomes: [UpdateOutcome?] = []
    var isDisputed = false
    for job in work.jobs {
      switch job {
      case .remove(let flow):
        set = set.withoutFlow(flow)
        outcomes.append(nil)
      case .update(let query, let update):
        let outcome = update.applied(to: set)
        if case .done(let next, _) = outcome {
          if update.operation == .fetch { isDisputed = true } else { set = next }
        } else {
          isDisputed = true
        }
        outcomes.append(query == nil ? nil : outcome)
      }
    }
    let isUnchanged = set === start || (set.isVacant && base.set.isVacant)
    if !base.isKnown, isDisputed || (isUnchanged && !isForced) { return .read }
    if isUnchanged, !isForced { return .settle(outcomes, set) }
    let standing = ownRecord(work).flatMap { owned.standing(at: $0) }
    let isChange = (standing?.isLost ?? false) || base.version == 0 || !set.hasSameTargets(as: base.set)
    return .write(
      LocationWork.Attempt(
        expected: base.version, version: makeVersion(), next: set, outcomes: outcomes, isChange: isChange,
        changes: standing?.changes ?? 0, watch: watch()))
  }

  private func write(
    _ work: LocationWork, _ attempt: LocationWork.Attempt, at now: Moment, _ orders: inout LocationOrders
  ) {
    var value: [UInt8] = []
    if !attempt.next.isVacant {
      value.reserveCapacity(384)
      value.append(bigEndian: attempt.version, 8)
      BindingCodec.append(attempt.next, to: &value)
    }
    let (rest, overflow) = attempt.next.latestExpiry.subtractingReportingOverflow(now.unixSeconds)
    let change = CompareAndSet(
      aor: work.aor, expected: attempt.expected, version: attempt.version, value: value,
      seconds: max(1, min(overflow ? .max : rest, 1 << 31)), isPublished: attempt.isChange)
    writesUnderWay += 1
    work.state = .writing(attempt)
    send(.write(change), for: .work(work.handle), &orders)
  }

  private func hasWritten(
    _ work: LocationWork, _ attempt: LocationWork.Attempt, at now: Moment, orders: inout LocationOrders
  ) {
    work.retries = 0
    let isCurrent = isCurrent(attempt.watch, attempt.version)
    storeWritten(work, attempt, isCurrent: isCurrent, at: now)
    answerJobs(work, attempt.outcomes, &orders)
    let isBelieved = isCurrent && !attempt.next.isVacant
    if !isOutdated(attempt.watch, attempt.version) {
      answerLookups(work, attempt.next, version: attempt.version, isCurrent: isBelieved, now, &orders)
    }
    finish(work, at: now, orders: &orders)
  }

  private func answerJobs(_ work: LocationWork, _ outcomes: [UpdateOutcome?], _ orders: inout LocationOrders) {
    for (job, outcome) in zip(work.jobs, outcomes) {
      if case .update(let query?, _) = job, let outcome {
        orders.answers.append(.outcome(query: query, outcome))
      }
    }
    work.jobs.removeFirst(min(outcomes.count, work.jobs.count))
  }

  /// Goes on with what came meanwhile, or closes the work.
  func finish(_ work: LocationWork, at now: Moment, orders: inout LocationOrders) {
    work.isEraAsked = false
    if !work.jobs.isEmpty || !work.lookups.isEmpty || work.mustCheck {
      start(work, at: now, orders: &orders)
      return
    }
    close(work)
    guard let position = ownRecord(work), !owned.dropIfVacant(position),
      owned.standing(at: position)?.isDirty == true
    else { return }
    enqueue(position, at: now)
  }

  /// A stored value; octets that are no value of ours count as a version of nothing, which a write may replace.
  static func decode(_ value: [UInt8]?) -> (BindingSet, UInt64) {
    guard let value, value.count >= 8 else { return (.empty, 0) }
    let all = value.span
    return (BindingCodec.read(value, from: 8) ?? .empty, all.bigEndian(0, 8))
  }
}

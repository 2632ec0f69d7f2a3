import SIPServer
import Structures

/// What this worker answers for: the records of its own bindings, refreshes that are written in batches, and what must be written again because it was lost.
extension LocationMachine {
  // MARK: What is known

  /// A state was read in which nothing was to be changed.
  func storeRead(_ work: LocationWork, _ set: BindingSet, version: UInt64, isCurrent: Bool, at now: Moment) {
    guard let position = ownRecord(work) else { return }
    owned.store(set, at: position)
    confirm(position, version: version, isCurrent: isCurrent, isWritten: false, at: now)
    owned.dropIfVacant(position)
  }

  /// A state was written: bindings that came over this worker are its own from now on.
  func storeWritten(_ work: LocationWork, _ attempt: LocationWork.Attempt, isCurrent: Bool, at now: Moment) {
    let known = ownRecord(work)
    let isUntouched = known.flatMap { owned.standing(at: $0) }?.changes == attempt.changes
    var isStored = false
    for (job, outcome) in zip(work.jobs, attempt.outcomes) {
      guard case .update(_, let update) = job, case .done = outcome else { continue }
      owned.note(update, attempt.next)
      isStored = true
    }
    if let known, !isStored, isUntouched || !attempt.outcomes.isEmpty { owned.store(attempt.next, at: known) }
    guard let position = ownRecord(work) else { return }
    confirm(position, version: attempt.version, isCurrent: isCurrent, isWritten: true, at: now)
    if isUntouched || !attempt.outcomes.isEmpty {
      owned.updateStanding(at: position) { ($0.isDirty, $0.isLost) = (false, false) }
    }
    owned.dropIfVacant(position)
  }

  private func confirm(_ position: UInt32, version: UInt64, isCurrent: Bool, isWritten: Bool, at now: Moment) {
    let live = subscription
    owned.updateStanding(at: position) { standing in
      standing.version = version
      standing.subscription = isCurrent ? live : 0
      standing.confirmedAt = now.seconds
      if isWritten {
        standing.writtenAt = now.seconds
      } else {
        (standing.isDirty, standing.isLost) = (false, false)
      }
    }
  }

  /// A change was told that isn't the one under way: what of this worker's bindings is left must be looked at.
  func recordChanged(
    _ aor: Span<UInt8>, _ hash: UInt64, _ version: UInt64, at now: Moment, orders: inout LocationOrders
  ) {
    guard let position = owned.record(of: aor, hash), let standing = owned.standing(at: position) else { return }
    if standing.version == version { return }
    owned.updateStanding(at: position) { $0.subscription = 0 }
    guard let known = owned.aor(at: position) else { return }
    let work = openWork(known, hash)
    work.mustCheck = true
    if isConnected { start(work, at: now, orders: &orders) } else { finishUnchecked(work) }
  }

  /// Nothing can be looked at now: once the connection is back, the record no longer counts as the whole anyway.
  private func finishUnchecked(_ work: LocationWork) {
    work.mustCheck = false
    if work.isIdle, work.jobs.isEmpty, work.lookups.isEmpty { close(work) }
  }

  // MARK: What is to be written

  /// What the record of this worker adds to a state, and whether it must be written even if that is nothing: the record is ahead of what is
  /// stored.
  func ownWriting(_ work: LocationWork, _ base: Base, _ set: BindingSet, at now: Moment) -> (BindingSet, Bool) {
    guard let position = ownRecord(work), let standing = owned.standing(at: position),
      standing.isDirty
    else { return (set, false) }
    if base.isRecord { return (set, true) }
    return (set.restoring(owned.ownSet(at: position), lost: standing.isLost, at: now.unixSeconds), false)
  }

  func isToBeWritten(_ work: LocationWork) -> Bool {
    guard let position = ownRecord(work) else { return false }
    return owned.standing(at: position)?.isDirty ?? false
  }

  /// A record changed here.
  func markDirty(_ position: UInt32, at now: Moment) {
    owned.updateStanding(at: position) { $0.isDirty = true }
    enqueue(position, at: now)
  }

  func enqueue(_ position: UInt32, at now: Moment) {
    guard let handle = owned.handle(at: position), owned.standing(at: position)?.isQueued == false else { return }
    owned.updateStanding(at: position) { $0.isQueued = true }
    queue.append(handle)
    if flushAt == nil, !isFlushing { flushAt = now.instant + settings.batchDelay }
  }

  /// What can't be written now is tried again a little later.
  func pauseFlushing(at now: Moment) {
    isFlushing = false
    if queueStart < queue.count { flushAt = now.instant + settings.batchDelay }
  }

  /// Writes what is queued, a window of commands at a time: replies bring the next.
  func flush(at now: Moment, orders: inout LocationOrders) {
    flushAt = nil
    isFlushing = isConnected
    guard isConnected else { return }
    while queueStart < queue.count, writesUnderWay < settings.window {
      let handle = queue[queueStart]
      queueStart += 1
      guard owned.contains(handle) else { continue }
      owned.updateStanding(at: handle.index) { $0.isQueued = false }
      guard owned.standing(at: handle.index)?.isDirty == true, let aor = owned.aor(at: handle.index) else { continue }
      start(openWork(aor, OwnedBindings.hash(aor.span)), at: now, orders: &orders)
    }
    if queueStart == queue.count {
      queue.removeAll(keepingCapacity: queue.count <= 1_024)
      queueStart = 0
      isFlushing = false
    } else if queueStart > 4_096, queueStart * 2 > queue.count {
      queue.removeFirst(queueStart)
      queueStart = 0
    }
  }

  // MARK: What was lost

  /// The data set names its era, or has none yet.
  func readEra(_ reply: LocationReply, at now: Moment, orders: inout LocationOrders) {
    guard case .value(let value) = reply else { return }
    guard let value, value.count == 8 else {
      // Replies to what was sent meanwhile come before the new era does, so what is known counts as lost from here on.
      if era != nil { dataSetLost(at: now, orders: &orders) }
      era = nil
      return send(.beginEra(randomWord()), for: .newEra, &orders)
    }
    let found = value.span.bigEndian(0, 8)
    if let era, era != found { dataSetLost(at: now, orders: &orders) }
    era = found
  }

  /// The data set isn't the one that it was, so all that this worker holds is written again.
  private func dataSetLost(at now: Moment, orders: inout LocationOrders) {
    mistrustedUntil = now.instant + Self.refilling
    salts.doubt()
    for position in owned.positions {
      owned.updateStanding(at: position) {
        ($0.isDirty, $0.isLost, $0.version, $0.subscription) = (true, true, 0, 0)
      }
      enqueue(position, at: now)
    }
    cache.removeAll()
    flush(at: now, orders: &orders)
  }

  /// What was written lately may not have reached the server that is in charge now.
  func rewriteRecent(at now: Moment) {
    for position in owned.positions {
      guard let standing = owned.standing(at: position) else { continue }
      if !standing.isDirty, now.seconds &- standing.writtenAt <= Self.rewrittenSeconds {
        owned.updateStanding(at: position) { ($0.isDirty, $0.isLost) = (true, true) }
      }
      if standing.isDirty || now.seconds &- standing.writtenAt <= Self.rewrittenSeconds { enqueue(position, at: now) }
    }
  }
}

import SIPServer
import Structures

/// Redis is away, or doesn't answer in time: the worker goes on with what it knows, and keeps in mind what is to be written.
///
/// A REGISTER that can't be written is answered as if it had been: the binding is in the worker's record and is written, where it is newer
/// than what is found, once Redis is back. It is lost only if the worker ends before.
extension LocationMachine {
  /// Answers whoever waits for an address of record from what is known here.
  func fallBack(_ work: LocationWork, at now: Moment, orders: inout LocationOrders) {
    if degradedSince == nil { degradedSince = now.unixSeconds }
    work.retries = 0
    work.mustCheck = false
    var kept: [LocationWork.Job] = []
    for job in work.jobs {
      if let rest = answerHere(work, job, at: now, orders: &orders), !kept.contains(rest) { kept.append(rest) }
    }
    work.jobs = kept
    answerLookupsHere(work, at: now, orders: &orders)
    if !work.jobs.isEmpty {
      stall(work)
    } else if work.isIdle {
      close(work)
    }
    requeue(work, at: now)
  }

  /// A record that could not be written waits for its turn again.
  private func requeue(_ work: LocationWork, at now: Moment) {
    guard let position = ownRecord(work), owned.standing(at: position)?.isDirty == true
    else { return }
    enqueue(position, at: now)
  }

  /// Does a job to the record; returns what of it must be done to what is stored as well, beside the bindings of the record.
  private func answerHere(
    _ work: LocationWork, _ job: LocationWork.Job, at now: Moment, orders: inout LocationOrders
  ) -> LocationWork.Job? {
    let known = ownRecord(work)
    let base = known.flatMap { owned.set(at: $0) }
    switch job {
    case .remove(let flow):
      if let known, let base {
        let rest = base.withoutFlow(flow)
        if rest !== base {
          owned.store(rest, at: known)
          noteUnwritten(known)
        }
        owned.dropIfVacant(known)
      }
      return job
    case .update(nil, _): return job
    case .update(let query?, let update):
      let outcome = applyHere(update, base, at: now)
      orders.answers.append(.outcome(query: query, outcome))
      guard case .done = outcome, let rest = update.removals else { return nil }
      return .update(query: nil, rest)
    }
  }

  private func applyHere(_ update: RegistrationUpdate, _ base: BindingSet?, at now: Moment) -> UpdateOutcome {
    if update.operation == .fetch, base == nil { return .unavailable }
    let outcome = update.applied(to: base ?? .empty)
    guard case .done(let next, _) = outcome, update.operation != .fetch else { return outcome }
    let position = owned.note(update, next)
    if let position { noteUnwritten(position) }
    let isKept = next.bindings.allSatisfy { $0.flow.id != update.flow.id } || position != nil
    return isKept ? outcome : .full
  }

  private func noteUnwritten(_ position: UInt32) {
    owned.updateStanding(at: position) { ($0.isDirty, $0.isLost) = (true, true) }
  }

  private func answerLookupsHere(_ work: LocationWork, at now: Moment, orders: inout LocationOrders) {
    guard !work.lookups.isEmpty else { return }
    let set = ownRecord(work).flatMap { owned.set(at: $0) }?.live(at: now.unixSeconds)
    if let set, !set.isEmpty {
      answerLookups(work, set, version: 0, isCurrent: false, now, &orders)
      return
    }
    inquire(work, at: now, orders: &orders)
  }

  /// Asks the other workers on behalf of the lookups that wait.
  func inquire(_ work: LocationWork, at now: Moment, orders: inout LocationOrders) {
    guard inquiries.count < Self.maxStalled else {
      answerLookups(work, .empty, version: 0, isCurrent: false, now, &orders)
      return
    }
    work.state = .asking(
      LocationWork.Inquiry(missing: 1, found: .empty, deadline: now.instant + settings.inquiryTime))
    inquiries.append(work.handle)
    orders.inquiries.append((work.handle.word, work.aor))
  }

  // MARK: The other workers

  /// So many other workers were asked.
  func asked(_ question: UInt64, _ count: Int, at now: Moment, orders: inout LocationOrders) {
    guard let work = works[SlotHandle(word: question)], case .asking(var inquiry) = work.state else { return }
    inquiry.missing = count
    work.state = .asking(inquiry)
    if count <= 0 { endInquiry(work, inquiry, at: now, orders: &orders) }
  }

  /// Another worker says what it holds.
  func peerAnswered(_ question: UInt64, _ octets: [UInt8], at now: Moment, orders: inout LocationOrders) {
    guard let work = works[SlotHandle(word: question)], case .asking(var inquiry) = work.state else { return }
    if let set = BindingCodec.read(octets) {
      inquiry.found = inquiry.found.restoring(set, lost: true, at: now.unixSeconds)
    }
    inquiry.missing -= 1
    work.state = .asking(inquiry)
    if inquiry.missing <= 0 { endInquiry(work, inquiry, at: now, orders: &orders) }
  }

  /// What this worker tells another that can't reach Redis: its own bindings, encoded; empty when there are none.
  func held(_ aor: Span<UInt8>, at unixSeconds: Int64) -> [UInt8] {
    guard let position = owned.record(of: aor, OwnedBindings.hash(aor)) else { return [] }
    let own = owned.ownSet(at: position).live(at: unixSeconds)
    var octets: [UInt8] = []
    if !own.isEmpty { BindingCodec.append(own, to: &octets) }
    return octets
  }

  /// Those who have not answered in time have nothing.
  func endInquiries(at now: Moment, orders: inout LocationOrders) {
    for handle in inquiries {
      if let work = works[handle], case .asking(let inquiry) = work.state, inquiry.deadline <= now.instant {
        endInquiry(work, inquiry, at: now, orders: &orders)
      }
    }
    inquiries.removeAll { handle in
      if case .asking = works[handle]?.state { false } else { true }
    }
  }

  private func endInquiry(
    _ work: LocationWork, _ inquiry: LocationWork.Inquiry, at now: Moment, orders: inout LocationOrders
  ) {
    work.state = .idle
    answerLookups(work, inquiry.found, version: 0, isCurrent: false, now, &orders)
    finish(work, at: now, orders: &orders)
  }

  // MARK: What waits for Redis

  private func stall(_ work: LocationWork) {
    if work.isStalled { return }
    guard stalled.count < Self.maxStalled else {
      work.jobs.removeAll()
      if work.isIdle { close(work) }
      return
    }
    work.isStalled = true
    stalled.append(work.handle)
  }

  /// Does what had to wait.
  func resumeStalled(at now: Moment, orders: inout LocationOrders) {
    guard !stalled.isEmpty else { return }
    let handles = stalled
    stalled = []
    for handle in handles {
      guard let work = works[handle] else { continue }
      work.isStalled = false
      start(work, at: now, orders: &orders)
    }
  }
}

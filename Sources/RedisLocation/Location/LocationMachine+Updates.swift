import SIPServer
import Structures

/// What the core wants changed.
extension LocationMachine {
  /// A REGISTER request wants something of the bindings of its address of record.
  func update(_ query: UInt64, _ update: RegistrationUpdate, at now: Moment, orders: inout LocationOrders) {
    let hash = OwnedBindings.hash(update.aor.span)
    let open = work(of: update.aor.span, hash)
    if open?.jobs.isEmpty ?? true, refresh(query, update, hash, now, &orders) { return }
    if owned.isFull, update.adds, owned.record(of: update.aor.span, hash) == nil {
      orders.answers.append(.outcome(query: query, .full))
      return
    }
    let work = open ?? openWork(update.aor, hash)
    work.jobs.append(.update(query: query, update))
    start(work, at: now, orders: &orders)
  }

  /// A flow is gone: the bindings that hang on it end, where they still do.
  func remove(_ aor: [UInt8], _ flow: FlowID, at now: Moment, orders: inout LocationOrders) {
    let hash = OwnedBindings.hash(aor.span)
    let work = openWork(aor, hash)
    for case .remove(let other) in work.jobs where other == flow { return }
    work.jobs.append(.remove(flow))
    start(work, at: now, orders: &orders)
  }

  /// Whoever should hold a flow disowns it: what was looked up and leads there is looked at again.
  func flowGone(_ flow: StreamFlow, at now: Moment, orders: inout LocationOrders) {
    for aor in cache.records(over: flow) { remove(aor, .stream(flow), at: now, orders: &orders) }
  }

  /// Answers a refresh over the flow that the binding has, where the whole set is known here: it is written soon, with others.
  private func refresh(
    _ query: UInt64, _ update: RegistrationUpdate, _ hash: UInt64, _ now: Moment, _ orders: inout LocationOrders
  ) -> Bool {
    guard case .stream = update.flow.id, case .change = update.operation,
      let position = owned.record(of: update.aor.span, hash), let standing = owned.standing(at: position),
      isWhole(standing), standing.version != 0, let set = owned.set(at: position),
      set.bindings.contains(where: { $0.flow.id == update.flow.id }),
      case .done(let next, changed: false) = update.applied(to: set), !next.isEmpty
    else { return false }
    owned.note(update, next)
    cache.refresh(update.aor.span, hash, next, version: standing.version)
    markDirty(position, at: now)
    orders.answers.append(.outcome(query: query, .done(next, changed: false)))
    return true
  }
}

extension RegistrationUpdate {
  /// Whether it may leave more bindings than there were.
  fileprivate var adds: Bool {
    guard case .change(let contacts) = operation else { return false }
    return contacts.contains { $0.duration > 0 }
  }

  /// What of the update takes bindings away; nil when nothing does.
  var removals: RegistrationUpdate? {
    switch operation {
    case .fetch: return nil
    case .removeAll: return self
    case .change(let contacts):
      let removed = contacts.filter { $0.duration == 0 }
      if removed.isEmpty { return nil }
      var rest = self
      rest.operation = .change(removed)
      return rest
    }
  }
}

internal import Configuration
internal import Logging
internal import Reactor

/// What the machine ordered, carried out.
extension NodeSupervisor {
  /// Carries out orders until none is left: starting a worker can fail at once, which is an input again.
  func carryOut() {
    // First: a worker that is started again has the configuration that a reload left in force.
    carryOutReload()
    machine.hold(reloads.isUnderWay, System.monotonicNow, into: &actions)
    while !actions.isEmpty {
      let orders = actions
      actions.removeAll(keepingCapacity: true)
      for order in orders { carryOut(order) }
      carryOutReload()
      machine.hold(reloads.isUnderWay, System.monotonicNow, into: &actions)
    }
    beginWaitingReload()
    carryOutReload()
    continueUpgrade()
    guard let deadline else { return }
    let next = [machine.nextDeadline, reloads.nextDeadline].compactMap(\.self).min()
    if let next { loop.schedule(deadline, at: next) } else { loop.cancel(deadline) }
  }

  private func carryOut(_ order: SupervisorMachine.Action) {
    switch order {
    case .spawn(let slot, let generation): spawn(slot, generation)
    case .send(let slot, let message): workers[slot]?.send(message)
    case .kill(let slot): workers[slot]?.kill()
    case .spawnSuccessor(let slot, let generation): spawnSuccessor(slot, generation)
    case .handOver(let slot):
      if let worker = workers[slot] { successors[slot]?.takeOver(from: worker) }
    case .promote(let slot): promote(slot)
    case .sendOther(let slot, let generation, let message): other(slot, generation)?.send(message)
    case .killOther(let slot, let generation): other(slot, generation)?.kill()
    case .tellOthers(let slot, let message):
      for process in Array(workers.values) + Array(successors.values) + retired where process.slot != slot {
        process.send(message)
      }
    case .report(let report): logger.log(level: report.level, "\(report)")
    case .announceReady: announceReady()
    case .finish(let status): finish(status)
    }
  }

  /// The workers are gone: what served them goes too.
  private func finish(_ status: Int32) {
    guard let admin else { return finishRedis(status) }
    admin.stop { [unowned self] in finishRedis(status) }
  }

  private func finishRedis(_ status: Int32) {
    guard let redis else { return finished = status }
    redis.stop { [unowned self] in finished = status }
  }

  private func spawn(_ slot: Int, _ generation: UInt16) {
    do throws(SystemError) {
      workers[slot] = try WorkerProcess(
        executable: executable, slot: slot, generation: generation, belongings: belongings(of: slot), loop: loop
      ) { [unowned self] message, worker in received(message, worker) }
      reloads.started(slot: slot)
    } catch {
      machine.ended(
        .notStarted("\(error)"), slot: slot, generation: generation, System.monotonicNow, into: &actions)
    }
  }

  private func spawnSuccessor(_ slot: Int, _ generation: UInt16) {
    do throws(SystemError) {
      successors[slot] = try WorkerProcess(
        executable: executable, slot: slot, generation: generation, belongings: belongings(of: slot), takesOver: true,
        loop: loop
      ) { [unowned self] message, worker in received(message, worker) }
    } catch {
      machine.ended(
        .notStarted("\(error)"), slot: slot, generation: generation, System.monotonicNow, into: &actions)
    }
  }

  /// The one before is gone already, or has yet to finish what it has begun.
  private func promote(_ slot: Int) {
    if let old = workers[slot] { retired.append(old) }
    workers[slot] = successors.removeValue(forKey: slot)
    if let worker = workers[slot] { tellOfDrain(worker) }
  }

  private func other(_ slot: Int, _ generation: UInt16) -> WorkerProcess? {
    (Array(successors.values) + retired).first { $0.slot == slot && $0.generation == generation }
  }

  func received(_ message: ControlMessage, _ worker: WorkerProcess) {
    machine.received(message, slot: worker.slot, generation: worker.generation, System.monotonicNow, into: &actions)
    guard workers[worker.slot] === worker else { return carryOut() }
    switch message {
    case .ready:
      reloads.ready(slot: worker.slot, into: &reloadActions)
      tellOfDrain(worker)
    case .prepared(let version): reloads.prepared(slot: worker.slot, version: version, into: &reloadActions)
    case .refused(let version, let reason):
      reloads.refused(slot: worker.slot, version: version, reason, into: &reloadActions)
    case .answer(let id, _, let octets): controls?.answered(slot: worker.slot, id: id, octets: octets)
    case .heartbeat, .drain, .stop, .question, .prepare, .commit, .abort, .handOver, .tookOver, .goOn, .slotEnded,
      .moveOff, .stay:
      break
    }
    carryOut()
  }

  private func belongings(of slot: Int) -> WorkerProcess.Belongings {
    WorkerProcess.Belongings(
      epoch: epoch, slots: listeners.slots.count, bundle: file.bundle, listeners: listeners.slots[slot],
      link: links.numbers[slot], linkDirectory: links.directory, page: statistics.memory.number,
      redis: redis?.socket ?? "",
      owner: owner)
  }

  private func announceReady() {
    logger.info("ready: node \(file.configuration.node) \(service)")
    manager.ready(service)
  }

  /// What the node does, in a few words.
  var service: String {
    "serves \(file.configuration.domains.map(\.name).joined(separator: ", "))"
  }
}

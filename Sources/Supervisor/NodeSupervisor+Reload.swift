internal import CLinux
internal import Configuration
internal import Logging
internal import Reactor

/// What became of a wish to read the settings again.
enum ReloadOutcome: Sendable, Equatable {
  /// Nothing in them changed.
  case unchanged
  /// They hold now in all workers; the settings named here hold for each worker from its next start on.
  case inForce(waiting: [String])
  /// The old ones stay in force; why.
  case refused(String)
}

/// A reload that is under way.
final class ReloadUnderWay {
  /// What was read.
  let file: ConfigurationFile
  /// The same for the workers, in sealed memory.
  let memory: Descriptor
  /// What changed.
  let changes: [SettingsChange]

  init(file: ConfigurationFile, memory: consuming Descriptor, changes: [SettingsChange]) {
    self.file = file
    self.memory = memory
    self.changes = changes
  }
}

/// Reading the settings again: what is decided is in ``ReloadMachine``.
extension NodeSupervisor {
  /// Reads the settings and all that they name, lets all workers prepare them, and puts them into force in all of them or in
  /// none. `completion` hears once what came of it. While one reload is under way another waits for its end.
  func reload(_ completion: @escaping (ReloadOutcome) -> Void = { _ in }) {
    guard !reloads.isUnderWay, !machine.isHandingOver else { return waitingReloads.append(completion) }
    reloadCompletions.append(completion)
    manager.reloading()
    do throws(SettingsErrors) {
      var fresh = try ConfigurationFile(path: path)
      for note in fresh.notes { logger.warning("\(note)") }
      fresh.setStandardSecret(file.configuration.clusterSecret)
      take(fresh)
    } catch {
      for error in error.errors { logger.error("reload: \(error)") }
      endReload(.refused(error.description))
    }
  }

  func take(_ fresh: ConfigurationFile) {
    guard !isStopping else { return endReload(.refused("the node is ending")) }
    let changes = SettingsChange.between(file.bundle, fresh.bundle)
    if changes.isEmpty { return endReload(.unchanged) }
    let late = changes.filter { $0.effect == .restart }.map { change in
      SettingsError(
        file: path, position: change.position, key: change.key,
        problem: "takes effect only when the node is started again",
        remedy: "restart the node, or put it back as it was to reload the rest")
    }
    guard late.isEmpty else {
      for error in late { logger.error("reload: \(error)") }
      return endReload(.refused(late.map(\.description).joined(separator: "\n")))
    }
    let octets = fresh.bundle.encode()
    let memory = octets.withUnsafeBytes { clinux_sealed_memory("apus-configuration", $0.baseAddress, $0.count) }
    guard memory >= 0 else { return endReload(.refused("\(SystemError("memfd_create", code: -memory))")) }
    underWay = ReloadUnderWay(file: fresh, memory: Descriptor(owning: memory), changes: changes)
    reloads.begin(
      ready: machine.readySlots, starting: machine.startingSlots, System.monotonicNow, into: &reloadActions)
  }

  // MARK: - What is done

  /// Carries out what the machine of reloads ordered.
  func carryOutReload() {
    while !reloadActions.isEmpty {
      let orders = reloadActions
      reloadActions.removeAll(keepingCapacity: true)
      for order in orders { carryOut(order) }
    }
  }

  private func carryOut(_ order: ReloadMachine.Action) {
    switch order {
    case .prepare(let slot, let version):
      // What can't be told counts as not answered.
      workers[slot]?.send(.prepare(version: version), passing: underWay?.memory.number)
    case .adopt: adopt()
    case .commit(let slot, let version):
      guard let worker = workers[slot], !worker.send(.commit(version: version)) else { return }
      // It would go on by the old configuration; its successor has the new one.
      logger.error("worker \(slot) takes no orders: killed")
      worker.kill()
    case .abort(let slot, let version): workers[slot]?.send(.abort(version: version))
    case .refuse(let reason): endReload(.refused("\(reason)"))
    }
  }

  private func adopt() {
    guard let (fresh, changes) = underWay.map({ ($0.file, $0.changes) }) else { return }
    file = fresh
    watchFiles()
    startAdminIfNeeded()
    if let level = Logger.Level(rawValue: file.configuration.log.level.rawValue) { logger.logLevel = level }
    let (live, waiting) = (changes.filter { $0.effect == .live }, changes.filter { $0.effect == .newWorkers })
    if !live.isEmpty { logger.info("reload: in force now: \(live.map(\.key).joined(separator: ", "))") }
    if !waiting.isEmpty {
      logger.warning(
        "reload: in force in each worker from its next start on: \(waiting.map(\.key).joined(separator: ", "))")
    }
    endReload(.inForce(waiting: waiting.map(\.key)))
  }

  private func endReload(_ outcome: ReloadOutcome) {
    underWay = nil
    switch outcome {
    case .unchanged: logger.info("reload: \(path) is right and nothing in it changed")
    case .inForce: logger.info("reload: \(path) is in force")
    case .refused(let reason): logger.error("reload: the old settings stay in force: \(reason)")
    }
    manager.ready(service)
    let completions = reloadCompletions
    reloadCompletions = []
    for completion in completions { completion(outcome) }
  }

  /// Begins what was asked for while another reload was under way: several wishes are one.
  func beginWaitingReload() {
    guard !reloads.isUnderWay, !machine.isHandingOver, !waitingReloads.isEmpty else { return }
    let completions = waitingReloads
    waitingReloads = []
    reload { outcome in for completion in completions { completion(outcome) } }
  }
}

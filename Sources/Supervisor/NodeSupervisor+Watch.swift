internal import Configuration
internal import Logging

/// Files that come into force when they change, without a reload of the settings.
extension NodeSupervisor {
  /// Watches what the settings in force want watched.
  func watchFiles() { watch?.watch(file.configuration.watchedPaths) }

  /// Reads the watched files again, lets all workers check them, and puts them into force in all or in none. False: a reload
  /// is under way, so later.
  func watchedFilesChanged() -> Bool {
    if isStopping { return true }
    guard !reloads.isUnderWay, !machine.isHandingOver else { return false }
    do throws(SettingsErrors) {
      let fresh = try file.rereading(file.configuration.watchedPaths)
      let changes = SettingsChange.between(file.bundle, fresh.bundle)
      // A reload may have read them already.
      if changes.isEmpty { return true }
      logger.info("files changed: \(changes.map(\.key).joined(separator: ", "))")
      take(fresh)
    } catch {
      for error in error.errors { logger.error("files changed, the old ones stay in force: \(error)") }
    }
    carryOut()
    return true
  }
}

import ArgumentParser
import Configuration
import Supervisor

/// Everything that can be said about a configuration without running it.
struct ConfigurationCheck {
  let path: String

  /// Prints errors and notes; ends with 2 when there is an error.
  func run() throws {
    do throws(SettingsErrors) {
      let file = try ConfigurationFile(path: path)
      for note in file.notes { Terminal.complain("note: \(note)") }
      let domains = file.configuration.domains.map(\.name).joined(separator: ", ")
      Terminal.say("\(path): right; node \(file.configuration.node) serves \(domains)")
    } catch {
      for error in error.errors { Terminal.complain("\(error)") }
      let count = error.errors.count
      Terminal.complain("\(path): \(count) \(count == 1 ? "error" : "errors")")
      throw ExitCode(NodeSupervisor.ExitStatus.usage)
    }
  }
}

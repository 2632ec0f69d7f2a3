import ArgumentParser
import Foundation
import Supervisor

/// The command line.
@main
struct Apus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus", abstract: "A SIP/TLS proxy and registrar.",
    discussion: "Exit status: 0 all went well, 1 something failed, 2 the command line or the configuration is wrong.",
    subcommands: [
      Serve.self, Check.self, SettingsCommand.self, CertificateCommand.self, UserCommand.self, ControlCommand.self,
      VersionCommand.self,
    ])

  /// Runs the command that the arguments name.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      // A wrong command line is 2 here, as wrong configuration is; the package's own number for it is 64.
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      Terminal.complain(fullMessage(for: error))
      Foundation.exit(NodeSupervisor.ExitStatus.usage)
    }
  }
}

/// What went wrong, as one line for standard error.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

import ArgumentParser
import LoadGenerator

@main
enum Entry {
  static func main() {
    do {
      var command = try BenchCommand.parseAsRoot()
      try command.run()
    } catch {
      Ending.end(error)
    }
  }
}

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus-bench",
    abstract: "Loads a SIP server with users that each keep their own connection.",
    discussion: """
      Each scenario prints what it measured. The exit code is 0, 1 when a threshold of --fail-if was passed or the run
      failed, and 2 for a wrong command line.
      """,
    subcommands: [
      HandshakeCommand.self, RegisterCommand.self, RefreshCommand.self, BindCommand.self, OptionsCommand.self,
      MessageCommand.self, CallCommand.self, IdleCommand.self, StormCommand.self, MixedCommand.self,
      RestartCommand.self,
      AnswerCommand.self, CompareCommand.self,
    ])
}

import ArgumentParser
import Configuration
import Foundation
import Supervisor

/// `apus serve`: runs a node.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a node in the foreground.",
    discussion: """
      TERM lets what is under way end, then ends the node; a second TERM or INT ends it at once. HUP reads the \
      configuration again and says what is wrong with it or whether it changed. USR2 has the programs on the disk take over. \
      The log goes to standard error.
      """)

  @Option(name: .long, help: "The settings file.")
  var config: String

  @Flag(name: .long, help: "Check the settings and leave, like apus check.")
  var check = false

  func run() throws {
    if check {
      var check = ConfigurationCheck(path: config)
      return try check.run()
    }
    let status = NodeSupervisor.serve(path: config, executable: Self.workerPath, program: Self.programPath)
    if status != 0 { throw ExitCode(status) }
  }

  /// Our own executable; another file may have its name by now.
  static var programPath: String {
    let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let path = link ?? CommandLine.arguments[0]
    return path.hasSuffix(" (deleted)") ? String(path.dropLast(10)) : path
  }

  /// The worker's executable: beside ours, unless APUS_WORKER names another.
  static var workerPath: String {
    if let other = ProcessInfo.processInfo.environment["APUS_WORKER"], !other.isEmpty { return other }
    return URL(fileURLWithPath: programPath).deletingLastPathComponent().appendingPathComponent("apus-worker").path
  }
}

/// `apus check`: reads the settings and all that they name, and says what is wrong.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a settings file and the files that it names.",
    discussion: "Prints every error and every note, each with its place. Exit status 2 when there is an error.")

  @Option(name: .long, help: "The settings file.")
  var config: String

  func run() throws {
    var check = ConfigurationCheck(path: config)
    try check.run()
  }
}

/// `apus settings`: the sample file and the reference.
struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Print all settings, as a commented sample file or as a reference.")

  @Flag(help: "What to print.")
  var form: Form

  enum Form: String, EnumerableFlag {
    case sample
    case reference
  }

  func run() throws {
    let text =
      switch form {
      case .sample: SettingsSample.text
      case .reference: SettingsReference.text
      }
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}

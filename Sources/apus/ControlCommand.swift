import ArgumentParser
import Configuration
import Foundation
import Supervisor

/// `apus ctl`: asks a running node.
struct ControlCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ctl", abstract: "Ask a running node, or tell it to do something.",
    usage: "apus ctl [--config FILE | --socket PATH] [--json] VERB [WORDS]",
    discussion: ControlHelp.overview)

  @Option(name: .long, help: "The settings file of the node: it says where the node's control socket is.")
  var config: String?

  @Option(name: .long, help: "The control socket of the node.")
  var socket: String?

  @Flag(name: .long, help: "Print JSON instead of a table.")
  var json = false

  @Argument(parsing: .captureForPassthrough, help: "A verb and what follows it; 'help VERB' tells more.")
  var words: [String] = []

  func run() throws {
    do throws(ControlProblem) { try answer() } catch {
      let remedy = error.remedy.isEmpty ? "" : "\n  \(error.remedy)"
      Terminal.complain("apus ctl: \(error.problem)\(remedy)")
      throw ExitCode(error.status.rawValue)
    }
  }

  private func answer() throws(ControlProblem) {
    var words = words
    let isJSON = json || words.contains("--json")
    words.removeAll { $0 == "--json" }
    guard let name = words.first else {
      throw ControlProblem(.usage, "what is to be asked?", remedy: "apus ctl help lists all verbs")
    }
    let rest = Array(words.dropFirst())
    if name == "help" { return try help(rest) }
    guard let verb = ControlVerbs.find(name) else { throw ControlVerbs.unknown(name) }
    if rest.contains("--help") { return Terminal.say(ControlHelp.text(of: verb)) }
    let values = try verb.read(rest).get()
    let connection = try ControlConnection(path: try path())
    let missing =
      isJSON ? try printJSON(verb, values, connection) : try printTable(verb, values, connection)
    guard !missing.isEmpty else { return }
    throw ControlProblem(
      .unreachable,
      "no answer came from slot \(missing.map(String.init).joined(separator: ", ")): the list lacks its part",
      remedy: "worker.list shows how the workers are")
  }

  private func help(_ words: [String]) throws(ControlProblem) {
    guard let name = words.first else { return Terminal.say(ControlHelp.overview) }
    guard let verb = ControlVerbs.find(name) else { throw ControlVerbs.unknown(name) }
    Terminal.say(ControlHelp.text(of: verb))
  }

  /// Where the node's socket is: named, or as its settings say, or where it is when they say nothing.
  private func path() throws(ControlProblem) -> String {
    if let socket { return socket }
    guard let config else { return NodeConfiguration.standardControlSocket }
    switch YAMLFile.parse(path: config) {
    case .success(let node): return NodeConfiguration.controlSocket(in: node, file: config)
    case .failure(let errors): throw ControlProblem(.usage, errors.description)
    }
  }

  /// One row a line, so that what is long can be read line by line.
  private func printJSON(
    _ verb: ControlVerb, _ values: [String: String], _ connection: ControlConnection
  ) throws(ControlProblem) -> [Int] {
    var isFirst = true
    let missing = try connection.ask(verb.name, values) { row in
      Terminal.write(isFirst ? "[\n" : ",\n")
      isFirst = false
      Terminal.write(String(decoding: row.octets, as: UTF8.self))
    }
    Terminal.write(isFirst ? "[]\n" : "\n]\n")
    return missing
  }

  private func printTable(
    _ verb: ControlVerb, _ values: [String: String], _ connection: ControlConnection
  ) throws(ControlProblem) -> [Int] {
    var table = TextTable(columns: verb.columns)
    let missing = try connection.ask(verb.name, values) { table.add($0) }
    for line in table.lines { Terminal.say(line) }
    return missing
  }
}

/// Help on verbs, from their table.
enum ControlHelp {
  /// All verbs with a line each.
  static var overview: String {
    let width = ControlVerbs.all.map(\.usage.count).filter { $0 <= 40 }.max() ?? 0
    let lines = ControlVerbs.all.map { verb in
      verb.usage.count > width
        ? "  \(verb.usage)\n  \(String(repeating: " ", count: width))  \(verb.summary)"
        : "  \(verb.usage.padding(toLength: width, withPad: " ", startingAt: 0))  \(verb.summary)"
    }
    return """
      Verbs:
      \(lines.joined(separator: "\n"))

      Without --config and --socket it asks the node of \(NodeConfiguration.standardControlSocket). apus ctl help VERB tells more.
      Exit status: 0 done, 1 refused or not found, 2 the command line is wrong, 3 the node can't be reached.
      """
  }

  /// Everything on one verb.
  static func text(of verb: ControlVerb) -> String {
    let details = verb.details.isEmpty ? "" : "\n\n\(verb.details)"
    return "apus ctl \(verb.usage)\n\n\(verb.summary)\(details)"
  }
}

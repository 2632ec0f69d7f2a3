import ArgumentParser
import LoadGenerator
import Structures

struct HandshakeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "handshake", abstract: "Connects, shakes hands and closes; with --resume abbreviated handshakes.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Load") var load: LoadOptions

  func run() throws {
    var plan = try common.plan("handshake")
    try common.users.refuseSharing()
    load.apply(to: &plan)
    plan.registers = false
    plan.streams = [LoadStream(.handshake, try load.pacing)]
    try Ending.execute(plan, common.run)
  }
}

struct RegisterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "register", abstract: "Connects and registers users one after another.",
    discussion: "Without --duration and --count every connection registers once.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Load") var load: LoadOptions

  func run() throws {
    var plan = try common.plan("register")
    try common.users.refuseSharing()
    load.apply(to: &plan)
    if load.duration == nil, load.count == nil {
      plan.count = plan.users.count * plan.flows
      plan.duration = .seconds(86_400)
    }
    plan.streams = [LoadStream(.register, try load.pacing)]
    try Ending.execute(plan, common.run)
  }
}

struct RefreshCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "refresh", abstract: "Registers users again over the connections that they have.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Load") var load: LoadOptions

  func run() throws {
    var plan = try common.plan("refresh")
    load.apply(to: &plan)
    plan.streams = [LoadStream(.refresh, try load.pacing)]
    try Ending.execute(plan, common.run)
  }
}

struct BindCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bind", abstract: "Registers users for the first time, over connections that are open.",
    discussion: "Ends when every user is registered.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Load") var load: LoadOptions

  func run() throws {
    var plan = try common.plan("bind")
    load.apply(to: &plan)
    guard plan.warmUp == .zero else { throw ValidationError("--warm-up: users register once, so there is none") }
    if load.count == nil { plan.count = plan.users.count }
    if load.duration == nil { plan.duration = .seconds(86_400) }
    plan.registers = false
    plan.streams = [LoadStream(.bind, try load.pacing)]
    try Ending.execute(plan, common.run)
  }
}

struct OptionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "options", abstract: "Sends OPTIONS to the server or to other users.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Load") var load: LoadOptions
  @Flag(help: "OPTIONS goes to another user, who answers.") var relayed = false

  func run() throws {
    var plan = try common.plan("options")
    load.apply(to: &plan)
    plan.relaysOptions = relayed
    plan.registers = relayed
    plan.streams = [LoadStream(.options, try load.pacing)]
    try Ending.execute(plan, common.run)
  }
}

struct MessageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "message", abstract: "Sends MESSAGE from user to user; the callee checks and answers it.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Load") var load: LoadOptions
  @Option(help: "Bytes of the body, 32 to 60000.") var bodySize = 128

  func run() throws {
    guard (32...60_000).contains(bodySize) else { throw ValidationError("--body-size: 32 to 60000") }
    var plan = try common.plan("message")
    load.apply(to: &plan)
    plan.bodySize = bodySize
    plan.streams = [LoadStream(.message, try load.pacing)]
    try Ending.execute(plan, common.run)
  }
}

/// How calls go.
struct CallOptions: ParsableArguments {
  @Option(help: "Time from the answer to BYE.") var hold = TimeArgument(.zero)
  @Option(help: "Time that the callee lets it ring.") var ring = TimeArgument(.zero)
  @Option(help: "Who ends the call: caller, callee or either.") var bye = CallSettings.Ending.caller
  @Option(help: "Calls of a hundred that the caller cancels while they ring.") var cancel = 0
  @Option(help: "Calls of a hundred that the callee rejects.") var reject = 0
  @Option(help: "Calls of a hundred that nobody answers.") var noAnswer = 0
  @Option(help: "How long a caller waits for a call that nobody answers.") var patience = TimeArgument(.seconds(5))

  func apply(to plan: inout LoadPlan) throws {
    guard cancel >= 0, reject >= 0, noAnswer >= 0, cancel + reject + noAnswer <= 100 else {
      throw ValidationError("--cancel, --reject and --no-answer are parts of a hundred")
    }
    plan.calls.hold = hold.duration
    plan.calls.ring = ring.duration
    plan.calls.ending = bye
    plan.calls.cancelPercent = cancel
    plan.calls.rejectPercent = reject
    plan.calls.noAnswerPercent = noAnswer
    plan.calls.patience = patience.duration
    // A call may take its time beyond what a single answer may.
    plan.timeout += hold.duration + ring.duration
  }
}

struct CallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "call", abstract: "Calls from user to user: INVITE, 180, 200, ACK, hold, BYE.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Load") var load: LoadOptions
  @OptionGroup(title: "Calls") var calls: CallOptions

  func run() throws {
    var plan = try common.plan("call")
    load.apply(to: &plan)
    try calls.apply(to: &plan)
    plan.streams = [LoadStream(.call, try load.pacing)]
    try Ending.execute(plan, common.run)
  }
}

struct IdleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "idle", abstract: "Holds registered connections and measures what they cost the server.")
  @OptionGroup var common: CommonOptions
  @Option(name: .shortAndLong, help: "How long they are held.") var duration = TimeArgument(.seconds(10))
  @Flag(help: "Only connects, without registering.") var unregistered = false

  func run() throws {
    var plan = try common.plan("idle")
    plan.duration = duration.duration
    plan.registers = !unregistered
    try Ending.execute(plan, common.run)
  }
}

struct StormCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "storm", abstract: "All users drop at once and come back at once.")
  @OptionGroup var common: CommonOptions
  @Option(name: .shortAndLong, help: "Longest time to wait until all are back.") var duration = TimeArgument(
    .seconds(300))

  func run() throws {
    var plan = try common.plan("storm")
    plan.duration = duration.duration
    plan.event = .storm
    try Ending.execute(plan, common.run)
  }
}

struct MixedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mixed", abstract: "Several kinds of operations at rates that a YAML file gives.",
    discussion: "The file's form is described in benchmarks/README.md.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Calls") var calls: CallOptions
  @Option(help: "The scenario file.") var scenario: String

  func run() throws {
    var plan = try common.plan("mixed")
    try calls.apply(to: &plan)
    try MixedScenario(yaml: TextFile.read(scenario), file: scenario).apply(to: &plan)
    try Ending.execute(plan, common.run)
  }
}

struct RestartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart", abstract: "Steady messages and calls while the server restarts; counts what is lost.")
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "Calls") var calls: CallOptions
  @Option(help: "MESSAGEs in a second.") var messages = 200.0
  @Option(help: "Calls in a second.") var callRate = 10.0
  @Option(name: .shortAndLong, help: "Length of the measurement.") var duration = TimeArgument(.seconds(30))
  @Option(help: "A shell command that restarts the server; without one, restart it by hand.") var command: String?
  @Option(help: "When the command runs, after the measurement began.") var after = TimeArgument(.seconds(5))

  func run() throws {
    var plan = try common.plan("restart")
    try calls.apply(to: &plan)
    plan.duration = duration.duration
    plan.event = .restart(command: command, after: after.duration)
    plan.streams = [
      LoadStream(.message, .open(RateProfile(messages), .even)), LoadStream(.call, .open(RateProfile(callRate), .even)),
    ]
    try Ending.execute(plan, common.run)
  }
}

struct AnswerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "answer", abstract: "Users that register and answer calls and messages, for tests with a phone.")
  @OptionGroup var common: CommonOptions
  @Option(help: "Time that a call rings before it is answered.") var ring = TimeArgument(.seconds(2))
  @Option(name: .shortAndLong, help: "How long they stay.") var duration = TimeArgument(.seconds(86_400))

  func run() throws {
    var plan = try common.plan("answer")
    plan.calls.ring = ring.duration
    plan.duration = duration.duration
    try Ending.execute(plan, common.run)
  }
}

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Shows two results (--json) side by side.")
  @Argument(help: "The first result.") var first: String
  @Argument(help: "The second result.") var second: String

  func run() throws {
    let (left, right) = (try TextFile.read(first), try TextFile.read(second))
    let table = try Comparison(ResultFile(json: left, name: first), ResultFile(json: right, name: second))
    print(table.text, terminator: "")
  }
}

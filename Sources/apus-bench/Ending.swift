import ArgumentParser
import Glibc
import LoadGenerator

/// How a command ends: what it prints, and its exit code.
enum Ending {
  /// A threshold was passed.
  struct ThresholdPassed: Error {}

  /// Checks, runs and reports a plan.
  static func execute(_ plan: LoadPlan, _ options: RunOptions) throws {
    let thresholds = try options.failIf.map { try Threshold($0) }
    if let index = options.workerIndex { return try WorkerProcess.run(plan, index: index) }
    let problems = LimitsCheck.problems(plan)
    if !problems.isEmpty { throw LoadError(problem: problems.joined(separator: "\n")) }
    let result = try LoadRun.run(plan, arguments: CommandLine.arguments)
    print(TextReport(result).text, terminator: "")
    if let file = options.json {
      try TextFile.write(JSONReport(result, command: CommandLine.arguments).octets, to: file)
    }
    let passed = thresholds.filter { $0.isPassed(by: result) }
    for threshold in passed { print("FAILED: \(threshold.text) (it is \(threshold.measured(result)))") }
    if !passed.isEmpty { throw ThresholdPassed() }
  }

  /// Ends the process as the error demands.
  static func end(_ error: any Error) -> Never {
    switch error {
    case is ThresholdPassed: exit(1)
    case let error as UsageError:
      complain(error.problem)
      exit(2)
    case let error as LoadError:
      complain(error.problem)
      exit(1)
    default: break
    }
    let code = BenchCommand.exitCode(for: error)
    let text = BenchCommand.fullMessage(for: error)
    if code.isSuccess {
      print(text)
      exit(0)
    }
    complain(text)
    exit(code == .validationFailure ? 2 : 1)
  }

  private static func complain(_ text: String) { TextFile.complain("\(text)\n") }
}

/// Something that an administrator can ask of a running node: one entry of the table from which `apus ctl`, its help and the control socket know what there is.
public struct ControlVerb: Sendable, Equatable {
  /// A word that follows a verb.
  public struct Parameter: Sendable, Equatable {
    /// How it is given.
    public enum Form: Sendable, Equatable {
      /// Must be given, at its place.
      case required
      /// May be given, at its place.
      case optional
      /// May be given behind `--name`.
      case option
      /// May be given as `--name` alone.
      case flag
    }

    /// The name, in requests and behind `--`.
    public let name: String
    /// How it is given.
    public let form: Form
    /// What it stands for in help.
    public let placeholder: String
  }

  /// Who answers.
  public enum Source: Sendable, Equatable {
    /// The supervisor.
    case supervisor
    /// Any worker that serves.
    case anyWorker
    /// All workers, one after the other.
    case everyWorker
    /// The worker whose slot the parameter `id` begins with; any, where none is given.
    case workerOfID
  }

  /// The name, for instance `ul.dump`.
  public let name: String
  /// Who answers.
  public let source: Source
  /// What follows it.
  public let parameters: [Parameter]
  /// The members of an answer's rows that a table shows, in order; all are in `--json`.
  public let columns: [String]
  /// One line.
  public let summary: String
  /// What else there is to know; empty when the line says it all.
  public let details: String

  init(
    _ name: String, _ source: Source, _ parameters: [Parameter] = [], columns: [String], _ summary: String,
    details: String = ""
  ) {
    self.name = name
    self.source = source
    self.parameters = parameters
    self.columns = columns
    self.summary = summary
    self.details = details
  }

  /// The verb with what follows it, for instance `ul.rm AOR [CONTACT]`.
  public var usage: String {
    let words = parameters.map { parameter in
      switch parameter.form {
      case .required: parameter.placeholder
      case .optional: "[\(parameter.placeholder)]"
      case .option: "[--\(parameter.name) \(parameter.placeholder)]"
      case .flag: "[--\(parameter.name)]"
      }
    }
    return ([name] + words).joined(separator: " ")
  }

  /// Reads the words behind a verb.
  /// - Returns: The parameters by their names, or what is wrong.
  public func read(_ words: [String]) -> Result<[String: String], ControlProblem> {
    var values: [String: String] = [:]
    var places = parameters.filter { $0.form == .required || $0.form == .optional }[...]
    var rest = words[...]
    while let word = rest.popFirst() {
      if word.hasPrefix("--"), let option = parameters.first(where: { $0.form != .required && "--\($0.name)" == word })
      {
        guard option.form != .flag else {
          values[option.name] = "yes"
          continue
        }
        guard let value = rest.popFirst() else { return .failure(usageProblem("\(word) needs a value")) }
        values[option.name] = value
      } else if word.hasPrefix("--") {
        return .failure(usageProblem("\(name) knows no \(word)"))
      } else if let place = places.popFirst() {
        values[place.name] = word
      } else {
        return .failure(usageProblem("'\(word)' is one word too many"))
      }
    }
    if let missing = places.first, missing.form == .required {
      return .failure(usageProblem("\(missing.placeholder) is missing"))
    }
    return .success(values)
  }

  private func usageProblem(_ text: String) -> ControlProblem {
    ControlProblem(.usage, text, remedy: "usage: apus ctl \(usage)")
  }
}

/// Why something that was asked for was not done.
public struct ControlProblem: Error, Sendable, Equatable {
  /// What a script may tell from it: the exit status of `apus ctl`.
  public enum Status: Int32, Sendable {
    /// Refused, or what was named isn't there.
    case refused = 1
    /// The question makes no sense.
    case usage = 2
    /// The node, or the worker that would know, can't be reached.
    case unreachable = 3
  }

  /// The exit status.
  public let status: Status
  /// What is wrong.
  public let problem: String
  /// What to do about it; may be empty.
  public let remedy: String

  /// A problem from its parts.
  public init(_ status: Status, _ problem: String, remedy: String = "") {
    self.status = status
    self.problem = problem
    self.remedy = remedy
  }
}

/// One thing that is wrong with a settings file, or that its owner should know of (a note).
public struct SettingsError: Error, Sendable, Equatable {
  /// The file, as it was named on the command line or in another file.
  public var file: String
  /// The line, from 1; 0 when the whole file is meant.
  public var line: Int
  /// The column in characters, from 1; 0 when the whole file is meant.
  public var column: Int
  /// The setting, such as `registrar.min_expires`; empty when none is meant.
  public var key: String
  /// What is wrong.
  public var problem: String
  /// What to do about it.
  public var remedy: String

  /// An error at a place of a file.
  public init(file: String, position: Position?, key: String, problem: String, remedy: String) {
    self.file = file
    line = position?.line ?? 0
    column = position?.column ?? 0
    self.key = key
    self.problem = problem
    self.remedy = remedy
  }
}

extension SettingsError: CustomStringConvertible {
  /// `FILE:LINE:COLUMN: key: problem; remedy`, without what is not known.
  public var description: String {
    let place = line > 0 ? "\(file):\(line):\(column): " : "\(file): "
    let subject = key.isEmpty ? "" : "\(key): "
    let advice = remedy.isEmpty ? "" : "; \(remedy)"
    return place + subject + problem + advice
  }
}

/// All that is wrong with a configuration, in the order of reading; never empty when thrown.
public struct SettingsErrors: Error, Sendable, Equatable {
  /// The errors.
  public var errors: [SettingsError]

  /// A collection of errors.
  public init(_ errors: [SettingsError]) {
    self.errors = errors
  }
}

extension SettingsErrors: CustomStringConvertible {
  /// One line for each error.
  public var description: String {
    errors.map(\.description).joined(separator: "\n")
  }
}

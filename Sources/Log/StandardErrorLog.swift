internal import CLinux
public import Logging

/// Writes log lines to standard error, each in one piece:
/// `2026-11-23T20:00:00.123Z apus[4711] INFO message key=value`.
///
/// Supervisor and workers write to the same standard error; the process id tells them apart. Times are UTC.
public struct StandardErrorLog: LogHandler {
  /// The least level written.
  public var logLevel: Logger.Level
  /// What every line carries.
  public var metadata: Logger.Metadata = [:]
  private let program: String

  /// A handler for a program, such as `apus-worker`.
  public init(program: String, level: Logger.Level = .info) {
    self.program = program
    logLevel = level
  }

  /// What every line carries, by key.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes one line. Control characters of the message, which a peer may have chosen, are written as `\xNN`.
  public func log(event: LogEvent) {
    let milliseconds = clinux_wall() / 1_000_000
    var line = LogLine(milliseconds: milliseconds, program: program, process: Int(clinux_process_id()))
    line.append(level: event.level)
    line.append(text: event.message.description)
    let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
    for (key, value) in all.sorted(by: { $0.key < $1.key }) { line.append(key: key, value: value.description) }
    let octets = line.finish()
    octets.withUnsafeBufferPointer { clinux_write_standard_error($0.baseAddress, $0.count) }
  }
}

import Structures

/// A result as a person reads it.
public struct TextReport {
  private let result: LoadResult

  /// The report of a result.
  public init(_ result: LoadResult) { self.result = result }

  /// All lines, each with its end.
  public var text: String {
    let parts = [summary, timings, statuses, losses, server, generator].filter { !$0.isEmpty }
    return parts.joined(separator: "\n")
  }

  private var measured: Measurements { result.measurements }

  private var summary: String {
    var text = "\(result.scenario): \(measured.successes) done, \(measured.failures) failed"
    if measured.elapsed > 1 {
      text += " in \(Self.fixed(Double(measured.elapsed) / 1e9, 2)) s, \(Self.fixed(result.rate, 1))/s"
    }
    text += "\n"
    let kinds = OperationKind.allCases.filter { measured.started($0) > 0 }
    if kinds.count > 1 {
      for kind in kinds {
        text += "  \(Self.padded(kind.name, 12)) \(measured.succeeded(kind)) done, \(measured.failed(kind)) failed\n"
      }
    }
    text += "connections: \(measured.connections) open, \(measured.registered) registered at the end"
    if result.preparation > 0 { text += "; set up in \(Self.fixed(result.preparation, 1)) s" }
    text += "\n"
    for tally in Tally.allCases where measured.value(tally) > 0 {
      text += "  \(Self.padded(tally.name, 34)) \(measured.value(tally))\n"
    }
    return text
  }

  private var timings: String {
    var text = ""
    for timing in Timing.allCases {
      let histogram = measured.histogram(timing)
      if histogram.totalCount == 0 { continue }
      var line = "\(Self.padded(timing.name, 11)) \(Self.leading("\(histogram.totalCount)", 9))"
      for percentile in [50.0, 90, 99, 99.9] {
        line += Self.leading(Self.milliseconds(histogram.valueAtPercentile(percentile)), 11)
      }
      text += line + Self.leading(Self.milliseconds(histogram.maxRecorded), 11) + "\n"
    }
    if text.isEmpty { return "" }
    return "time (ms)       count        p50        p90        p99      p99.9        max\n" + text
  }

  private var statuses: String {
    let seen = measured.statuses.indices.filter { measured.statuses[$0] > 0 }
    if seen.isEmpty { return "" }
    return "answers: " + seen.map { "\($0) × \(measured.statuses[$0])" }.joined(separator: ", ") + "\n"
  }

  private var losses: String {
    let causes = LossCause.allCases.filter { measured.value($0) > 0 }
    var text = ""
    if !causes.isEmpty {
      text = "losses: " + causes.map { "\($0.name) × \(measured.value($0))" }.joined(separator: ", ") + "\n"
    }
    if result.scenario == "restart" {
      text += "longest time without a success: \(measured.longestGap / 1_000_000) ms\n"
    }
    for (reason, count) in result.reasons.sorted(by: { $0.value > $1.value }).prefix(5) {
      text += "  \(reason) × \(count)\n"
    }
    return text
  }

  private var server: String {
    var text = ""
    if let usage = result.server {
      text =
        "server: \(Self.fixed(Double(usage.processor) / 1e9, 2)) s of processor time in \(usage.processes) processes"
      if let cost = result.serverMicrosecondsPerOperation { text += ", \(Self.fixed(cost, 1)) µs an operation" }
      text += "\n"
    }
    if let before = result.memoryBefore, let after = result.memoryAfter {
      text += "server's memory (PSS): \(Self.mebibytes(before)) MiB before, \(Self.mebibytes(after)) MiB with "
      text += "\(result.connectionsUp) connections"
      if let bytes = result.bytesPerConnection { text += ", \(Int(bytes)) bytes a connection" }
      text += "\n"
    }
    return text
  }

  private var generator: String {
    guard measured.elapsed > 1 else { return "" }
    var text = "generator: \(Self.fixed(result.generatorLoad * 100, 0)) % of a core"
    if let cost = result.ownMicrosecondsPerOperation { text += ", \(Self.fixed(cost, 1)) µs an operation" }
    text += "\n"
    if let limit = result.generatorLimit { text += "THE GENERATOR WAS THE LIMIT: \(limit)\n" }
    return text
  }

  // MARK: Numbers

  static func milliseconds(_ microseconds: UInt64) -> String { fixed(Double(microseconds) / 1_000, 3) }

  private static func mebibytes(_ bytes: Int64) -> String { fixed(Double(bytes) / 1_048_576, 1) }

  /// A number with so many digits after the point.
  static func fixed(_ number: Double, _ digits: Int) -> String {
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    guard number.magnitude < 9e15 / Double(scale) else { return "-" }
    let whole = Int((number.magnitude * Double(scale)).rounded())
    let sign = number < 0 && whole > 0 ? "-" : ""
    if digits == 0 { return "\(sign)\(whole)" }
    let rest = "\(whole % scale)"
    return "\(sign)\(whole / scale)." + String(repeating: "0", count: digits - rest.count) + rest
  }

  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func leading(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

import CLoadGenerator
import Structures

/// A result as JSON. The keys are a contract: `compare` and scripts read them.
public struct JSONReport {
  private let result: LoadResult
  private let command: [String]

  /// The report of a result and the command line that made it.
  public init(_ result: LoadResult, command: [String]) {
    self.result = result
    self.command = command
  }

  /// The whole document.
  public var octets: [UInt8] { Array((document.text + "\n").utf8) }

  var document: JSONValue {
    let measured = result.measurements
    var members: [(String, JSONValue)] = [
      ("format", .number(1)), ("scenario", .string(result.scenario)), ("time", .string(Self.now)),
      ("command", .list(command.map { .string($0) })), ("processes", .number(Double(result.processes))),
      ("seconds", .number(Double(measured.elapsed) / 1e9)), ("succeeded", .number(Double(measured.successes))),
      ("failed", .number(Double(measured.failures))), ("rate", .number(result.rate)),
      ("preparation_seconds", .number(result.preparation)), ("operations", operations),
      ("timings_ms", timings), ("statuses", statuses),
      ("losses", object(LossCause.allCases.map { ($0.name, measured.value($0)) })),
      ("counts", object(Tally.allCases.map { ($0.name, measured.value($0)) })),
      ("reasons", object(result.reasons.sorted { $0.key < $1.key }.map { ($0.key, UInt64($0.value)) })),
      ("longest_gap_ms", .number(Double(measured.longestGap) / 1e6)),
      ("connections", .number(Double(measured.connections))), ("registered", .number(Double(measured.registered))),
      ("generator", generator),
    ]
    if let server { members.append(("server", server)) }
    return .object(members)
  }

  private static var now: String {
    var text = [CChar](repeating: 0, count: 20)
    text.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      cload_local_time(base)
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func object(_ counts: [(String, UInt64)]) -> JSONValue {
    .object(counts.filter { $0.1 > 0 }.map { ($0.0, .number(Double($0.1))) })
  }

  private var operations: JSONValue {
    let measured = result.measurements
    return .object(
      OperationKind.allCases.filter { measured.started($0) > 0 }.map { kind in
        (
          kind.name,
          .object([
            ("started", .number(Double(measured.started(kind)))),
            ("succeeded", .number(Double(measured.succeeded(kind)))),
            ("failed", .number(Double(measured.failed(kind)))),
          ])
        )
      })
  }

  private var timings: JSONValue {
    var members: [(String, JSONValue)] = []
    for timing in Timing.allCases {
      let histogram = result.measurements.histogram(timing)
      if histogram.totalCount == 0 { continue }
      var values: [(String, JSONValue)] = [("count", .number(Double(histogram.totalCount)))]
      for (name, percentile) in [("p50", 50.0), ("p90", 90), ("p99", 99), ("p99.9", 99.9)] {
        values.append((name, .number(Double(histogram.valueAtPercentile(percentile)) / 1_000)))
      }
      values.append(("max", .number(Double(histogram.maxRecorded) / 1_000)))
      members.append((timing.name, .object(values)))
    }
    return .object(members)
  }

  private var statuses: JSONValue {
    let statuses = result.measurements.statuses
    return object(statuses.indices.map { ("\($0)", statuses[$0]) })
  }

  private var generator: JSONValue {
    var members: [(String, JSONValue)] = [("busiest_core_share", .number(result.generatorLoad))]
    if let cost = result.ownMicrosecondsPerOperation { members.append(("cpu_us_per_operation", .number(cost))) }
    members.append(("worst_start_delay_ms", .number(Double(result.measurements.worstDelay) / 1_000)))
    if let limit = result.generatorLimit { members.append(("was_the_limit", .string(limit))) }
    return .object(members)
  }

  private var server: JSONValue? {
    guard let usage = result.server else { return nil }
    var members: [(String, JSONValue)] = [
      ("cpu_seconds", .number(Double(usage.processor) / 1e9)), ("processes", .number(Double(usage.processes))),
    ]
    if let cost = result.serverMicrosecondsPerOperation { members.append(("cpu_us_per_operation", .number(cost))) }
    if let bytes = result.memoryBefore { members.append(("pss_bytes_before", .number(Double(bytes)))) }
    if let bytes = result.memoryAfter { members.append(("pss_bytes_after", .number(Double(bytes)))) }
    if let bytes = result.bytesPerConnection { members.append(("bytes_per_connection", .number(bytes))) }
    return .object(members)
  }
}

/// A JSON document that is written.
indirect enum JSONValue {
  case number(Double)
  case string(String)
  case list([JSONValue])
  case object([(String, JSONValue)])

  var text: String { text(indent: "") }

  private func text(indent: String) -> String {
    switch self {
    case .number(let number): return Self.number(number)
    case .string(let string): return Self.quoted(string)
    case .list(let values): return "[" + values.map { $0.text(indent: indent) }.joined(separator: ", ") + "]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      let deeper = indent + "  "
      let lines = members.map { "\(deeper)\(Self.quoted($0.0)): \($0.1.text(indent: deeper))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    }
  }

  private static func number(_ number: Double) -> String {
    guard number.isFinite else { return "null" }
    return number == number.rounded() && number.magnitude < 1e15 ? "\(Int64(number))" : TextReport.fixed(number, 3)
  }

  private static func quoted(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case _ where scalar.value < 0x20:
        text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}

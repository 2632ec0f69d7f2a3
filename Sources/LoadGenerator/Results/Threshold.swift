/// A wrong word on the command line.
public struct UsageError: Error {
  /// What is wrong and what to write.
  public let problem: String
}

/// A limit that a run must keep: `p99>20ms`, `message.p50>=2ms`, `errors>0`, `cpu>120us`, `rate<1000`.
public struct Threshold: Sendable {
  /// What is compared.
  enum Quantity: Sendable, Equatable {
    case percentile(Timing?, Double)
    case maximum(Timing?)
    case errors, errorShare, rate, processor, ownProcessor, memory, dropped, gap
  }

  enum Relation: String, Sendable, CaseIterable {
    case atLeast = ">=", atMost = "<=", above = ">", below = "<"

    func holds(_ left: Double, _ right: Double) -> Bool {
      switch self {
      case .atLeast: left >= right
      case .atMost: left <= right
      case .above: left > right
      case .below: left < right
      }
    }
  }

  /// As it was written.
  public let text: String
  let quantity: Quantity
  let relation: Relation
  /// Nanoseconds for times; bytes, per second, parts of a hundred or a number for others.
  let limit: Double

  /// Reads a threshold.
  public init(_ text: String) throws(UsageError) {
    self.text = text
    let plain = text.filter { !$0.isWhitespace }
    guard let relation = Relation.allCases.first(where: { plain.contains($0.rawValue) }),
      let mark = plain.firstIndex(of: relation.rawValue.first ?? ">")
    else { throw Self.refusal(text, "there is no <, <=, > or >= in it") }
    self.relation = relation
    let name = String(plain[..<mark])
    let value = String(plain[plain.index(mark, offsetBy: relation.rawValue.count)...])
    guard var quantity = Self.quantity(name) else { throw Self.refusal(text, "'\(name)' isn't known") }
    if quantity == .errors, value.hasSuffix("%") { quantity = .errorShare }
    self.quantity = quantity
    guard let limit = Self.limit(value, for: quantity) else {
      throw Self.refusal(text, "'\(value)' isn't a value for it")
    }
    self.limit = limit
  }

  private static func refusal(_ text: String, _ reason: String) -> UsageError {
    UsageError(
      problem:
        "--fail-if '\(text)': \(reason); write for instance 'p99>20ms', 'call.p50>5ms', 'errors>0', 'errors>0.1%', "
        + "'rate<1000', 'cpu>120us', 'own>45us', 'memory>2000', 'dropped>0', 'gap>1s'")
  }

  private static func quantity(_ name: String) -> Quantity? {
    switch name {
    case "errors": return .errors
    case "rate": return .rate
    case "cpu": return .processor
    case "own": return .ownProcessor
    case "memory": return .memory
    case "dropped": return .dropped
    case "gap": return .gap
    default: break
    }
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    let timing = Timing.allCases.first { $0.name == parts.first }
    guard let last = timing == nil ? name : (parts.count > 1 ? parts[1] : nil) else { return nil }
    if last == "max" { return .maximum(timing) }
    guard last.first == "p", let percentile = Double(last.dropFirst()), percentile > 0, percentile <= 100 else {
      return nil
    }
    return .percentile(timing, percentile)
  }

  private static func limit(_ text: String, for quantity: Quantity) -> Double? {
    switch quantity {
    case .percentile, .maximum, .processor, .ownProcessor, .gap:
      // A bare number would leave the unit to guesswork.
      return text.last?.isNumber ?? true ? nil : TimeText.nanoseconds(text)
    case .errorShare: return Double(text.dropLast())
    case .errors, .rate, .memory, .dropped: return Double(text)
    }
  }

  // MARK: Against a result

  /// Whether the run failed by this threshold. What wasn't measured can't have been kept: it counts as passed.
  public func isPassed(by result: LoadResult) -> Bool {
    guard let value = value(of: result) else { return true }
    return relation.holds(value, limit)
  }

  /// The measured value as text.
  public func measured(_ result: LoadResult) -> String {
    guard let value = value(of: result) else { return "not measured" }
    switch quantity {
    case .percentile, .maximum, .gap: return TextReport.fixed(value / 1e6, 3) + " ms"
    case .processor, .ownProcessor: return TextReport.fixed(value / 1e3, 1) + " µs"
    case .errors, .errorShare, .rate, .memory, .dropped: return TextReport.fixed(value, 3)
    }
  }

  private func value(of result: LoadResult) -> Double? {
    let measured = result.measurements
    switch quantity {
    case .percentile(let timing, let percentile):
      return times(timing, measured).map { Double(measured.percentile($0, percentile) ?? 0) * 1e3 }
    case .maximum(let timing): return times(timing, measured).map { Double(measured.histogram($0).maxRecorded) * 1e3 }
    case .errors: return Double(measured.failures)
    case .errorShare:
      let all = measured.successes + measured.failures
      return all == 0 ? nil : Double(measured.failures) / Double(all) * 100
    case .rate: return result.rate
    case .processor: return result.serverMicrosecondsPerOperation.map { $0 * 1e3 }
    case .ownProcessor: return result.ownMicrosecondsPerOperation.map { $0 * 1e3 }
    case .memory: return result.bytesPerConnection
    case .dropped: return Double(measured.value(.connectionsDropped))
    case .gap: return Double(measured.longestGap)
    }
  }

  /// The histogram that is meant: the named one, or that of the operations that were measured.
  private func times(_ timing: Timing?, _ measured: Measurements) -> Timing? {
    let candidates = timing.map { [$0] } ?? [.call, .message, .options, .register, .recovery, .handshake, .connect]
    return candidates.first { measured.histogram($0).totalCount > 0 }
  }
}

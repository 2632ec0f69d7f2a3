import Structures
import Yams

/// A scenario of several kinds of operations whose rates change over time, read from YAML.
///
/// ```yaml
/// duration: 60s
/// warm_up: 5s          # may be absent
/// arrival: poisson     # or even
/// rates:               # operations per second; a number, or points between which the rate changes evenly
///   message: 500
///   call: { 0s: 0, 20s: 50, 60s: 50 }
///   refresh: 20
/// ```
public struct MixedScenario {
  private let duration: Duration
  private let warmUp: Duration
  private let streams: [LoadStream]

  /// Reads a scenario file; `file` is its name for what is wrong with it.
  public init(yaml: [UInt8], file: String) throws(LoadError) {
    let root: Node?
    do {
      root = try Yams.compose(yaml: String(decoding: yaml, as: UTF8.self))
    } catch {
      throw LoadError(problem: "\(file): \(error)")
    }
    guard let mapping = root?.mapping else { throw LoadError(problem: "\(file): it is no mapping of settings") }
    let known = ["duration", "warm_up", "arrival", "rates"]
    for (key, _) in mapping where !known.contains(key.string ?? "") {
      throw Self.refusal(
        file, key, "'\(key.string ?? "?")' isn't a setting; there are \(known.joined(separator: ", "))")
    }
    duration = try Self.time(mapping["duration"], file) ?? .seconds(60)
    warmUp = try Self.time(mapping["warm_up"], file) ?? .zero
    let arrival = Arrival(rawValue: mapping["arrival"]?.string ?? "poisson")
    guard let arrival else { throw LoadError(problem: "\(file): arrival is poisson or even") }
    guard let rates = mapping["rates"]?.mapping, !rates.isEmpty else {
      throw LoadError(problem: "\(file): no rates; write for instance rates: { message: 100 }")
    }
    var streams: [LoadStream] = []
    for (key, value) in rates {
      guard let kind = OperationKind.allCases.first(where: { $0.name == key.string }),
        kind != .handshake, kind != .register, kind != .bind
      else {
        throw Self.refusal(file, key, "'\(key.string ?? "?")' has no rate; refresh, options, message and call have")
      }
      streams.append(LoadStream(kind, .open(try Self.profile(value, file), arrival)))
    }
    self.streams = streams
  }

  /// Gives a plan the scenario's streams and length.
  public func apply(to plan: inout LoadPlan) {
    plan.duration = duration
    plan.warmUp = warmUp
    plan.streams = streams
  }

  private static func refusal(_ file: String, _ node: Node, _ reason: String) -> LoadError {
    LoadError(problem: "\(file):\(node.mark?.line ?? 0):\(node.mark?.column ?? 0): \(reason)")
  }

  private static func time(_ node: Node?, _ file: String) throws(LoadError) -> Duration? {
    guard let node else { return nil }
    guard let duration = node.string.flatMap(TimeText.duration) else {
      throw refusal(file, node, "that isn't a length of time; write for instance 30s")
    }
    return duration
  }

  private static func profile(_ node: Node, _ file: String) throws(LoadError) -> RateProfile {
    if let rate = node.float, rate >= 0 { return RateProfile(rate) }
    guard let points = node.mapping else {
      throw refusal(file, node, "a rate is a number or a mapping of times to rates")
    }
    var list: [RateProfile.Point] = []
    for (key, value) in points {
      guard let at = try time(key, file), let rate = value.float, rate >= 0 else {
        throw refusal(file, value, "write a time and a rate, for instance 20s: 50")
      }
      list.append(RateProfile.Point(at: at, rate: rate))
    }
    guard zip(list, list.dropFirst()).allSatisfy({ $0.at < $1.at }) else {
      throw refusal(file, node, "the times must rise")
    }
    return RateProfile(list)
  }
}

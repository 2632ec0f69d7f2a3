import CLoadGenerator
import Structures

/// How arrivals are spread over time.
public enum Arrival: String, Sendable, CaseIterable {
  /// Independent of one another, as users are.
  case poisson
  /// The same time between any two.
  case even
}

/// A rate over time: straight lines between points, level after the last.
public struct RateProfile: Sendable, Equatable {
  /// A rate at a time after the start.
  public struct Point: Sendable, Equatable {
    /// Nanoseconds after the start.
    public let at: Int64
    /// Operations per second.
    public let rate: Double

    /// A rate per second, so long after the start.
    public init(at: Duration, rate: Double) {
      self.at = at.nanoseconds
      self.rate = rate
    }
  }

  private let points: [Point]

  /// A constant rate per second.
  public init(_ rate: Double) { points = [Point(at: .zero, rate: rate)] }

  /// Straight lines between the points, which are in order of time; before the first its rate holds.
  public init(_ points: [Point]) { self.points = points.isEmpty ? [Point(at: .zero, rate: 0)] : points }

  /// The same profile with every rate multiplied: one process's share.
  public func scaled(_ factor: Double) -> RateProfile {
    RateProfile(points.map { Point(at: .nanoseconds($0.at), rate: $0.rate * factor) })
  }

  /// The same profile so much later: its first rate holds before it. A warm-up runs at the first rate.
  public func delayed(by wait: Duration) -> RateProfile {
    RateProfile(points.map { Point(at: .nanoseconds($0.at) + wait, rate: $0.rate) })
  }

  /// The rate so many nanoseconds after the start.
  public func rate(at time: Int64) -> Double {
    guard let next = points.firstIndex(where: { $0.at > time }) else { return points[points.count - 1].rate }
    if next == 0 { return points[0].rate }
    let (left, right) = (points[next - 1], points[next])
    let part = Double(time - left.at) / Double(right.at - left.at)
    return left.rate + (right.rate - left.rate) * part
  }

  /// The time at which `amount` more operations have fallen due after `time`; nil when the rate stays zero.
  ///
  /// It is the solution of ∫ rate = amount, piece by piece.
  public func time(after time: Int64, amount: Double) -> Int64? {
    var (at, left) = (time, amount)
    for point in points where point.at > at {
      let (from, to) = (rate(at: at), point.rate)
      let seconds = Double(point.at - at) / 1e9
      let area = (from + to) / 2 * seconds
      if area >= left { return at + Self.solve(from, (to - from) / seconds, left) }
      left -= area
      at = point.at
    }
    let level = points[points.count - 1].rate
    return level > 0 ? at + Int64((left / level * 1e9).rounded(.up)) : nil
  }

  /// The nanoseconds after which a rate that starts at `rate` and rises by `slope` per second has made `amount`.
  private static func solve(_ rate: Double, _ slope: Double, _ amount: Double) -> Int64 {
    if abs(slope) < 1e-9 { return Int64((amount / rate * 1e9).rounded(.up)) }
    let root = (rate * rate + 2 * slope * amount).squareRoot()
    return Int64(((root - rate) / slope * 1e9).rounded(.up))
  }
}

/// The intended starts of an open loop. They depend on the profile and the random numbers only, never on what the
/// server does: latency is counted from them, so a stall of the server shows in every operation that it held up.
public struct ArrivalSchedule: Sendable {
  private let profile: RateProfile
  private let arrival: Arrival
  private var random: SplitMix

  /// Nanoseconds after the start of the next intended start; nil when there will be none.
  public private(set) var next: Int64?

  /// Arrivals of a profile; the same seed gives the same arrivals.
  public init(_ profile: RateProfile, _ arrival: Arrival, seed: UInt64) {
    self.profile = profile
    self.arrival = arrival
    random = SplitMix(seed)
    next = 0
    advance()
  }

  /// Goes on to the next intended start.
  public mutating func advance() {
    guard let last = next else { return }
    let amount = arrival == .even ? 1 : random.exponential()
    next = profile.time(after: last, amount: amount)
  }
}

/// A small generator of random numbers (SplitMix64) for choices that a seed must repeat.
public struct SplitMix: Sendable {
  private var state: UInt64

  /// The sequence of a seed.
  public init(_ seed: UInt64) { state = seed }

  /// 64 random bits.
  public mutating func word() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A number from 0 up to but without `bound`, which is at least 1.
  public mutating func below(_ bound: Int) -> Int {
    Int(word().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number of an exponential distribution whose mean is 1.
  public mutating func exponential() -> Double {
    let unit = (Double(word() >> 11) + 1) / 9_007_199_254_740_992
    return -cload_logarithm(unit)
  }
}

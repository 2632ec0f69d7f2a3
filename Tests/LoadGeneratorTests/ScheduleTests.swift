import Structures
import Testing

@testable import LoadGenerator

@Suite("When operations are due in an open loop")
struct ScheduleTests {
  private func starts(_ profile: RateProfile, _ arrival: Arrival, until end: Int64, seed: UInt64 = 1) -> [Int64] {
    var schedule = ArrivalSchedule(profile, arrival, seed: seed)
    var starts: [Int64] = []
    while let next = schedule.next, next < end, starts.count < 1_000_000 {
      starts.append(next)
      schedule.advance()
    }
    return starts
  }

  @Test("even arrivals at 100 a second are 10 ms apart")
  func even() {
    let starts = starts(RateProfile(100), .even, until: 1_000_000_001)
    #expect(starts.count == 100)
    #expect(zip(starts, starts.dropFirst()).allSatisfy { abs($1 - $0 - 10_000_000) <= 1 })
  }

  @Test("Poisson arrivals have the rate as mean, a deviation like their mean, and repeat with their seed")
  func poisson() {
    let one = starts(RateProfile(1_000), .poisson, until: 100_000_000_000, seed: 7)
    #expect(abs(one.count - 100_000) < 1_000)
    let gaps = zip(one, one.dropFirst()).map { Double($1 - $0) / 1e6 }
    let mean = gaps.reduce(0, +) / Double(gaps.count)
    let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
    #expect(abs(mean - 1) < 0.02 && abs(variance - 1) < 0.05)
    #expect(one == starts(RateProfile(1_000), .poisson, until: 100_000_000_000, seed: 7))
    #expect(one != starts(RateProfile(1_000), .poisson, until: 100_000_000_000, seed: 8))
  }

  @Test("a ramp from 0 to 100 in 10 s makes 500 arrivals, half of them in its last 29 %")
  func ramp() {
    let profile = RateProfile([.init(at: .zero, rate: 0), .init(at: .seconds(10), rate: 100)])
    let starts = starts(profile, .even, until: 10_000_000_001)
    #expect(abs(starts.count - 500) <= 1)
    let middle = Double(starts[249]) / 1e9
    #expect(abs(middle - 7.071) < 0.02)
  }

  @Test("after the last point the rate stays; a rate of zero never comes due")
  func levels() {
    let profile = RateProfile([.init(at: .seconds(1), rate: 10), .init(at: .seconds(2), rate: 20)])
    #expect(profile.rate(at: 0) == 10 && profile.rate(at: 1_500_000_000) == 15 && profile.rate(at: 9_000_000_000) == 20)
    #expect(RateProfile(0).time(after: 5, amount: 1) == nil)
    let fading = RateProfile([.init(at: .zero, rate: 10), .init(at: .seconds(2), rate: 0)])
    // The tenth would be due at the very instant at which the rate reaches zero.
    #expect((9...10).contains(starts(fading, .even, until: .max).count))
  }

  @Test("a delayed profile holds its first rate before it begins")
  func delay() {
    let profile = RateProfile([.init(at: .zero, rate: 10), .init(at: .seconds(2), rate: 30)]).delayed(by: .seconds(5))
    #expect(profile.rate(at: 4_000_000_000) == 10 && profile.rate(at: 6_000_000_000) == 20)
  }

  @Test("shares of the processes add up to the whole")
  func shares() {
    for (count, processes) in [(10, 3), (1, 4), (19_000, 2), (0, 2)] {
      let shares = (0..<processes).map { LoadWorker.share(count, of: processes, process: $0) }
      #expect(shares.reduce(0) { $0 + $1.count } == count)
      #expect(zip(shares, shares.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    }
  }
}

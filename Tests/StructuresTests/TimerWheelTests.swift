import Structures
import Testing

@Suite("A timer wheel")
struct TimerWheelTests {
  @Test("fires each deadline once, never early, at most one tick late")
  func firesInTime() {
    var wheel = TimerWheel(start: Instant(nanoseconds: 12_345))
    var random = SystemRandomNumberGenerator()
    var deadlines: [UInt32: Int64] = [:]
    for position in 0..<2_000 as Range<UInt32> {
      let deadline = Int64.random(in: 12_345...90_000_000_000, using: &random)
      deadlines[position] = deadline
      wheel.schedule(position, at: Instant(nanoseconds: deadline))
    }
    for position in stride(from: 0, to: 2_000, by: 3) as StrideTo<UInt32> {
      wheel.cancel(position)
      deadlines[position] = nil
    }
    var turns = 0
    while let next = wheel.nextDeadline {
      turns += 1
      while let position = wheel.popExpired(next) {
        let deadline = deadlines.removeValue(forKey: position)
        #expect(deadline != nil)
        #expect(next.nanoseconds >= deadline ?? .max)
        #expect(next.nanoseconds - (deadline ?? 0) < TimerWheel.tickNanoseconds)
      }
      #expect(turns < 10_000)
      if turns >= 10_000 { break }
    }
    #expect(deadlines.isEmpty)
    #expect(wheel.count == 0)
  }

  @Test("reports what is already due at once")
  func past() {
    var wheel = TimerWheel(start: Instant(nanoseconds: 1_000_000_000))
    wheel.schedule(7, at: Instant(nanoseconds: 5))
    #expect(wheel.popExpired(Instant(nanoseconds: 1_000_000_000)) == 7)
    #expect(wheel.popExpired(Instant(nanoseconds: 1_000_000_000)) == nil)
  }

  @Test("moves a deadline that is set again")
  func moves() {
    var wheel = TimerWheel(start: Instant(nanoseconds: 0))
    wheel.schedule(1, at: Instant(nanoseconds: 50_000_000))
    wheel.schedule(1, at: Instant(nanoseconds: 500_000_000))
    #expect(wheel.popExpired(Instant(nanoseconds: 400_000_000)) == nil)
    #expect(wheel.count == 1)
    #expect(wheel.popExpired(Instant(nanoseconds: 600_000_000)) == 1)
  }
}

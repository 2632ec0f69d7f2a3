import SIPTransaction
import Structures
import Testing

@Suite("Timers: RFC 3261 §17.1.1.1, RFC 6026 §8.11")
struct TimerTests {
  /// First value in milliseconds over an unreliable and a reliable transport; nil where the timer isn't used.
  private static let values: [Timer: (unreliable: Int64?, reliable: Int64?)] = [
    .a: (500, nil), .b: (32_000, 32_000), .d: (32_000, 0), .e: (500, nil), .f: (32_000, 32_000), .g: (500, nil),
    .h: (32_000, 32_000), .i: (5_000, 0), .j: (32_000, 0), .k: (5_000, 0), .l: (32_000, 32_000), .m: (32_000, 32_000),
  ]

  @Test("each letter has the value that the RFCs give it", arguments: Timer.allCases)
  func value(of timer: Timer) throws {
    let expected = try #require(Self.values[timer])
    let settings = TimerSettings.standard
    #expect(settings.nanoseconds(timer, isReliable: false) == expected.unreliable.map { $0 * 1_000_000 })
    #expect(settings.nanoseconds(timer, isReliable: true) == expected.reliable.map { $0 * 1_000_000 })
  }

  @Test("the defaults are 500 ms, 4 s and 5 s")
  func defaults() {
    #expect(TimerSettings.standard.t1 == .milliseconds(500))
    #expect(TimerSettings.standard.t2 == .seconds(4))
    #expect(TimerSettings.standard.t4 == .seconds(5))
  }

  @Test(
    "Timer E reaches T2 with the retransmission after which a client waits T2: RFC 4320 §4.1",
    arguments: [
      (500, 4_000, 3_500), (500, 3_000, 3_500), (500, 500, 500), (1_000, 4_000, 3_000), (100, 150, 100), (10, 40, 30),
    ] as [(Int64, Int64, Int64)])
  func timerEReachesT2(t1: Int64, t2: Int64, expected: Int64) {
    let settings = TimerSettings(t1: .milliseconds(t1), t2: .milliseconds(t2))
    #expect(settings.timerEReachesT2Nanoseconds == expected * 1_000_000)
    // The client agrees: from that retransmission on, its deadlines are T2 apart.
    let client = Script<NonInviteClientTransaction>.nonInviteClient(isReliable: false, settings: settings)
    while let deadline = client.deadline, deadline < .milliseconds(expected) {
      client.after(deadline - (client.clock.now - ManualClock.start))
    }
    #expect(client.deadline == .milliseconds(expected))
    client.after(.milliseconds(expected) - (client.clock.now - ManualClock.start))
    #expect(client.deadline == .milliseconds(expected + t2))
  }
}

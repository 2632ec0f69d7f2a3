import Structures

/// The base values from which every timer of a transaction is computed (RFC 3261 §17.1.1.1, RFC 3261 §A).
///
/// Kept as nanoseconds: a copy lives in each transaction.
public struct TimerSettings: Hashable, Sendable {
  /// T1 in nanoseconds.
  public let t1Nanoseconds: Int64
  /// T2 in nanoseconds.
  public let t2Nanoseconds: Int64
  /// T4 in nanoseconds.
  public let t4Nanoseconds: Int64

  /// The defaults of RFC 3261: T1 500 ms, T2 4 s, T4 5 s.
  public static let standard = TimerSettings()

  /// Settings with the given base values.
  ///
  /// - Parameters:
  ///   - t1: estimate of the round-trip time; more than zero, at most one hour.
  ///   - t2: the longest interval between retransmissions, INVITE requests excepted; from `t1` to one hour.
  ///   - t4: how long a message may stay in the network; from zero to one hour.
  public init(t1: Duration = .milliseconds(500), t2: Duration = .seconds(4), t4: Duration = .seconds(5)) {
    let limit = Duration.seconds(3_600)
    precondition(t1 > .zero && t1 <= t2 && t2 <= limit && t4 >= .zero && t4 <= limit, "timer settings out of range")
    t1Nanoseconds = t1.nanoseconds
    t2Nanoseconds = t2.nanoseconds
    t4Nanoseconds = t4.nanoseconds
  }

  /// T1, the estimate of the round-trip time.
  public var t1: Duration { .nanoseconds(t1Nanoseconds) }
  /// T2, the longest interval between retransmissions.
  public var t2: Duration { .nanoseconds(t2Nanoseconds) }
  /// T4, how long a message may stay in the network.
  public var t4: Duration { .nanoseconds(t4Nanoseconds) }

  /// 64·T1 in nanoseconds: how long a client goes on trying, and a server waits for an ACK.
  public var timeoutNanoseconds: Int64 { 64 * t1Nanoseconds }

  /// How long a timer runs when it is first set, in nanoseconds.
  ///
  /// The one place of the values in RFC 3261 §A and RFC 6026 §8.11. Zero: it fires in the moment in which it
  /// is set. Nil: it isn't used over this kind of transport.
  public func nanoseconds(_ timer: Timer, isReliable: Bool) -> Int64? {
    switch timer {
    case .a, .e, .g: isReliable ? nil : t1Nanoseconds
    case .b, .f, .h, .l, .m: timeoutNanoseconds
    // RFC 3261 §17.1.1.2, RFC 6026 §8.4: at least 32 s, as the T1 of the server isn't known.
    case .d: isReliable ? 0 : max(timeoutNanoseconds, 32_000_000_000)
    case .i, .k: isReliable ? 0 : t4Nanoseconds
    case .j: isReliable ? 0 : timeoutNanoseconds
    }
  }

  /// How long after its first transmission a non-INVITE client resets its Timer E to T2 for the first time: 3.5 s
  /// (T1 + 2·T1 + 4·T1) by default. In nanoseconds.
  ///
  /// RFC 4320 §4.1
  public var timerEReachesT2Nanoseconds: Int64 {
    var elapsed: Int64 = 0
    var interval = t1Nanoseconds
    repeat {
      elapsed += interval
      interval = min(2 * interval, t2Nanoseconds)
    } while interval < t2Nanoseconds
    return elapsed
  }

  /// When a timer that is set at `now` fires; nil when it fires at once, or isn't used over this kind of transport.
  func pending(_ timer: Timer, isReliable: Bool, from now: Instant) -> Instant? {
    guard let value = nanoseconds(timer, isReliable: isReliable), value > 0 else { return nil }
    return now.adding(nanoseconds: value)
  }

  /// When a timer that is the same over both kinds of transport (B, F, H, L, M) fires if it is set at `now`.
  func timeout(from now: Instant) -> Instant {
    now.adding(nanoseconds: timeoutNanoseconds)
  }

  /// The first deadline of a retransmission timer (A, E, G); nil over a reliable transport.
  func retransmission(_ timer: Timer, isReliable: Bool, from now: Instant) -> Retransmission? {
    nanoseconds(timer, isReliable: isReliable).map {
      Retransmission(at: now.adding(nanoseconds: $0), intervalNanoseconds: $0)
    }
  }
}

/// The timers of the four machines, by their letters: what, when set; the value over a reliable transport.
/// Timer C belongs to the proxy (RFC 3261 §16.6).
public enum Timer: CaseIterable, Sendable {
  /// Retransmits an INVITE: set when it is sent, then doubled without bound; reliable: not used.
  case a
  /// Bounds the wait for any response to an INVITE: set when it is sent; reliable: the same.
  case b
  /// Absorbs retransmitted non-2xx responses to an INVITE: set by the first of them; reliable: zero.
  case d
  /// Retransmits a non-INVITE request: set when it is sent, then doubled up to T2; reliable: not used.
  case e
  /// Bounds a non-INVITE client transaction: set when the request is sent; reliable: the same.
  case f
  /// Retransmits a non-2xx response to an INVITE: set when it is sent, then doubled up to T2; reliable: not used.
  case g
  /// Bounds the wait for the ACK: set when the non-2xx response is sent; reliable: the same.
  case h
  /// Absorbs retransmitted ACKs: set by the first of them; reliable: zero.
  case i
  /// Absorbs retransmitted non-INVITE requests: set when the final response is sent; reliable: zero.
  case j
  /// Absorbs retransmitted final responses to a non-INVITE request: set by the first of them; reliable: zero.
  case k
  /// Absorbs retransmitted INVITEs and passes 2xx responses and ACKs: set by the first 2xx; reliable: the same.
  case l
  /// Passes further 2xx responses from the network: set by the first of them; reliable: the same.
  case m
}

/// The next retransmission and the interval that led to it.
public struct Retransmission: Hashable, Sendable {
  /// When to retransmit.
  public private(set) var at: Instant
  /// How long the timer ran, or runs, to that instant, in nanoseconds.
  public private(set) var intervalNanoseconds: Int64

  /// A retransmission due at an instant, `intervalNanoseconds` after the transmission before it.
  public init(at: Instant, intervalNanoseconds: Int64) {
    self.at = at
    self.intervalNanoseconds = intervalNanoseconds
  }

  /// This one done, the one after it: twice the interval, at most `ceiling` nanoseconds.
  ///
  /// Counted from `now` and not from the deadline, so that a late caller never sends two in quick succession.
  func next(after now: Instant, ceiling: Int64 = .max) -> Retransmission {
    let (doubled, overflow) = intervalNanoseconds.multipliedReportingOverflow(by: 2)
    let interval = min(overflow ? .max : doubled, ceiling)
    return Retransmission(at: now.adding(nanoseconds: interval), intervalNanoseconds: interval)
  }
}

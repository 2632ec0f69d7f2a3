import Histogram
import Structures

/// What is timed; in microseconds.
public enum Timing: Int, Sendable, CaseIterable {
  /// TCP: from SYN until the connection stands.
  case connect
  /// TLS: from there until the handshake is complete.
  case handshake
  /// From REGISTER, or in `register` from the intended start of the connection, until its 200.
  case register
  /// From OPTIONS to its final answer.
  case options
  /// From MESSAGE to its final answer.
  case message
  /// From INVITE to 180.
  case postDial
  /// From INVITE to its 200.
  case setup
  /// From INVITE to the 200 for BYE.
  case call
  /// From the loss of a connection until it is registered again.
  case recovery

  /// The word in results.
  public var name: String { self == .postDial ? "post-dial" : "\(self)" }
}

/// Why an operation failed.
public enum LossCause: Int, Sendable, CaseIterable {
  /// No final answer in time.
  case timeout
  /// Its connection was lost meanwhile.
  case connectionLost
  /// Its user had no connection when it was to start.
  case notConnected
  /// The connection or the handshake failed.
  case connectFailed
  /// The callee got other octets than were sent.
  case wrongBody
  /// A request reached another user than it was for.
  case wrongUser
  /// A response had more or other Via values than the one that was sent.
  case extraVia
  /// The stream couldn't be divided into messages.
  case framing
  /// The callee never saw the ACK for its 200.
  case noACK
  /// A 200 came although the callee never got the request.
  case notDelivered
  /// A final answer that the scenario doesn't expect; the table of status codes tells which.
  case status

  /// The word in results.
  public var name: String {
    switch self {
    case .timeout: "timeout"
    case .connectionLost: "connection lost"
    case .notConnected: "not connected"
    case .connectFailed: "connect failed"
    case .wrongBody: "wrong body"
    case .wrongUser: "wrong user"
    case .extraVia: "extra Via"
    case .framing: "framing"
    case .noACK: "no ACK"
    case .notDelivered: "not delivered"
    case .status: "status"
    }
  }
}

/// What is merely counted, over the whole run.
public enum Tally: Int, Sendable, CaseIterable {
  case connectionsOpened, connectionsResumed, connectionsDropped, connectionsRefused, reconnections
  case requestsSent, responsesReceived, requestsReceived, responsesSent, pongs, pings, retransmissions
  case lateStarts, strayResponses, callsLost

  /// The word in results.
  public var name: String {
    switch self {
    case .connectionsOpened: "connections opened"
    case .connectionsResumed: "connections resumed"
    case .connectionsDropped: "connections dropped by the server"
    case .connectionsRefused: "connections that failed"
    case .reconnections: "reconnections"
    case .requestsSent: "requests sent"
    case .responsesReceived: "final responses received"
    case .requestsReceived: "requests received"
    case .responsesSent: "final responses sent"
    case .pongs: "keep-alives answered"
    case .pings: "keep-alives sent"
    case .retransmissions: "retransmissions"
    case .lateStarts: "late starts"
    case .strayResponses: "stray responses"
    case .callsLost: "calls lost"
    }
  }
}

/// Everything that one process measured; processes' values are merged by addition.
public struct Measurements: Sendable {
  /// The largest time that is told apart: an hour, in microseconds.
  private static let longest: UInt64 = 3_600_000_000
  /// Width of a bucket of the time line, in nanoseconds.
  public static let bucket: Int64 = 10_000_000

  private(set) var histograms: [Histogram<UInt64>]
  /// Per status code, over all operations.
  public private(set) var statuses = [UInt64](repeating: 0, count: 700)
  private(set) var losses = [UInt64](repeating: 0, count: LossCause.allCases.count)
  private(set) var tallies = [UInt64](repeating: 0, count: Tally.allCases.count)
  private(set) var started = [UInt64](repeating: 0, count: OperationKind.allCases.count)
  private(set) var succeeded = [UInt64](repeating: 0, count: OperationKind.allCases.count)
  private(set) var failed = [UInt64](repeating: 0, count: OperationKind.allCases.count)
  /// Successes in each 10 ms of the measurement.
  private(set) var timeline: [UInt64] = []
  /// The latest start after its intended time, in microseconds.
  var worstDelay: UInt64 = 0
  /// Processor time that the generator used in the measurement, in nanoseconds; the largest of one process.
  var ownCPU: UInt64 = 0
  var busiestCPU: UInt64 = 0
  /// Length of the measurement in nanoseconds, up to its last operation.
  var elapsed: UInt64 = 0
  var connections: UInt64 = 0
  var registered: UInt64 = 0

  /// Nothing measured yet.
  public init() {
    histograms = Timing.allCases.map { _ in
      Histogram<UInt64>(highestTrackableValue: Self.longest, numberOfSignificantValueDigits: .three)
    }
  }

  // MARK: Recording

  mutating func record(_ timing: Timing, nanoseconds: Int64) {
    histograms[timing.rawValue].record(min(UInt64(max(0, nanoseconds)) / 1_000, Self.longest))
  }

  mutating func count(_ tally: Tally, _ amount: Int = 1) { tallies[tally.rawValue] &+= UInt64(amount) }

  mutating func countStart(_ kind: OperationKind) { started[Int(kind.rawValue)] &+= 1 }

  mutating func countSuccess(_ kind: OperationKind, at nanoseconds: Int64) {
    succeeded[Int(kind.rawValue)] &+= 1
    guard nanoseconds >= 0 else { return }
    let index = Int(nanoseconds / Self.bucket)
    while timeline.count <= index { timeline.append(0) }
    timeline[index] &+= 1
  }

  mutating func countFailure(_ kind: OperationKind, _ cause: LossCause) {
    failed[Int(kind.rawValue)] &+= 1
    losses[cause.rawValue] &+= 1
  }

  mutating func countStatus(_ status: Int) {
    if status >= 100, status < 700 { statuses[status] &+= 1 }
  }

  /// Forgets what preparation and warm-up measured; counts of the whole run stay.
  mutating func beginMeasurement(resettingConnections: Bool) {
    var fresh = Measurements()
    fresh.tallies = tallies
    if !resettingConnections {
      for timing in [Timing.connect, .handshake, .register] {
        fresh.histograms[timing.rawValue] = histograms[timing.rawValue]
      }
    }
    fresh.tallies[Tally.lateStarts.rawValue] = 0
    self = fresh
  }

  // MARK: Reading

  /// The times of one kind.
  func histogram(_ timing: Timing) -> Histogram<UInt64> { histograms[timing.rawValue] }
  /// A count.
  public func value(_ tally: Tally) -> UInt64 { tallies[tally.rawValue] }
  /// How many operations failed for a cause.
  public func value(_ cause: LossCause) -> UInt64 { losses[cause.rawValue] }
  /// Operations of a kind that succeeded.
  public func succeeded(_ kind: OperationKind) -> UInt64 { succeeded[Int(kind.rawValue)] }
  /// Operations of a kind that failed.
  public func failed(_ kind: OperationKind) -> UInt64 { failed[Int(kind.rawValue)] }
  /// Operations of a kind that were started.
  public func started(_ kind: OperationKind) -> UInt64 { started[Int(kind.rawValue)] }
  /// All operations that succeeded.
  public var successes: UInt64 { succeeded.reduce(0, +) }
  /// All operations that failed.
  public var failures: UInt64 { failed.reduce(0, +) }

  /// A value below which `percentile` of 100 of the times lie, in microseconds; nil when there is none.
  public func percentile(_ timing: Timing, _ percentile: Double) -> UInt64? {
    let histogram = histograms[timing.rawValue]
    return histogram.totalCount == 0 ? nil : histogram.valueAtPercentile(percentile)
  }

  /// The longest stretch of the time line without any success, in nanoseconds; its ends count as successes.
  public var longestGap: Int64 {
    var (longest, current) = (0, 0)
    for successes in timeline {
      current = successes == 0 ? current + 1 : 0
      longest = max(longest, current)
    }
    return Int64(longest) * Self.bucket
  }

  // MARK: Several processes

  /// Adds what another process measured at the same time.
  public mutating func merge(_ other: Measurements) {
    for index in histograms.indices { histograms[index].add(other.histograms[index]) }
    for index in statuses.indices { statuses[index] &+= other.statuses[index] }
    for index in losses.indices { losses[index] &+= other.losses[index] }
    for index in tallies.indices { tallies[index] &+= other.tallies[index] }
    for index in started.indices { started[index] &+= other.started[index] }
    for index in succeeded.indices { succeeded[index] &+= other.succeeded[index] }
    for index in failed.indices { failed[index] &+= other.failed[index] }
    while timeline.count < other.timeline.count { timeline.append(0) }
    for index in other.timeline.indices { timeline[index] &+= other.timeline[index] }
    worstDelay = max(worstDelay, other.worstDelay)
    ownCPU &+= other.ownCPU
    busiestCPU = max(busiestCPU, other.busiestCPU)
    elapsed = max(elapsed, other.elapsed)
    connections &+= other.connections
    registered &+= other.registered
  }

  /// The values as words, for a pipe between two processes of one build.
  var words: [UInt64] {
    var words = [worstDelay, ownCPU, busiestCPU, elapsed, connections, registered]
    for list in [statuses, losses, tallies, started, succeeded, failed, timeline] {
      words.append(UInt64(list.count))
      words += list
    }
    for histogram in histograms {
      let values = histogram.recordedValues().map { ($0.value, $0.count) }
      words.append(UInt64(values.count))
      for (value, count) in values { words += [value, count] }
    }
    return words
  }

  /// Reads ``words``; nil when they aren't that.
  init?(words: [UInt64]) {
    self.init()
    guard words.count >= 6 else { return nil }
    (worstDelay, ownCPU, busiestCPU) = (words[0], words[1], words[2])
    (elapsed, connections, registered) = (words[3], words[4], words[5])
    var position = 6
    func list(_ factor: Int) -> ArraySlice<UInt64>? {
      guard position < words.count, words[position] < 1 << 32 else { return nil }
      let (start, end) = (position + 1, position + 1 + Int(words[position]) * factor)
      guard end <= words.count else { return nil }
      position = end
      return words[start..<end]
    }
    guard let codes = list(1), let causes = list(1), let counts = list(1), let starts = list(1),
      let wins = list(1), let defeats = list(1), let line = list(1),
      codes.count == statuses.count, causes.count == losses.count, counts.count == tallies.count,
      starts.count == started.count, wins.count == succeeded.count, defeats.count == failed.count
    else { return nil }
    (statuses, losses, tallies, started) = (Array(codes), Array(causes), Array(counts), Array(starts))
    (succeeded, failed, timeline) = (Array(wins), Array(defeats), Array(line))
    for index in histograms.indices {
      guard let values = list(2) else { return nil }
      for pair in stride(from: values.startIndex, to: values.endIndex, by: 2) {
        histograms[index].record(values[pair], count: values[pair + 1])
      }
    }
  }
}
